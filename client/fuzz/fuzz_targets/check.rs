//! The second look at a pair of files that stand in one input: no panic, no hang.
//!
//! `cargo fuzz run check -s none --fuzz-dir client/fuzz` with pairs of files, one behind the other, in the corpus.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| pcim_dicom::check::fuzz(input));
