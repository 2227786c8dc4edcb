//! Forms with a file (`multipart/form-data`): the same file however the request is cut on its way. No panic.
//!
//! `cargo fuzz run form -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_fuzz::{edited, write};
use pcim_node::fuzzing::{form, form_of};

static GOOD: LazyLock<(String, Vec<u8>)> = LazyLock::new(|| form_of(&[b'-'; 300]));
/// Sizes of the pieces that a request comes in, in bytes.
const PIECES: [usize; 4] = [1, 3, 50, 1 << 16];

fuzz_target!(
    init: {
        write(12, &[(0, &GOOD.1), (4, GOOD.0.as_bytes())]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let (kind, body) = (&GOOD.0, &GOOD.1);
        let size = PIECES[usize::from(choice & 3)];
        let (kind, body) = match (choice >> 2) % 3 {
            0 => (kind.clone(), input.to_vec()),
            1 => (String::from_utf8_lossy(input).into_owned(), body.clone()),
            _ => (kind.clone(), edited(body, input)),
        };
        let whole = form(&kind, &body, body.len());
        assert_eq!(whole.ok(), form(&kind, &body, size).ok());
    }
);
