//! Segments: files of records, written at their end alone and synced for a group of records at a time.
//!
//! ```text
//! record = head ‖ body ‖ header ‖ about
//! head   = "PCMR" ‖ u64 body ‖ u32 header ‖ u32 about ‖ u32 CRC-32 of what follows the head ‖ u32 CRC-32 of this head
//! ```
//!
//! Numbers are little-endian lengths in bytes. Body and header are a sealed object (format.md §4), about is an encrypted
//! document that describes it. `N.open` is being written, `N.seg` is whole; `N.part` is a large object on its way. A record
//! that is no longer needed becomes a hole, which reads as zeros; the segment goes with its last record.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

const MAGIC: &[u8; 4] = b"PCMR";
/// Bytes of a record's head.
pub(crate) const HEAD: usize = 28;
/// Most bytes of a header and of a description.
const SMALL_MAX: u32 = 1 << 20;

/// The lengths of a record's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    pub(crate) body: u64,
    pub(crate) header: u32,
    pub(crate) about: u32,
}

impl Lengths {
    /// Bytes of the record.
    pub(crate) fn total(self) -> u64 {
        HEAD as u64 + self.body + u64::from(self.header) + u64::from(self.about)
    }
}

/// The place of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    pub(crate) lengths: Lengths,
}

/// A record that was found.
pub(crate) struct Found {
    pub(crate) place: Place,
    /// The encrypted description.
    pub(crate) about: Vec<u8>,
}

/// Encodes a record's head.
pub(crate) fn head(lengths: Lengths, crc: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(MAGIC);
    head[4..12].copy_from_slice(&lengths.body.to_le_bytes());
    head[12..16].copy_from_slice(&lengths.header.to_le_bytes());
    head[16..20].copy_from_slice(&lengths.about.to_le_bytes());
    head[20..24].copy_from_slice(&crc.to_le_bytes());
    let own = crc32fast::hash(&head[..24]);
    head[24..].copy_from_slice(&own.to_le_bytes());
    head
}

/// Reads a record's head; none if it is no whole one.
fn read_head(head: &[u8; HEAD]) -> Option<(Lengths, u32)> {
    let four = |at: usize| head[at..at + 4].try_into().map(u32::from_le_bytes).ok();
    if &head[..4] != MAGIC || four(24)? != crc32fast::hash(&head[..24]) {
        return None;
    }
    let lengths = Lengths {
        body: u64::from_le_bytes(head[4..12].try_into().ok()?),
        header: four(12)?,
        about: four(16)?,
    };
    let small = lengths.header <= SMALL_MAX && lengths.about <= SMALL_MAX;
    (small && lengths.body <= u64::from(u32::MAX) * 2).then_some((lengths, four(20)?))
}

/// The file of a whole segment, and of the one that is written.
pub(crate) fn path(folder: &Path, segment: u64, ending: &str) -> PathBuf {
    folder.join(format!("{segment:010}.{ending}"))
}

/// The number and the ending of a segment's file.
pub(crate) fn named(path: &Path) -> Option<(u64, &str)> {
    let number = path.file_stem()?.to_str()?.parse().ok()?;
    Some((number, path.extension()?.to_str()?))
}

/// Reads the records of a segment, and how long it is up to the end of the last whole one. With `verify` the contents of each
/// are compared with their checksum: a segment that was being written when the machine stopped may have the lengths of a
/// record without its contents.
pub(crate) fn scan(file: &mut File, segment: u64, verify: bool) -> io::Result<(Vec<Found>, u64)> {
    let end = file.metadata()?.len();
    let (mut offset, mut found) = (0, Vec::new());
    while end - offset >= HEAD as u64 {
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, offset)?;
        let Some((lengths, crc)) = read_head(&head) else {
            break;
        };
        if lengths.total() > end - offset {
            break;
        }
        if verify && checksum(file, offset, lengths)? != crc {
            break;
        }
        let behind = offset + lengths.total();
        let mut about = vec![0; lengths.about as usize];
        let place = Place {
            segment,
            offset,
            lengths,
        };
        file.read_exact_at(&mut about, behind - u64::from(lengths.about))?;
        // A hole begins no packet.
        if about.first().is_some_and(|byte| *byte != 0) {
            found.push(Found { place, about });
        }
        offset = behind;
    }
    Ok((found, offset))
}

fn checksum(file: &mut File, offset: u64, lengths: Lengths) -> io::Result<u32> {
    file.seek(SeekFrom::Start(offset + HEAD as u64))?;
    let mut rest = file.take(lengths.total() - HEAD as u64);
    let mut hasher = crc32fast::Hasher::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match rest.read(&mut piece)? {
            0 => return Ok(hasher.finalize()),
            length => hasher.update(&piece[..length]),
        }
    }
}

/// Opens a record: its header, and a file that is at its body.
pub(crate) fn open(folder: &Path, place: Place) -> io::Result<(Vec<u8>, File)> {
    let whole = File::open(path(folder, place.segment, "seg"));
    let mut file = match whole {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            File::open(path(folder, place.segment, "open"))
                // It may have become whole in between.
                .or_else(|_| File::open(path(folder, place.segment, "seg")))?
        }
        other => other?,
    };
    let body = place.offset + HEAD as u64;
    let mut header = vec![0; place.lengths.header as usize];
    file.read_exact_at(&mut header, body + place.lengths.body)?;
    file.seek(SeekFrom::Start(body))?;
    Ok((header, file))
}

/// Gives a record's room back to the disk. Its head stays, so that those behind it are found.
pub(crate) fn clear(folder: &Path, place: Place) -> io::Result<()> {
    let file = File::options()
        .write(true)
        .open(path(folder, place.segment, "seg"));
    let file = match file {
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::options()
            .write(true)
            .open(path(folder, place.segment, "open"))?,
        other => other?,
    };
    let (start, length) = (
        place.offset + HEAD as u64,
        place.lengths.total() - HEAD as u64,
    );
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    match rustix::fs::fallocate(&file, hole, start, length) {
        Ok(()) => Ok(()),
        // A file system without holes: the description alone is taken away, the room comes back with the segment.
        Err(_) => {
            let about = place.lengths.about as usize;
            file.write_all_at(&vec![0; about], start + length - about as u64)
        }
    }
}
