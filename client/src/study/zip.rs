//! Reads zip archives (PKWARE APPNOTE 6.3) that nobody vouches for: stored and deflated entries, zip64.
//!
//! Everything is checked before the first entry is read: names that lead elsewhere, names that come twice, entries that
//! lie over each other, sizes beyond the limits. The size that an entry states is only a limit to what it may inflate to,
//! and its checksum must be right. Names are never used to write.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::DeflateDecoder;

/// Most entries.
pub const MAX_ENTRIES: u64 = 200_000;
/// Most bytes of the list of entries.
const MAX_DIRECTORY: u64 = 128 << 20;
/// Most bytes of an entry: a DICOM file has no more.
pub const MAX_ENTRY: u64 = u32::MAX as u64;
/// Most bytes of all entries.
pub const MAX_TOTAL: u64 = 256 << 30;
/// Bytes that an archive may inflate to whatever its size.
pub const FREE: u64 = 1 << 30;
/// Beyond that: how many times its size it may inflate to.
pub const MAX_RATIO: u64 = 100;

const END: [u8; 4] = *b"PK\x05\x06";
const END64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// The end record is followed by at most this long a comment.
const MAX_COMMENT: u64 = 0xffff;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// Flags of an entry: encrypted, strongly encrypted, central directory encrypted.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;

/// Why an archive is not read. Entries are named by their number, counted from 1.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be read.
    #[error("the zip archive cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Cut short, or not as the format says.
    #[error("the zip archive is cut short or malformed: {why}")]
    Malformed {
        /// Where.
        why: &'static str,
    },
    /// More than is read.
    #[error("the zip archive has {found} {what}; at most {max} are read")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// As it says.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// It inflates to too many times its size.
    #[error(
        "the zip archive of {size} bytes says that it holds {found}; at most {MAX_RATIO} times its size is inflated"
    )]
    Bomb {
        /// Bytes of the archive.
        size: u64,
        /// Bytes of all entries as it says.
        found: u64,
    },
    /// An entry is encrypted.
    #[error("entry {entry} of the zip archive is encrypted")]
    Encrypted {
        /// The entry.
        entry: usize,
    },
    /// Neither stored nor deflated.
    #[error(
        "entry {entry} of the zip archive is compressed by method {method}, and only 0 and 8 are read"
    )]
    Method {
        /// The entry.
        entry: usize,
        /// The method's number.
        method: u16,
    },
    /// A name that leads out of the archive.
    #[error("the name of entry {entry} of the zip archive leads out of it")]
    Path {
        /// The entry.
        entry: usize,
    },
    /// A name that came before.
    #[error("entry {entry} of the zip archive has the name of an earlier one")]
    Duplicate {
        /// The entry.
        entry: usize,
    },
    /// Its bytes are another entry's, too.
    #[error("entry {entry} of the zip archive lies over another one")]
    Overlap {
        /// The entry.
        entry: usize,
    },
    /// An archive in the archive.
    #[error("entry {entry} of the zip archive is an archive itself, which is not opened")]
    Nested {
        /// The entry.
        entry: usize,
    },
}

/// An archive whose list of entries was found good.
pub struct Archive {
    path: PathBuf,
    entries: Vec<Entry>,
}

struct Entry {
    name: String,
    deflated: bool,
    link: bool,
    crc: u32,
    compressed: u64,
    size: u64,
    local: u64,
    data: u64,
}

/// Says whether the start of a file is that of a zip archive.
pub(super) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(&LOCAL) || start.starts_with(&END)
}

impl Archive {
    /// Reads and checks the list of entries.
    ///
    /// # Errors
    /// Any [`Error`] but [`Error::Nested`].
    pub fn open_file(path: &Path) -> Result<Self, Error> {
        let mut file = File::open(path)?;
        let (whole, list, count) = find_list(&mut file)?;
        let mut entries = parse_list(&list.bytes, count)?;
        let mut names = HashSet::new();
        let mut total = 0_u64;
        for (number, entry) in entries.iter_mut().enumerate() {
            let number = number + 1;
            if !names.insert(entry.name.clone()) {
                return Err(Error::Duplicate { entry: number });
            }
            limit("bytes in an entry", entry.size, MAX_ENTRY)?;
            total = total.saturating_add(entry.size);
            entry.find_data(&mut file, list.at)?;
        }
        limit("bytes in all entries", total, MAX_TOTAL)?;
        if total > FREE.max(whole.saturating_mul(MAX_RATIO)) {
            return Err(Error::Bomb {
                size: whole,
                found: total,
            });
        }
        check_overlap(&entries)?;
        Ok(Self {
            path: path.to_owned(),
            entries,
        })
    }

