//! A picture of an image: one frame as it is meant to be seen, as PNG, as a tile of a contact sheet, or for a terminal.
//! Pure, no network.
//!
//! The stored values go through what the file says (PS3.4 §N.2): Modality LUT or rescale; then a window that was asked for,
//! else the file's first VOI LUT, else its first window by its function, else from the least to the greatest value of the
//! frame. MONOCHROME1 is inverted, palettes and YBR become RGB. Functional groups of enhanced images are looked at.
//! Overlays, presentation states and colour profiles are not applied, pixels are square.

mod grey;
mod inline;
mod palette;
mod picture;
mod png;
mod window;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::file::{self, File};
use crate::frame::{self, Colour, Format, Frame};
use crate::tree::{DataSet, text};
use palette::Palette;

pub use inline::base64;
pub use inline::{Protocol, inline};
pub use picture::{Picture, sheet};
pub use window::{ParseError, Window};

/// The most instances of a study that are looked at.
pub const INSTANCES_MAX: usize = 100_000;

/// Why there is nothing to see. Never holds values from the data set but syntax UIDs.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file or its pixels cannot be read.
    #[error(transparent)]
    Dicom(#[from] crate::Error),
    /// Pixels that are floating-point numbers.
    #[error("pixels of floating-point numbers cannot be shown")]
    FloatingPoint,
    /// A palette that maps nothing.
    #[error("the colour palette is missing or malformed")]
    Palette,
    /// A window that divides by zero.
    #[error("the window's width is not a number above zero")]
    Window,
    /// Neither a DICOM file nor a tar of such.
    #[error("there is no DICOM image in it")]
    NoImage,
    /// Too many files in a tar.
    #[error("more than {max} files")]
    TooMany {
        /// The most that are looked at.
        max: usize,
    },
}

/// Result of looking at an image.
pub type Result<T> = std::result::Result<T, Error>;

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

    /// How many frames there are.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.format.frames
    }

    /// Where it stands in its study: by series, then by instance number.
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
                let palette = Palette::of(&self.file)?;
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

/// The data sets that speak for a frame: its functional groups, the shared ones, the image itself.
struct Scope<'a> {
    file: &'a File,
    groups: Vec<&'a DataSet>,
}

impl<'a> Scope<'a> {
    fn of(file: &'a File, frame: usize) -> Self {
        let item = |tag, at| file.data_set.get(&tag)?.as_items()?.get(at);
        let groups = [
            item(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame),
            item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0),
        ];
        Self {
            file,
            groups: groups.into_iter().flatten().collect(),
        }
    }

    /// The first item of a functional group's sequence, or the image itself.
    fn group(&self, sequence: Tag) -> &'a DataSet {
        let first = |group: &&'a DataSet| group.get(&sequence)?.as_items()?.first();
        let group = self.groups.iter().find_map(first);
        group.unwrap_or(&self.file.data_set)
    }
}

/// Pixels of another colour space in RGB.
fn converted(mut pixels: Vec<u8>, convert: fn([f32; 3]) -> [f32; 3]) -> Vec<u8> {
    for pixel in pixels.chunks_exact_mut(3) {
        let rgb = convert([pixel[0], pixel[1], pixel[2]].map(f32::from));
        let bytes = rgb.map(|value| value.round().clamp(0.0, 255.0) as u8);
        pixel.copy_from_slice(&bytes);
    }
    pixels
}

/// YBR_FULL to RGB (PS3.3 §C.7.6.3.1.2).
pub(crate) fn full([y, b, r]: [f32; 3]) -> [f32; 3] {
    let (b, r) = (b - 128.0, r - 128.0);
    [
        y + 1.402 * r,
        y - 0.344_136 * b - 0.714_136 * r,
        y + 1.772 * b,
    ]
}

/// YBR_PARTIAL_422 to RGB: luminance from 16 to 235, chrominance from 16 to 240.
fn partial([y, b, r]: [f32; 3]) -> [f32; 3] {
    let (y, b, r) = (1.164_383 * (y - 16.0), b - 128.0, r - 128.0);
    [
        y + 1.596_027 * r,
        y - 0.391_762 * b - 0.812_968 * r,
        y + 2.017_232 * b,
    ]
}

/// The DICOM files in a payload: itself, or those of a tar, in its order.
///
/// # Errors
/// [`Error::NoImage`] if there is none, [`Error::TooMany`].
pub fn instances(payload: &[u8]) -> Result<Vec<&[u8]>> {
    let is_dicom = |bytes: &[u8]| bytes.get(128..132) == Some(b"DICM");
    if is_dicom(payload) {
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
        found.extend(content.filter(|content| is_dicom(content)));
    }
    match found.is_empty() {
        true => Err(Error::NoImage),
        false => Ok(found),
    }
}

#[cfg(test)]
mod tests;
