//! From the bytes of a file to a data set and back (PS3.10 §7).

use std::io::{Read, Write};
use std::sync::LazyLock;

use dicom_core::header::DataElementHeader;
use dicom_core::{Length, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::encode::EncodeTo;
use dicom_encoding::transfer_syntax::{AdapterFreeTransferSyntax, DynEncoder};
use dicom_encoding::{Codec, Endianness, TransferSyntax, TransferSyntaxIndex};
use dicom_object::FileMetaTableBuilder;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::description;
use super::error::{Error, Result, only_uid};
use super::reader::{self, Encoding};
use super::repair::Repairs;
use super::tree::{DataSet, Value, text};

/// The writer of a file (PS3.10 §7.1): a UUID-derived UID of this program.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.247352046126719243064113853245926349107";
pub(crate) const IMPLEMENTATION_VERSION_NAME: &str = "PCIM";

/// The most bytes that a file may have: element lengths are 32 bits.
const FILE_MAX: u64 = u32::MAX as u64;
/// The most bytes that a deflated data set may have when it is inflated.
const INFLATED_MAX: u64 = 1 << 30;

/// Explicit VR Big Endian (retired).
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// A file's content.
pub(crate) struct File {
    pub(crate) data_set: DataSet,
    pub(crate) syntax: &'static TransferSyntax,
    pub(crate) repairs: Repairs,
}

impl File {
    /// A file that was made here.
    pub(crate) fn new(data_set: DataSet, syntax: &'static TransferSyntax) -> Self {
        Self {
            data_set,
            syntax,
            repairs: Repairs::default(),
        }
    }

    /// The byte order of values.
    pub(crate) fn order(&self) -> Endianness {
        self.syntax.endianness()
    }
}

/// Checks whether bytes are the start of a DICOM file: after a preamble, or without one as dcmtk reads it.
#[must_use]
pub fn is_dicom(start: &[u8]) -> bool {
    beginning(start).is_some()
}

/// The place of the first element, and whether it is one of the file meta group.
fn beginning(file: &[u8]) -> Option<(usize, bool)> {
    if file.get(128..132) == Some(b"DICM") {
        return Some((132, true));
    }
    if file.starts_with(b"DICM\x02\0") {
        return Some((4, true));
    }
    let explicit = |vr: &[u8; 2]| VR::from_binary(*vr).is_some();
    match file {
        [0x02, 0, _, 0, a, b, ..] if explicit(&[*a, *b]) => Some((0, true)),
        // The first attribute of most data sets is of group 0008, and short.
        [0x08, 0, _, 0, a, b, _, _, ..] if explicit(&[*a, *b]) => Some((0, false)),
        [0x08, 0, _, 0, length, 0, 0, 0, rest @ ..]
            if length % 2 == 0 && rest.get(usize::from(*length)) == Some(&8) =>
        {
            Some((0, false))
        }
        _ => None,
    }
}

/// Reads a whole file.
pub(crate) fn read(file: &[u8]) -> Result<File> {
    if file.len() as u64 > FILE_MAX {
        return Err(Error::TooLarge {
            found: file.len() as u64,
            max: FILE_MAX,
        });
    }
    let (start, has_meta) = beginning(file).ok_or(Error::NotDicom)?;
    let mut repairs = Repairs::default();
    if start != 132 {
        repairs.add(tags::FILE_META_INFORMATION_VERSION, "there is no preamble");
    }
    let (named, start) = match has_meta {
        true => meta(file, start, &mut repairs)?,
        false => (None, start),
    };
    let body = file.get(start..).ok_or(Error::Malformed)?;
    let uid = named.unwrap_or_else(|| {
        repairs.add(
            tags::TRANSFER_SYNTAX_UID,
            "it is missing: found by the first element",
        );
        let vr = body
            .get(4..6)
            .and_then(|vr| VR::from_binary([vr[0], vr[1]]));
        match vr {
            Some(_) => uids::EXPLICIT_VR_LITTLE_ENDIAN,
            None => uids::IMPLICIT_VR_LITTLE_ENDIAN,
        }
        .to_owned()
    });
    let unknown = || Error::TransferSyntax {
        uid: only_uid(&uid),
    };
    let syntax = TransferSyntaxRegistry.get(&uid).or_else(|| retired(&uid));
    let syntax = syntax.ok_or_else(unknown)?;
    let encoding = encoding(syntax)?;
    let data_set = match syntax.codec() {
        Codec::Dataset(Some(adapter)) => {
            let mut inflated = Vec::new();
            adapter
                .adapt_reader(Box::new(body))
                .take(INFLATED_MAX + 1)
                .read_to_end(&mut inflated)
                .map_err(|_| Error::Malformed)?;
            if inflated.len() as u64 > INFLATED_MAX {
                return Err(Error::TooLarge {
                    found: inflated.len() as u64,
                    max: INFLATED_MAX,
                });
            }
            reader::data_set(&inflated, encoding, &mut repairs)?
        }
        Codec::Dataset(None) => return Err(unknown()),
        _ => reader::data_set(body, encoding, &mut repairs)?,
    };
    let mut file = File {
        data_set,
        syntax,
        repairs,
    };
    let order = file.order();
    description::repair(&mut file.data_set, order, &mut file.repairs);
    Ok(file)
}

/// The processes of JPEG that DICOM no longer has (PS3.5 2000 §A.4.1): read and written as they
/// are, never decoded.
pub(crate) fn retired(uid: &str) -> Option<&'static TransferSyntax> {
    const UIDS: [&str; 14] = [
        "1.2.840.10008.1.2.4.52",
        "1.2.840.10008.1.2.4.53",
        "1.2.840.10008.1.2.4.54",
        "1.2.840.10008.1.2.4.55",
        "1.2.840.10008.1.2.4.56",
        "1.2.840.10008.1.2.4.58",
        "1.2.840.10008.1.2.4.59",
        "1.2.840.10008.1.2.4.60",
        "1.2.840.10008.1.2.4.61",
        "1.2.840.10008.1.2.4.62",
        "1.2.840.10008.1.2.4.63",
        "1.2.840.10008.1.2.4.64",
        "1.2.840.10008.1.2.4.65",
        "1.2.840.10008.1.2.4.66",
    ];
    static RETIRED: LazyLock<Vec<TransferSyntax>> = LazyLock::new(|| {
        let stub = |uid: &&'static str| {
            let none = Codec::EncapsulatedPixelData(None, None);
            AdapterFreeTransferSyntax::new_ele(uid, "JPEG (retired)", none).erased()
        };
        UIDS.iter().map(stub).collect()
    });
    RETIRED.iter().find(|syntax| syntax.uid() == uid)
}

