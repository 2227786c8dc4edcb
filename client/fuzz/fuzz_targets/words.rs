//! The words of a sheet of paper: those of 32 bytes, or a refusal that quotes none of them; no panic, no hang.
//!
//! `cargo fuzz run words -s none --fuzz-dir client/fuzz`

#![no_main]

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::sheet::Sheet;
use pcim_client::papers::words;
use pcim_core::Secret;
use pcim_fuzz::edited;

/// Ways: the input as it is, or edits of good words.
const WAYS: u8 = 2;

fuzz_target!(
    init: {
        let good = words::of(&Secret::new([7; 32]));
        pcim_fuzz::write(WAYS, &[(0, good.as_bytes())]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let good = words::of(&Secret::new([7; 32]));
        let bytes = match choice % WAYS {
            0 => input.to_vec(),
            _ => edited(good.as_bytes(), input),
        };
        let text = String::from_utf8_lossy(&bytes);
        match Sheet::A.read(&text) {
            Ok(secret) => {
                let again = Sheet::A.read(&words::of(&secret)).expect("its words read");
                assert_eq!(again.expose(), secret.expose());
            }
            Err(error) => assert!(error.to_string().len() < 100),
        }
    }
);
