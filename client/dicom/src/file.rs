//! From the bytes of a file to a data set and back (PS3.10 §7).

use std::io::{Cursor, Read, Write};

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::header::{DataElementHeader, HasLength, Header};
use dicom_core::{Length, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};
use dicom_encoding::encode::EncodeTo;
use dicom_encoding::text::SpecificCharacterSet;
use dicom_encoding::transfer_syntax::DynEncoder;
use dicom_encoding::{Codec, Endianness, TransferSyntax, TransferSyntaxIndex};
use dicom_object::{FileMetaTable, FileMetaTableBuilder};
use dicom_parser::StatefulDecoder;
use dicom_parser::dataset::read::{DataSetReaderOptions, ValueReadStrategy};
use dicom_parser::dataset::{DataSetReader, DataToken};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::error::{Error, Result, only_uid};
use super::tree::{DataSet, Element, Value, is_text, text};
use super::unknown::ExplicitLittleEndian;

/// The writer of a file (PS3.10 §7.1): a UUID-derived UID of this program.
pub(crate) const IMPLEMENTATION_CLASS_UID: &str = "2.25.247352046126719243064113853245926349107";
const IMPLEMENTATION_VERSION_NAME: &str = "PCIM";

/// The most bytes that a file may have: element lengths are 32 bits.
const FILE_MAX: u64 = u32::MAX as u64;
/// The most bytes that a deflated data set may have when it is inflated.
const INFLATED_MAX: u64 = 1 << 30;
/// The deepest nesting of sequences; real files stay below ten.
const DEPTH_MAX: usize = 32;

/// The transfer syntaxes without VRs, in little endian (PS3.5 §A.1; Papyrus 3, retired).
const IMPLICIT: [&str; 2] = [uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.20"];

/// A file's content.
pub(crate) struct File {
    pub(crate) data_set: DataSet,
    pub(crate) syntax: &'static TransferSyntax,
}

impl File {
    /// The byte order of values.
    pub(crate) fn order(&self) -> Endianness {
        self.syntax.endianness()
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
    if file.get(128..132) != Some(b"DICM") {
        return Err(Error::NotDicom);
    }
    if !meta_fits(file) {
        return Err(Error::Malformed);
    }
    let mut rest = Cursor::new(&file[128..]);
    let meta = FileMetaTable::from_reader(&mut rest).map_err(|_| Error::Malformed)?;
    let unknown = || Error::TransferSyntax {
        uid: only_uid(meta.transfer_syntax()),
    };
    let syntax = TransferSyntaxRegistry
        .get(meta.transfer_syntax())
        .ok_or_else(unknown)?;
    let start = usize::try_from(rest.position()).map_err(|_| Error::Malformed)?;
    let body = file.get(128 + start..).ok_or(Error::Malformed)?;
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
            build(&inflated, syntax)?
        }
        Codec::Dataset(None) => return Err(unknown()),
        _ => build(body, syntax)?,
    };
    Ok(File { data_set, syntax })
}

/// Checks whether the values of the file meta group end within the file, so that no memory is set aside for more.
fn meta_fits(file: &[u8]) -> bool {
    let mut at = 132;
    while let Some([0x02, 0x00, _, _, a, b, short @ ..]) = file.get(at..at + 8) {
        // An unknown VR counts as one of those with a long length.
        let long = VR::from_binary([*a, *b]).is_none_or(|vr| {
            let short_number = matches!(
                vr,
                VR::AT | VR::FD | VR::FL | VR::SL | VR::SS | VR::UI | VR::UL | VR::US
            );
            let long_text = matches!(vr, VR::UC | VR::UR | VR::UT);
            long_text || !short_number && !is_text(vr)
        });
        let length = match (long, file.get(at + 8..at + 12), short) {
            (true, Some(&[a, b, c, d]), _) => 12 + u64::from(u32::from_le_bytes([a, b, c, d])),
            (false, _, &[a, b]) => 8 + u64::from(u16::from_le_bytes([a, b])),
            _ => return false,
        };
        match usize::try_from(length) {
            Ok(length) if length <= file.len() - at => at += length,
            _ => return false,
        }
    }
    true
}

/// The part that is being read: data sets, and between two of them the sequence that the inner one is an item of.
struct Open {
    data_set: DataSet,
    sequence: Option<(Tag, Vec<DataSet>)>,
}

