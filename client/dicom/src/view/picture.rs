//! Pictures of 8 bits, made smaller and put beside each other.

use super::png;

/// The gap between tiles of a sheet, in pixels.
const GAP: usize = 2;

/// Rows of pixels, grey or RGB, of 8 bits a sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    /// Samples of a pixel: 1 or 3.
    samples: usize,
    pixels: Vec<u8>,
}

impl Picture {
    pub(super) fn grey(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self {
            width,
            height,
            samples: 1,
            pixels,
        }
    }

    pub(super) fn rgb(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self {
            width,
            height,
            samples: 3,
            pixels,
        }
    }

    /// Makes a grey picture of `width` × `height` samples, row by row.
    #[cfg(feature = "lettering")]
    #[must_use]
    pub fn of_grey(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self::grey(width, height, pixels)
    }

    /// Makes a picture in red, green and blue.
    #[cfg(feature = "lettering")]
    pub(crate) fn of_rgb(width: usize, height: usize, pixels: Vec<u8>) -> Self {
        Self::rgb(width, height, pixels)
    }

    /// Returns the width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Checks whether a pixel has three samples, red, green and blue; else one.
    #[must_use]
    pub fn is_colour(&self) -> bool {
        self.samples == 3
    }

    /// Returns the samples, row by row.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// Encodes the picture as a PNG file (ISO/IEC 15948), without any text in it.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        png::encode(self.width, self.height, self.samples, &self.pixels)
    }

    /// Makes the picture smaller, its proportions kept, to fit into a square of `edge` pixels. Each pixel is the mean of
    /// those for which it stands.
    #[must_use]
    pub fn fitted(&self, edge: usize) -> Self {
        let longest = self.width.max(self.height);
        if longest <= edge || edge == 0 {
            return self.clone();
        }
        let scaled = |length: usize| (length * edge / longest).max(1);
        let (width, height) = (scaled(self.width), scaled(self.height));
        let span = |n: usize, from: usize, to: usize| n * from / to..((n + 1) * from / to);
        let mut pixels = Vec::with_capacity(width * height * self.samples);
        for y in 0..height {
            let rows = span(y, self.height, height);
            for x in 0..width {
                let columns = span(x, self.width, width);
                let count = (rows.len() * columns.len()) as u64;
                for sample in 0..self.samples {
                    let sum: u64 = rows
                        .clone()
                        .flat_map(|row| columns.clone().map(move |column| (row, column)))
                        .map(|(row, column)| (row * self.width + column) * self.samples + sample)
                        .map(|at| u64::from(self.pixels[at]))
                        .sum();
                    pixels.push(((sum + count / 2) / count) as u8);
                }
            }
        }
        Self {
            width,
            height,
            samples: self.samples,
            pixels,
        }
    }

    /// The red, green and blue of a pixel.
    pub(super) fn colour_at(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * self.samples;
        match self.samples {
            3 => [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]],
            _ => [self.pixels[at]; 3],
        }
    }
}

/// Puts pictures beside each other, row by row, each fitted into a square of `edge` pixels; `columns` in a row.
#[must_use]
pub fn sheet(pictures: &[Picture], columns: usize, edge: usize) -> Picture {
    let columns = columns.clamp(1, pictures.len().max(1));
    let rows = pictures.len().div_ceil(columns).max(1);
    let side = |tiles: usize| tiles * (edge + GAP) + GAP;
    let (width, height) = (side(columns), side(rows));
    let samples = match pictures.iter().any(Picture::is_colour) {
        true => 3,
        false => 1,
    };
    let mut pixels = vec![32; width * height * samples];
    for (number, picture) in pictures.iter().enumerate() {
        let tile = picture.fitted(edge);
        let middle = |tile: usize, length: usize| GAP + tile * (edge + GAP) + (edge - length) / 2;
        let left = middle(number % columns, tile.width);
        let top = middle(number / columns, tile.height);
        for y in 0..tile.height {
            let row = ((top + y) * width + left) * samples;
            for x in 0..tile.width {
                let colour = tile.colour_at(x, y);
                let at = row + x * samples;
                pixels[at..at + samples].copy_from_slice(&colour[..samples]);
            }
        }
    }
    Picture {
        width,
        height,
        samples,
        pixels,
    }
}
