#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::*;

/// An entry to be written, with what it says of itself.
#[derive(Clone)]
pub(crate) struct Written {
    name: String,
    local_name: String,
    flags: u16,
    method: u16,
    mode: u32,
    crc: u32,
    size: u64,
    data: Vec<u8>,
    /// Tells its sizes and offset in a zip64 field.
    wide: bool,
}

pub(crate) fn stored(name: &str, content: &[u8]) -> Written {
    let mut crc = Crc::new();
    crc.update(content);
    Written {
        name: name.to_owned(),
        local_name: name.to_owned(),
        flags: 1 << 11,
        method: STORED,
        mode: 0o100_644,
        crc: crc.sum(),
        size: content.len() as u64,
        data: content.to_vec(),
        wide: false,
    }
}

pub(crate) fn deflated(name: &str, content: &[u8]) -> Written {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    Written {
        method: DEFLATED,
        data: encoder.finish().unwrap(),
        ..stored(name, content)
    }
}

fn local(entry: &Written) -> Vec<u8> {
    let mut out = LOCAL.to_vec();
    for number in [20, entry.flags, entry.method, 0, 0] {
        out.extend(number.to_le_bytes());
    }
    out.extend(entry.crc.to_le_bytes());
    out.extend((entry.data.len() as u32).to_le_bytes());
    out.extend((entry.size as u32).to_le_bytes());
    out.extend((entry.local_name.len() as u16).to_le_bytes());
    out.extend([0, 0]);
    out.extend(entry.local_name.as_bytes());
    out.extend(&entry.data);
    out
}

fn central(entry: &Written, at: u64) -> Vec<u8> {
    let mut out = CENTRAL.to_vec();
    // Made by a Unix.
    out.extend([45, 3]);
    for number in [45, entry.flags, entry.method, 0, 0] {
        out.extend(number.to_le_bytes());
    }
    out.extend(entry.crc.to_le_bytes());
    let numbers = [entry.data.len() as u64, entry.size, at];
    let short = numbers.map(|number| match entry.wide {
        true => u32::MAX,
        false => number as u32,
    });
    out.extend(short[0].to_le_bytes());
    out.extend(short[1].to_le_bytes());
    out.extend((entry.name.len() as u16).to_le_bytes());
    out.extend(if entry.wide { 28_u16 } else { 0 }.to_le_bytes());
    out.extend([0; 6]);
    out.extend((entry.mode << 16).to_le_bytes());
    out.extend(short[2].to_le_bytes());
    out.extend(entry.name.as_bytes());
    if entry.wide {
        out.extend([1, 0, 24, 0]);
        for number in [numbers[1], numbers[0], numbers[2]] {
            out.extend(number.to_le_bytes());
        }
    }
    out
}

fn end(count: u64, size: u64, at: u64) -> Vec<u8> {
    let mut out = END.to_vec();
    out.extend([0; 4]);
    out.extend((count as u16).to_le_bytes());
    out.extend((count as u16).to_le_bytes());
    out.extend((size as u32).to_le_bytes());
    out.extend((at as u32).to_le_bytes());
    out.extend([0; 2]);
    out
}

/// An archive of these entries.
pub(crate) fn archive(entries: &[Written]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut list = Vec::new();
    for entry in entries {
        list.extend(central(entry, out.len() as u64));
        out.extend(local(entry));
    }
    let at = out.len() as u64;
    out.extend(&list);
    let record_at = out.len() as u64;
    let (count, size) = (entries.len() as u64, list.len() as u64);
    if entries.iter().any(|entry| entry.wide) {
        out.extend(END64);
        out.extend(44_u64.to_le_bytes());
        out.extend([45, 3, 45, 0]);
        out.extend([0; 8]);
        for number in [count, count, size, at] {
            out.extend(number.to_le_bytes());
        }
        out.extend(LOCATOR64);
        out.extend([0; 4]);
        out.extend(record_at.to_le_bytes());
        out.extend([1, 0, 0, 0]);
        out.extend(end(0xffff, 0xffff_ffff, 0xffff_ffff));
    } else {
        out.extend(end(count, size, at));
    }
    out
}

fn opened(bytes: &[u8]) -> (tempfile::TempDir, Result<Archive, Error>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.zip");
    fs::write(&path, bytes).unwrap();
    let archive = Archive::open_file(&path);
    (dir, archive)
}

fn refused(bytes: &[u8]) -> Error {
    opened(bytes).1.err().unwrap()
}

fn read(archive: &Archive, number: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    archive.open(number)?.read_to_end(&mut content)?;
    Ok(content)
}

#[test]
fn stored_deflated_and_zip64_entries_are_read() {
    let long = b"0123456789".repeat(50_000);
    for wide in [false, true] {
        let mut entries = [
            stored("a", b"first"),
            deflated("d/b", &long),
            stored("d/", b""),
            stored("empty", b""),
        ];
        entries.iter_mut().for_each(|entry| entry.wide = wide);
        let (_dir, archive) = opened(&archive(&entries));
        let archive = archive.unwrap();
        let names: Vec<_> = archive.files().collect();
        assert_eq!(names, [(0, "a"), (1, "d/b"), (3, "empty")]);
        assert_eq!(read(&archive, 0).unwrap(), b"first");
        assert!(read(&archive, 1).unwrap() == long);
        assert_eq!(archive.start(1, 10).unwrap(), b"0123456789");
        assert_eq!(read(&archive, 3).unwrap(), b"");
    }
    let mut commented = archive(&[stored("a", b"x")]);
    let at = commented.len() - 2;
    commented[at] = 5;
    commented.extend(b"hello");
    assert!(opened(&commented).1.is_ok());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in [
        "../a",
        "a/../../b",
        "/etc/a",
        "\\\\server\\a",
        "c:\\a",
        "C:a",
        "a\\..\\b",
        "a\0b",
        "",
    ] {
        let error = refused(&archive(&[stored("good", b"x"), stored(name, b"x")]));
        assert!(matches!(error, Error::Path { entry: 2 }), "{name}: {error}");
    }
    let mut link = stored("link", b"/etc/passwd");
    link.mode = 0o120_777;
    let (_dir, linked) = opened(&archive(&[link]));
    assert!(linked.unwrap().is_link(0));
}