/// Builds the tree of a data set. No value is longer than the file, no nesting deeper than [`DEPTH_MAX`], and every
/// sequence is closed. Of two elements with the same tag the last is taken.
fn build(bytes: &[u8], syntax: &TransferSyntax) -> Result<DataSet> {
    let little = syntax.endianness() == Endianness::Little;
    let decoder = match little && !IMPLICIT.contains(&syntax.uid()) {
        true => Box::<ExplicitLittleEndian>::default(),
        false => syntax.decoder_for().ok_or(Error::Malformed)?,
    };
    let charset = SpecificCharacterSet::default();
    let decoder =
        StatefulDecoder::new_with_position(bytes, decoder, syntax.basic_decoder(), charset, 0);
    let options = DataSetReaderOptions::default().value_read(ValueReadStrategy::Raw);
    let tokens = DataSetReader::new(decoder, options);
    let fits = |length: Length| match length.get() {
        Some(length) if length as usize > bytes.len() => Err(Error::Malformed),
        _ => Ok(()),
    };
    let mut open = vec![Open {
        data_set: DataSet::new(),
        sequence: None,
    }];
    let mut header: Option<DataElementHeader> = None;
    let mut fragments: Option<Vec<Vec<u8>>> = None;
    for token in tokens {
        // The library's words may quote values.
        let token = token.map_err(|_| Error::Malformed)?;
        let depth = open.len();
        let top = open.last_mut().ok_or(Error::Malformed)?;
        match token {
            // The length comes a step before memory is set aside for the value.
            DataToken::ElementHeader(next) => {
                fits(next.length())?;
                header = Some(next);
            }
            DataToken::PrimitiveValue(value) => {
                let header = header.take().ok_or(Error::Malformed)?;
                let bytes = match value {
                    PrimitiveValue::U8(bytes) => bytes.into_vec(),
                    PrimitiveValue::Empty => Vec::new(),
                    _ => return Err(Error::Malformed),
                };
                let element = match header.vr() {
                    VR::UN => sequence_of_unknown(header.tag(), &bytes, syntax),
                    _ => None,
                };
                let element = element.unwrap_or_else(|| Element::bytes(header.vr(), bytes));
                top.data_set.insert(header.tag(), element);
            }
            DataToken::SequenceStart { tag, len } => {
                fits(len)?;
                if top.sequence.is_some() {
                    return Err(Error::Malformed);
                }
                if depth > DEPTH_MAX {
                    return Err(Error::TooDeep { max: DEPTH_MAX });
                }
                top.sequence = Some((tag, Vec::new()));
            }
            DataToken::ItemStart { len } => {
                fits(len)?;
                match &mut fragments {
                    // Empty items have no value token.
                    Some(fragments) => fragments.push(Vec::new()),
                    None => open.push(Open {
                        data_set: DataSet::new(),
                        sequence: None,
                    }),
                }
            }
            DataToken::ItemEnd if fragments.is_some() => {}
            DataToken::ItemEnd => {
                let item = open.pop().ok_or(Error::Malformed)?;
                let parent = open.last_mut().ok_or(Error::Malformed)?;
                let (_, items) = parent.sequence.as_mut().ok_or(Error::Malformed)?;
                if item.sequence.is_some() {
                    return Err(Error::Malformed);
                }
                items.push(item.data_set);
            }
            DataToken::SequenceEnd => {
                if let Some(fragments) = fragments.take() {
                    let value = Value::Fragments(fragments);
                    let element = Element { vr: VR::OB, value };
                    top.data_set.insert(tags::PIXEL_DATA, element);
                } else {
                    let (tag, items) = top.sequence.take().ok_or(Error::Malformed)?;
                    top.data_set.insert(tag, Element::items(items));
                }
            }
            DataToken::PixelSequenceStart => fragments = Some(Vec::new()),
            DataToken::ItemValue(value) => {
                let slot = fragments.as_mut().and_then(|f| f.last_mut());
                *slot.ok_or(Error::Malformed)? = value;
            }
            DataToken::OffsetTable(table) => {
                let slot = fragments.as_mut().and_then(|f| f.last_mut());
                *slot.ok_or(Error::Malformed)? =
                    table.iter().flat_map(|n| n.to_le_bytes()).collect();
            }
        }
    }
    // A file that ends inside a sequence or between fragments is not whole.
    match (open.pop(), open.is_empty(), fragments, header) {
        (
            Some(Open {
                data_set,
                sequence: None,
            }),
            true,
            None,
            None,
        ) => Ok(data_set),
        _ => Err(Error::Malformed),
    }
}

/// A sequence whose VR was lost on the way (UN): its items are encoded without VRs (PS3.5 §6.2.2). None if the dictionary
/// knows no sequence by that tag, or the bytes are none.
fn sequence_of_unknown(tag: Tag, bytes: &[u8], syntax: &TransferSyntax) -> Option<Element> {
    let listed = StandardDataDictionary.by_tag(tag)?.vr().relaxed();
    let little = syntax.endianness() == Endianness::Little;
    if !little || listed != VR::SQ || bytes.is_empty() {
        return None;
    }
    let implicit = TransferSyntaxRegistry.get(uids::IMPLICIT_VR_LITTLE_ENDIAN)?;
    let mut whole = Vec::with_capacity(bytes.len() + 8);
    whole.extend(tag.group().to_le_bytes());
    whole.extend(tag.element().to_le_bytes());
    whole.extend((bytes.len() as u32).to_le_bytes());
    whole.extend_from_slice(bytes);
    let element = build(&whole, implicit).ok()?.remove(&tag)?;
    matches!(element.value, Value::Items(_)).then_some(element)
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

fn encode(data_set: &DataSet, syntax: &TransferSyntax, out: &mut Vec<u8>) -> Result<()> {
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
