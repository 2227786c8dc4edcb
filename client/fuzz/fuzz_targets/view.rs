//! Frames of hostile pixel data: no panic of ours, no hang, no memory beyond the limit.
//!
//! `cargo fuzz run view -s none --fuzz-dir client/fuzz -- -rss_limit_mb=2048` with compressed DICOM files in the corpus.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pcim_dicom::view;

fuzz_target!(|input: &[u8]| {
    for file in view::instances(input).unwrap_or_default() {
        let Ok(image) = view::Image::read(file) else {
            continue;
        };
        for frame in 0..image.frames().min(3) {
            if let Ok(picture) = image.render(frame, None) {
                assert!(picture.png().len() > 50);
            }
        }
    }
});
