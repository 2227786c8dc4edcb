//! Frames to the `jpeg2000` decoder: samples of the frame's own size or an error; a stripped frame has the same ones.
//!
//! `cargo fuzz run codec_jpeg2000 -s none --fuzz-dir client/fuzz -- -rss_limit_mb=2048`

#![no_main]

use libfuzzer_sys::fuzz_target;
use pcim_dicom::fuzzing::{DECODERS, frame};

fuzz_target!(|input: &[u8]| {
    let decoder = DECODERS.iter().find(|(name, _)| *name == "jpeg2000");
    frame(decoder.map_or("", |(_, syntax)| syntax), input);
});
