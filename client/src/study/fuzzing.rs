//! Entries for fuzzing into the readers of zip archives, of a study's tar and of DICOMDIRs, and something good for each.

use std::fs;
use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::path::{Component, Path};

use sha2::{Digest, Sha256};

use crate::study::index::StudyIndex;
use crate::study::manifest::{File, Manifest, Series};
use crate::study::names::{VERSION, VERSION_INDEX};
use crate::study::unpack::{Contents, Unpacking};
use crate::study::{Error, INDEX_SIGNATURE, KEY_OBJECTS, MANIFEST, tar, zip};

/// Writes an archive to `place` and reads its list and every entry; says whether it is one that is read.
///
/// # Errors
/// Those of the place.
pub fn archive(bytes: &[u8], place: &Path) -> io::Result<bool> {
    fs::write(place, bytes)?;
    let Ok(archive) = zip::Archive::open_file(place) else {
        return Ok(false);
    };
    for (number, name) in archive.files() {
        let inside = |part| matches!(part, Component::Normal(_));
        assert!(Path::new(name).components().all(inside), "{name:?}");
        if archive.is_link(number) {
            continue;
        }
        let start = archive.start(number, 1024).unwrap_or_default();
        if let Ok(mut whole) = archive.open(number) {
            let mut content = Vec::new();
            whole.read_to_end(&mut content)?;
            assert!(content.starts_with(&start));
        }
    }
    Ok(true)
}

/// Reads a tar's headers; the names and sizes of its files, if it is one that is read.
#[must_use]
pub fn entries(tar: &[u8]) -> Option<Vec<(String, u64)>> {
    let mut tar = Cursor::new(tar);
    let mut entries = Vec::new();
    while let Some((name, size)) = tar::next(&mut tar).ok()? {
        tar.set_position(tar.position().checked_add(size)?);
        tar::skip_padding(&mut tar, size).ok()?;
        entries.push((name, size));
    }
    Some(entries)
}

/// Takes a study's tar apart into an empty folder; says whether it is a study, by its manifest.
///
/// # Errors
/// Those of the folder.
pub fn unpack(tar: &[u8], folder: &Path) -> io::Result<bool> {
    let mut unpacking = Unpacking::into(folder);
    for piece in tar.chunks(1000) {
        io::Write::write_all(&mut unpacking, piece)?;
    }
    let Ok(Contents::Study { instances, .. }) = unpacking.finish() else {
        return Ok(false);
    };
    let manifest = fs::read(folder.join(MANIFEST))?;
    let manifest = Manifest::read(&manifest).expect("it was read before");
    for file in manifest.files() {
        let content = fs::read(folder.join(&file.file))?;
        assert_eq!(content.len() as u64, file.bytes);
        assert_eq!(hex::encode(Sha256::digest(&content)), file.sha256);
    }
    assert_eq!(manifest.files().count(), instances + 1);
    let listed = entries(tar).map_or(0, |entries| entries.len());
    let documents = if manifest.is_index() { 3 } else { 2 };
    assert_eq!(listed, instances + documents);
    Ok(true)
}

/// Reads a DICOMDIR; says whether it is one.
#[must_use]
pub fn directory(bytes: &[u8]) -> bool {
    let listed = pcim_dicom::deid::directory(bytes);
    listed.is_ok_and(|files| files.iter().all(|parts| !parts.is_empty()))
}

/// The files of a small study.
const FILES: [(&str, &[u8]); 3] = [
    ("0001/00001.dcm", &[7; 600]),
    ("0001/00002.dcm", &[8; 512]),
    (KEY_OBJECTS, &[9; 30]),
];

/// The manifest of that study.
fn manifest() -> Manifest {
    let file = |file: &str, content: &[u8]| File {
        file: file.to_owned(),
        sop_class_uid: "1.2.840.10008.5.1.4.1.1.7".to_owned(),
        sop_instance_uid: format!("2.25.{}", content.len()),
        bytes: content.len() as u64,
        sha256: hex::encode(Sha256::digest(content)),
        offset: None,
    };
    let [first, second, key_objects] = FILES.map(|(name, content)| file(name, content));
    Manifest {
        version: VERSION,
        study_instance_uid: "2.25.1".to_owned(),
        modalities: vec!["OT".to_owned()],
        body_parts: Vec::new(),
        series: vec![Series {
            series_instance_uid: "2.25.2".to_owned(),
            instances: vec![first, second],
        }],
        key_objects,
    }
}

