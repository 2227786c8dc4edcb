//! Files of a folder that is not ours to give away: each is de-identified twice, or refused.

use std::path::{Path, PathBuf};

use super::*;

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn files_of_a_folder_are_deidentified_or_refused_with_a_reason() {
    let Ok(folder) = std::env::var("PCIM_TEST_CORPORA") else {
        println!("skipped: PCIM_TEST_CORPORA names no folder of DICOM files");
        return;
    };
    let mut paths = Vec::new();
    files(Path::new(&folder), &mut paths);
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        let name = path.strip_prefix(&folder).unwrap().display();
        for purpose in ["care", "research"] {
            let mut options = options(purpose);
            let mut result = deidentify(&bytes, &options);
            let mut note = "";
            if matches!(
                result,
                Err(Error::BurnedIn | Error::BurnedInUnknown | Error::SpecimenLabel)
            ) {
                options.profile.accept_burned_in = true;
                note = " (accepted)";
                result = deidentify(&bytes, &options);
            }
            match result {
                Ok((out, report)) => {
                    let (again, second) = deidentify(&out, &options).unwrap();
                    assert!(again == out, "{name} {purpose}:\n{second}");
                    let repaired = report.to_string();
                    let lines = repaired.lines().filter(|line| {
                        line.starts_with("repaired")
                            || line.contains("PixelData")
                            || line.contains("malformed")
                    });
                    let lines: Vec<&str> = lines.collect();
                    println!("{name} {purpose}: ok{note}: {}", lines.join("; "));
                    if let Ok(kept) = std::env::var("PCIM_TEST_DICOM_OUT") {
                        let flat = name.to_string().replace('/', "_");
                        std::fs::write(Path::new(&kept).join(format!("{flat}.{purpose}.dcm")), out)
                            .unwrap();
                    }
                }
                Err(error) => println!("{name} {purpose}: refused: {error}{note}"),
            }
        }
    }
}
