//! A picture of an image: one frame as it is meant to be seen, as PNG, as a tile of a contact sheet, or for a terminal.
//! Pure, no network.
//!
//! The stored values go through what the file says (PS3.4 §N.2): Modality LUT or rescale; then a window that was asked for,
//! else the file's first VOI LUT, else its first window by its function, else from the least to the greatest value of the
//! frame. MONOCHROME1 is inverted, palettes and YBR become RGB. Functional groups of enhanced images are looked at.
//! Overlays, presentation states and colour profiles are not applied, pixels are square.

mod colour;
mod error;
mod grey;
mod inline;
mod palette;
mod picture;
mod png;
mod scope;
mod window;

use dicom_dictionary_std::tags;

use crate::file::{self, File};
use crate::format::{Colour, Format, Frame};
use crate::frame;
use crate::tree::text;
use colour::{converted, full, partial};
use palette::Palette;
use scope::Scope;

pub use error::{Error, Result};
pub use inline::base64;
pub use inline::{Protocol, inline};
pub use picture::{Picture, sheet};
pub use window::{ParseWindowError, Window};

/// The most instances of a study that are looked at.
pub const INSTANCES_MAX: usize = 100_000;

/// An image that has been read.
pub struct Image {
    file: File,
    format: Format,
}

/// Where an image stands among others.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Series Number.
    series: i64,
    /// Series Instance UID.
    uid: String,
    /// Instance Number.
    instance: i64,
}

impl Image {
    /// Reads a DICOM file of at most 4 GiB.
    ///
    /// # Errors
    /// [`Error::Dicom`] if it is not one, or its pixels are of a kind that cannot be shown; [`Error::FloatingPoint`].
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let file = file::read(bytes)?;
        let float = [tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA];
        if float.iter().any(|tag| file.data_set.contains_key(tag)) {
            return Err(Error::FloatingPoint);
        }
        if !file.data_set.contains_key(&tags::PIXEL_DATA) {
            let attribute = "Pixel Data";
            return Err(crate::Error::Missing { attribute }.into());
        }
        let format = Format::of(&file.data_set, file.order())?;
        Ok(Self { file, format })
    }

    /// Counts the frames.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.format.frames
    }

    /// Returns the file's place in its study: by series, then by instance number.
    #[must_use]
    pub fn place(&self) -> Place {
        let number = |tag| {
            let number = text(&self.file.data_set, tag);
            number
                .and_then(|n| n.trim().parse().ok())
                .unwrap_or_default()
        };
        Place {
            series: number(tags::SERIES_NUMBER),
            uid: text(&self.file.data_set, tags::SERIES_INSTANCE_UID).unwrap_or_default(),
            instance: number(tags::INSTANCE_NUMBER),
        }
    }

    /// Renders a frame, counted from 0; a window overrules the file's.
    ///
    /// # Errors
    /// [`Error::Dicom`] if the frame is not there or cannot be decoded, [`Error::Palette`], [`Error::Window`].
    pub fn render(&self, frame: usize, window: Option<Window>) -> Result<Picture> {
        let decoded = frame::decode(&self.file, &self.format, frame)?;
        let (width, height) = (self.format.columns, self.format.rows);
        Ok(match decoded.colour {
            Colour::Grey | Colour::Inverse => {
                let scope = Scope::of(&self.file, frame);
                let pixels = grey::pixels(&decoded, &self.format, &scope, window)?;
                Picture::grey(width, height, pixels)
            }
            Colour::Palette => {
                let palette = Palette::of(&self.file, self.format.signed)?;
                let rgb = decoded.samples().flat_map(|value| palette.at(value));
                Picture::rgb(width, height, rgb.collect())
            }
            Colour::Rgb => Picture::rgb(width, height, self.eight_bits(&decoded)),
            Colour::YbrFull => {
                Picture::rgb(width, height, converted(self.eight_bits(&decoded), full))
            }
            Colour::YbrPartial => {
                Picture::rgb(width, height, converted(self.eight_bits(&decoded), partial))
            }
        })
    }

    /// Samples of colours as bytes.
    fn eight_bits(&self, frame: &Frame) -> Vec<u8> {
        if frame.width == 1 && self.format.stored == 8 {
            return frame.bytes.clone();
        }
        let most = (1_i64 << self.format.stored) - 1;
        let scaled = |value: i64| (value.clamp(0, most) * 255 + most / 2) / most;
        frame.samples().map(|value| scaled(value) as u8).collect()
    }
}

/// Finds the DICOM files in a payload: itself, or those of a tar, in its order.
///
/// # Errors
/// [`Error::NoImage`] if there is none, [`Error::TooMany`].
pub fn instances(payload: &[u8]) -> Result<Vec<&[u8]>> {
    if file::is_dicom(payload) {
        return Ok(vec![payload]);
    }
    let mut archive = tar::Archive::new(payload);
    let mut found = Vec::new();
    let entries = archive.entries().map_err(|_| Error::NoImage)?;
    for (number, entry) in entries.enumerate() {
        if number >= INSTANCES_MAX {
            return Err(Error::TooMany { max: INSTANCES_MAX });
        }
        let Ok(entry) = entry else { break };
        let start = entry.raw_file_position() as usize;
        let end = start.saturating_add(entry.size() as usize);
        let content = payload.get(start..end);
        found.extend(content.filter(|content| file::is_dicom(content)));
    }
    match found.is_empty() {
        true => Err(Error::NoImage),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests;
