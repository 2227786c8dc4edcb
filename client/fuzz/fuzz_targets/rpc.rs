//! The JSON that a chain's RPC answers, in every form that is asked for: events are the contract's, text can be shown. No
//! panic.
//!
//! `cargo fuzz run rpc -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_core::Address;
use pcim_fuzz::{edited, write};
use pcim_ledger::fuzzing::{answers, samples};

const CONTRACT: Address = Address::repeat_byte(0xc0);

static SAMPLES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| samples(CONTRACT));

fuzz_target!(
    init: {
        let whole: Vec<_> = SAMPLES.iter().map(|sample| (0, &sample[..])).collect();
        write(8, &whole);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let _ = match usize::from(*choice) % (SAMPLES.len() + 1) {
            0 => answers(CONTRACT, input),
            good => answers(CONTRACT, &edited(&SAMPLES[good - 1], input)),
        };
    }
);
