//! Pixels before and after.

use dicom_core::Tag;
use dicom_core::value::Value;
use dicom_dictionary_std::tags;
use dicom_object::{FileDicomObject, InMemDicomObject};

use super::rules::Claims;
use super::{Findings, Problem};

type File = FileDicomObject<InMemDicomObject>;

/// Compares pixels in the bits that are stored. Where the result says that regions were blanked, black is no change.
pub(super) fn compare(before: &File, after: &File, claims: &Claims, findings: &mut Findings) {
    let same = match (before.get(tags::PIXEL_DATA), after.get(tags::PIXEL_DATA)) {
        (None, None) => true,
        (Some(then), Some(now)) => match (then.value(), now.value()) {
            (Value::Primitive(then), Value::Primitive(now)) => native(
                before,
                &then.to_bytes(),
                &now.to_bytes(),
                claims.has(113_101),
            ),
            (_, now) => decoded(
                before,
                after,
                matches!(now, Value::Primitive(_)),
                claims.has(113_101),
            ),
        },
        _ => false,
    };
    if !same {
        findings.add(Problem::Pixels, "PixelData");
    }
}

fn number(file: &File, tag: Tag) -> Option<u32> {
    file.get(tag)?.to_int::<u32>().ok()
}

fn native(file: &File, then: &[u8], now: &[u8], blanked: bool) -> bool {
    if then.len() < now.len() {
        return false;
    }
    let then = &then[..now.len()];
    if then == now {
        return true;
    }
    let bits = number(file, tags::BITS_ALLOCATED).unwrap_or(8);
    let stored = number(file, tags::BITS_STORED).unwrap_or(bits);
    let high = number(file, tags::HIGH_BIT).unwrap_or(stored.saturating_sub(1));
    let width = (bits / 8).max(1) as usize;
    let mask = match bits {
        8 | 16 | 32 if stored <= high + 1 => ((1_u64 << stored) - 1) << (high + 1 - stored),
        _ => u64::MAX,
    };
    let value = |sample: &[u8]| {
        sample
            .iter()
            .rev()
            .fold(0, |n: u64, b| n << 8 | u64::from(*b))
            & mask
    };
    let black = |value: u64| blanked && matches!(value, 0 | 128);
    let mut pairs = then.chunks(width).zip(now.chunks(width));
    pairs.all(|(then, now)| {
        let now = value(now);
        value(then) == now || black(now)
    })
}

/// Compares decoded frames; the decoders are the first look's.
fn decoded(before: &File, after: &File, is_native: bool, blanked: bool) -> bool {
    let frames = |file: &File| {
        let mut bytes = Vec::new();
        file.write_all(&mut bytes).ok()?;
        let file = crate::file::read(&bytes).ok()?;
        let format = crate::format::Format::of(&file.data_set, file.order()).ok()?;
        let decode = |number| crate::frame::decode(&file, &format, number).ok();
        let frames: Option<Vec<_>> = (0..format.frames).map(decode).collect();
        Some(frames?.into_iter().map(|it| it.bytes).collect::<Vec<_>>())
    };
    match (frames(before), frames(after)) {
        (Some(then), Some(now)) => {
            let flat = |frames: Vec<Vec<u8>>| frames.concat();
            let (then, now) = (flat(then), flat(now));
            let black = |byte: u8| blanked && matches!(byte, 0 | 128);
            then.len() == now.len()
                && then
                    .iter()
                    .zip(&now)
                    .all(|(then, now)| then == now || black(*now))
        }
        // Nobody can decode them: then nobody may have.
        (None, None) => !is_native,
        _ => false,
    }
}
