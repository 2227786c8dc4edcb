//! DICOMDIRs: a list of files or an error. No panic, no hang.
//!
//! `cargo fuzz run dicomdir -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::study::fuzzing::{directory, disc};
use pcim_fuzz::{edited, write};

static DISC: LazyLock<Vec<u8>> = LazyLock::new(disc);

fuzz_target!(
    init: {
        assert!(directory(&DISC));
        write(2, &[(0, &DISC)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let _ = match choice & 1 {
            0 => directory(input),
            _ => directory(&edited(&DISC, input)),
        };
    }
);
