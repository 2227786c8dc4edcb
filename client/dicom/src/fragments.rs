//! Which fragments of encapsulated pixel data make which frame (PS3.5 §A.4).

use dicom_dictionary_std::tags;

use super::codec::Family;
use super::error::{Error, Result, only_uid};
use super::file::File;
use super::format::Format;
use super::tree::{Element, Value};

/// The fragments of each frame, behind the offset table. Empty fragments, and those before the first frame, are left out.
///
/// A fragment that begins a frame says so itself; offset tables are asked only where that does not make as many frames as
/// the image has.
///
/// # Errors
/// [`Error::FrameCount`] if there are other frames than the image has; [`Error::Compression`] if nothing is known of them.
pub(crate) fn split<'a>(file: &'a File, format: &Format) -> Result<Vec<Vec<&'a [u8]>>> {
    let pixels = file.data_set.get(&tags::PIXEL_DATA).map(|it| &it.value);
    let Some(Value::Fragments(fragments)) = pixels else {
        return Err(Error::Malformed);
    };
    let syntax = file.syntax.uid();
    let family = Family::of(syntax).ok_or_else(|| Error::Compression {
        name: "something else",
        uid: only_uid(syntax),
    })?;
    let (table, fragments) = fragments.split_first().ok_or(Error::Malformed)?;
    let mut frames: Vec<Vec<&[u8]>> = Vec::new();
    let whole = family.is_silent() && format.frames == 1;
    for fragment in fragments.iter().filter(|fragment| !fragment.is_empty()) {
        if family.begins(fragment) && !(whole && frames.len() == 1) {
            frames.push(Vec::new());
        }
        if let Some(frame) = frames.last_mut() {
            frame.push(fragment);
        }
    }
    if frames.len() == format.frames {
        return Ok(frames);
    }
    let found = frames.len() as u64;
    by_table(file, table, fragments, format.frames).ok_or(Error::FrameCount {
        found,
        wanted: format.frames as u64,
    })
}

/// The fragments of each frame by an offset table that has as many frames as the image; none if it has not.
fn by_table<'a>(
    file: &File,
    table: &[u8],
    fragments: &'a [Vec<u8>],
    frames: usize,
) -> Option<Vec<Vec<&'a [u8]>>> {
    // The start of each frame, counted in bytes from the first fragment's item header.
    let extended = file.data_set.get(&tags::EXTENDED_OFFSET_TABLE);
    let extended = extended.and_then(Element::as_bytes).unwrap_or_default();
    let (table, size) = match extended.is_empty() {
        false => (extended, 8),
        true => (table, 4),
    };
    let number = |c: &[u8]| c.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    let starts: Vec<u64> = table.chunks_exact(size).map(number).collect();
    if starts.len() != frames || starts.first() != Some(&0) {
        return None;
    }
    let mut out: Vec<Vec<&[u8]>> = Vec::new();
    let mut at = 0;
    for fragment in fragments {
        if starts.get(out.len()) == Some(&at) {
            out.push(Vec::new());
        }
        out.last_mut()?.push(fragment);
        at += fragment.len() as u64 + 8;
    }
    (out.len() == frames).then_some(out)
}
