//! Folders, archives and several studies, as commands.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Run, names, pcim};
use crate::stage::{IMAGE, PATIENT_NAME, Stage, block_files};

/// The demo under another UID: the last digit of its instance, of its study.
fn instance(instance: u8, study: u8) -> Vec<u8> {
    let mut file = IMAGE.to_vec();
    for (element, digit) in [([0x08, 0, 0x18, 0], instance), ([0x20, 0, 0x0d, 0], study)] {
        let at = file
            .windows(6)
            .position(|it| it[..4] == element && it[4..] == *b"UI")
            .unwrap();
        let length = usize::from(u16::from_le_bytes([file[at + 6], file[at + 7]]));
        let value = &mut file[at + 8..at + 8 + length];
        let last = value.iter().rposition(|byte| *byte != 0).unwrap();
        value[last] = digit;
    }
    file
}

/// Two studies, of two instances and of one, and a letter.
fn folder(dir: &Path) {
    fs::create_dir_all(dir.join("disc/more")).unwrap();
    fs::write(dir.join("disc/a"), instance(b'1', b'5')).unwrap();
    fs::write(dir.join("disc/more/b"), instance(b'2', b'5')).unwrap();
    fs::write(dir.join("disc/more/c"), instance(b'3', b'6')).unwrap();
    fs::write(dir.join("disc/letter.txt"), "Dear colleague").unwrap();
}

#[test]
fn a_folder_is_deidentified_study_by_study() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    folder(dir);
    fs::write(dir.join("key"), [9; 32]).unwrap();
    let deid = |args: &[&str]| {
        let mut command = pcim();
        command
            .current_dir(dir)
            .env("HOME", dir)
            .args(["deid", "disc", "--key-file", "key"]);
        Run::of(command.args(args))
    };
    let run = deid(&["--out", "out", "--json"]);
    assert!(
        run.stderr
            .contains("skipped: disc/letter.txt: not a DICOM file"),
        "{run:?}"
    );
    let told: Value = run.json();
    assert_eq!(told["pcim-report"], 1);
    let files = told["files"].as_array().unwrap();
    let numbers: Vec<_> = files
        .iter()
        .map(|file| file["file"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(
        files
            .iter()
            .all(|file| file["report"]["removed"].as_u64().unwrap() > 0)
    );
    assert!(!told.to_string().contains("disc") && !told.to_string().contains(PATIENT_NAME));
    let studies = told["studies"].as_array().unwrap();
    assert_eq!(studies[0]["contents"]["instances"], 2);
    assert_eq!(studies[1]["contents"]["kind"], "dicom");
    assert_eq!(names(&dir.join("out")), ["0001", "0002.dcm"]);
    assert_eq!(
        names(&dir.join("out/0001")),
        ["0001", "key-objects.dcm", "manifest.json"]
    );

    // A file that is refused stops everything, unless it is to be left out.
    fs::write(dir.join("disc/broken"), &IMAGE[..9000]).unwrap();
    deid(&["--out", "none"]).refused(1, "disc/broken: the DICOM file is cut short");
    assert!(names(&dir.join("none")).is_empty());
    let run = deid(&["--out", "rest", "--skip-refused"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("left out: disc/broken: "), "{run:?}");
    assert!(
        run.stdout.contains("a study: 2 instances in 1 series, CT"),
        "{run:?}"
    );
    assert_eq!(names(&dir.join("rest")), ["0001", "0002.dcm"]);
}

#[test]
fn several_studies_make_several_images_with_a_handover_each() {
    let stage = Stage::new();
    let (radiologist, patient) = (stage.actor("radiologist"), stage.actor("patient"));
    let results = stage.results();
    folder(Path::new(&stage.file("")));
    let seal = |args: &[&str]| {
        let mut command = radiologist.command();
        command.args([
            "radiologist",
            "seal",
            &stage.file("disc"),
            "--to",
            &stage.file("patient.card"),
        ]);
        command.arg("--out").arg(results.join("h.pgp"));
        Run::of(command.args(args))
    };
    // Nothing is stored of an input that has a file that is refused.
    let stored = block_files(&radiologist.home).len();
    let broken = stage.file("disc/zz");
    fs::write(&broken, &IMAGE[..9000]).unwrap();
    let report = results.join("report.json");
    seal(&["--report", report.to_str().unwrap()])
        .refused(1, "disc/zz: the DICOM file is cut short");
    assert_eq!(block_files(&radiologist.home).len(), stored);
    assert!(names(&results).is_empty());

    let run = seal(&[
        "--skip-refused",
        "--with-identity",
        "--report",
        report.to_str().unwrap(),
    ]);
    let told = run.json();
    let [study, single] = &told.as_array().unwrap()[..] else {
        panic!("{told}");
    };
    assert_eq!(
        (&study["instances"], &single["instances"]),
        (&2.into(), &1.into())
    );
    let written = [
        "h-1.identity.pgp",
        "h-1.pgp",
        "h-2.identity.pgp",
        "h-2.pgp",
        "report.json",
    ];
    assert_eq!(names(&results), written);
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(report["files"].as_array().unwrap().len(), 4);
    assert_eq!(report["studies"][0]["image"], study["image"]);
    assert!(
        report["files"][3]["left_out"]
            .as_str()
            .unwrap()
            .contains("cut short")
    );
    assert!(!report.to_string().contains(PATIENT_NAME) && !report.to_string().contains("disc"));

    let served = radiologist.serve();
    patient.knows(&served.address);
    let handover = |name: &str| results.join(name).display().to_string();
    let registered = patient
        .run(["patient", "register", &handover("h-1.pgp")])
        .json();
    assert_eq!(registered["identity"], study["identity"]["image"]);
    let open = [
        "patient",
        "open",
        "--handover",
        &handover("h-1.identity.pgp"),
        "--out",
        &stage.file("results/who.json"),
    ];
    assert_eq!(patient.run(open).json()["contents"]["kind"], "identity");
    let who = fs::read_to_string(stage.file("results/who.json")).unwrap();
    assert!(who.contains(PATIENT_NAME));
    let image = study["image"].as_str().unwrap();
    let open = [
        "patient",
        "open",
        image,
        "--out",
        &stage.file("results/study"),
    ];
    let opened = patient.run(open).json();
    assert_eq!(opened["contents"]["instances"], 2);
    let inside = names(Path::new(&stage.file("results/study")));
    assert_eq!(inside, ["0001", "key-objects.dcm", "manifest.json"]);
}
