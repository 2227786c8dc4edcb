#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Payload;
use crate::bench::samples::write_instance;
use crate::deid::{Blank, Options, Profile, deidentify};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cli/assets/demo.dcm");

/// A CT image of its own, large enough to be taken apart.
fn large(dir: &Path, bytes: u64) -> PathBuf {
    let path = dir.join(format!("{bytes}.dcm"));
    write_instance(&path, bytes, bytes).unwrap();
    path
}

#[test]
fn files_taken_apart_give_the_payload_of_whole_ones() {
    let dir = tempfile::tempdir().unwrap();
    let files = [
        large(dir.path(), 200_000),
        DEMO.into(),
        large(dir.path(), 70_000),
    ];
    let key = Options {
        key: [3; 32],
        profile: Profile::default(),
    };
    for files in [&files[..1], &files[..]] {
        for options in [Some(key.clone()), None] {
            let mut payload = Payload::new(files.to_vec(), options.clone()).unwrap();
            let mut read = Vec::new();
            payload.read_to_end(&mut read).unwrap();
            // What a whole file gives, bytes in, bytes out.
            let whole: Vec<_> = files
                .iter()
                .map(|file| std::fs::read(file).unwrap())
                .collect();
            let clean: Vec<_> = match &options {
                Some(key) => whole
                    .iter()
                    .map(|file| deidentify(file, key).unwrap().0)
                    .collect(),
                None => whole.clone(),
            };
            assert!(read == joined(&clean));
            assert!(!read.windows(6).any(|w| w == b"e^Jane") || options.is_none());
            let original = payload.summary().original_sha256;
            let expected: [u8; 32] = Sha256::digest(joined(&whole)).into();
            assert_eq!(original, options.is_some().then_some(expected));
        }
    }
}

#[test]
fn pixels_that_must_change_do_not_pass_through() {
    let dir = tempfile::tempdir().unwrap();
    let path = large(dir.path(), 200_000);
    let payload = |options: &Options| {
        let mut read = Vec::new();
        let mut payload = Payload::new(vec![path.clone()], Some(options.clone())).unwrap();
        payload.read_to_end(&mut read).unwrap();
        read
    };
    let plain = Options {
        key: [3; 32],
        profile: Profile::default(),
    };
    let mut blanking = plain.clone();
    blanking.profile.blank = vec![Blank::Rectangle {
        x: 0,
        y: 0,
        w: 1,
        h: 1,
    }];
    let file = std::fs::read(&path).unwrap();
    let (blank, report) = deidentify(&file, &blanking).unwrap();
    assert!(report.frames_blanked > 90_000 && payload(&blanking) == blank);
    assert!(payload(&plain) == deidentify(&file, &plain).unwrap().0 && payload(&plain) != blank);

    // Fewer frames than there are bytes for: the rest is not an image's.
    let frames = report.frames_blanked.to_string();
    let at = file
        .windows(frames.len())
        .position(|w| w == frames.as_bytes());
    let mut longer = file.clone();
    longer[at.unwrap()..][..frames.len()].fill(b'1');
    std::fs::write(&path, &longer).unwrap();
    let kept = payload(&plain);
    assert!(kept == deidentify(&longer, &plain).unwrap().0 && kept.len() < longer.len() - 100_000);
}

#[test]
fn a_file_cut_short_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = large(dir.path(), 200_000);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 2]).unwrap();
    let mut payload = Payload::new(vec![path], None).unwrap();
    assert!(payload.read_to_end(&mut Vec::new()).is_err());
    assert!(payload.take_error().is_some());
}

/// One file as it is, several as a tar.
fn joined(files: &[Vec<u8>]) -> Vec<u8> {
    let [one] = files else {
        let mut tar = tar::Builder::new(Vec::new());
        for (number, file) in files.iter().enumerate() {
            let mut header = tar::Header::new_ustar();
            let name = format!("{:04}.dcm", number + 1);
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(file.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_cksum();
            tar.append(&header, &file[..]).unwrap();
        }
        return tar.into_inner().unwrap();
    };
    one.clone()
}
