//! Pictures, judged by dcmtk.

use std::path::{Path, PathBuf};

use super::{files, scripted};
use crate::view::Image;

/// The greatest difference from dcm2pnm's picture; an error if there is none of ours or of theirs.
pub(super) fn differences(python: &str, paths: &[PathBuf]) -> Vec<Result<i32, String>> {
    let folder = tempfile::tempdir().unwrap();
    let told = scripted(python, "pictures.py", folder.path(), paths);
    let mut found = Vec::new();
    for (number, (path, line)) in paths.iter().zip(told.lines()).enumerate() {
        let ours =
            Image::read(&std::fs::read(path).unwrap()).and_then(|image| image.render(0, None));
        found.push(match (ours, line) {
            (Err(error), _) => Err(format!("refused: {error}")),
            (Ok(_), line) if !line.is_empty() => Err(format!("no reference: {line}")),
            (Ok(picture), _) => {
                let theirs = std::fs::read(folder.path().join(number.to_string())).unwrap();
                let ours = picture.pixels();
                // dcm2pnm writes grey pictures of colours that are all grey.
                match ours.len() == theirs.len() {
                    true => {
                        let pairs = ours.iter().zip(&theirs);
                        let differences = pairs.map(|(a, b)| (i32::from(*a) - i32::from(*b)).abs());
                        Ok(differences.max().unwrap_or(0))
                    }
                    false => Err(format!("{} and {} bytes", ours.len(), theirs.len())),
                }
            }
        });
    }
    found
}

#[test]
fn pictures_of_a_folder_are_as_dcmtk_shows_them() {
    let (Ok(python), Ok(folder)) = (
        std::env::var("PCIM_TEST_PYTHON"),
        std::env::var("PCIM_TEST_CORPORA"),
    ) else {
        println!(
            "skipped: PCIM_TEST_CORPORA names no folder of DICOM files, or PCIM_TEST_PYTHON no Python"
        );
        return;
    };
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    let found = differences(&python, &paths);
    let mut wrong = Vec::new();
    for (path, found) in paths.iter().zip(found) {
        let name = path.file_name().unwrap().to_string_lossy();
        println!("{name}: {found:?}");
        if found.is_ok_and(|found| found > 2) {
            wrong.push(name);
        }
    }
    println!(
        "{} of {} are not as dcmtk shows them: {wrong:?}",
        wrong.len(),
        paths.len()
    );
}
