//! Cuts faces: pixels before the plane that was found for their series get the least value of their slice.

use dicom_dictionary_std::tags;

use super::decompress;
use super::error::{Error, Result};
use super::options::Faces;
use crate::deface::{Placement, Wanted, wanted};
use crate::file::File;
use crate::format::Format;
use crate::frame;
use crate::tree::{Value, text};

/// Cuts what lies before the plane of the file's series; whether the file is of a kind that shows faces.
///
/// # Errors
/// [`Error::Face`] if it is, and there is no plane for its series, or it does not say where its pixels lie.
pub(super) fn cut(file: &mut File, faces: &Faces) -> Result<bool> {
    let class = text(&file.data_set, tags::SOP_CLASS_UID).unwrap_or_default();
    match wanted(&class) {
        Wanted::Slice => {}
        Wanted::Nothing => return Ok(false),
        Wanted::Unknown => {
            return Err(Error::Face {
                why: "images of many frames are not cut",
            });
        }
    }
    let series = text(&file.data_set, tags::SERIES_INSTANCE_UID).unwrap_or_default();
    let plane = match faces.series.get(&series) {
        Some(Ok(plane)) => plane,
        Some(Err(why)) => return Err(Error::Face { why }),
        None => {
            return Err(Error::Face {
                why: "its series was not looked at",
            });
        }
    };
    let lost = Error::Face {
        why: "it does not say where its pixels lie",
    };
    let place = Placement::of(&file.data_set).ok_or(lost)?;
    let format = Format::of(&file.data_set, file.order())?;
    if format.samples != 1 || format.frames != 1 || format.allocated < 8 {
        return Err(Error::Face {
            why: "it is no single slice of grey",
        });
    }
    decompress::decompress(file)?;
    let samples: Vec<i64> = frame::decode(file, &format, 0)?.samples().collect();
    let least = samples.iter().enumerate().min_by_key(|(_, value)| **value);
    let least = least.map_or(0, |(at, _)| at);
    let width = format.width();
    let Some(Value::Bytes(pixels)) = file
        .data_set
        .get_mut(&tags::PIXEL_DATA)
        .map(|it| &mut it.value)
    else {
        return Err(crate::Error::Malformed.into());
    };
    let black = pixels.get(least * width..(least + 1) * width);
    let black = black.ok_or(crate::Error::Malformed)?.to_vec();
    for (at, pixel) in pixels
        .chunks_exact_mut(width)
        .take(samples.len())
        .enumerate()
    {
        let (row, column) = (at / format.columns, at % format.columns);
        if plane.takes(place.at(row as f64, column as f64)) {
            pixel.copy_from_slice(&black);
        }
    }
    Ok(true)
}