    /// The numbers and names of its files.
    pub(super) fn files(&self) -> impl Iterator<Item = (usize, &str)> {
        let named = self.entries.iter().map(|entry| entry.name.as_str());
        named.enumerate().filter(|(_, name)| !name.ends_with('/'))
    }

    pub(super) fn is_link(&self, number: usize) -> bool {
        self.entries[number].link
    }

    /// The first bytes of an entry.
    pub(super) fn start(&self, number: usize, length: usize) -> Result<Vec<u8>, Error> {
        let mut start = Vec::new();
        let content = self.content(&self.entries[number])?;
        content.take(length as u64).read_to_end(&mut start)?;
        Ok(start)
    }

    /// A copy of an entry in a temporary file without a name, whole and with the right checksum, at its start.
    pub(super) fn open(&self, number: usize) -> io::Result<File> {
        let entry = &self.entries[number];
        let mut content = self
            .content(entry)
            .map_err(io::Error::other)?
            .take(entry.size + 1);
        let mut file = tempfile::tempfile()?;
        let (mut crc, mut size) = (Crc::new(), 0);
        let mut piece = vec![0; 1 << 16];
        loop {
            match content.read(&mut piece)? {
                0 => break,
                length => {
                    crc.update(&piece[..length]);
                    size += length as u64;
                    file.write_all(&piece[..length])?;
                }
            }
        }
        if size != entry.size || crc.sum() != entry.crc {
            let text =
                "the zip archive's entry is damaged: other bytes than its checksum and size say";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        file.seek(SeekFrom::Start(0))?;
        Ok(file)
    }

    fn content(&self, entry: &Entry) -> Result<Box<dyn Read>, Error> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(entry.data))?;
        let stored = file.take(entry.compressed);
        Ok(match entry.deflated {
            true => Box::new(DeflateDecoder::new(stored)),
            false => Box::new(stored),
        })
    }
}

impl Entry {
    /// Finds where the entry's bytes begin, by the header before them, which must tell the same as the list.
    fn find_data(&mut self, file: &mut File, list: u64) -> Result<(), Error> {
        let why = "the header of an entry";
        let bad = || Error::Malformed { why };
        let header: [u8; 30] = read_at(file, self.local, why)?;
        let name_length = u64::from(u16_at(&header, 26));
        let extra_length = u64::from(u16_at(&header, 28));
        let method = if self.deflated { DEFLATED } else { STORED };
        if header[..4] != LOCAL
            || u16_at(&header, 6) & ENCRYPTED != 0
            || u16_at(&header, 8) != method
        {
            return Err(bad());
        }
        let mut name = Vec::new();
        file.take(name_length).read_to_end(&mut name)?;
        if String::from_utf8_lossy(&name) != self.name {
            return Err(bad());
        }
        self.data = self.local + 30 + name_length + extra_length;
        match self.data.checked_add(self.compressed) {
            Some(end) if end <= list => Ok(()),
            _ => Err(bad()),
        }
    }
}

/// The list of entries, and where it lies.
struct List {
    at: u64,
    bytes: Vec<u8>,
}

/// Finds the list by the record at the archive's end. Returns the archive's length, the list and the number of entries.
fn find_list(file: &mut File) -> Result<(u64, List, u64), Error> {
    let malformed = |why| Error::Malformed { why };
    let whole = file.metadata()?.len();
    let tail_at = whole.saturating_sub(22 + MAX_COMMENT);
    file.seek(SeekFrom::Start(tail_at))?;
    let mut tail = Vec::new();
    file.take(22 + MAX_COMMENT).read_to_end(&mut tail)?;
    // The record whose comment reaches exactly to the end.
    let end = (0..tail.len().saturating_sub(21)).rev().find(|at| {
        tail[*at..].starts_with(&END) && at + 22 + usize::from(u16_at(&tail, at + 20)) == tail.len()
    });
    let end = end.ok_or(malformed("no record at its end"))?;
    let record = &tail[end..end + 22];
    let end_at = tail_at + end as u64;
    let disks = [u16_at(record, 4), u16_at(record, 6)];
    let mut count = u64::from(u16_at(record, 10));
    let mut size = u64::from(u32_at(record, 12));
    let mut at = u64::from(u32_at(record, 16));
    let mut list_end = end_at;
    if end >= 20 && tail[end - 20..].starts_with(&LOCATOR64) {
        let record_at = u64_at(&tail, end - 20 + 8);
        let record: [u8; 56] = read_at(file, record_at, "its zip64 record")?;
        if record[..4] != END64 || u32_at(&record, 16) != 0 || u32_at(&record, 20) != 0 {
            return Err(malformed("its zip64 record"));
        }
        (count, size, at) = (
            u64_at(&record, 32),
            u64_at(&record, 40),
            u64_at(&record, 48),
        );
        list_end = record_at;
    } else if disks.iter().any(|disk| *disk != 0) || u16_at(record, 8) != u16_at(record, 10) {
        return Err(malformed("it is a part of several"));
    }
    limit("entries", count, MAX_ENTRIES)?;
    limit("bytes in its list of entries", size, MAX_DIRECTORY)?;
    if at.checked_add(size) != Some(list_end) || list_end > end_at {
        return Err(malformed("its list of entries"));
    }
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(malformed("its list of entries"));
    }
    Ok((whole, List { at, bytes }, count))
}

