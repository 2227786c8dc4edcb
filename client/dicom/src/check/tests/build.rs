//! DICOM files written element by element, in any of the uncompressed syntaxes.

use std::io::Write;

/// How a data set is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syntax {
    Explicit,
    Implicit,
    Big,
    Deflated,
}

impl Syntax {
    pub(crate) const ALL: [Self; 4] = [Self::Explicit, Self::Implicit, Self::Big, Self::Deflated];

    fn uid(self) -> &'static str {
        match self {
            Self::Explicit => "1.2.840.10008.1.2.1",
            Self::Implicit => "1.2.840.10008.1.2",
            Self::Big => "1.2.840.10008.1.2.2",
            Self::Deflated => "1.2.840.10008.1.2.1.99",
        }
    }
}

/// An element: tag, VR, and its value or items.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) tag: u32,
    pub(crate) vr: [u8; 2],
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Bytes(Vec<u8>),
    Items(Vec<Vec<Part>>),
    Fragments(Vec<Vec<u8>>),
}

pub(crate) fn part(tag: u32, vr: &[u8; 2], bytes: impl Into<Vec<u8>>) -> Part {
    let mut bytes = bytes.into();
    if bytes.len() % 2 == 1 {
        bytes.push(if vr == b"UI" { 0 } else { b' ' });
    }
    Part {
        tag,
        vr: *vr,
        value: Value::Bytes(bytes),
    }
}

pub(crate) fn text(tag: u32, vr: &[u8; 2], value: &str) -> Part {
    part(tag, vr, value)
}

pub(crate) fn uid(tag: u32, value: &str) -> Part {
    part(tag, b"UI", value)
}

pub(crate) fn item(parts: &[Part]) -> Vec<Part> {
    parts.to_vec()
}

pub(crate) fn sequence(tag: u32, items: &[Vec<Part>]) -> Part {
    Part {
        tag,
        vr: *b"SQ",
        value: Value::Items(items.to_vec()),
    }
}

pub(crate) fn fragments(tag: u32, all: &[&[u8]]) -> Part {
    Part {
        tag,
        vr: *b"OB",
        value: Value::Fragments(all.iter().map(|f| f.to_vec()).collect()),
    }
}

struct Writer {
    explicit: bool,
    big: bool,
    /// Whether sequences and items say how long they are.
    defined: bool,
    out: Vec<u8>,
}

impl Writer {
    fn short(&mut self, n: u16) {
        self.out.extend(if self.big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        });
    }

    fn long(&mut self, n: u32) {
        self.out.extend(if self.big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        });
    }

    fn tag(&mut self, tag: u32) {
        self.short((tag >> 16) as u16);
        self.short(tag as u16);
    }

    fn header(&mut self, part: &Part, length: u32) {
        self.tag(part.tag);
        let long = matches!(
            &part.vr,
            b"OB" | b"OD" | b"OF" | b"OL" | b"OW" | b"SQ" | b"UC" | b"UN" | b"UR" | b"UT"
        );
        if !self.explicit {
            return self.long(length);
        }
        self.out.extend(part.vr);
        if long {
            self.out.extend([0, 0]);
            self.long(length);
        } else {
            self.short(length as u16);
        }
    }

    fn within(&self) -> Self {
        Self {
            out: Vec::new(),
            ..*self
        }
    }

    fn parts(&mut self, parts: &[Part]) {
        let mut parts = parts.to_vec();
        parts.sort_by_key(|part| part.tag);
        for part in &parts {
            match &part.value {
                Value::Bytes(bytes) => {
                    self.header(part, bytes.len() as u32);
                    self.out.extend(bytes);
                }
                Value::Items(items) => self.items(part, items),
                Value::Fragments(all) => {
                    self.header(part, u32::MAX);
                    for fragment in all {
                        self.tag(0xfffe_e000);
                        self.long(fragment.len() as u32);
                        self.out.extend(fragment);
                    }
                    self.tag(0xfffe_e0dd);
                    self.long(0);
                }
            }
        }
    }

    fn items(&mut self, part: &Part, items: &[Vec<Part>]) {
        let mut all = self.within();
        for item in items {
            let mut one = self.within();
            one.parts(item);
            all.tag(0xfffe_e000);
            all.long(if self.defined {
                one.out.len() as u32
            } else {
                u32::MAX
            });
            all.out.extend(one.out);
            if !self.defined {
                all.tag(0xfffe_e00d);
                all.long(0);
            }
        }
        self.header(
            part,
            if self.defined {
                all.out.len() as u32
            } else {
                u32::MAX
            },
        );
        self.out.extend(all.out);
        if !self.defined {
            self.tag(0xfffe_e0dd);
            self.long(0);
        }
    }
}