/// Makes a study's tar of two small files, as it was before there were indexes: the manifest comes last.
#[must_use]
pub fn study() -> Vec<u8> {
    let manifest = serde_json::to_vec(&manifest()).expect("a manifest is JSON");
    packed(&[&FILES[..], &[(MANIFEST, &manifest)]].concat())
}

/// Makes the index of that study.
#[must_use]
pub fn index() -> Manifest {
    let mut index = manifest();
    index.version = VERSION_INDEX;
    index.place_files();
    index
}

/// Makes that study's tar with an index.
#[must_use]
pub fn indexed(index: &[u8], signature: &[u8]) -> Vec<u8> {
    let documents = [(MANIFEST, index), (INDEX_SIGNATURE, signature)];
    packed(&[&documents[..], &FILES].concat())
}

/// Makes that study's tar with its own index, and nothing as its signature.
#[must_use]
pub fn indexed_study() -> Vec<u8> {
    let index = serde_json::to_vec(&index()).expect("an index is JSON");
    indexed(&index, b"a signature")
}

/// Reads the index at the start of a payload, by any signer; says whether it is one.
///
/// # Panics
/// If a file of an index that is read does not lie in the payload, behind the one before it.
#[must_use]
pub fn read_index(payload: &[u8]) -> bool {
    let mut first = Cursor::new(payload);
    let Ok(Some((_, size))) = tar::next(&mut first) else {
        return false;
    };
    let index = payload.get(512..).unwrap_or_default();
    let index = &index[..index.len().min(usize::try_from(size).unwrap_or(usize::MAX))];
    let mut read = |range: Range<u64>| {
        let bytes = payload.get(range.start as usize..range.end as usize);
        bytes.map(<[u8]>::to_vec).ok_or(Error::Unsigned)
    };
    let (length, wanted) = (payload.len() as u64, Sha256::digest(index).into());
    let found = StudyIndex::read(length, wanted, &mut read, |_, _| Ok::<_, Error>(()));
    let Ok(index) = found else {
        return false;
    };
    let mut end = 0;
    for number in 1..=index.instances() + 1 {
        let file = index.file(number).expect("it is counted");
        let place = index.place(file);
        assert!(place.start >= end + 512 && place.end <= length);
        end = place.end;
    }
    assert!(index.file(0).is_none() && index.file(index.instances() + 2).is_none());
    let series = index.manifest().series.iter();
    let counted = series.filter_map(|it| index.series(&it.series_instance_uid));
    assert!(
        counted
            .into_iter()
            .all(|it| it.end <= index.instances() + 1)
    );
    true
}

fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, content) in files {
        let size = content.len() as u64;
        tar.extend(tar::header(name, size));
        tar.extend(*content);
        tar.resize(tar.len() + tar::padding(size), 0);
    }
    tar.extend(tar::END);
    tar
}

/// Puts the right sums into a tar's headers: so changes get past them.
#[must_use]
pub fn summed(tar: &[u8]) -> Vec<u8> {
    let mut tar = tar.to_vec();
    for block in tar
        .chunks_exact_mut(512)
        .filter(|block| &block[257..262] == b"ustar")
    {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    tar
}

/// Makes a zip archive of a stored file.
#[must_use]
pub fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(content);
    let [size, names] = [content.len() as u32, name.len() as u32].map(u32::to_le_bytes);
    // Version, flags, method, time and date; then what both headers have in common.
    let common = [
        &[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..],
        &crc.sum().to_le_bytes(),
        &size,
        &size,
        &names[..2],
        &[0, 0],
    ];
    let common = common.concat();
    let local = [b"PK\x03\x04", &common[..], name.as_bytes(), content].concat();
    let central = [
        b"PK\x01\x02\x14\x00",
        &common[..],
        &[0; 14],
        name.as_bytes(),
    ]
    .concat();
    let [at, length] = [local.len() as u32, central.len() as u32].map(u32::to_le_bytes);
    let end = [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &length[..], &at, &[0, 0]].concat();
    [local, central, end].concat()
}

