//! How many frames of 1,024 × 1,024 the text detector looks at in a second: one pass, no enlarging.
//!
//! ```console
//! $ PCIM_TEST_TEXT_MODEL=ch_PP-OCRv4_det_infer.onnx cargo bench -p pcim-dicom --features lettering --bench lettering
//! ```
#![allow(clippy::unwrap_used)]

use std::time::Instant;

use pcim_dicom::lettering::Detector;
use pcim_dicom::view::Picture;

const EDGE: usize = 1024;
const ROUNDS: usize = 5;

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let Ok(path) = std::env::var("PCIM_TEST_TEXT_MODEL") else {
        println!("skipped: PCIM_TEST_TEXT_MODEL names no text model");
        return;
    };
    let detector = Detector::of(std::fs::read(path).unwrap()).unwrap();
    // A smooth body.
    let level = |at: usize| {
        let place = |n: usize| n as f32 / EDGE as f32 - 0.5;
        let (x, y) = (place(at % EDGE), place(at / EDGE));
        (200.0 * (1.0 - 2.0 * (x * x + y * y))) as u8
    };
    let picture = Picture::of_grey(EDGE, EDGE, (0..EDGE * EDGE).map(level).collect());
    let mut rates: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            for _ in 0..4 {
                detector.pass(&picture, 1).unwrap();
            }
            4.0 / started.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!(
        "text in frames of {EDGE} × {EDGE}: {:.1} /s (median of {ROUNDS} rounds of 4: {rates:.1?})",
        rates[ROUNDS / 2]
    );
}
