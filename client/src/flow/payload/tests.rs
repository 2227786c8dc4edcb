#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use sha2::{Digest, Sha256};

use crate::flow::payload::Payload;
use crate::study::INDEX_SIGNATURE;
use pcim_dicom::deid::{Blank, Options, Profile, deidentify, facts};
use pcim_dicom::sample::write_instance;
use pcim_seal::{KeyKind, UnlockedKey};

/// A CT image of its own, large enough to be taken apart.
fn large(dir: &Path, bytes: u64) -> PathBuf {
    let path = dir.join(format!("{bytes}.dcm"));
    write_instance(&path, bytes, bytes).unwrap();
    path
}

#[test]
fn files_taken_apart_give_the_payload_of_whole_ones() {
    let dir = tempfile::tempdir().unwrap();
    // Two are taken apart, one is small. Their numbers are in the order of their UIDs, pseudonyms are not.
    let files = [60_000, 70_000, 200_000].map(|bytes| large(dir.path(), bytes));
    let key = Options {
        key: [3; 32],
        profile: Profile::default(),
    };
    for files in [&files[2..], &files[..]] {
        for options in [Some(key.clone()), None] {
            let mut payload = Payload::new(files.to_vec(), options.clone()).unwrap();
            let signer = UnlockedKey::generate(KeyKind::Classic, None).unwrap();
            let index = payload.sign(&signer).unwrap();
            assert_eq!(index.is_some(), files.len() > 1);
            let read_count = payload.files_read();
            let mut read = Vec::new();
            payload.read_to_end(&mut read).unwrap();
            assert_eq!(read_count.load(Ordering::Relaxed), files.len() as u64);
            // What a whole file gives, bytes in, bytes out.
            let whole = files.iter().map(|file| std::fs::read(file).unwrap());
            let clean = |file: &Vec<u8>| match &options {
                Some(key) => deidentify(file, key).unwrap().0,
                None => file.clone(),
            };
            let mut pairs: Vec<_> = whole.map(|file| (clean(&file), file)).collect();
            pairs.sort_by_key(|(clean, _)| facts(clean).unwrap().instance);
            let original = payload.summary().original_sha256;
            let expected = pairs
                .iter()
                .fold(Sha256::new(), |hash, (_, file)| hash.chain_update(file));
            let expected: [u8; 32] = expected.finalize().into();
            assert!(!read.windows(6).any(|w| w == b"e^Jane") || options.is_none());
            if let [(clean, _)] = &pairs[..] {
                assert!(read == *clean);
                assert_eq!(original, options.is_some().then_some(expected));
                continue;
            }
            assert_eq!(original, Some(expected));
            let signature = memchr::memmem::find(&read, INDEX_SIGNATURE.as_bytes()).unwrap();
            // Its header, and a block.
            let mut at = signature + 1024;
            for (number, (clean, _)) in pairs.iter().enumerate() {
                let name = format!("0001/{:05}.dcm", number + 1);
                assert!(read[at..].starts_with(name.as_bytes()), "{name}");
                assert!(read[at + 512..].starts_with(clean), "{name}");
                at += 512 + clean.len().next_multiple_of(512);
            }
            assert!(read[at..].starts_with(b"key-objects.dcm"));
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

    // Fewer frames than there are bytes for: nobody can say which image that is.
    let frames = report.frames_blanked.to_string();
    let at = file
        .windows(frames.len())
        .position(|w| w == frames.as_bytes());
    let mut longer = file.clone();
    longer[at.unwrap()..][..frames.len()].fill(b'1');
    std::fs::write(&path, &longer).unwrap();
    assert!(deidentify(&longer, &plain).is_err());
    let mut refused = Payload::new(vec![path.clone()], Some(plain.clone())).unwrap();
    assert!(refused.read_to_end(&mut Vec::new()).is_err());
    assert!(refused.take_error().is_some());
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
