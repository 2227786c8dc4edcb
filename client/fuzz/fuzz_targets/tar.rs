//! The headers of a study's tar: every file has a name of its kind. No panic, no hang.
//!
//! `cargo fuzz run tar -s none --fuzz-dir client/fuzz`

#![no_main]

use std::path::{Component, Path};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::study::fuzzing::{entries, study, summed};
use pcim_fuzz::{edited, write};

static STUDY: LazyLock<Vec<u8>> = LazyLock::new(study);

fuzz_target!(
    init: {
        assert_eq!(entries(&STUDY).map(|entries| entries.len()), Some(4));
        write(3, &[(0, &STUDY), (1, &STUDY)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let tar = match choice % 3 {
            0 => input.to_vec(),
            1 => summed(input),
            _ => summed(&edited(&STUDY, input)),
        };
        for (name, size) in entries(&tar).unwrap_or_default() {
            let inside = |part| matches!(part, Component::Normal(_));
            assert!(Path::new(&name).components().all(inside), "{name:?}");
            assert!(size <= tar.len() as u64);
        }
    }
);