/// Makes a DICOMDIR that names two files.
#[must_use]
pub fn disc() -> Vec<u8> {
    let class = b"1.2.840.10008.1.3.10\0"
        .strip_suffix(b"\0")
        .unwrap_or_default();
    let meta = [
        element([2, 0, 1, 0], b"OB\0\0", &[0, 1]),
        element([2, 0, 2, 0], b"UI", class),
        element([2, 0, 3, 0], b"UI", b"2.25.7"),
        element([2, 0, 16, 0], b"UI", b"1.2.840.10008.1.2.1\0"),
        element([2, 0, 18, 0], b"UI", b"2.25.8"),
    ];
    let meta = meta.concat();
    let length = element([2, 0, 0, 0], b"UL", &(meta.len() as u32).to_le_bytes());
    let record = |file: &[u8]| {
        let record = [
            element([4, 0, 0x30, 0x14], b"CS", b"IMAGE "),
            element([4, 0, 0, 0x15], b"CS", file),
        ];
        let record = record.concat();
        [
            &[0xfe, 0xff, 0, 0xe0][..],
            &(record.len() as u32).to_le_bytes(),
            &record,
        ]
        .concat()
    };
    let records = [record(b"IMAGES\\IM1"), record(b"IM2 ")].concat();
    let records = element([4, 0, 0x20, 0x12], b"SQ\0\0", &records);
    [&[0; 128][..], b"DICM", &length, &meta, &records].concat()
}

/// An element in Explicit VR Little Endian; a VR with a long length is given with the two bytes behind it.
fn element(tag: [u8; 4], vr: &[u8], value: &[u8]) -> Vec<u8> {
    let length = (value.len() as u32).to_le_bytes();
    let length = if vr.len() == 4 {
        &length[..]
    } else {
        &length[..2]
    };
    [&tag[..], vr, length, value].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pcim_core::chance::{Numbers, mutations};

    use super::*;

    #[test]
    fn mutated_archives_are_read_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("archive.zip");
        let good = zipped("disc/image.dcm", &[5; 300]);
        assert!(archive(&good, &place).unwrap());
        let mut numbers = Numbers(0x5eed_0005);
        let read = (0..mutations()).filter(|_| archive(&numbers.mutated(&good), &place).unwrap());
        assert!(read.count() < mutations());
    }

    #[test]
    fn mutated_tars_are_what_their_manifest_says_or_refused() {
        let good = study();
        let dir = tempfile::tempdir().unwrap();
        assert!(unpack(&good, dir.path()).unwrap());
        let mut numbers = Numbers(0x5eed_0006);
        let mut listed = 0;
        for round in 0..mutations() {
            let tar = summed(&numbers.mutated(&good));
            listed += usize::from(entries(&tar).is_some());
            // Every file of it is synced to the disk.
            if round % 10 == 0 {
                let dir = tempfile::tempdir().unwrap();
                let _ = unpack(&tar, dir.path());
            }
        }
        assert!((1..mutations()).contains(&listed), "{listed} were read");
    }

    #[test]
    fn mutated_indexes_place_every_file_or_are_refused() {
        let good = indexed_study();
        assert!(read_index(&good) && !read_index(&study()));
        let mut numbers = Numbers(0x5eed_0103);
        let read = (0..mutations()).filter(|round| {
            // In the index alone: behind it a change is not looked at.
            let index = serde_json::to_vec(&index()).unwrap();
            match round % 3 {
                0 => read_index(&summed(&numbers.mutated(&good))),
                _ => read_index(&indexed(&numbers.mutated(&index), b"a signature")),
            }
        });
        assert!((1..mutations()).contains(&read.count()));
    }

    #[test]
    fn an_indexed_study_is_unpacked_and_its_files_must_be_where_it_says() {
        let unpacked = |tar: &[u8]| unpack(tar, tempfile::tempdir().unwrap().path()).unwrap();
        let good = index();
        let with = |index: &Manifest| indexed(&serde_json::to_vec(index).unwrap(), b"");
        assert!(unpacked(&with(&good)));
        let mut moved = good.clone();
        moved.key_objects.offset = Some(1 << 20);
        // The documents the other way round, or behind the files.
        let json = serde_json::to_vec(&good).unwrap();
        let documents = [(INDEX_SIGNATURE, &b""[..]), (MANIFEST, &json)];
        let turned = packed(&[&documents[..], &FILES].concat());
        let behind = packed(&[&FILES[..], &documents].concat());
        for bad in [with(&moved), turned, behind] {
            assert!(!unpacked(&bad));
        }
        // An old study with the file of a signature that nothing lists.
        let json = serde_json::to_vec(&manifest()).unwrap();
        assert!(!unpacked(&packed(
            &[&FILES[..], &documents[..1], &[(MANIFEST, &json)]].concat()
        )));
    }

    #[test]
    fn mutated_dicomdirs_are_read_or_refused() {
        let good = disc();
        let listed = pcim_dicom::deid::directory(&good).unwrap();
        assert_eq!(listed, [vec!["IMAGES", "IM1"], vec!["IM2"]]);
        let mut numbers = Numbers(0x5eed_0007);
        let read = (0..mutations()).filter(|_| directory(&numbers.mutated(&good)));
        assert!((1..mutations()).contains(&read.count()));
    }
}
