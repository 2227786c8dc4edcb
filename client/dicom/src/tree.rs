//! A data set in memory: values are bytes as the file has them, so that what is kept is kept bit for bit.

use std::collections::BTreeMap;

use dicom_core::{Tag, VR};
use dicom_encoding::Endianness;

/// Elements by tag.
pub(crate) type DataSet = BTreeMap<Tag, Element>;

/// An element without its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) vr: VR,
    pub(crate) value: Value,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// In the byte order of the file, with its padding.
    Bytes(Vec<u8>),
    /// A sequence's items.
    Items(Vec<DataSet>),
    /// Encapsulated pixel data: the offset table, then the fragments (PS3.5 §A.4).
    Fragments(Vec<Vec<u8>>),
}

impl Element {
    /// A value of even length: text is padded with a space, all else with a zero (PS3.5 §6.2).
    pub(crate) fn bytes(vr: VR, bytes: impl Into<Vec<u8>>) -> Self {
        let mut bytes = bytes.into();
        if bytes.len() % 2 == 1 {
            bytes.push(match is_text(vr) {
                true => b' ',
                false => 0,
            });
        }
        Self {
            vr,
            value: Value::Bytes(bytes),
        }
    }

    pub(crate) fn items(items: Vec<DataSet>) -> Self {
        Self {
            vr: VR::SQ,
            value: Value::Items(items),
        }
    }

    pub(crate) fn empty(vr: VR) -> Self {
        match vr {
            VR::SQ => Self::items(Vec::new()),
            vr => Self::bytes(vr, []),
        }
    }

    /// The bytes of a value that has them.
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn as_items(&self) -> Option<&[DataSet]> {
        match &self.value {
            Value::Items(items) => Some(items),
            _ => None,
        }
    }
}

/// Checks whether values of this VR are padded with spaces.
pub(crate) fn is_text(vr: VR) -> bool {
    matches!(
        vr,
        VR::AE
            | VR::AS
            | VR::CS
            | VR::DA
            | VR::DS
            | VR::DT
            | VR::IS
            | VR::LO
            | VR::LT
            | VR::PN
            | VR::SH
            | VR::ST
            | VR::TM
            | VR::UC
            | VR::UR
            | VR::UT
    )
}

/// A text without its padding, undecoded bytes replaced; none if it is empty.
pub(crate) fn text(data_set: &DataSet, tag: Tag) -> Option<String> {
    let bytes = data_set.get(&tag)?.as_bytes()?;
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches([' ', '\0']);
    (!text.is_empty()).then(|| text.to_owned())
}

/// The first number of an unsigned short.
pub(crate) fn short(data_set: &DataSet, tag: Tag, order: Endianness) -> Option<u16> {
    let bytes = data_set.get(&tag)?.as_bytes()?.first_chunk()?;
    Some(match order {
        Endianness::Little => u16::from_le_bytes(*bytes),
        Endianness::Big => u16::from_be_bytes(*bytes),
    })
}

/// The first number of an unsigned long.
pub(crate) fn long(data_set: &DataSet, tag: Tag, order: Endianness) -> Option<u32> {
    let bytes = data_set.get(&tag)?.as_bytes()?.first_chunk()?;
    Some(match order {
        Endianness::Little => u32::from_le_bytes(*bytes),
        Endianness::Big => u32::from_be_bytes(*bytes),
    })
}

/// Puts a text without padding, as listings have it.
pub(crate) fn put(data_set: &mut DataSet, tag: Tag, vr: VR, text: &str) {
    let value = Value::Bytes(text.as_bytes().to_vec());
    data_set.insert(tag, Element { vr, value });
}

/// Bytes of a value, little endian.
pub(crate) fn little_endian(vr: VR, bytes: &[u8], order: Endianness) -> Vec<u8> {
    let width = match vr {
        // A tag is two numbers.
        VR::OW | VR::US | VR::SS | VR::AT => 2,
        VR::OF | VR::OL | VR::UL | VR::SL | VR::FL => 4,
        VR::OD | VR::OV | VR::UV | VR::SV | VR::FD => 8,
        _ => 1,
    };
    match order {
        Endianness::Little => bytes.to_vec(),
        Endianness::Big => {
            let samples = bytes.chunks(width);
            samples.flat_map(|it| it.iter().rev().copied()).collect()
        }
    }
}