/// The encoding of a transfer syntax's data sets.
pub(crate) fn encoding(syntax: &TransferSyntax) -> Result<Encoding> {
    match (syntax.endianness(), is_implicit(syntax)) {
        (Endianness::Little, false) => Ok(Encoding::Explicit),
        (Endianness::Little, true) => Ok(Encoding::Implicit),
        (Endianness::Big, _) if syntax.uid() == BIG_ENDIAN => Ok(Encoding::Big),
        (Endianness::Big, _) => Err(Error::TransferSyntax {
            uid: only_uid(syntax.uid()),
        }),
    }
}

/// Reads a data set that stands by itself, in a transfer syntax without compression.
///
/// # Errors
/// [`Error::TransferSyntax`]; those of a malformed data set.
pub(crate) fn read_bare(bytes: &[u8], uid: &str) -> Result<(DataSet, &'static TransferSyntax)> {
    let syntax = registered(uid)?;
    let data_set = reader::data_set(bytes, encoding(syntax)?, &mut Repairs::default())?;
    Ok((data_set, syntax))
}

/// A transfer syntax of this UID.
pub(crate) fn registered(uid: &str) -> Result<&'static TransferSyntax> {
    let unknown = || Error::TransferSyntax { uid: only_uid(uid) };
    TransferSyntaxRegistry.get(uid).ok_or_else(unknown)
}

/// The transfer syntax that a file names, and the place of its data set.
pub(crate) fn parts(file: &[u8]) -> Result<(Option<String>, usize)> {
    match beginning(file).ok_or(Error::NotDicom)? {
        (start, true) => meta(file, start, &mut Repairs::default()),
        (start, false) => Ok((None, start)),
    }
}

