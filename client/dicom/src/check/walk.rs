//! A reader of the check's own: it finds where every value lies, in whatever syntax, and lets none of the bytes out of
//! sight.
//!
//! Lenient where others are strict, since a leak in a malformed file is a leak: bytes that cannot be read as elements are
//! reported as trouble and stay to be searched. It does not recurse, sets aside no memory for lengths that a file claims,
//! and reads each byte a bounded number of times.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

use super::text::ascii;

/// The most bytes that a deflated data set may have when it is inflated.
const INFLATED_MAX: u64 = 1 << 30;
/// The most elements, items and fragments of a file.
const SPANS_MAX: usize = 8_000_000;
/// How deep sequences may lie in each other.
const DEPTH_MAX: usize = 4096;

const ITEM: u32 = 0xfffe_e000;
const ITEM_END: u32 = 0xfffe_e00d;
const SEQUENCE_END: u32 = 0xfffe_e0dd;
/// Transfer Syntax UID.
const SYNTAX: u32 = 0x0002_0010;
/// The syntaxes that are not Explicit VR Little Endian.
const IMPLICIT: [&str; 2] = ["1.2.840.10008.1.2", "1.2.840.10008.1.20"];
const BIG: &str = "1.2.840.10008.1.2.2";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

/// No parent: the data set itself.
pub(super) const ROOT: u32 = u32::MAX;

/// A kind of span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An element with a value.
    Value,
    /// An element with items.
    Sequence,
    /// An item; its tag is its number in the sequence.
    Item,
    /// An element with fragments (PS3.5 §A.4).
    Encapsulated,
    /// A fragment; its tag is its number.
    Fragment,
}

/// The place of a value, a sequence, an item or a fragment.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) tag: u32,
    pub(super) vr: [u8; 2],
    /// The span that it lies in, or [`ROOT`].
    pub(super) parent: u32,
    /// How many items a sequence has, or fragments.
    pub(super) items: u32,
    /// Where its bytes begin and end, without its header.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether numbers in it are in big endian.
    pub(super) big: bool,
}

/// A file that was walked.
#[derive(Debug)]
pub(super) struct Walked<'a> {
    /// The file; of a deflated one what it inflates to, between what stood before and behind it.
    pub(super) bytes: Cow<'a, [u8]>,
    /// In the order of the file, parents before children.
    pub(super) spans: Vec<Span>,
    /// Where the data set begins.
    pub(super) body: usize,
    /// Transfer Syntax UID, empty if there is none.
    pub(super) syntax: String,
    /// Why it could not be read to its end, and from which byte on.
    pub(super) trouble: Option<(usize, &'static str)>,
    /// Where nothing but zeros follows.
    padding: usize,
}

/// A data set, sequence, item or row of fragments that is being read.
struct Open {
    what: Kind,
    span: u32,
    end: usize,
    /// Whether only a delimiter ends it.
    undefined: bool,
    explicit: bool,
    big: bool,
    /// Whether it may be no sequence at all: bytes that only look like one.
    doubtful: bool,
}

/// An element's header.
struct Header {
    tag: u32,
    vr: [u8; 2],
    length: u32,
    start: usize,
}

/// Whether a file without preamble begins with an element of the first groups.
fn begins(bytes: &[u8]) -> bool {
    let Some(&[group, 0, element, 0, a, b, c, d]) = bytes.first_chunk() else {
        return false;
    };
    let explicit = vr(&[a, b]).is_some();
    let length = u32::from_le_bytes([a, b, c, d]);
    matches!(group, 2 | 8) && element <= 0x18 && (explicit || (2..=64).contains(&length))
}

impl<'a> Walked<'a> {
    pub(super) fn of(file: &'a [u8]) -> Self {
        let start = match file.get(128..132) == Some(b"DICM") {
            true => 132,
            false => 0,
        };
        let mut walked = Self {
            bytes: Cow::Borrowed(file),
            spans: Vec::new(),
            body: start,
            syntax: String::new(),
            trouble: None,
            padding: file.len(),
        };
        if start == 0 && !begins(file) {
            walked.trouble = Some((0, "not a DICOM file"));
            return walked;
        }
        walked.meta();
        if walked.syntax == DEFLATED {
            walked.inflate();
        }
        walked.data_set();
        walked
    }

