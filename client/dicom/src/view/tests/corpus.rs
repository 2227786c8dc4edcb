//! Other people's files, beside what other people's programs make of them.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/view/tests/corpus.py");

/// The most by which a grey level may differ, and where chrominance was subsampled the share of samples that may differ by
/// more: programs interpolate it differently.
const LEVELS: u8 = 1;

/// What pydicom, numpy and its decoders see, or why they do not.
fn theirs(python: &str, files: &[PathBuf], folder: &Path) -> Vec<serde_json::Value> {
    let mut child = Command::new(python)
        .args([Path::new(SCRIPT), folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines: String = files.iter().map(|f| format!("{}\n", f.display())).collect();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let out = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn foreign_images_are_seen_as_others_see_them() {
    let Ok(python) = std::env::var("PCIM_TEST_PYTHON") else {
        println!("skipped: PCIM_TEST_PYTHON names no Python with pydicom, pydicom-data and numpy");
        return;
    };
    let numpy = Command::new(&python).args(["-c", "import numpy"]).status();
    if !numpy.is_ok_and(|status| status.success()) {
        println!("skipped: the Python of PCIM_TEST_PYTHON has no numpy");
        return;
    }
    let listed = Command::new(&python).args([SCRIPT, "list"]).output();
    let files: Vec<PathBuf> = String::from_utf8(listed.unwrap().stdout)
        .unwrap()
        .lines()
        .map(PathBuf::from)
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let theirs = theirs(&python, &files, folder.path());
    assert_eq!(theirs.len(), files.len());
    let (mut counts, mut wrong) = (BTreeMap::new(), Vec::new());
    for (number, (file, theirs)) in files.iter().zip(&theirs).enumerate() {
        let name = file.file_name().unwrap().to_string_lossy();
        let bytes = std::fs::read(file).unwrap();
        let picture = Image::read(&bytes).and_then(|image| image.render(0, None));
        let (kind, told) = match (picture, theirs["wrong"].as_str()) {
            (Err(error), _) => ("refused", error.to_string()),
            (Ok(_), Some(why)) => ("not comparable", why.to_owned()),
            (Ok(picture), None) => {
                let wanted = std::fs::read(folder.path().join(number.to_string())).unwrap();
                let pairs = picture.pixels().iter().zip(&wanted);
                let apart = pairs
                    .clone()
                    .map(|(a, b)| a.abs_diff(*b))
                    .max()
                    .unwrap_or(0);
                let other = pairs.filter(|(a, b)| a.abs_diff(**b) > LEVELS).count();
                let share = other as f64 / wanted.len() as f64;
                let told = format!("{apart} levels at most, {:.2} % differ", 100.0 * share);
                // Lossy codecs may round each coefficient differently, and interpolate shared chrominance as they like.
                let lossy = theirs["lossy"] == true;
                let equal = picture.pixels().len() == wanted.len()
                    && (other == 0 || lossy && share < 0.10 && apart <= 48);
                if !equal {
                    wrong.push(format!("{name}: {told}"));
                }
                match other {
                    0 => ("equal", told),
                    _ => ("alike", told),
                }
            }
        };
        *counts.entry(kind).or_insert(0) += 1;
        println!("{name:44} {kind:15} {told}");
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(counts.get("equal").is_some_and(|n| *n > 80), "{counts:?}");
}
