//! Compressed frames without what no decoder needs: stray fragments, comments, application segments, bytes behind the end;
//! their offset tables made new.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;

use super::error::{Error, Result};
use crate::codec::Family;
use crate::error::Error as DicomError;
use crate::file::File;
use crate::format::Format;
use crate::fragments;
use crate::tree::{Element, Value};

/// The total length of the pixel data, which repeats what the fragments say.
const TOTAL: Tag = Tag(0x7fe0, 0x0003);

/// Strips the frames; returns whether anything went. Fragments stay as they are where nothing goes.
///
/// # Errors
/// [`Error::File`] if a frame cannot be taken apart, or there are not as many frames as the image has.
pub(super) fn strip(file: &mut File) -> Result<bool> {
    let pixels = file.data_set.get(&tags::PIXEL_DATA).map(|it| &it.value);
    let Some(Value::Fragments(all)) = pixels else {
        return Ok(false);
    };
    let Some(family) = Family::of(file.syntax.uid()) else {
        return no_table(file);
    };
    let format = Format::of(&file.data_set, file.order())?;
    let frames = fragments::split(file, &format)?;
    let mut stripped: Vec<Option<Vec<u8>>> = Vec::with_capacity(frames.len());
    for frame in &frames {
        let whole = match frame[..] {
            [one] => family.stripped(one, &format),
            _ => family.stripped(&frame.concat(), &format),
        };
        stripped.push(whole.map_err(|why| {
            let codec = family.name();
            DicomError::Codec { codec, why }
        })?);
    }
    let used: usize = frames.iter().map(Vec::len).sum();
    let mut changed = used + 1 != all.len() || stripped.iter().any(Option::is_some);
    let had_table = all.first().is_some_and(|table| !table.is_empty());
    let pieces: Vec<Vec<Vec<u8>>> = frames
        .into_iter()
        .zip(stripped)
        .map(|(frame, stripped)| match stripped {
            Some(whole) => vec![even(whole)],
            None => frame.into_iter().map(|it| even(it.to_vec())).collect(),
        })
        .collect();
    let (mut at, mut offsets, mut lengths) = (0_u64, Vec::new(), Vec::new());
    for frame in &pieces {
        offsets.push(at);
        lengths.push(frame.iter().map(|it| it.len() as u64).sum::<u64>());
        at += frame.iter().map(|it| it.len() as u64 + 8).sum::<u64>();
    }
    let extended = [
        (tags::EXTENDED_OFFSET_TABLE, &offsets),
        (tags::EXTENDED_OFFSET_TABLE_LENGTHS, &lengths),
    ];
    for (tag, numbers) in extended {
        if let Some(element) = file.data_set.get_mut(&tag) {
            let bytes: Vec<u8> = numbers.iter().flat_map(|it| it.to_le_bytes()).collect();
            let made = Element::bytes(VR::OV, bytes);
            changed |= made != *element;
            *element = made;
        }
    }
    let fits = offsets
        .last()
        .is_none_or(|last| u32::try_from(*last).is_ok());
    let table: Vec<u8> = match had_table && fits {
        true => offsets
            .iter()
            .flat_map(|it| (*it as u32).to_le_bytes())
            .collect(),
        false => Vec::new(),
    };
    let made: Vec<Vec<u8>> = std::iter::once(table)
        .chain(pieces.into_iter().flatten())
        .collect();
    let value = file.data_set.get_mut(&tags::PIXEL_DATA);
    if let Some(Value::Fragments(found)) = value.map(|it| &mut it.value) {
        changed |= *found != made;
        *found = made;
    }
    if changed {
        file.data_set.remove(&TOTAL);
    }
    Ok(changed)
}

/// Takes away the offset table of frames that are not taken apart: it is not needed, and not looked into.
fn no_table(file: &mut File) -> Result<bool> {
    let tables = [
        tags::EXTENDED_OFFSET_TABLE,
        tags::EXTENDED_OFFSET_TABLE_LENGTHS,
        TOTAL,
    ];
    let mut changed = false;
    for tag in tables {
        changed |= file.data_set.remove(&tag).is_some();
    }
    let value = file.data_set.get_mut(&tags::PIXEL_DATA);
    if let Some(Value::Fragments(found)) = value.map(|it| &mut it.value) {
        let table = found
            .first_mut()
            .ok_or(Error::File(DicomError::Malformed))?;
        // A table of one frame says nothing.
        if !table.is_empty() && *table != [0; 4] {
            table.clear();
            changed = true;
        }
    }
    Ok(changed)
}

fn even(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() % 2 == 1 {
        bytes.push(0);
    }
    bytes
}