#[test]
fn what_cannot_be_trusted_is_refused() {
    let one = stored("a", b"first");
    for flag in [0, 6, 13] {
        let mut secret = one.clone();
        secret.flags |= 1 << flag;
        assert!(matches!(
            refused(&archive(&[secret])),
            Error::Encrypted { entry: 1 }
        ));
    }
    for method in [1, 9, 12, 14, 93, 99] {
        let mut other = one.clone();
        other.method = method;
        assert!(
            matches!(refused(&archive(&[other])), Error::Method { entry: 1, method: m } if m == method)
        );
    }
    let twice = archive(&[one.clone(), one.clone()]);
    assert!(matches!(refused(&twice), Error::Duplicate { entry: 2 }));
    let mut two_names = one.clone();
    two_names.local_name = "b".to_owned();
    assert!(matches!(
        refused(&archive(&[two_names])),
        Error::Malformed { .. }
    ));

    // Two entries with the same bytes.
    let (mut out, other) = (local(&one), stored("b", b"other"));
    let at = out.len() as u64;
    let list = [central(&one, 0), central(&one, 0)].concat();
    let mut list = list;
    let name_at = list.len() - 1;
    list[name_at] = b'a';
    out.extend(&list);
    out.extend(end(2, list.len() as u64, at));
    assert!(matches!(refused(&out), Error::Duplicate { entry: 2 }));
    // An entry whose bytes reach into the next one's.
    let mut wide = one.clone();
    wide.data.extend(local(&other));
    wide.size = wide.data.len() as u64;
    let mut out = local(&wide);
    let at = out.len() as u64;
    let inner = (local(&one).len()) as u64;
    let list = [central(&wide, 0), central(&other, inner)].concat();
    out.extend(&list);
    out.extend(end(2, list.len() as u64, at));
    assert!(
        matches!(refused(&out), Error::Overlap { entry: 2 }),
        "{}",
        refused(&out)
    );

    let good = archive(&[one.clone(), other]);
    for length in 0..good.len() {
        assert!(opened(&good[..length]).1.is_err(), "{length} bytes of it");
    }
    let mut more = archive(&[one]);
    let count = more.len() - 12;
    more[count] = 9;
    assert!(matches!(refused(&more), Error::Malformed { .. }));
    assert!(matches!(
        refused(b"Dear colleague"),
        Error::Malformed { .. }
    ));
}

#[test]
fn bombs_do_not_go_off() {
    // What it says is beyond all measure.
    let mut liar = deflated("a", b"x");
    liar.size = FREE + 1;
    assert!(matches!(
        refused(&archive(&[liar.clone()])),
        Error::Bomb { .. }
    ));
    liar.wide = true;
    liar.size = MAX_ENTRY + 1;
    assert!(matches!(
        refused(&archive(&[liar.clone()])),
        Error::TooLarge { max: MAX_ENTRY, .. }
    ));
    liar.size = u64::MAX;
    assert!(matches!(refused(&archive(&[liar])), Error::TooLarge { .. }));
    let mut many = archive(&[stored("a", b"x")]);
    let record = many.len() - 22;
    many.truncate(record);
    let mut end64 = END64.to_vec();
    end64.extend([
        44, 0, 0, 0, 0, 0, 0, 0, 45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
    for number in [MAX_ENTRIES + 1, MAX_ENTRIES + 1, 46, 0] {
        end64.extend(number.to_le_bytes());
    }
    many.extend(end64);
    many.extend(LOCATOR64);
    many.extend([0; 4]);
    many.extend((record as u64).to_le_bytes());
    many.extend([1, 0, 0, 0]);
    many.extend(end(0xffff, 0xffff_ffff, 0xffff_ffff));
    assert!(matches!(
        refused(&many),
        Error::TooLarge {
            what: "entries",
            ..
        }
    ));

    // It holds more than it says, less, or something else.
    let long = vec![0; 20 << 20];
    for (size, crc) in [(100, None), ((20 << 20) + 1, None), (20 << 20, Some(7))] {
        let mut entry = deflated("a", &long);
        entry.size = size;
        entry.crc = crc.unwrap_or(entry.crc);
        let (_dir, archive) = opened(&archive(&[entry]));
        let error = read(&archive.unwrap(), 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    }
    let (_dir, whole) = opened(&archive(&[deflated("a", &long)]));
    assert_eq!(read(&whole.unwrap(), 0).unwrap().len(), 20 << 20);
    // Not deflated at all.
    let mut broken = deflated("a", b"0123456789");
    broken.data.fill(0xff);
    let (_dir, archive) = opened(&archive(&[broken]));
    assert!(read(&archive.unwrap(), 0).is_err());
}
