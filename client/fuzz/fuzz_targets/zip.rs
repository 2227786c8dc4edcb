//! Zip archives: names inside the archive, entries that are whole. No panic, no hang, no more than the input inflates to.
//!
//! `cargo fuzz run zip -s none --fuzz-dir client/fuzz`; archives are written to `TMPDIR`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::study::fuzzing::{archive, zipped};
use pcim_fuzz::{edited, write};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| zipped("disc/image.dcm", &[5; 200]));

fn read(bytes: &[u8]) -> bool {
    archive(bytes, &FOLDER.path().join("archive.zip")).expect("the folder takes it")
}

fuzz_target!(
    init: {
        assert!(read(&GOOD));
        write(2, &[(0, &GOOD), (0, &zipped("a", b""))]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let _ = match choice & 1 {
            0 => read(input),
            _ => read(&edited(&GOOD, input)),
        };
    }
);
