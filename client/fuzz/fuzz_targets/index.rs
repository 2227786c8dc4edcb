//! The index that a sealed study begins with, and bodies that are read in parts: every file lies in the payload behind the one
//! before it, and a part is what the whole has there. No panic, no hang.
//!
//! `cargo fuzz run index -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::study::fuzzing::{index, indexed, indexed_study, read_index, summed};
use pcim_fuzz::{edited, key, write};
use pcim_seal::{BodyVersion, Claims, Parts, Sealed};

/// Bytes of the payload: several chunks.
const PAYLOAD: usize = 600_000;

static STUDY: LazyLock<Vec<u8>> = LazyLock::new(indexed_study);
static INDEX: LazyLock<Vec<u8>> =
    LazyLock::new(|| serde_json::to_vec(&index()).expect("an index is JSON"));
static BODY: LazyLock<(Vec<u8>, Vec<u8>, Sealed)> = LazyLock::new(|| {
    let payload: Vec<u8> = (0..PAYLOAD).map(|at| (at * 31 + (at >> 8)) as u8).collect();
    let (mut body, claims) = (Vec::new(), Claims::default());
    let version = BodyVersion::V2;
    let sealed = pcim_seal::seal_body(&mut &payload[..], &key(), claims, version, &mut body);
    (payload, body, sealed.expect("it is sealed"))
});

fuzz_target!(
    init: {
        assert!(read_index(&STUDY));
        write(4, &[(0, &STUDY), (1, &INDEX)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        match choice % 4 {
            0 => drop(read_index(input)),
            1 => drop(read_index(&indexed(input, b"a signature"))),
            2 => drop(read_index(&summed(&edited(&indexed(&edited(&INDEX, input), b""), input)))),
            _ => part(input),
        }
    }
);

/// Reads parts of a body that was changed.
fn part(input: &[u8]) {
    let (payload, body, sealed) = &*BODY;
    let changed = edited(body, input);
    let Ok(parts) = Parts::open(&changed[..], &sealed.session_key) else {
        return;
    };
    if parts.seal() != sealed.seal {
        return;
    }
    let at = input
        .iter()
        .fold(7, |at, byte| (at * 31 + usize::from(*byte)) % PAYLOAD);
    let end = (at + 70_000).min(PAYLOAD);
    let mut out = Vec::new();
    if parts.read(at as u64..end as u64, &mut out).is_ok() {
        assert!(out == payload[at..end]);
    }
}
