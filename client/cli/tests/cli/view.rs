//! Looking at images.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Run, names, pcim};
use crate::stage::{IMAGE, Stage};

/// `pcim view …`, in a directory without a home.
fn view(dir: &Path, args: &[&str]) -> Run {
    let mut command = pcim();
    command.current_dir(dir).env("HOME", dir);
    Run::of(command.arg("view").args(args))
}

/// Width and height of a PNG.
fn size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&png[12..16], b"IHDR");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn a_file_is_rendered_to_png() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.dcm"), IMAGE).unwrap();
    let told = view(dir, &["a.dcm", "--out", "a.png", "--json"]).json();
    let png = fs::read(dir.join("a.png")).unwrap();
    let (width, height) = size(&png);
    assert_eq!(
        (&told["width"], &told["height"]),
        (&width.into(), &height.into())
    );
    assert_eq!(told["frames"], 1);
    // Another window is another picture; a picture that is there stays.
    view(dir, &["a.dcm", "--out", "a.png"]).refused(1, "exists already");
    let narrow = ["a.dcm", "--window", "-1000,50", "--out", "a.png", "--force"];
    assert_eq!(view(dir, &narrow).code, Some(0));
    let other = fs::read(dir.join("a.png")).unwrap();
    assert!(other != png && size(&other) == (width, height));
    // What is not there, cannot be meant, or is nothing to look at.
    view(dir, &["a.dcm", "--out", "b.png", "--frame", "2"]).refused(1, "frame 2 of 1");
    for bad in [
        &["a.dcm"][..],
        &["a.dcm", "--inline", "kitty"],
        &["a.dcm", "--out", "b.png", "--instance", "2"],
        &[".", "--out", "b.png"],
        &["a.dcm", "--out", "b.png", "--window", "40"],
    ] {
        assert_eq!(view(dir, bad).code, Some(2), "{bad:?}");
    }
    fs::write(dir.join("letter.txt"), "Dear colleague").unwrap();
    view(dir, &["letter.txt", "--out", "b.png"]).refused(1, "there is no DICOM image");
    view(dir, &["none.dcm", "--out", "b.png"]).refused(1, "none.dcm");
    assert_eq!(names(dir), ["a.dcm", "a.png", "letter.txt"]);
}

#[test]
fn a_sheet_shows_every_file_of_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("series")).unwrap();
    for name in ["1", "2", "3", "4", "5"] {
        fs::write(dir.join("series").join(name), IMAGE).unwrap();
    }
    fs::write(dir.join("series/letter.txt"), "Dear colleague").unwrap();
    let run = view(dir, &["series", "--sheet", "--out", "sheet.png", "--json"]);
    let told: Value = run.json();
    assert_eq!(told["frames"], 5);
    assert_eq!(told["refused"].as_array().unwrap().len(), 1);
    assert!(
        run.stderr.contains("left out: file 6: not a DICOM file"),
        "{run:?}"
    );
    // Three by three tiles are enough for five, in as many rows as they need.
    let (width, height) = size(&fs::read(dir.join("sheet.png")).unwrap());
    assert_eq!((width / 160, height / 160), (3, 2));
    let single = view(dir, &["series/1", "--sheet", "--out", "one.png", "--json"]).json();
    assert_eq!(single["frames"], 1);
}

#[test]
fn an_image_of_ones_own_is_opened_in_memory() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let results = stage.results();
    let temporary = results.join("tmp");
    fs::create_dir(&temporary).unwrap();
    let png = results.join("scan.png");
    let view = |image: &str, out: &Path| {
        let mut command = patient.command();
        command.env("TMPDIR", &temporary).current_dir(&temporary);
        Run::of(command.args(["view", image, "--out"]).arg(out))
    };
    let before = named(&patient.home);
    let told = view(&stage.known.image, &png).json();
    assert_eq!(told["frames"], 1);
    // The same picture as of the file itself.
    let file = stage.file("image.dcm");
    let direct = results.join("direct.png");
    assert_eq!(view(&file, &direct).code, Some(0));
    assert!(fs::read(&png).unwrap() == fs::read(&direct).unwrap());
    // The picture is all that it left: no new file, and none that has DICOM in it.
    assert!(names(&temporary).is_empty());
    assert_eq!(names(&results), ["direct.png", "scan.png", "tmp"]);
    assert_eq!(named(&patient.home), before);
    for path in &before {
        let content = fs::read(path).unwrap_or_default();
        assert!(!content.windows(4).any(|it| it == b"DICM"), "{path}");
    }
    // Whoever it is not for cannot look.
    let run = Run::of(
        doctor
            .command()
            .args(["view", &stage.known.image, "--out", "x.png"]),
    );
    assert_ne!(run.code, Some(0), "{run:?}");
    assert!(!Path::new("x.png").exists());
}

/// The files below a folder, but for those of the journal, which come and go.
fn named(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(named(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found.retain(|path| !path.ends_with("-wal") && !path.ends_with("-shm"));
    found.sort();
    found
}