    /// The file meta group: as long as its elements follow each other (its length is often wrong).
    fn meta(&mut self) {
        while let Some(header) = header(&self.bytes, self.body, self.bytes.len(), true, false) {
            if header.tag >> 16 != 2 {
                break;
            }
            let end = header.start.saturating_add(header.length as usize);
            if end > self.bytes.len() {
                break;
            }
            if header.tag == SYNTAX {
                self.syntax = ascii(&self.bytes[header.start..end]);
            }
            self.spans.push(Span {
                kind: Kind::Value,
                tag: header.tag,
                vr: header.vr,
                parent: ROOT,
                items: 0,
                start: header.start,
                end,
                big: false,
            });
            self.body = end;
        }
    }

    fn inflate(&mut self) {
        let body = &self.bytes[self.body..];
        let mut plain = self.bytes[..self.body].to_vec();
        let mut inflater = flate2::bufread::DeflateDecoder::new(body);
        let read = inflater.by_ref().take(INFLATED_MAX).read_to_end(&mut plain);
        let consumed = inflater.total_in() as usize;
        if read.is_err() || plain.len() as u64 >= INFLATED_MAX {
            self.trouble = Some((self.body + consumed, "the deflated data cannot be inflated"));
        }
        // What follows the stream is no part of it, and not out of sight. A byte of padding is lawful.
        let rest = body.get(consumed..).unwrap_or_default();
        if rest.iter().any(|b| *b != 0) {
            let at = (plain.len(), "bytes behind the deflated data set");
            self.trouble.get_or_insert(at);
            plain.extend_from_slice(rest);
        }
        self.bytes = Cow::Owned(plain);
    }

    fn data_set(&mut self) {
        let (mut at, end) = (self.body, self.bytes.len());
        let last = self.bytes.iter().rposition(|b| *b != 0);
        self.padding = last.map_or(0, |last| last + 1);
        let big = self.syntax == BIG;
        let declared = !IMPLICIT.contains(&self.syntax.as_str());
        // Some write a syntax and mean another.
        let explicit = match self.bytes.get(at + 4..at + 6) {
            Some(letters) => vr(letters).is_some(),
            None => declared,
        };
        let mut open = vec![Open {
            what: Kind::Item,
            span: ROOT,
            end,
            undefined: false,
            explicit,
            big,
            doubtful: false,
        }];
        while let Some(top) = open.last() {
            if at >= top.end && !top.undefined {
                let ended = open.pop();
                self.close(ended, at);
                continue;
            }
            match self.step(at, &mut open) {
                Ok(next) => at = next,
                Err(why) => match open.iter().position(|open| open.doubtful) {
                    // It was no sequence: bytes, then.
                    Some(doubtful) => {
                        let index = open[doubtful].span as usize;
                        self.spans.truncate(index + 1);
                        let span = &mut self.spans[index];
                        (span.kind, span.items) = (Kind::Value, 0);
                        at = span.end;
                        open.truncate(doubtful);
                    }
                    None => {
                        self.trouble.get_or_insert((at, why));
                        for open in &open {
                            if let Some(span) = self.spans.get_mut(open.span as usize) {
                                span.end = span.end.min(at);
                            }
                        }
                        return;
                    }
                },
            }
        }
    }

    fn close(&mut self, open: Option<Open>, at: usize) {
        let span = open.and_then(|open| self.spans.get_mut(open.span as usize));
        if let Some(span) = span {
            span.end = at;
        }
    }

