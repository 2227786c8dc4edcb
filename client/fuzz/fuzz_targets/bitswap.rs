//! Bitswap messages of a peer: of this node's profile, and the same when they are written and read again. No panic.
//!
//! `cargo fuzz run bitswap -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_fuzz::{edited, write};
use pcim_node::fuzzing::{message, messages};

static MESSAGES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(messages);

fuzz_target!(
    init: {
        let whole: Vec<_> = MESSAGES.iter().map(|message| (0, &message[..])).collect();
        write(4, &whole);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let _ = match usize::from(*choice) % (MESSAGES.len() + 1) {
            0 => message(input),
            good => message(&edited(&MESSAGES[good - 1], input)),
        };
    }
);
