//! Places in a body of version 2 that is laid out as it is written here (format.md §4.11): where in the packet a chunk stands,
//! and where in the plaintext a byte of the payload.

use std::io::Read;
use std::ops::Range;

use super::chunks::{HEAD, TAG};
use super::framing::{Length, part, whole};
use super::packing::{CONTAINER_PARTS, PARTS, SEIPD};
use super::stages::read_full;
use super::unpacking::refuse;
use super::{Error, Result};

/// The layout that places are known in.
pub(super) const AS_WRITTEN: &str = "a body laid out as format.md §4.11 has it";

/// Bytes of a part of the container.
const OUTER: u64 = 1 << CONTAINER_PARTS;
/// Bytes of the literal's parts behind the first.
pub(super) const INNER: u64 = 1 << PARTS;
/// Bytes of the field before a part.
const FIELD: u64 = 1;

/// The container's parts: where its content stands in the body.
#[derive(Clone, Copy)]
pub(super) struct Outer {
    /// How many parts come before the last one.
    parts: u64,
    /// Bytes of the last one.
    rest: u64,
}

impl Outer {
    /// The places in the body where its last length may stand, by the body's length: the first that is a whole length is it.
    pub(super) fn last_fields(body: u64) -> Vec<u64> {
        let behind = body.saturating_sub(1);
        let (parts, rest) = (behind / (OUTER + FIELD), behind % (OUTER + FIELD));
        // A last part of nearly a whole one's length has a longer field.
        let before = (rest < 4 && parts > 0).then(|| parts - 1);
        let places = before.into_iter().chain([parts]);
        places.map(|parts| 1 + parts * (OUTER + FIELD)).collect()
    }

    /// The parts of a body whose last length stands at `place`; none if that is not its length.
    pub(super) fn of(body: u64, place: u64, field: &[u8]) -> Option<Self> {
        let (length, bytes) = Length::parse(field)?;
        let Length::Whole(rest) = length else {
            return None;
        };
        let canonical = whole(usize::try_from(rest).ok()?).len() == bytes;
        let fits = place + bytes as u64 + rest == body && rest < OUTER;
        let parts = (place - 1) / (OUTER + FIELD);
        (canonical && fits).then_some(Self { parts, rest })
    }

    /// Bytes of the content.
    pub(super) fn length(&self) -> u64 {
        self.parts * OUTER + self.rest
    }

    /// Where a byte of the content stands.
    fn place(&self, at: u64) -> u64 {
        let part = (at / OUTER).min(self.parts);
        1 + part * FIELD + self.field(part).len() as u64 + at
    }

    /// The bytes of the body that a range of the content is read from.
    pub(super) fn range(&self, content: &Range<u64>) -> Range<u64> {
        match content.is_empty() {
            true => 0..0,
            false => self.place(content.start)..self.place(content.end - 1) + 1,
        }
    }

    /// The bytes before the content.
    pub(super) fn before(&self) -> Vec<u8> {
        [&[SEIPD], &self.field(0)[..]].concat()
    }

    fn field(&self, number: u64) -> Vec<u8> {
        match number < self.parts {
            true => part(CONTAINER_PARTS).to_vec(),
            false => whole(self.rest as usize),
        }
    }
}

/// The content of a container, read from a place on out of a source that stands there.
pub(super) struct Content<'s> {
    outer: Outer,
    source: Box<dyn Read + 's>,
    at: u64,
    /// True if the field of the part that begins here was not read yet.
    due: bool,
}

impl<'s> Content<'s> {
    pub(super) fn begin(outer: Outer, at: u64, source: Box<dyn Read + 's>) -> Self {
        Self {
            outer,
            source,
            at,
            due: false,
        }
    }

    /// Fills the buffer; fields in between must be what they are written as.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            let part = (self.at / OUTER).min(self.outer.parts);
            if std::mem::take(&mut self.due) {
                let wanted = self.outer.field(part);
                let mut found = vec![0; wanted.len()];
                exactly(&mut *self.source, &mut found)?;
                if found != wanted {
                    return refuse(AS_WRITTEN, format!("a length {found:02x?}"));
                }
            }
            let end = match part < self.outer.parts {
                true => (part + 1) * OUTER,
                false => self.outer.length(),
            };
            let now = (buffer.len() - filled).min((end - self.at) as usize);
            if now == 0 {
                return refuse("a container", "its end".to_owned());
            }
            exactly(&mut *self.source, &mut buffer[filled..filled + now])?;
            filled += now;
            self.at += now as u64;
            self.due = self.at == end;
        }
        Ok(())
    }
}

fn exactly(source: &mut dyn Read, buffer: &mut [u8]) -> Result<()> {
    let read = read_full(source, buffer).map_err(Error::Read)?;
    match read == buffer.len() {
        true => Ok(()),
        false => Err(Error::Damaged("the packet is cut short".into())),
    }
}

/// The container's chunks: which of its content a chunk is, and which bytes of plaintext.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    /// Bytes of plaintext in every chunk but the last.
    pub(super) size: u64,
    /// Bytes of plaintext.
    pub(super) plain: u64,
    /// How many.
    pub(super) chunks: u64,
}

