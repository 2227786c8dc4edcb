//! The DICOM JSON Model (PS3.18 Annex F).

use dicom_core::{Tag, VR};
use dicom_encoding::Endianness;
use serde_json::{Map, Number, Value as Json, json};

use crate::deid::CharacterSet;
use crate::listing::UTF_8;
use crate::tree::little_endian;
use crate::tree::{DataSet, Value, is_text};
use crate::view::base64;
use dicom_dictionary_std::tags;

/// Most bytes of a value that stands in the document itself.
const INLINE_MAX: usize = 1024;
/// Whole numbers up to here are the same in every reader of JSON.
const EXACT_MAX: u64 = 1 << 53;

/// How a data set is written.
pub(super) struct Style<'a> {
    pub(super) order: Endianness,
    pub(super) charset: CharacterSet,
    /// The address of a bulk value, by its path.
    pub(super) bulk: &'a dyn Fn(&str) -> String,
}

/// The data set of a listing, which is in UTF-8.
pub(crate) fn listed(data_set: &DataSet) -> Map<String, Json> {
    let style = Style {
        order: Endianness::Little,
        charset: CharacterSet::of(data_set),
        // Values of listings are texts and short numbers.
        bulk: &|_| String::new(),
    };
    object(data_set, &style, "")
}

/// A data set whose place in its file is `path`.
pub(super) fn object(data_set: &DataSet, style: &Style<'_>, path: &str) -> Map<String, Json> {
    let own;
    let style = match data_set.contains_key(&tags::SPECIFIC_CHARACTER_SET) && !path.is_empty() {
        false => style,
        true => {
            own = Style {
                charset: CharacterSet::of(data_set),
                ..*style
            };
            &own
        }
    };
    let mut out = Map::new();
    for (tag, element) in data_set {
        if tag.element() == 0 {
            continue;
        }
        let name = format!("{:04X}{:04X}", tag.group(), tag.element());
        let place = match path.is_empty() {
            true => name.clone(),
            false => format!("{path}/{name}"),
        };
        let mut member = Map::new();
        member.insert("vr".to_owned(), Json::from(element.vr.to_string()));
        let value = match &element.value {
            Value::Items(items) if items.is_empty() => None,
            Value::Items(items) => {
                let item = |(number, item): (usize, &DataSet)| {
                    let within = format!("{place}/{number}");
                    Json::Object(object(item, style, &within))
                };
                let items: Vec<_> = items.iter().enumerate().map(item).collect();
                Some(("Value", Json::Array(items)))
            }
            Value::Fragments(_) => Some(("BulkDataURI", Json::from((style.bulk)(&place)))),
            Value::Bytes(bytes) if bytes.is_empty() => None,
            Value::Bytes(bytes) => Some(value(*tag, element.vr, bytes, style, &place)),
        };
        member.extend(value.map(|(name, value)| (name.to_owned(), value)));
        out.insert(name, Json::Object(member));
    }
    out
}

/// A value that is not empty, and the name of its member.
fn value(tag: Tag, vr: VR, bytes: &[u8], style: &Style<'_>, place: &str) -> (&'static str, Json) {
    if !is_text(vr) && vr != VR::UI {
        return match numbers(vr, bytes, style.order) {
            Some(numbers) => ("Value", Json::Array(numbers)),
            None if bytes.len() > INLINE_MAX || tag == tags::PIXEL_DATA => {
                ("BulkDataURI", Json::from((style.bulk)(place)))
            }
            None => {
                let bytes = little_endian(vr, bytes, style.order);
                ("InlineBinary", Json::from(base64(&bytes)))
            }
        };
    }
    let text = match tag {
        tags::SPECIFIC_CHARACTER_SET => UTF_8.to_owned(),
        _ => style.charset.text(bytes),
    };
    let text = text.trim_end_matches([' ', '\0']);
    let values: Vec<Json> = match vr {
        VR::LT | VR::ST | VR::UT | VR::UR => vec![Json::from(text)],
        VR::PN => text.split('\\').map(person).collect(),
        VR::DS | VR::IS => text.split('\\').map(decimal).collect(),
        _ => text.split('\\').map(|it| plain(it.trim())).collect(),
    };
    ("Value", Json::Array(values))
}

/// A text; null if it is empty, as one of several values.
fn plain(text: &str) -> Json {
    match text.is_empty() {
        true => Json::Null,
        false => Json::from(text),
    }
}

fn person(name: &str) -> Json {
    let groups = ["Alphabetic", "Ideographic", "Phonetic"];
    let named = groups.into_iter().zip(name.split('='));
    let named = named.map(|(group, text)| (group.to_owned(), text.trim().to_owned()));
    let named: Map<String, Json> = named
        .filter(|(_, text)| !text.is_empty())
        .map(|(group, text)| (group, Json::from(text)))
        .collect();
    match named.is_empty() {
        true => Json::Null,
        false => Json::Object(named),
    }
}

/// A decimal as a number, or as its text where it is none.
fn decimal(text: &str) -> Json {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Json::from(whole);
    }
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    number.map_or_else(|| plain(text), Json::Number)
}

/// The numbers of a value; none if it has others, or bytes that make no whole number.
fn numbers(vr: VR, bytes: &[u8], order: Endianness) -> Option<Vec<Json>> {
    let width = match vr {
        VR::US | VR::SS => 2,
        VR::UL | VR::SL | VR::FL | VR::AT => 4,
        VR::UV | VR::SV | VR::FD => 8,
        _ => return None,
    };
    if !bytes.len().is_multiple_of(width) {
        return None;
    }
    let number = |sample: &[u8]| {
        let add = |n: u64, b: &u8| n << 8 | u64::from(*b);
        let raw = match order {
            Endianness::Little => sample.iter().rev().fold(0, add),
            Endianness::Big => sample.iter().fold(0, add),
        };
        let float = |value: f64| match Number::from_f64(value) {
            Some(number) => Json::Number(number),
            None if value.is_nan() => Json::from("NaN"),
            None if value > 0.0 => Json::from("inf"),
            None => Json::from("-inf"),
        };
        match vr {
            VR::SS => json!(raw as u16 as i16),
            VR::SL => json!(raw as u32 as i32),
            VR::FL => float(f64::from(f32::from_bits(raw as u32))),
            VR::FD => float(f64::from_bits(raw)),
            VR::SV if (raw as i64).unsigned_abs() > EXACT_MAX => json!((raw as i64).to_string()),
            VR::SV => json!(raw as i64),
            VR::UV if raw > EXACT_MAX => json!(raw.to_string()),
            // A tag is two numbers of 16 bits, each in the byte order.
            VR::AT if order == Endianness::Little => {
                json!(format!("{:04X}{:04X}", raw as u16, raw >> 16))
            }
            VR::AT => json!(format!("{raw:08X}")),
            _ => json!(raw),
        }
    };
    Some(bytes.chunks_exact(width).map(number).collect())
}
