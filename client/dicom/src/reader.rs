//! Data sets from bytes (PS3.5 §7), leniently: what can be read in one way only is read, and the repair is listed.
//!
//! No value is longer than what holds it, no nesting deeper than [`DEPTH_MAX`], every sequence is closed.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};

use super::error::{Error, Result};
use super::repair::Repairs;
use super::tree::{DataSet, Element, Value};

/// The deepest nesting of sequences; real files stay below ten.
const DEPTH_MAX: usize = 32;
const ITEM: Tag = Tag(0xfffe, 0xe000);
const ITEM_END: Tag = Tag(0xfffe, 0xe00d);
const SEQUENCE_END: Tag = Tag(0xfffe, 0xe0dd);
const UNDEFINED: u32 = u32::MAX;

/// How elements are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Explicit VR Little Endian.
    Explicit,
    /// Implicit VR Little Endian.
    Implicit,
    /// Explicit VR Big Endian (retired).
    Big,
}

impl Encoding {
    fn has_vrs(self) -> bool {
        self != Self::Implicit
    }
}

/// Reads a whole data set; of two elements with the same tag the last is taken.
///
/// # Errors
/// [`Error::Malformed`], [`Error::TooDeep`].
pub(crate) fn data_set(bytes: &[u8], encoding: Encoding, repairs: &mut Repairs) -> Result<DataSet> {
    let encoding = encoded(bytes, encoding, repairs);
    let mut reader = Reader {
        bytes,
        at: 0,
        repairs,
    };
    reader.elements(bytes.len(), false, encoding, 1)
}

/// Reads the elements up to `last` out of the start of a data set; none if that start ends before it is known that there
/// are no more of them. A start that is `whole` is all of the data set.
///
/// # Errors
/// [`Error::TooDeep`]; [`Error::Malformed`] for a whole data set that is.
pub(crate) fn start(
    bytes: &[u8],
    encoding: Encoding,
    last: Tag,
    whole: bool,
) -> Result<Option<DataSet>> {
    let mut repairs = Repairs::default();
    let encoding = encoded(bytes, encoding, &mut repairs);
    let mut reader = Reader {
        bytes,
        at: 0,
        repairs: &mut repairs,
    };
    match reader.elements_up_to(last, whole, encoding) {
        Err(Error::Malformed) if !whole => Ok(None),
        found => found,
    }
}

/// The encoding that a data set is in, which may not be the one that its file names.
fn encoded(bytes: &[u8], named: Encoding, repairs: &mut Repairs) -> Encoding {
    let (Some(vr), Some(length)) = (bytes.get(4..6), bytes.get(4..8)) else {
        return named;
    };
    let has_vr = VR::from_binary([vr[0], vr[1]]).is_some();
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    let fits = length as usize <= bytes.len() - 8 || length == UNDEFINED;
    let found = match named {
        Encoding::Explicit if !has_vr && fits => Encoding::Implicit,
        Encoding::Implicit if has_vr && !fits => Encoding::Explicit,
        named => named,
    };
    if found != named {
        let what = "the data set is not in the encoding that the file names";
        repairs.add(tags::TRANSFER_SYNTAX_UID, what);
    }
    found
}

/// The header of an element.
#[derive(Clone, Copy)]
struct Head {
    tag: Tag,
    vr: VR,
    length: u32,
    /// Bytes of the header.
    size: usize,
}

struct Reader<'a, 'r> {
    bytes: &'a [u8],
    at: usize,
    repairs: &'r mut Repairs,
}