/// Checks whether the transfer syntax is one without VRs (PS3.5 §A.1; Papyrus 3, retired).
fn is_implicit(syntax: &TransferSyntax) -> bool {
    [uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.20"].contains(&syntax.uid())
}

/// Reads the file meta group, of which only the transfer syntax is needed; returns it and the place behind the group.
///
/// The group ends with its last element, whatever its length says.
fn meta(file: &[u8], start: usize, repairs: &mut Repairs) -> Result<(Option<String>, usize)> {
    let (mut at, mut found) = (start, None);
    let mut length = None;
    while let Some(&[0x02, 0x00, c, d, a, b, e, f]) = file.get(at..at + 8) {
        let tag = Tag(0x0002, u16::from_le_bytes([c, d]));
        let vr = VR::from_binary([a, b]);
        let (size, value) = match vr {
            Some(vr) if reader::is_long(vr) => match file.get(at + 8..at + 12) {
                Some(&[a, b, c, d]) => (12, u32::from_le_bytes([a, b, c, d])),
                _ => return Err(Error::Malformed),
            },
            Some(_) => (8, u16::from_le_bytes([e, f]).into()),
            None => (8, u32::from_le_bytes([a, b, e, f])),
        };
        if vr.is_none() {
            repairs.add(tag, "its VR is none: read by the dictionary's");
        }
        let begin = at + size;
        let end = begin.checked_add(value as usize);
        let value = end
            .and_then(|end| file.get(begin..end))
            .ok_or(Error::Malformed)?;
        at = begin + value.len();
        match tag {
            tags::FILE_META_INFORMATION_GROUP_LENGTH => {
                let value = value.first_chunk().map(|b| u32::from_le_bytes(*b));
                length = value.map(|value| at + value as usize);
            }
            tags::TRANSFER_SYNTAX_UID => {
                let value = String::from_utf8_lossy(value);
                let uid = value.trim_matches([' ', '\0']);
                found = (!uid.is_empty()).then(|| uid.to_owned());
            }
            _ => {}
        }
    }
    if length != Some(at) {
        let what = "it is missing or not the group's length";
        repairs.add(tags::FILE_META_INFORMATION_GROUP_LENGTH, what);
    }
    Ok((found, at))
}

/// Encodes a file: a zeroed preamble, a file meta group of our own, the data set.
pub(crate) fn write(file: &File, capacity: usize) -> Result<Vec<u8>> {
    let uid = |tag: Tag, attribute: &'static str| {
        text(&file.data_set, tag).ok_or(Error::Missing { attribute })
    };
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uid(tags::SOP_CLASS_UID, "SOP Class UID")?)
        .media_storage_sop_instance_uid(uid(tags::SOP_INSTANCE_UID, "SOP Instance UID")?)
        .transfer_syntax(file.syntax.uid())
        .implementation_class_uid(IMPLEMENTATION_CLASS_UID)
        .implementation_version_name(IMPLEMENTATION_VERSION_NAME)
        .build()
        .map_err(|_| Error::Encode)?;
    let mut out = Vec::with_capacity(capacity);
    out.extend_from_slice(&[0; 128]);
    out.extend_from_slice(b"DICM");
    meta.write(&mut out).map_err(|_| Error::Encode)?;
    match file.syntax.codec() {
        Codec::Dataset(Some(adapter)) => {
            // The length need not be even: the deflated stream ends where it says (PS3.5 §A.5).
            let mut deflated = adapter.adapt_writer(Box::new(&mut out));
            let mut plain = Vec::with_capacity(capacity);
            encode(&file.data_set, file.syntax, &mut plain)?;
            deflated.write_all(&plain).map_err(|_| Error::Encode)?;
            deflated.flush().map_err(|_| Error::Encode)?;
            drop(deflated);
        }
        _ => encode(&file.data_set, file.syntax, &mut out)?,
    }
    Ok(out)
}

pub(crate) fn encode(data_set: &DataSet, syntax: &TransferSyntax, out: &mut Vec<u8>) -> Result<()> {
    let encoder: DynEncoder<'_, Vec<u8>> = syntax.encoder_for().ok_or(Error::Encode)?;
    put(data_set, &encoder, out).map_err(|_| Error::Encode)
}

/// Sequences and items are written with undefined lengths.
fn put(
    data_set: &DataSet,
    encoder: &DynEncoder<'_, Vec<u8>>,
    out: &mut Vec<u8>,
) -> dicom_encoding::encode::Result<()> {
    for (tag, element) in data_set {
        let mut header = |vr, length| {
            let header = DataElementHeader::new(*tag, vr, length);
            encoder.encode_element_header(out, header)
        };
        match &element.value {
            Value::Bytes(bytes) => {
                // A file has fewer bytes than a length can say.
                header(element.vr, Length(bytes.len() as u32))?;
                out.extend_from_slice(bytes);
            }
            Value::Items(items) => {
                header(VR::SQ, Length::UNDEFINED)?;
                for item in items {
                    encoder.encode_item_header(out, Length::UNDEFINED.0)?;
                    put(item, encoder, out)?;
                    encoder.encode_item_delimiter(out)?;
                }
                encoder.encode_sequence_delimiter(out)?;
            }
            Value::Fragments(fragments) => {
                header(VR::OB, Length::UNDEFINED)?;
                for fragment in fragments {
                    encoder.encode_item_header(out, fragment.len() as u32)?;
                    out.extend_from_slice(fragment);
                }
                encoder.encode_sequence_delimiter(out)?;
            }
        }
    }
    Ok(())
}
