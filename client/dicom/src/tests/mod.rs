#![allow(clippy::unwrap_used)]

mod codecs;
mod pictures;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests");

/// Runs a script with a folder for what it writes; gives it paths, and returns a line for each.
fn scripted(python: &str, script: &str, folder: &Path, paths: &[PathBuf]) -> String {
    let mut child = Command::new(python)
        .arg(Path::new(SCRIPTS).join(script))
        .arg(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = paths
        .iter()
        .map(|path| format!("{}\n", path.display()))
        .collect();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let told = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    writing.join().unwrap().unwrap();
    assert_eq!(told.lines().count(), paths.len(), "{told}");
    told
}

/// The DICOM files in a folder, and in those below it.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files(&path, found),
            false if path.extension().is_some_and(|it| it == "dcm") => found.push(path),
            false => {}
        }
    }
}
