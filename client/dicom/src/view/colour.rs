//! Pixels of other colour spaces in RGB (PS3.3 §C.7.6.3.1.2).

/// Pixels of another colour space in RGB.
pub(super) fn converted(mut pixels: Vec<u8>, convert: fn([f32; 3]) -> [f32; 3]) -> Vec<u8> {
    for pixel in pixels.chunks_exact_mut(3) {
        let rgb = convert([pixel[0], pixel[1], pixel[2]].map(f32::from));
        let bytes = rgb.map(|value| value.round().clamp(0.0, 255.0) as u8);
        pixel.copy_from_slice(&bytes);
    }
    pixels
}

/// YBR_FULL to RGB (PS3.3 §C.7.6.3.1.2).
pub(super) fn full([y, b, r]: [f32; 3]) -> [f32; 3] {
    let (b, r) = (b - 128.0, r - 128.0);
    [
        y + 1.402 * r,
        y - 0.344_136 * b - 0.714_136 * r,
        y + 1.772 * b,
    ]
}

/// YBR_PARTIAL_422 to RGB: luminance from 16 to 235, chrominance from 16 to 240.
pub(super) fn partial([y, b, r]: [f32; 3]) -> [f32; 3] {
    let (y, b, r) = (1.164_383 * (y - 16.0), b - 128.0, r - 128.0);
    [
        y + 1.596_027 * r,
        y - 0.391_762 * b - 0.812_968 * r,
        y + 2.017_232 * b,
    ]
}
