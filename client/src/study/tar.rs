//! The tar inside a sealed study (POSIX.1-1988 ustar): regular files with neutral names, without owners or times, so that
//! the same study gives the same bytes. Nothing else is read back: no links, no extensions.

use std::io::{self, Read};

use crate::study::error::Error;

/// Bytes of a block.
pub(crate) const BLOCK: usize = 512;
/// The end of a tar.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The header before a file. Names are ours, and shorter than 100 bytes.
pub(crate) fn header(name: &str, size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o600);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// How many zeros follow a file.
pub(crate) fn padding(size: u64) -> usize {
    (size.next_multiple_of(BLOCK as u64) - size) as usize
}

/// Says whether the start of a payload is that of a tar.
pub(super) fn is_tar(start: &[u8]) -> bool {
    start.get(257..262) == Some(b"ustar")
}

/// The next file's name and size; none at the end.
pub(crate) fn next(tar: &mut impl Read) -> Result<Option<(String, u64)>, Error> {
    let damaged = |why| Error::Damaged { why };
    let mut block = [0; BLOCK];
    read_block(tar, &mut block)?;
    if block == [0; BLOCK] {
        read_block(tar, &mut block)?;
        let mut more = [0; 1];
        if block != [0; BLOCK] || tar.read(&mut more)? != 0 {
            return Err(damaged("something follows its end"));
        }
        return Ok(None);
    }
    let header = tar::Header::from_byte_slice(&block);
    // The sum counts its own field as spaces.
    let sum = |at: usize, byte: u8| match at {
        148..156 => u32::from(b' '),
        _ => u32::from(byte),
    };
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(at, byte)| sum(at, *byte))
        .sum();
    if header.cksum().ok() != Some(sum) || header.as_ustar().is_none() {
        return Err(damaged("an entry's header"));
    }
    if block[156] != b'0' {
        return Err(damaged("an entry is not a regular file"));
    }
    // No number beyond octal digits, and no second half of a name.
    let size = header.size().ok().filter(|_| block[124] & 0x80 == 0);
    let size = size.ok_or(damaged("an entry's size"))?;
    let name = block[..100]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    let name = std::str::from_utf8(name).ok();
    let name = name.filter(|name| is_neutral(name) && block[345] == 0);
    let name = name.ok_or(damaged("an entry's name"))?;
    Ok(Some((name.to_owned(), size)))
}

/// Reads what follows a file of `size` bytes.
pub(crate) fn skip_padding(tar: &mut impl Read, size: u64) -> Result<(), Error> {
    let mut zeros = [0; BLOCK];
    let zeros = &mut zeros[..padding(size)];
    read_block(tar, zeros)?;
    match zeros.iter().all(|byte| *byte == 0) {
        true => Ok(()),
        false => Err(Error::Damaged {
            why: "something lies between two files",
        }),
    }
}

fn read_block(tar: &mut impl Read, block: &mut [u8]) -> Result<(), Error> {
    tar.read_exact(block).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Damaged {
            why: "it is cut short",
        },
        _ => Error::Write(error),
    })
}

/// A file, or a file in a folder, of digits, small letters, dots and dashes: what no system understands otherwise.
fn is_neutral(name: &str) -> bool {
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || b"-.".contains(&b);
        (1..=40).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(plain)
    };
    let parts: Vec<_> = name.split('/').collect();
    parts.len() <= 2 && parts.iter().all(|name| part(name))
}
