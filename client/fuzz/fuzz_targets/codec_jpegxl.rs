//! Frames to the `jpegxl` decoder: samples of the frame's own size or an error; a stripped frame has the same ones.
//!
//! `cargo fuzz run codec_jpegxl -s none --fuzz-dir client/fuzz -- -rss_limit_mb=2048`

#![no_main]

use libfuzzer_sys::fuzz_target;
use pcim_dicom::fuzzing::{DECODERS, frame};

// A panic of the decoder, which is not ours, is caught as in the program; another one ends the run.
fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |input: &[u8]| {
    let decoder = DECODERS.iter().find(|(name, _)| *name == "jpegxl");
    frame(decoder.map_or("", |(_, syntax)| syntax), input);
});
