//! One instance: its metadata, its frames, its bulk values.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde_json::{Value as Json, json};

use super::json::{Style, object};
use crate::deid::CharacterSet;
use crate::error::{Error, Result};
use crate::file::{self, File};
use crate::format::Format;
use crate::frame;
use crate::tree::{DataSet, Value, little_endian};

/// The transfer syntax of frames that are not compressed.
pub const UNCOMPRESSED: &str = "1.2.840.10008.1.2.1";

/// An instance that was read.
pub struct Instance {
    file: File,
}

/// A value that stands outside of the metadata.
pub enum Bulk {
    /// Its bytes, little endian.
    Bytes(Vec<u8>),
    /// Pixels in frames.
    Frames(usize),
}

impl Instance {
    /// Reads a DICOM file.
    ///
    /// # Errors
    /// Those of a file that is none, or malformed.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            file: file::read(bytes)?,
        })
    }

    /// Returns the transfer syntax in which frames are stored: that of the file if it compresses frames.
    #[must_use]
    pub fn frame_syntax(&self) -> &'static str {
        match self
            .file
            .data_set
            .get(&tags::PIXEL_DATA)
            .map(|it| &it.value)
        {
            Some(Value::Fragments(_)) => self.file.syntax.uid(),
            _ => UNCOMPRESSED,
        }
    }

    /// Returns the media type of a stored frame (PS3.18 §8.7.3.3).
    #[must_use]
    pub fn frame_type(&self) -> &'static str {
        let Some(last) = self.frame_syntax().strip_prefix("1.2.840.10008.1.2.") else {
            return "application/octet-stream";
        };
        match last {
            "5" => "image/dicom-rle",
            "4.50" | "4.51" | "4.57" | "4.70" => "image/jpeg",
            "4.80" | "4.81" => "image/jls",
            "4.90" | "4.91" => "image/jp2",
            "4.92" | "4.93" => "image/jpx",
            "4.110" | "4.111" | "4.112" => "image/jxl",
            "4.201" | "4.202" | "4.203" => "image/jphc",
            _ => "application/octet-stream",
        }
    }

    /// Writes everything but bulk values in the DICOM JSON Model; those are at addresses under `instance`.
    #[must_use]
    pub fn metadata(&self, instance: &str) -> Json {
        let style = Style {
            order: self.file.order(),
            charset: CharacterSet::of(&self.file.data_set),
            bulk: &|path| format!("{instance}/bulkdata/{path}"),
        };
        let mut out = object(&self.file.data_set, &style, "");
        let syntax = json!({ "vr": "UI", "Value": [self.file.syntax.uid()] });
        out.insert(name(tags::AVAILABLE_TRANSFER_SYNTAX_UID), syntax);
        Json::Object(out)
    }

    /// Counts the frames.
    ///
    /// # Errors
    /// [`Error::Missing`] without pixels; those of pixels that nothing is known of.
    pub fn frames(&self) -> Result<usize> {
        if !self.file.data_set.contains_key(&tags::PIXEL_DATA) {
            let attribute = "Pixel Data";
            return Err(Error::Missing { attribute });
        }
        Ok(self.format()?.frames)
    }

    /// Returns a frame as it is stored, counted from 1.
    ///
    /// # Errors
    /// [`Error::NoSuchFrame`]; [`Error::Malformed`] and [`Error::FrameCount`] for pixels that are not as they are described.
    pub fn frame(&self, number: usize) -> Result<Vec<u8>> {
        frame::stored(&self.file, &self.format()?, at(number, self.frames()?)?)
    }

    /// Returns a frame without compression, counted from 1; none if its samples would mean something else than the metadata
    /// say.
    ///
    /// # Errors
    /// As [`frame`](Self::frame), and those of decoding.
    pub fn decoded_frame(&self, number: usize) -> Result<Option<Vec<u8>>> {
        if self.frame_syntax() == UNCOMPRESSED {
            return self.frame(number).map(Some);
        }
        let format = self.format()?;
        let decoded = frame::decode(&self.file, &format, at(number, format.frames)?)?;
        let same = decoded.colour == format.colour && !format.subsampled && !format.planar;
        Ok(same.then_some(decoded.bytes))
    }

    /// Finds a bulk value by its path: tags, and between them the numbers of items, counted from 0.
    #[must_use]
    pub fn bulk(&self, path: &[&str]) -> Option<Bulk> {
        let mut data_set: &DataSet = &self.file.data_set;
        let (last, above) = path.split_last()?;
        for pair in above.chunks(2) {
            let [sequence, item] = pair else { return None };
            let items = data_set.get(&tag(sequence)?)?.as_items()?;
            data_set = items.get(item.parse::<usize>().ok()?)?;
        }
        let tag = tag(last)?;
        let element = data_set.get(&tag)?;
        match &element.value {
            Value::Fragments(_) => self.frames().ok().map(Bulk::Frames),
            Value::Items(_) => None,
            Value::Bytes(bytes) => {
                let bytes = little_endian(element.vr, bytes, self.file.order());
                Some(Bulk::Bytes(bytes))
            }
        }
    }

    fn format(&self) -> Result<Format> {
        Format::of(&self.file.data_set, self.file.order())
    }
}

/// The place of a frame that is counted from 1.
fn at(number: usize, frames: usize) -> Result<usize> {
    let wanted = number as u64;
    let at = number.checked_sub(1).filter(|at| *at < frames);
    at.ok_or(Error::NoSuchFrame { wanted, frames })
}

fn name(tag: Tag) -> String {
    format!("{:04X}{:04X}", tag.group(), tag.element())
}

fn tag(name: &str) -> Option<Tag> {
    let number = u32::from_str_radix(name, 16)
        .ok()
        .filter(|_| name.len() == 8)?;
    Some(Tag((number >> 16) as u16, number as u16))
}
