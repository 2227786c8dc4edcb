//! Any bytes as a program: with the console on and off.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stylus_devnet::fuzzing::activate;

fuzz_target!(|wasm: &[u8]| {
    activate(wasm, false);
    activate(wasm, true);
});
