//! Repairs of values that describe an image: decimal commas, numbers of frames that are none, chrominance that is said to be
//! shared and is not.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::transfer_syntax::Endianness;

use super::reader::listed;
use super::repair::Repairs;
use super::tree::{DataSet, Element, Value, short, text};

/// Repairs the values of a file that was read, whose bytes stand in `order`.
pub(crate) fn repair(data_set: &mut DataSet, order: Endianness, repairs: &mut Repairs) {
    numbers(data_set, repairs);
    frames(data_set, repairs);
    chrominance(data_set, order, repairs);
}

/// Writes decimals as the standard has them (PS3.5 §6.2): with a point, and nothing but spaces around.
fn numbers(data_set: &mut DataSet, repairs: &mut Repairs) {
    for (tag, element) in data_set {
        if let Value::Items(items) = &mut element.value {
            items.iter_mut().for_each(|item| numbers(item, repairs));
            continue;
        }
        if !matches!(element.vr, VR::DS | VR::IS | VR::UN) {
            continue;
        }
        let vr = match element.vr {
            VR::UN => listed(*tag),
            vr => vr,
        };
        if let Value::Bytes(bytes) = &element.value
            && matches!(vr, VR::DS | VR::IS)
            && let Some(value) = decimals(bytes)
        {
            *element = Element::bytes(vr, value);
            repairs.add(*tag, "a number is not written as one");
        }
    }
}

/// The repaired text of decimals; none if there is nothing to repair, or it cannot be.
fn decimals(bytes: &[u8]) -> Option<Vec<u8>> {
    let odd = |b: &u8| matches!(b, b',' | b'\t' | b'\n' | b'\r' | 0);
    let end = bytes.iter().rposition(|b| !matches!(b, 0 | b' '))? + 1;
    if !bytes[..end].iter().any(odd) {
        return None;
    }
    let around = |b: u8| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0);
    let repaired = bytes[..end].split(|b| *b == b'\\').map(|value| {
        let value = std::str::from_utf8(value)
            .ok()?
            .trim_matches(|c: char| c.is_ascii() && around(c as u8));
        let value = match (value.matches(',').count(), value.contains('.')) {
            (1, false) => value.replace(',', "."),
            _ => value.to_owned(),
        };
        let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E');
        let number = value.is_empty() || value.bytes().all(plain) && value.parse::<f64>().is_ok();
        number.then_some(value)
    });
    Some(
        repaired
            .collect::<Option<Vec<_>>>()?
            .join("\\")
            .into_bytes(),
    )
}

/// No frames are one frame.
fn frames(data_set: &mut DataSet, repairs: &mut Repairs) {
    let tag = tags::NUMBER_OF_FRAMES;
    if !data_set.contains_key(&tag) {
        return;
    }
    let none = match text(data_set, tag) {
        None => true,
        Some(number) => number.parse::<u32>() == Ok(0),
    };
    if none {
        data_set.insert(tag, Element::bytes(VR::IS, "1"));
        repairs.add(tag, "it says no frame: there is one");
    }
}

/// Pixels of three bytes each, whatever Photometric Interpretation says of shared chrominance, are YBR_FULL.
fn chrominance(data_set: &mut DataSet, order: Endianness, repairs: &mut Repairs) {
    let number = |tag: Tag| short(data_set, tag, order).map(usize::from);
    let whole = || {
        let pixels = number(tags::ROWS)?.checked_mul(number(tags::COLUMNS)?)?;
        let frames = text(data_set, tags::NUMBER_OF_FRAMES).unwrap_or_else(|| "1".to_owned());
        pixels
            .checked_mul(3)?
            .checked_mul(frames.trim().parse().ok()?)
    };
    let shared =
        text(data_set, tags::PHOTOMETRIC_INTERPRETATION).as_deref() == Some("YBR_FULL_422");
    let bytes =
        number(tags::BITS_ALLOCATED) == Some(8) && number(tags::SAMPLES_PER_PIXEL) == Some(3);
    let length = data_set
        .get(&tags::PIXEL_DATA)
        .and_then(Element::as_bytes)
        .map(<[u8]>::len);
    let Some(length) = length.filter(|length| shared && bytes && *length > 0) else {
        return;
    };
    if whole().is_some_and(|whole| whole.next_multiple_of(2) == length) {
        let tag = tags::PHOTOMETRIC_INTERPRETATION;
        data_set.insert(tag, Element::bytes(VR::CS, "YBR_FULL"));
        repairs.add(tag, "each pixel has its own chrominance");
    }
}

#[cfg(test)]
mod tests {
    use super::decimals;

    #[test]
    fn commas_become_points_and_nothing_else_becomes_a_number() {
        for (value, repaired) in [
            ("0,5\\0,5 ", Some("0.5\\0.5")),
            ("-1,5e-3", Some("-1.5e-3")),
            ("1\t\\2\n", Some("1\\2")),
            ("1\0 ", None),
            ("1.5", None),
            ("1,2,3", None),
            ("1,234.5", None),
            ("Smith, J", None),
            ("1,5\\Smith", None),
            ("", None),
        ] {
            let found = decimals(value.as_bytes());
            assert_eq!(found.as_deref(), repaired.map(str::as_bytes), "{value}");
        }
    }
}
