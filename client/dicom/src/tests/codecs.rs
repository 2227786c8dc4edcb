//! Decoders, judged by other people's encoders and decoders.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pcim_core::chance::{Numbers, rounds};
use serde_json::Value;

use super::{files, scripted};
use crate::error::Result;
use crate::format::Format;
use crate::{file, frame};

/// Decodes all frames of a file; the bytes of a sample, and its sign.
fn decoded(bytes: &[u8]) -> Result<(Vec<u8>, usize, bool)> {
    let file = file::read(bytes)?;
    let format = Format::of(&file.data_set, file.order())?;
    let mut all = Vec::new();
    for number in 0..format.frames {
        all.extend(frame::decode(&file, &format, number)?.bytes);
    }
    Ok((all, format.width(), format.signed))
}

/// The greatest difference of two lists of samples; none if they are not of one length.
fn difference(ours: &[u8], theirs: &[u8], width: usize, signed: bool) -> Option<i64> {
    let number = |sample: &[u8]| {
        let bits = 64 - 8 * width;
        let value = sample
            .iter()
            .rev()
            .fold(0, |n: u64, b| n << 8 | u64::from(*b));
        match signed {
            true => (value << bits) as i64 >> bits,
            false => value as i64,
        }
    };
    let pairs = ours.chunks(width).zip(theirs.chunks(width));
    let differences = pairs.map(|(a, b)| (number(a) - number(b)).abs());
    (ours.len() == theirs.len()).then(|| differences.max().unwrap_or(0))
}

/// Compares our samples of these files with the reference's; returns what is wrong. Refusals are listed, not wrong.
fn judged(python: &str, paths: &[PathBuf], refused: &mut Vec<String>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let told = scripted(python, "reference.py", folder.path(), paths);
    let mut wrong = Vec::new();
    for (number, (path, line)) in paths.iter().zip(told.lines()).enumerate() {
        let name = path.file_name().unwrap().to_string_lossy();
        let told: Value = serde_json::from_str(line).unwrap();
        let ours = decoded(&std::fs::read(path).unwrap());
        match (ours, told["most"].as_i64()) {
            (Err(error), _) => refused.push(format!("{name}: {error}")),
            (Ok(_), None) => println!("{name}: no reference: {}", told["wrong"]),
            (Ok((ours, width, signed)), Some(most)) => {
                let theirs = std::fs::read(folder.path().join(number.to_string())).unwrap();
                let found = difference(&ours, &theirs, width, signed);
                println!("{name}: {found:?} of {} bytes", ours.len());
                if found.is_none_or(|found| found > most) {
                    wrong.push(format!(
                        "{name}: {found:?}, {} and {} bytes",
                        ours.len(),
                        theirs.len()
                    ));
                }
            }
        }
    }
    wrong
}

/// Changes the pixel data of the files at random, by a seed: each is decoded or refused, in a time that is its size's.
fn damaged(paths: &[PathBuf]) {
    let mut numbers = Numbers(0x5eed_2026);
    let (mut decoded_all, mut refused, mut slowest) = (0, 0, Duration::ZERO);
    for path in paths {
        let whole = std::fs::read(path).unwrap();
        for _ in 0..rounds("PCIM_TEST_FUZZ_ROUNDS", 12) {
            let mut bytes = whole.clone();
            let pixels = bytes
                .windows(4)
                .rposition(|it| it == b"\xe0\x7f\x10\0")
                .unwrap()
                + 12;
            for _ in 0..=numbers.below(6) {
                let behind = bytes.len() - pixels;
                // Headers are near the start, behind the offset table.
                let most = [behind, behind.min(120)][numbers.below(2)];
                let at = pixels + numbers.below(most);
                match numbers.below(3) {
                    0 => bytes[at] ^= 1 << numbers.below(8),
                    1 => bytes[at] = numbers.below(256) as u8,
                    _ => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.below(5)],
                }
            }
            let started = Instant::now();
            match decoded(&bytes) {
                Ok(_) => decoded_all += 1,
                Err(_) => refused += 1,
            }
            let took = started.elapsed();
            if took > slowest {
                slowest = took;
                println!("{}: {took:?}", path.display());
            }
        }
    }
    println!("damaged: {decoded_all} decoded, {refused} refused, the slowest in {slowest:?}");
    assert!(decoded_all > 100 && refused > 100);
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
}

#[test]
fn frames_of_a_folder_are_decoded_as_others_decode_them() {
    let (Ok(python), Ok(folder)) = (
        std::env::var("PCIM_TEST_PYTHON"),
        std::env::var("PCIM_TEST_CORPORA"),
    ) else {
        println!(
            "skipped: PCIM_TEST_CORPORA names no folder of DICOM files, or PCIM_TEST_PYTHON no Python"
        );
        return;
    };
    let (mut paths, mut refused) = (Vec::new(), Vec::new());
    files(Path::new(&folder), &mut paths);
    let wrong = judged(&python, &paths, &mut refused);
    println!(
        "{} files, {} refused:\n{}",
        paths.len(),
        refused.len(),
        refused.join("\n")
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn what_encoders_write_is_decoded_as_others_decode_it() {
    let Ok(python) = std::env::var("PCIM_TEST_PYTHON") else {
        println!(
            "skipped: PCIM_TEST_PYTHON names no Python with pydicom, pyjpegls and pylibjpeg-openjpeg"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(super::SCRIPTS).join("matrix.py");
    let made = Command::new(&python)
        .arg(script)
        .arg(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&made.stdout).into_owned();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let paths: Vec<PathBuf> = told.lines().map(PathBuf::from).collect();
    assert!(paths.len() > 440, "{}", paths.len());
    let mut refused = Vec::new();
    let wrong = judged(&python, &paths, &mut refused);
    println!(
        "{} files, {} refused:\n{}",
        paths.len(),
        refused.len(),
        refused.join("\n")
    );
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    damaged(&paths);
    // Without their decoders HTJ2K and JPEG XL are refused by name.
    if !cfg!(feature = "modern-codecs") {
        refused.retain(|it| !it.ends_with("are not decoded"));
    }
    // dcmtk's near-lossless JPEG-LS of 7 bits is no valid stream; CharLS refuses it too.
    let unexpected = refused
        .iter()
        .find(|it| !it.starts_with("dcmtk-jlsnear-u7-"));
    assert_eq!(unexpected, None);
}