    /// Reads one header, and its value if it has one; returns where the next begins.
    fn step(&mut self, at: usize, open: &mut Vec<Open>) -> Result<usize, &'static str> {
        let depth = open.len();
        let Some(top) = open.last() else {
            return Err("nothing is open");
        };
        let (explicit, big) = (top.explicit, top.big);
        if depth == 1 && at >= self.padding {
            return Ok(top.end);
        }
        if self.spans.len() >= SPANS_MAX {
            return Err("more elements than are read");
        }
        let within = top.what;
        let header = header(
            &self.bytes,
            at,
            top.end,
            explicit && within == Kind::Item,
            big,
        );
        let header = header.ok_or("cut short")?;
        let next = header.start;
        match (within, header.tag) {
            (Kind::Item, ITEM_END) | (Kind::Sequence | Kind::Encapsulated, SEQUENCE_END) => {
                if !top.undefined {
                    return Err("a delimiter that ends nothing");
                }
                let ended = open.pop();
                self.close(ended, at);
                Ok(next)
            }
            (Kind::Sequence | Kind::Encapsulated, ITEM) => self.item(&header, open),
            (Kind::Item, tag) if tag >> 16 != 0xfffe => self.element(&header, open),
            _ => Err("an item or delimiter where none belongs"),
        }
    }

    fn item(&mut self, header: &Header, open: &mut Vec<Open>) -> Result<usize, &'static str> {
        let top = open.last().ok_or("nothing is open")?;
        let undefined = header.length == u32::MAX;
        let end = match undefined {
            true => top.end,
            false => header.start.saturating_add(header.length as usize),
        };
        if end > top.end {
            return Err("an item longer than what it lies in");
        }
        let (parent, big, explicit) = (top.span, top.big, top.explicit);
        let number = match self.spans.get_mut(parent as usize) {
            Some(span) => {
                span.items += 1;
                span.items - 1
            }
            None => 0,
        };
        let kind = match top.what {
            Kind::Encapsulated if undefined => return Err("a fragment without a length"),
            Kind::Encapsulated => Kind::Fragment,
            _ => Kind::Item,
        };
        // In values of unknown VR the first element says whether there are VRs.
        let explicit = match top.doubtful && number == 0 {
            true => {
                let letters = self.bytes.get(header.start + 4..header.start + 6);
                letters.is_some_and(|letters| vr(letters).is_some())
            }
            false => explicit,
        };
        let span = self.push(Span {
            kind,
            tag: number,
            vr: *b"  ",
            parent,
            items: 0,
            start: header.start,
            end,
            big,
        });
        if kind == Kind::Fragment {
            return Ok(end);
        }
        open.push(Open {
            what: Kind::Item,
            span,
            end,
            undefined,
            explicit,
            big,
            doubtful: false,
        });
        Ok(header.start)
    }

    fn element(&mut self, header: &Header, open: &mut Vec<Open>) -> Result<usize, &'static str> {
        let top = open.last().ok_or("nothing is open")?;
        let undefined = header.length == u32::MAX;
        let end = match undefined {
            true => top.end,
            false => header.start.saturating_add(header.length as usize),
        };
        if end > top.end {
            return Err("a value longer than what it lies in");
        }
        let unknown = header.vr == *b"UN";
        let bulk = matches!(&header.vr, b"OB" | b"OW");
        let looks = |big: bool| {
            let start = self.bytes.get(header.start..header.start + 4);
            start
                == Some(if big {
                    b"\xff\xfe\xe0\x00"
                } else {
                    b"\xfe\xff\x00\xe0"
                })
        };
        let (mut explicit, mut big) = (top.explicit, top.big);
        let doubtful = !undefined && unknown && header.length >= 8 && looks(false);
        let kind = match () {
            () if header.vr == *b"SQ" => Kind::Sequence,
            () if undefined && (bulk || header.tag == 0x7fe0_0010) => Kind::Encapsulated,
            () if undefined || doubtful => Kind::Sequence,
            () => Kind::Value,
        };
        if unknown && kind == Kind::Sequence && explicit {
            // Whatever the file is in (PS3.5 §6.2.2, note 2).
            (explicit, big) = (false, false);
        }
        let parent = top.span;
        let span = self.push(Span {
            kind,
            tag: header.tag,
            vr: header.vr,
            parent,
            items: 0,
            start: header.start,
            end,
            big,
        });
        if kind == Kind::Value {
            return Ok(end);
        }
        if open.len() > DEPTH_MAX {
            return Err("sequences deeper than are read");
        }
        open.push(Open {
            what: kind,
            span,
            end,
            undefined,
            explicit,
            big,
            doubtful,
        });
        Ok(header.start)
    }

    fn push(&mut self, span: Span) -> u32 {
        self.spans.push(span);
        // At most SPANS_MAX.
        (self.spans.len() - 1) as u32
    }

    /// The bytes of a span.
    pub(super) fn value(&self, span: &Span) -> &[u8] {
        self.bytes.get(span.start..span.end).unwrap_or_default()
    }

    /// The first element of the data set itself with a tag.
    pub(super) fn root(&self, tag: u32) -> Option<&Span> {
        let found = self.spans.iter();
        found
            .filter(|span| span.parent == ROOT)
            .find(|span| span.tag == tag)
    }

    /// The text of an element of the data set itself; empty if it has none.
    pub(super) fn text(&self, tag: u32) -> String {
        self.root(tag)
            .map_or_else(String::new, |span| ascii(self.value(span)))
    }

    /// The first unsigned short of an element of the data set itself.
    pub(super) fn short(&self, tag: u32) -> Option<usize> {
        let span = self.root(tag)?;
        let bytes = *self.value(span).first_chunk()?;
        Some(usize::from(match span.big {
            true => u16::from_be_bytes(bytes),
            false => u16::from_le_bytes(bytes),
        }))
    }

    /// The value or fragment in which a byte lies.
    pub(super) fn at(&self, position: usize) -> Option<u32> {
        // The last that begins before it: what is open around it has no bytes of its own.
        let next = self.spans.partition_point(|span| span.start <= position);
        let index = next.checked_sub(1)?;
        let span = &self.spans[index];
        let holds = matches!(span.kind, Kind::Value | Kind::Fragment) && span.end > position;
        holds.then_some(index as u32)
    }

    /// The tags that lead to a span, outermost first, items left out.
    pub(super) fn path(&self, index: u32) -> Vec<Tag> {
        let mut path = Vec::new();
        let mut next = Some(index);
        while let Some(span) = next.and_then(|index| self.spans.get(index as usize)) {
            if !matches!(span.kind, Kind::Item | Kind::Fragment) {
                path.push(Tag((span.tag >> 16) as u16, span.tag as u16));
            }
            next = Some(span.parent);
        }
        path.reverse();
        path
    }

    /// The bytes of a range.
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }
}