/// A file with these elements, its sequences with lengths or with delimiters.
pub(crate) fn file_of(syntax: Syntax, defined: bool, parts: &[Part]) -> Vec<u8> {
    file_as(syntax, defined, syntax.uid(), parts)
}

/// The same under another transfer syntax UID.
pub(crate) fn file_as(syntax: Syntax, defined: bool, named: &str, parts: &[Part]) -> Vec<u8> {
    let of = |tag: u32| {
        let found = parts.iter().find(|part| part.tag == tag);
        found
            .map(|part| part.value.clone())
            .unwrap_or(Value::Bytes(Vec::new()))
    };
    let meta = [
        Part {
            tag: 0x0002_0002,
            vr: *b"UI",
            value: of(0x0008_0016),
        },
        Part {
            tag: 0x0002_0003,
            vr: *b"UI",
            value: of(0x0008_0018),
        },
        uid(0x0002_0010, named),
        uid(0x0002_0012, "2.25.1"),
    ];
    let mut head = Writer {
        explicit: true,
        big: false,
        defined,
        out: Vec::new(),
    };
    head.parts(&meta);
    let length = part(0x0002_0000, b"UL", (head.out.len() as u32).to_le_bytes());
    let rest = std::mem::take(&mut head.out);
    head.parts(&[length]);
    head.out.extend(rest);
    let mut body = Writer {
        explicit: syntax != Syntax::Implicit,
        big: syntax == Syntax::Big,
        defined,
        out: Vec::new(),
    };
    body.parts(parts);
    let body = match syntax {
        Syntax::Deflated => {
            let level = flate2::Compression::default();
            let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), level);
            deflater.write_all(&body.out).unwrap();
            deflater.finish().unwrap()
        }
        _ => body.out,
    };
    [&[0; 128], b"DICM".as_slice(), &head.out, &body].concat()
}

pub(crate) fn file(parts: &[Part]) -> Vec<u8> {
    file_of(Syntax::Explicit, false, parts)
}

/// What is written of an image before and after: the class, its UIDs, four by four pixels.
pub(crate) fn image(instance: &str, more: &[Part]) -> Vec<Part> {
    let short = |tag, n: u16| part(tag, b"US", n.to_le_bytes());
    let mut parts = vec![
        uid(0x0008_0016, "1.2.840.10008.5.1.4.1.1.2"),
        uid(0x0008_0018, instance),
        text(0x0008_0060, b"CS", "CT"),
        text(0x0020_0013, b"IS", "7"),
        text(0x0028_0004, b"CS", "MONOCHROME2"),
        short(0x0028_0002, 1),
        short(0x0028_0010, 4),
        short(0x0028_0011, 4),
        short(0x0028_0100, 16),
        short(0x0028_0101, 12),
        short(0x0028_0102, 11),
        short(0x0028_0103, 0),
        part(
            0x7fe0_0010,
            b"OW",
            (0..32).map(|n| n * 7 % 16).collect::<Vec<u8>>(),
        ),
    ];
    parts.retain(|part| more.iter().all(|other| other.tag != part.tag));
    parts.extend_from_slice(more);
    parts
}