impl Cut {
    /// The chunks of a content of this length.
    pub(super) fn of(content: u64, size: usize) -> Result<Self> {
        let (size, tag) = (size as u64, TAG as u64);
        let sealed = content.checked_sub(HEAD as u64 + tag);
        let Some(sealed) = sealed.filter(|sealed| *sealed > tag) else {
            return refuse("a container with a chunk", format!("{content} bytes"));
        };
        let chunks = sealed.div_ceil(size + tag);
        match sealed % (size + tag) {
            short @ 1..=16 => refuse("a whole last chunk", format!("{short} bytes")),
            _ => Ok(Self {
                size,
                plain: sealed - chunks * tag,
                chunks,
            }),
        }
    }

    /// Where in the content a chunk and its tag stand.
    pub(super) fn sealed(&self, chunk: u64) -> Range<u64> {
        let (start, tag) = (HEAD as u64 + chunk * (self.size + TAG as u64), TAG as u64);
        let plain = self.size.min(self.plain - chunk * self.size);
        start..start + plain + tag
    }
}

/// The literal's parts: where the payload stands in the plaintext.
#[derive(Clone, Copy)]
pub(super) struct Literal {
    /// Where in the plaintext the payload begins.
    start: u64,
    /// Bytes of it in the first part.
    first: u64,
    /// How many parts come between the first and the last; none if there is but one part.
    between: Option<u64>,
    /// Bytes of it in the last part.
    last: u64,
}

impl Literal {
    /// One that is whole, of `first` bytes.
    pub(super) fn whole(start: u64, first: u64) -> Self {
        Self {
            start,
            first,
            between: None,
            last: 0,
        }
    }

    /// The places of the fields of the last but one part and of the last one, if the plaintext ends so.
    pub(super) fn last_fields(start: u64, first: u64, plain: u64) -> Option<u64> {
        let fields = start + first;
        let parts = plain.checked_sub(fields)?.checked_sub(1)? / (INNER + FIELD);
        Some(fields + parts.saturating_sub(1) * (INNER + FIELD))
    }

    /// The parts of a literal, by the end of its plaintext from the place of [`last_fields`](Self::last_fields) on; also where in
    /// `end` the signature begins.
    pub(super) fn of(start: u64, first: u64, place: u64, end: &[u8]) -> Option<(Self, usize)> {
        let mut between = (place - start - first) / (INNER + FIELD);
        let mut at = 0;
        loop {
            let (length, field) = Length::parse(end.get(at..)?)?;
            match length {
                Length::Part(INNER) => {
                    between += 1;
                    at = at.checked_add((INNER + FIELD) as usize)?;
                }
                Length::Whole(last) if last < INNER && whole(last as usize).len() == field => {
                    let literal = Self {
                        start,
                        first,
                        between: Some(between),
                        last,
                    };
                    let behind = at + field + last as usize;
                    return (behind <= end.len()).then_some((literal, behind));
                }
                _ => return None,
            }
        }
    }

    /// Bytes of the payload.
    pub(super) fn payload(&self) -> u64 {
        self.first + self.between.map_or(0, |parts| parts * INNER + self.last)
    }

    /// The field that stands before a byte of the payload, if one does.
    fn field(&self, at: u64) -> Option<Vec<u8>> {
        let parts = self.between?;
        let behind = at.checked_sub(self.first)?;
        match behind % INNER {
            0 if behind / INNER < parts => Some(part(PARTS).to_vec()),
            0 if behind / INNER == parts => Some(whole(self.last as usize)),
            _ => None,
        }
    }

    /// Where in the plaintext a byte of the payload stands.
    fn place(&self, at: u64) -> u64 {
        let mut place = self.start + at;
        if let (Some(parts), Some(behind)) = (self.between, at.checked_sub(self.first)) {
            let fields = (behind / INNER).min(parts);
            place += fields * FIELD;
            place += match fields == parts {
                true => whole(self.last as usize).len() as u64,
                false => FIELD,
            };
        }
        place
    }

    /// The plaintext that a range of the payload is read from.
    pub(super) fn range(&self, payload: &Range<u64>) -> Range<u64> {
        match payload.is_empty() {
            true => 0..0,
            false => self.place(payload.start)..self.place(payload.end - 1) + 1,
        }
    }
}

/// Takes the literal's fields out of plaintext that goes by.
pub(super) struct Fields {
    literal: Literal,
    /// The byte of the payload that comes next.
    at: u64,
    /// The rest of a field that goes by.
    field: Vec<u8>,
}

impl Fields {
    /// Begins at a byte of the payload, whose own field has gone by.
    pub(super) fn begin(literal: Literal, at: u64) -> Self {
        Self {
            literal,
            at,
            field: Vec::new(),
        }
    }

    /// Hands on the payload that is in the plaintext.
    pub(super) fn pass(
        &mut self,
        mut plain: &[u8],
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        while let Some(first) = plain.first() {
            if !self.field.is_empty() {
                if self.field.remove(0) != *first {
                    return refuse(
                        AS_WRITTEN,
                        format!("a length that begins with {first:#04x}"),
                    );
                }
                plain = &plain[1..];
                continue;
            }
            let until = self.next_field();
            let now = plain
                .len()
                .min(usize::try_from(until - self.at).unwrap_or(usize::MAX));
            let (payload, rest) = plain.split_at(now);
            take(payload)?;
            self.at += now as u64;
            plain = rest;
            if self.at == until {
                self.field = self.literal.field(until).unwrap_or_default();
                if self.field.is_empty() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The byte of the payload before which the next field stands, or the payload's end.
    fn next_field(&self) -> u64 {
        let literal = &self.literal;
        let next = match self.at < literal.first {
            true => literal.first,
            false => literal.first + ((self.at - literal.first) / INNER + 1) * INNER,
        };
        next.min(literal.payload())
    }
}
