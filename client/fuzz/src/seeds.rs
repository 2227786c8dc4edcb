//! Inputs to begin with, written where `PCIM_FUZZ_SEEDS` says: a folder, which is then named to the fuzzer as its corpus.

use std::path::PathBuf;

/// Writes for each choice: every whole artefact that belongs to it, none, and edits at a few places.
pub fn write(choices: u8, whole: &[(u8, &[u8])]) {
    let Some(folder) = std::env::var_os("PCIM_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).expect("the folder is made");
    let write = |name: String, choice: u8, input: &[u8]| {
        let seed = [&[choice], input].concat();
        std::fs::write(folder.join(name), seed).expect("the seed is written");
    };
    for choice in 0..choices {
        write(format!("seed-{choice:02}"), choice, &[]);
        // One of each kind, at the start, in the middle and far behind.
        for kind in 0..6 {
            let edits = [[kind, 7, 0, 1], [kind, 90, 1, 40], [kind, 60, 15, 200]];
            write(format!("seed-{choice:02}-{kind}"), choice, &edits.concat());
        }
    }
    for (at, (choice, bytes)) in whole.iter().enumerate() {
        write(format!("whole-{choice:02}-{at}"), *choice, bytes);
    }
}
