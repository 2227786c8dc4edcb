//! A study's tar taken apart into a folder: it is what its manifest says, or it is refused. No panic, no hang.
//!
//! `cargo fuzz run unpack -s none --fuzz-dir client/fuzz`; files are written to `TMPDIR`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::study::fuzzing::{indexed_study, study, summed, unpack};
use pcim_fuzz::{edited, write};

static STUDY: LazyLock<Vec<u8>> = LazyLock::new(indexed_study);
/// As it was before there were indexes.
static OLD: LazyLock<Vec<u8>> = LazyLock::new(study);

fn unpacked(tar: &[u8]) -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    unpack(tar, folder.path()).expect("the folder takes it")
}

fuzz_target!(
    init: {
        assert!(unpacked(&STUDY) && unpacked(&OLD));
        write(4, &[(0, &STUDY), (1, &STUDY), (0, &OLD), (1, &OLD)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let _ = match choice % 4 {
            0 => unpacked(input),
            1 => unpacked(&summed(input)),
            2 => unpacked(&summed(&edited(&OLD, input))),
            _ => unpacked(&summed(&edited(&STUDY, input))),
        };
    }
);
