//! De-identification as a command of its own, without a home or a chain.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Run, names, pcim, write_secret};
use crate::stage::{IMAGE, PATIENT_NAME};

/// `pcim deid FILE… --out DIR`, in a directory without a home.
fn deid(dir: &Path, files: &[&str], args: &[&str]) -> Run {
    let mut command = pcim();
    command.current_dir(dir).env("HOME", dir);
    command.arg("deid").args(files).args(["--out", "out"]);
    Run::of(command.args(args))
}

/// The value of a text attribute of a file in explicit VR little endian.
fn text(file: &[u8], group: u16, element: u16) -> Option<String> {
    let tag = [group.to_le_bytes(), element.to_le_bytes()].concat();
    let at = file.windows(4).position(|w| w == tag)?;
    let length = u16::from_le_bytes([file[at + 6], file[at + 7]]);
    let value = &file[at + 8..][..length.into()];
    Some(String::from_utf8_lossy(value).trim_end().to_owned())
}

#[test]
fn files_are_deidentified_without_a_home() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.dcm"), IMAGE).unwrap();
    fs::write(dir.join("b.dcm"), IMAGE).unwrap();
    write_secret(dir.join("key"), [9; 32]);
    let run = deid(dir, &["a.dcm", "b.dcm"], &["--key-file", "key", "--json"]);
    let told = run.json();
    assert_eq!(told.as_array().unwrap().len(), 2);
    assert_eq!(told[0]["out"], "out/0001.dcm");
    let methods = told[0]["report"]["methods"].as_array().unwrap();
    let codes: Vec<_> = methods
        .iter()
        .map(|m| m["code"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [113_100, 113_107, 113_108, 113_109]);
    let attributes = told[0]["report"]["attributes"].as_array().unwrap();
    let name = attributes.iter().find(|a| a["name"] == "PatientName");
    assert_eq!(name.unwrap()["action"], "emptied");

    assert_eq!(names(&dir.join("out")), ["0001.dcm", "0002.dcm"]);
    let out = fs::read(dir.join("out/0001.dcm")).unwrap();
    assert!(out == fs::read(dir.join("out/0002.dcm")).unwrap());
    assert!(!String::from_utf8_lossy(&out).contains(PATIENT_NAME));
    assert_eq!(text(&out, 0x0010, 0x0010).as_deref(), Some(""));
    assert_eq!(text(&out, 0x0012, 0x0062).as_deref(), Some("YES"));

    // What is there is not replaced unless that is asked for; another run's pseudonyms are others.
    deid(dir, &["a.dcm"], &["--key-file", "key"]).refused(1, "exists already");
    let run = deid(dir, &["a.dcm"], &["--force", "--purpose", "research"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr.contains("pseudonyms are for this run alone"),
        "{run:?}"
    );
    assert!(run.stdout.contains("113100  Basic Application"), "{run:?}");
    let other = fs::read(dir.join("out/0001.dcm")).unwrap();
    assert_ne!(text(&out, 0x0020, 0x000d), text(&other, 0x0020, 0x000d));
    assert_eq!(names(dir), ["a.dcm", "b.dcm", "key", "out"]);
}

#[test]
fn what_is_refused_does_not_stop_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.dcm"), IMAGE).unwrap();
    fs::write(dir.join("letter.txt"), format!("Dear {PATIENT_NAME}")).unwrap();
    let run = deid(dir, &["letter.txt", "a.dcm"], &["--json"]);
    run.explained(1, "letter.txt: not a DICOM file");
    let told: Value = run.document();
    assert_eq!(told[0]["out"], Value::Null);
    assert!(
        told[0]["refused"]
            .as_str()
            .unwrap()
            .contains("not a DICOM file")
    );
    assert_eq!(told[1]["out"], "out/0002.dcm");
    assert_eq!(names(&dir.join("out")), ["0002.dcm"]);

    // A modality whose images often show text: CS of the same length, so that the file stays whole.
    let mut ultrasound = IMAGE.to_vec();
    let modality = ultrasound
        .windows(10)
        .position(|w| w == b"\x08\0\x60\0CS\x02\0CT");
    ultrasound[modality.unwrap() + 8..][..2].copy_from_slice(b"US");
    fs::write(dir.join("us.dcm"), ultrasound).unwrap();
    let run = deid(dir, &["us.dcm"], &["--json"]);
    run.refused(1, "Burned In Annotation does not say NO");
    assert!(run.stderr.contains("--accept-burned-in"), "{run:?}");
    let blank = ["--blank", "0,0,128,8", "--json"];
    let told = deid(dir, &["us.dcm"], &blank).json();
    assert_eq!(told[0]["report"]["frames_blanked"], 1);
    let accepted = ["--accept-burned-in", "--force", "--json"];
    assert_eq!(
        deid(dir, &["us.dcm"], &accepted).json()[0]["report"]["frames_blanked"],
        0
    );
}

#[test]
fn a_series_without_a_brain_is_not_defaced() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.dcm"), IMAGE).unwrap();
    let run = deid(dir, &["a.dcm"], &["--deface"]);
    assert!(run.stderr.contains("--deface is experimental"), "{run:?}");
    run.refused(1, "the face cannot be cut: the series has too few slices");
    assert_eq!(names(&dir.join("out")), [""; 0]);
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.dcm"), IMAGE).unwrap();
    write_secret(dir.join("short"), [1; 31]);
    for args in [
        ["--option", "113101"],
        ["--option", "113199"],
        ["--purpose", "fun"],
        ["--blank", "1,2,3"],
        ["--key-file", "short"],
    ] {
        let run = deid(dir, &["a.dcm"], &args);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
        assert!(!dir.join("out").exists(), "{args:?}");
    }
    let both = ["--option", "113106", "--option", "retain-modified-dates"];
    assert_eq!(deid(dir, &["a.dcm"], &both).code, Some(2));
}
