//! The network, run over a picture in tiles, at its own size and enlarged.

use std::sync::Arc;

use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use sha2::{Digest, Sha256};

use super::boxes::{TextBox, merged, of_map};
use super::error::{Error, Result};
use super::frames;
use crate::view::Picture;

/// The SHA-256 of the model that is known: PP-OCRv4's detector as `rapidocr-onnxruntime` 1.4.4 carries it (Apache-2.0).
pub const MODEL_SHA256: &str = "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9";

/// The edge of a tile, in pixels; what is larger is cut.
const TILE: usize = 1024;
/// How far tiles lie over each other, so that no word is cut in all of them.
const OVERLAP: usize = 192;
/// The network wants edges that are multiples of this.
const STEP: usize = 32;
/// The most pixels of a picture.
const PIXELS_MAX: u64 = 1 << 26;
/// Larger pictures are not enlarged: their text is large.
const ENLARGED_MAX: usize = 4 << 20;
/// Pictures with a shorter edge than this are enlarged from the start.
const SMALL: usize = 320;

/// A text detector.
pub struct Detector {
    model: Model,
    threads: Arc<ThreadPool>,
}

impl Detector {
    /// Loads the model from its file's bytes.
    ///
    /// # Errors
    /// [`Error::OtherModel`] if it is another file than the one that is known, [`Error::Model`].
    pub fn of(model: Vec<u8>) -> Result<Self> {
        let found = hex::encode(Sha256::digest(&model));
        if found != MODEL_SHA256 {
            let wanted = MODEL_SHA256;
            return Err(Error::OtherModel { found, wanted });
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let model = ModelOptions::with_all_ops().load(model);
        Ok(Self {
            model: model.map_err(|_| Error::Model)?,
            threads: Arc::new(ThreadPool::with_num_threads(threads)),
        })
    }

    /// Finds text in any frame of an image, a DICOM file. No box does not mean that there is no text.
    ///
    /// # Errors
    /// Any [`Error`].
    pub fn image(&self, file: &[u8]) -> Result<Vec<TextBox>> {
        let mut found = Vec::new();
        frames::pictures(file, &mut |picture| {
            found.extend(self.picture(picture)?);
            Ok(())
        })?;
        Ok(merged(found))
    }

    /// Finds text in a picture, at its own size and enlarged.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Model`].
    pub fn picture(&self, picture: &Picture) -> Result<Vec<TextBox>> {
        let pixels = picture.width() * picture.height();
        let small = picture.width().min(picture.height()) < SMALL;
        let first = if small && pixels <= ENLARGED_MAX {
            2
        } else {
            1
        };
        let mut found = self.pass(picture, first)?;
        if pixels * first * first <= ENLARGED_MAX {
            found.extend(self.pass(picture, 2 * first)?);
        }
        Ok(merged(found))
    }

    /// Finds text in a picture that is enlarged so many times.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Model`].
    pub fn pass(&self, picture: &Picture, times: usize) -> Result<Vec<TextBox>> {
        let (width, height) = (picture.width() * times, picture.height() * times);
        let found = width as u64 * height as u64;
        if found > PIXELS_MAX {
            let max = PIXELS_MAX;
            return Err(Error::TooLarge { found, max });
        }
        let mut all = Vec::new();
        for y in starts(height) {
            for x in starts(width) {
                let w = (width - x).min(TILE).next_multiple_of(STEP);
                let h = (height - y).min(TILE).next_multiple_of(STEP);
                let map = self.map(picture, times, [x, y, w, h])?;
                let boxes = of_map(&map, w).into_iter();
                all.extend(boxes.filter_map(|[left, upper, right, lower]| {
                    let within = |n: f32, from: usize, end: usize| {
                        ((n + from as f32) / times as f32).clamp(0.0, end as f32)
                    };
                    let left = within(left, x, picture.width()).floor() as u32;
                    let upper = within(upper, y, picture.height()).floor() as u32;
                    let right = within(right, x, picture.width()).ceil() as u32;
                    let lower = within(lower, y, picture.height()).ceil() as u32;
                    (right > left && lower > upper).then(|| TextBox {
                        x: left,
                        y: upper,
                        w: right - left,
                        h: lower - upper,
                    })
                }));
            }
        }
        Ok(merged(all))
    }

    /// How likely each pixel of a tile is text.
    fn map(&self, picture: &Picture, times: usize, [x, y, w, h]: [usize; 4]) -> Result<Vec<f32>> {
        let samples = if picture.is_colour() { 3 } else { 1 };
        let (width, height) = (picture.width(), picture.height());
        let pixels = picture.pixels();
        let at = |x: usize, y: usize, sample: usize| {
            f32::from(pixels[(y.min(height - 1) * width + x.min(width - 1)) * samples + sample])
        };
        // Between the pixels of the picture when it is enlarged.
        let value = |x: usize, y: usize, sample: usize| {
            if times == 1 {
                return at(x, y, sample);
            }
            let place = |n: usize| ((n as f32 + 0.5) / times as f32 - 0.5).max(0.0);
            let (x, y) = (place(x), place(y));
            let (left, upper) = (x as usize, y as usize);
            let (dx, dy) = (x.fract(), y.fract());
            let row = |y| at(left, y, sample) * (1.0 - dx) + at(left + 1, y, sample) * dx;
            row(upper) * (1.0 - dy) + row(upper + 1) * dy
        };
        let tensor = NdTensor::<f32, 4>::from_fn([1, 3, h, w], |[_, channel, row, column]| {
            // The network takes blue first.
            let sample = if samples == 3 { 2 - channel } else { 0 };
            (value(x + column, y + row, sample) / 255.0 - 0.5) / 0.5
        });
        let options = RunOptions::default().with_thread_pool(Some(self.threads.clone()));
        let map = self.model.run_one(tensor.view().into(), Some(options));
        let map: NdTensor<f32, 4> = map
            .map_err(|_| Error::Model)?
            .try_into()
            .map_err(|_| Error::Model)?;
        let map = map.to_vec();
        match map.len() == w * h {
            true => Ok(map),
            false => Err(Error::Model),
        }
    }
}

/// Where tiles begin along an edge.
fn starts(length: usize) -> Vec<usize> {
    let mut starts = vec![0];
    while starts.last().is_some_and(|last| last + TILE < length) {
        let next = starts.len() * (TILE - OVERLAP);
        starts.push(next);
    }
    starts
}