/// A VR of the standard's (PS3.5 §6.2), and whether its length takes two bytes.
fn vr(letters: &[u8]) -> Option<bool> {
    let [a, b] = *letters else { return None };
    let short = VR::from_binary([a, b])?;
    Some(!matches!(
        short,
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
    ))
}

fn header(bytes: &[u8], at: usize, end: usize, explicit: bool, big: bool) -> Option<Header> {
    let &[a, b, c, d, e, f, g, h] = bytes.get(at..end)?.first_chunk()?;
    let short = |a, b| match big {
        true => u16::from_be_bytes([a, b]),
        false => u16::from_le_bytes([a, b]),
    };
    let long = |bytes| match big {
        true => u32::from_be_bytes(bytes),
        false => u32::from_le_bytes(bytes),
    };
    let tag = u32::from(short(a, b)) << 16 | u32::from(short(c, d));
    let plain = tag >> 16 == 0xfffe || !explicit;
    let letters = [e, f];
    // Letters that no edition knows have the long form (PS3.5 §7.1.2); what are no letters is a length without a VR.
    let letters = match vr(&letters) {
        _ if plain => None,
        Some(short) => Some(short),
        None if letters.iter().all(u8::is_ascii_uppercase) => Some(false),
        None => None,
    };
    Some(match letters {
        Some(true) => Header {
            tag,
            vr: [e, f],
            length: short(g, h).into(),
            start: at + 8,
        },
        Some(false) => {
            let length = bytes.get(at + 8..end)?.first_chunk()?;
            Header {
                tag,
                vr: [e, f],
                length: long(*length),
                start: at + 12,
            }
        }
        None => Header {
            tag,
            vr: listed(tag),
            length: long([e, f, g, h]),
            start: at + 8,
        },
    })
}

/// The VR that the dictionary lists for a tag.
pub(super) fn listed(tag: u32) -> [u8; 2] {
    let entry = StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16));
    let creator = tag >> 16 & 1 == 1 && (0x10..0x100).contains(&(tag & 0xffff));
    let mut letters = *b"UN";
    let vr = match entry {
        _ if creator => VR::LO,
        Some(entry) => entry.vr().relaxed(),
        None => return letters,
    };
    letters.copy_from_slice(vr.to_string().as_bytes());
    letters
}