impl<'a> Reader<'a, '_> {
    fn short_at(&self, at: usize, encoding: Encoding) -> Option<u16> {
        let bytes = self.bytes.get(at..at + 2)?.first_chunk()?;
        Some(match encoding {
            Encoding::Big => u16::from_be_bytes(*bytes),
            _ => u16::from_le_bytes(*bytes),
        })
    }

    fn long_at(&self, at: usize, encoding: Encoding) -> Option<u32> {
        let bytes = self.bytes.get(at..at + 4)?.first_chunk()?;
        Some(match encoding {
            Encoding::Big => u32::from_be_bytes(*bytes),
            _ => u32::from_le_bytes(*bytes),
        })
    }

    fn tag_at(&self, at: usize, encoding: Encoding) -> Option<Tag> {
        Some(Tag(
            self.short_at(at, encoding)?,
            self.short_at(at + 2, encoding)?,
        ))
    }

    /// Elements up to `end`, or up to the end of an item of undefined length.
    fn elements(
        &mut self,
        end: usize,
        open: bool,
        encoding: Encoding,
        depth: usize,
    ) -> Result<DataSet> {
        let mut data_set = DataSet::new();
        while self.at < end || open {
            if depth == 1 && self.padding(end) {
                self.repairs
                    .add(tags::DATA_SET_TRAILING_PADDING, "bytes behind the data set");
                self.at = end;
                break;
            }
            let tag = self.tag_at(self.at, encoding).ok_or(Error::Malformed)?;
            if tag == ITEM_END && depth > 1 {
                // An item of defined length may be closed all the same.
                self.at += 8;
                match open || self.at == end {
                    true => return Ok(data_set),
                    false => return Err(Error::Malformed),
                }
            }
            let head = self.head(tag, end, encoding)?;
            self.at += head.size;
            let element = self.value(head, end, encoding, depth)?;
            if data_set.insert(tag, element).is_some() {
                self.repairs.add(tag, "there are two: the last is taken");
            }
        }
        match self.at == end || open {
            true => Ok(data_set),
            false => Err(Error::Malformed),
        }
    }

    /// Elements up to `last`: all that there are, if one follows or the bytes are `whole`; none if the bytes end before.
    fn elements_up_to(
        &mut self,
        last: Tag,
        whole: bool,
        encoding: Encoding,
    ) -> Result<Option<DataSet>> {
        let end = self.bytes.len();
        let mut data_set = DataSet::new();
        while self.at < end {
            let tag = self.tag_at(self.at, encoding).ok_or(Error::Malformed)?;
            if tag > last {
                return Ok(Some(data_set));
            }
            let head = self.head(tag, end, encoding)?;
            self.at += head.size;
            let element = self.value(head, end, encoding, 1)?;
            data_set.insert(tag, element);
        }
        Ok(whole.then_some(data_set))
    }

    /// Checks whether nothing but zeros and line ends are left.
    fn padding(&self, end: usize) -> bool {
        let rest = &self.bytes[self.at..end];
        let starts = rest.len() < 8 || rest.starts_with(&[0; 4]);
        starts && rest.iter().all(|b| matches!(b, 0 | b'\n' | b'\r'))
    }

    /// The header of the next element.
    fn head(&mut self, tag: Tag, end: usize, encoding: Encoding) -> Result<Head> {
        if tag.group() == 0xfffe {
            return Err(Error::Malformed);
        }
        let implicit = |this: &Self| {
            let length = this.long_at(this.at + 4, encoding)?;
            let (vr, size) = (listed(tag), 8);
            Some(Head {
                tag,
                vr,
                length,
                size,
            })
        };
        if !encoding.has_vrs() {
            return implicit(self).ok_or(Error::Malformed);
        }
        let vr = self.bytes.get(self.at + 4..self.at + 6);
        let &[a, b] = vr.ok_or(Error::Malformed)? else {
            return Err(Error::Malformed);
        };
        let long = |this: &Self, vr| {
            let length = this.long_at(this.at + 8, encoding)?;
            Some(Head {
                tag,
                vr,
                length,
                size: 12,
            })
        };
        let short = |this: &Self, vr| {
            let length = this.short_at(this.at + 6, encoding)?.into();
            Some(Head {
                tag,
                vr,
                length,
                size: 8,
            })
        };
        if let Some(vr) = VR::from_binary([a, b]) {
            let head = if is_long(vr) {
                long(self, vr)
            } else {
                short(self, vr)
            };
            return head.ok_or(Error::Malformed);
        }
        // An unknown VR, or none: the form of its length is the one that another element follows on.
        let vr = listed(tag);
        let forms = match a.is_ascii_uppercase() && b.is_ascii_uppercase() {
            true => [long(self, vr), short(self, vr), implicit(self)],
            false => [implicit(self), short(self, vr), long(self, vr)],
        };
        let head = forms
            .into_iter()
            .flatten()
            .find(|head| self.follows(*head, end, encoding));
        self.repairs
            .add(tag, "its VR is none: read by the dictionary's");
        head.ok_or(Error::Malformed)
    }

    /// Checks whether an element or the end comes where this element would end.
    fn follows(&self, head: Head, end: usize, encoding: Encoding) -> bool {
        if head.length == UNDEFINED {
            return self.tag_at(self.at + head.size, encoding) == Some(ITEM);
        }
        let Some(next) = (self.at + head.size).checked_add(head.length as usize) else {
            return false;
        };
        let vr = self.bytes.get(next + 4..next + 6);
        let has_vr = vr.is_some_and(|vr| VR::from_binary([vr[0], vr[1]]).is_some());
        let tag = self.tag_at(next, encoding);
        next == end
            || next < end
                && tag.is_some_and(|tag| tag == ITEM_END || tag == ITEM || tag > head.tag && has_vr)
    }

    /// The value of an element whose header was read.
    fn value(
        &mut self,
        head: Head,
        end: usize,
        encoding: Encoding,
        depth: usize,
    ) -> Result<Element> {
        let Head {
            tag, vr, length, ..
        } = head;
        if length == UNDEFINED {
            if tag == tags::PIXEL_DATA && vr != VR::SQ {
                let value = Value::Fragments(self.fragments(end, encoding)?);
                return Ok(Element { vr: VR::OB, value });
            }
            // Unknown values without a length are sequences without VRs (PS3.5 §6.2.2, note 2).
            let within = match vr {
                VR::UN if encoding == Encoding::Explicit => Encoding::Implicit,
                _ => encoding,
            };
            let begin = self.at;
            let items = match self.items(None, end, within, depth) {
                Err(Error::Malformed) if within != encoding => {
                    self.at = begin;
                    let items = self.items(None, end, encoding, depth)?;
                    self.repairs
                        .add(tag, "a sequence of unknown VR has VRs inside");
                    items
                }
                items => items?,
            };
            if !matches!(vr, VR::SQ | VR::UN) {
                self.repairs.add(tag, "a sequence under another VR");
            }
            return Ok(Element::items(items));
        }
        let last = self.at.checked_add(length as usize);
        let last = last.filter(|last| *last <= end).ok_or(Error::Malformed)?;
        if vr == VR::SQ {
            let items = self.items(Some(last), last, encoding, depth)?;
            return Ok(Element::items(items));
        }
        let bytes = &self.bytes[self.at..last];
        let known = StandardDataDictionary.by_tag(tag);
        let lost = known.is_some_and(|entry| entry.vr().relaxed() == VR::SQ);
        if lost && encoding != Encoding::Big && length > 0 {
            // A sequence whose VR was lost on the way: its items have none either, or have kept theirs.
            for within in [Encoding::Implicit, Encoding::Explicit] {
                let mut repairs = Repairs::default();
                let mut inner = Reader {
                    bytes: &self.bytes[..last],
                    at: self.at,
                    repairs: &mut repairs,
                };
                match inner.items(Some(last), last, within, depth) {
                    Ok(items) => {
                        self.at = last;
                        self.repairs.append(repairs);
                        if vr != VR::UN {
                            self.repairs.add(tag, "a sequence under another VR");
                        }
                        return Ok(Element::items(items));
                    }
                    Err(error @ Error::TooDeep { .. }) => return Err(error),
                    Err(_) => {}
                }
            }
        }
        if length % 2 == 1 {
            self.repairs.add(tag, "its length is odd");
        }
        self.at = last;
        Ok(Element::bytes(vr, bytes))
    }

    /// The items of a sequence, up to `last` or to its end.
    fn items(
        &mut self,
        last: Option<usize>,
        end: usize,
        encoding: Encoding,
        depth: usize,
    ) -> Result<Vec<DataSet>> {
        if depth > DEPTH_MAX {
            return Err(Error::TooDeep { max: DEPTH_MAX });
        }
        let mut items = Vec::new();
        while Some(self.at) != last {
            let tag = self.tag_at(self.at, encoding).ok_or(Error::Malformed)?;
            let length = self
                .long_at(self.at + 4, encoding)
                .ok_or(Error::Malformed)?;
            self.at += 8;
            match (tag, length) {
                (SEQUENCE_END, _) => match last {
                    None => break,
                    // A sequence of defined length may be closed all the same.
                    Some(last) if last == self.at => break,
                    Some(_) => return Err(Error::Malformed),
                },
                (ITEM, UNDEFINED) => items.push(self.elements(end, true, encoding, depth + 1)?),
                (ITEM, length) => {
                    let close = self.at.checked_add(length as usize);
                    let close = close.filter(|it| *it <= end).ok_or(Error::Malformed)?;
                    items.push(self.elements(close, false, encoding, depth + 1)?);
                }
                _ => return Err(Error::Malformed),
            }
            if self.at > end {
                return Err(Error::Malformed);
            }
        }
        Ok(items)
    }

    /// The fragments of encapsulated pixel data, the offset table first (PS3.5 §A.4).
    fn fragments(&mut self, end: usize, encoding: Encoding) -> Result<Vec<Vec<u8>>> {
        let mut fragments = Vec::new();
        loop {
            let tag = self.tag_at(self.at, encoding).ok_or(Error::Malformed)?;
            let length = self
                .long_at(self.at + 4, encoding)
                .ok_or(Error::Malformed)?;
            self.at += 8;
            match tag {
                SEQUENCE_END if self.at <= end => return Ok(fragments),
                ITEM => {
                    let last = self.at.checked_add(length as usize);
                    let last = last.filter(|last| *last <= end).ok_or(Error::Malformed)?;
                    fragments.push(self.bytes[self.at..last].to_vec());
                    self.at = last;
                }
                _ => return Err(Error::Malformed),
            }
        }
    }
}

/// The VR that the dictionary lists; UN for what it does not know.
pub(super) fn listed(tag: Tag) -> VR {
    match StandardDataDictionary.by_tag(tag) {
        Some(entry) => entry.vr().relaxed(),
        None => VR::UN,
    }
}

/// Checks whether the VR has a length of 32 bits (PS3.5 Table 7.1-1).
pub(super) fn is_long(vr: VR) -> bool {
    matches!(
        vr,
        VR::OB
            | VR::OD
            | VR::OF
            | VR::OL
            | VR::OV
            | VR::OW
            | VR::SQ
            | VR::SV
            | VR::UC
            | VR::UN
            | VR::UR
            | VR::UT
            | VR::UV
    )
}
