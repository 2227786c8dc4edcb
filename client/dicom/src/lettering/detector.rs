//! The network, run over a picture in tiles, at its own size and enlarged.

use std::sync::Arc;

use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;
use sha2::{Digest, Sha256};

use super::boxes::{Region, Spot, TextBox, merged, of_map, turned, words};
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
/// No letter fits into fewer pixels.
const LETTER_MIN: usize = 5;
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

    /// Finds text in a picture, at its own size, enlarged, and turned for what is written upwards.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Model`].
    pub fn picture(&self, picture: &Picture) -> Result<Vec<TextBox>> {
        if picture.width().min(picture.height()) < LETTER_MIN {
            return Ok(Vec::new());
        }
        let pixels = picture.width() * picture.height();
        let small = picture.width().min(picture.height()) < SMALL;
        let first = if small && pixels <= ENLARGED_MAX {
            2
        } else {
            1
        };
        let mut found = self.pass(picture, first)?;
        let mut last = first;
        if pixels * first * first <= ENLARGED_MAX {
            last = 2 * first;
            found.extend(self.pass(picture, last)?);
        }
        let upwards = self.pass(&turned(picture), last)?;
        let width = picture.width() as u32;
        found.extend(upwards.into_iter().map(|one| one.turned_back(width)));
        Ok(merged(found))
    }

    /// Finds text in a picture enlarged by the factor `times`.
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
                for Region {
                    edges,
                    narrow,
                    is_word,
                } in of_map(&map, w, times)
                {
                    let within = |n: f32, from: usize, end: usize| {
                        ((n + from as f32) / times as f32).clamp(0.0, end as f32)
                    };
                    let [left, upper, right, lower] = edges;
                    let left = within(left, x, picture.width()).floor() as u32;
                    let upper = within(upper, y, picture.height()).floor() as u32;
                    let right = within(right, x, picture.width()).ceil() as u32;
                    let lower = within(lower, y, picture.height()).ceil() as u32;
                    if right > left && lower > upper {
                        let (w, h) = (right - left, lower - upper);
                        let place = TextBox {
                            x: left,
                            y: upper,
                            w,
                            h,
                        };
                        all.push(Spot {
                            place,
                            narrow,
                            is_word,
                        });
                    }
                }
            }
        }
        let size = [picture.width() as u32, picture.height() as u32];
        Ok(merged(words(&all, size)))
    }

    /// How likely each pixel of a tile is text.
    fn map(&self, picture: &Picture, times: usize, [x, y, w, h]: [usize; 4]) -> Result<Vec<f32>> {
        let samples = if picture.is_colour() { 3 } else { 1 };
        let (width, height) = (picture.width(), picture.height());
        let pixels = picture.pixels();
        // Where a pixel of the tile lies between two of the picture.
        let place = |n: usize, length: usize| {
            let at = ((n as f32 + 0.5) / times as f32 - 0.5).max(0.0);
            let first = (at as usize).min(length - 1);
            (first, (first + 1).min(length - 1), at.fract())
        };
        let columns: Vec<_> = (x..x + w).map(|n| place(n, width)).collect();
        let mut data = vec![0.0; 3 * w * h];
        for sample in 0..samples {
            // The network takes blue first.
            let plane = if samples == 3 { 2 - sample } else { 0 };
            for row in 0..h {
                let (upper, lower, down) = place(y + row, height);
                let (upper, lower) = (upper * width, lower * width);
                let out = &mut data[(plane * h + row) * w..][..w];
                for (out, (left, right, along)) in out.iter_mut().zip(&columns) {
                    let at = |n: usize| f32::from(pixels[n * samples + sample]);
                    let above = at(upper + left) * (1.0 - along) + at(upper + right) * along;
                    let below = at(lower + left) * (1.0 - along) + at(lower + right) * along;
                    *out = (above * (1.0 - down) + below * down) / 127.5 - 1.0;
                }
            }
        }
        if samples == 1 {
            data.copy_within(0..w * h, w * h);
            data.copy_within(0..w * h, 2 * w * h);
        }
        let tensor = NdTensor::<f32, 4>::from_data([1, 3, h, w], data);
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
