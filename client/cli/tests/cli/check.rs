//! A second look at results, as a command.

use std::fs;
use std::path::Path;

use crate::program::{Run, pcim, write_secret};
use crate::stage::{IMAGE, PATIENT_NAME};

fn run(dir: &Path, args: &[&str]) -> Run {
    let mut command = pcim();
    command.current_dir(dir).env("HOME", dir).arg("deid");
    Run::of(command.args(args))
}

#[test]
fn results_are_clean_and_originals_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.dcm"), IMAGE).unwrap();
    write_secret(dir.join("key"), [9; 32]);
    let made = run(dir, &["a.dcm", "--out", "out", "--key-file", "key"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    for args in [
        &["--check", "a.dcm", "out/0001.dcm"][..],
        &["--check", "a.dcm", "--out", "out"],
    ] {
        let clean = run(dir, args);
        assert_eq!(clean.code, Some(0), "{clean:?}");
        assert!(
            clean.stdout.contains("1 files (1 with the file before)"),
            "{clean:?}"
        );
        assert!(
            clean
                .stdout
                .contains("part of a picture was not looked for"),
            "{clean:?}"
        );
    }
    // The original held against itself.
    let faulty = run(dir, &["--check", "a.dcm", "a.dcm", "--json"]);
    assert_eq!(faulty.code, Some(1), "{faulty:?}");
    let told: serde_json::Value = faulty.document();
    let found = told["findings"].as_array().unwrap();
    let has = |fault: &str, place: &str| {
        found
            .iter()
            .any(|it| it["fault"] == fault && it["place"].as_str().unwrap().contains(place))
    };
    assert!(
        has("identifier", "PatientName") && has("row", "PatientID"),
        "{told}"
    );
    assert!(
        has("date", "StudyDate") && has("uid", "StudyInstanceUID"),
        "{told}"
    );
    assert!(!faulty.stdout.contains(PATIENT_NAME) && !faulty.stderr.contains(PATIENT_NAME));
    assert!(
        faulty.stderr.contains("do not give these results away"),
        "{faulty:?}"
    );
    // By other options than it was made with.
    let research = run(
        dir,
        &["--check", "a.dcm", "out/0001.dcm", "--purpose", "research"],
    );
    assert_eq!(research.code, Some(1), "{research:?}");
    // A name in the name of a file, and in a file that is no DICOM.
    fs::write(
        dir.join("out/manifest.json"),
        format!("{{\"of\": \"{PATIENT_NAME}\"}}"),
    )
    .unwrap();
    let beside = run(dir, &["--check", "a.dcm", "--out", "out"]);
    assert_eq!(beside.code, Some(1), "{beside:?}");
    assert!(
        beside.stdout.contains("the file: holds what names"),
        "{beside:?}"
    );
    assert!(!beside.stdout.contains(PATIENT_NAME), "{beside:?}");
    // Nothing was written.
    assert_eq!(fs::read(dir.join("a.dcm")).unwrap(), IMAGE);
}

#[test]
fn folders_pair_by_content_and_what_has_no_pair_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("in")).unwrap();
    // The same image with other pixels, so that only they tell which is which.
    for (number, name) in ["z", "m", "a"].iter().enumerate() {
        let mut bytes = IMAGE.to_vec();
        let at = bytes.len() - 8;
        bytes[at] ^= 1 << number;
        fs::write(dir.join("in").join(name), bytes).unwrap();
    }
    write_secret(dir.join("key"), [9; 32]);
    let all = ["in/z", "in/m", "in/a", "--out", "out", "--key-file", "key"];
    assert_eq!(run(dir, &all).code, Some(0));
    let clean = run(dir, &["--check", "in", "out"]);
    assert_eq!(clean.code, Some(0), "{clean:?}");
    assert!(
        clean.stdout.contains("3 files (3 with the file before)"),
        "{clean:?}"
    );
    // One more than there was, and one less.
    fs::copy(dir.join("out/0001.dcm"), dir.join("out/0009.dcm")).unwrap();
    let more = run(dir, &["--check", "in", "out"]);
    assert_eq!(more.code, Some(1), "{more:?}");
    assert!(
        more.stdout.contains("no file before is of its kind"),
        "{more:?}"
    );
    fs::remove_file(dir.join("out/0009.dcm")).unwrap();
    fs::remove_file(dir.join("out/0002.dcm")).unwrap();
    let less = run(dir, &["--check", "in", "out"]);
    assert_eq!(less.code, Some(0), "{less:?}");
    assert!(
        less.stdout.contains("1 files from before have no result"),
        "{less:?}"
    );
}

#[test]
fn what_cannot_be_checked_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.dcm"), IMAGE).unwrap();
    fs::write(dir.join("a.zip"), b"PK\x03\x04rest").unwrap();
    fs::create_dir(dir.join("empty")).unwrap();
    for args in [
        &["--check", "a.dcm"][..],
        &["--check", "a.dcm", "empty"],
        &["--check", "a.zip", "a.dcm"],
        &["--check", "a.dcm", "a.dcm", "--force"],
        &["a.dcm"],
    ] {
        let run = run(dir, args);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Some(2), ""),
            "{args:?} {run:?}"
        );
    }
    assert_eq!(run(dir, &["--check", "a.dcm", "missing"]).code, Some(1));
}