fn parse_list(list: &[u8], count: u64) -> Result<Vec<Entry>, Error> {
    let why = "its list of entries";
    let bad = || Error::Malformed { why };
    let mut entries = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let number = entries.len() + 1;
        if rest.len() < 46 || !rest.starts_with(&CENTRAL) || number as u64 > count {
            return Err(bad());
        }
        let lengths = [28, 30, 32].map(|at| usize::from(u16_at(rest, at)));
        let [name_length, extra_length, comment_length] = lengths;
        let length = 46 + name_length + extra_length + comment_length;
        if rest.len() < length {
            return Err(bad());
        }
        let name = &rest[46..46 + name_length];
        let extra = &rest[46 + name_length..46 + name_length + extra_length];
        let method = u16_at(rest, 10);
        if u16_at(rest, 8) & ENCRYPTED != 0 {
            return Err(Error::Encrypted { entry: number });
        }
        if ![STORED, DEFLATED].contains(&method) {
            let entry = number;
            return Err(Error::Method { entry, method });
        }
        let name = String::from_utf8_lossy(name).into_owned();
        if leads_out(&name) {
            return Err(Error::Path { entry: number });
        }
        let mut sizes = [24, 20, 42].map(|at| u64::from(u32_at(rest, at)));
        widen(&mut sizes, extra).ok_or_else(bad)?;
        let [size, compressed, local] = sizes;
        if method == STORED && size != compressed {
            return Err(bad());
        }
        // The upper half of the attributes is a Unix mode if a Unix made it.
        let mode = u32_at(rest, 38) >> 16;
        let link = rest[5] == 3 && mode & 0o170_000 == 0o120_000;
        entries.push(Entry {
            name,
            deflated: method == DEFLATED,
            link,
            crc: u32_at(rest, 16),
            compressed,
            size,
            local,
            data: 0,
        });
        rest = &rest[length..];
    }
    match entries.len() as u64 == count {
        true => Ok(entries),
        false => Err(bad()),
    }
}

/// Takes from the zip64 field what does not fit its place: size, compressed size, offset, in this order.
fn widen(sizes: &mut [u64; 3], extra: &[u8]) -> Option<()> {
    let mut rest = extra;
    let mut field: &[u8] = &[];
    while rest.len() >= 4 {
        let (id, length) = (u16_at(rest, 0), usize::from(u16_at(rest, 2)));
        let content = rest.get(4..4 + length)?;
        if id == 1 {
            field = content;
        }
        rest = &rest[4 + length..];
    }
    for size in sizes.iter_mut().filter(|size| **size == 0xffff_ffff) {
        let (first, after) = field.split_first_chunk()?;
        *size = u64::from_le_bytes(*first);
        field = after;
    }
    Some(())
}

/// Says whether a name is absolute, climbs, or would on some system.
fn leads_out(name: &str) -> bool {
    let drive = name.as_bytes().get(1) == Some(&b':');
    let mut parts = name.split(['/', '\\']);
    name.is_empty()
        || drive
        || name.starts_with(['/', '\\'])
        || name.contains('\0')
        || parts.any(|part| part == "..")
}

/// No two entries share bytes.
fn check_overlap(entries: &[Entry]) -> Result<(), Error> {
    let mut order: Vec<_> = (0..entries.len()).collect();
    order.sort_unstable_by_key(|number| entries[*number].local);
    let mut end = 0;
    for number in order {
        let entry = &entries[number];
        if entry.local < end {
            return Err(Error::Overlap { entry: number + 1 });
        }
        end = entry.data + entry.compressed;
    }
    Ok(())
}

fn limit(what: &'static str, found: u64, max: u64) -> Result<(), Error> {
    match found > max {
        true => Err(Error::TooLarge { what, found, max }),
        false => Ok(()),
    }
}

fn read_at<const N: usize>(file: &mut File, at: u64, why: &'static str) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut bytes)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Malformed { why },
            _ => Error::Io(error),
        })?;
    Ok(bytes)
}

/// The callers have checked that the number lies within.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
pub(crate) mod tests;
