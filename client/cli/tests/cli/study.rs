//! Folders, archives and several studies, as commands.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Actor, Process, Run, names, pcim, write_secret};
use crate::repo;
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
    write_secret(dir.join("key"), [9; 32]);
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
    let all = [
        "0001",
        "key-objects.dcm",
        "manifest.json",
        "manifest.json.sig",
    ];
    assert_eq!(inside, all);
    instances(&stage, &patient, image);
}

/// A requestor fetches single instances of the patient's study, who can look at each of hers.
fn instances(stage: &Stage, patient: &Actor, image: &str) {
    let doctor = stage.actor("doctor");
    let fetch = |args: &[&str], out: &str| {
        let mut command = doctor.command();
        command.args(["requestor", "fetch", image, "--out", &stage.file(out)]);
        Run::of(command.args(args))
    };
    fetch(&["--first"], "results/none").refused(4, "not authorized");
    let card = stage.file("patient.card");
    let request = ["requestor", "request", "--image", image, "--patient", &card];
    let mut command = doctor.command();
    Run::of(command.args(request).args(["--purpose", "TREAT"])).json();
    let served = doctor.serve();
    patient.knows(&served.address);
    let approve = ["patient", "approve", image, &doctor.address];
    patient.run(approve).json();
    drop(served);
    let served = patient.serve();
    doctor.knows(&served.address);

    let whole = |name: &str| fs::read(stage.file(&format!("results/study/{name}"))).unwrap();
    let manifest: Value = serde_json::from_slice(&whole("manifest.json")).unwrap();
    assert_eq!(manifest["pcim-study"], 2);
    let before = block_files(&doctor.home).len();
    let told = fetch(&["--instance", "2"], "results/second.dcm").json();
    assert_eq!(
        (&told["of"], &told["verified"]),
        (&2.into(), &"instances".into())
    );
    assert_eq!(told["instances"][0]["number"], 2);
    let second = fs::read(stage.file("results/second.dcm")).unwrap();
    assert!(second == whole("0001/00002.dcm"));
    // Root, header, and the one leaf of this body.
    assert_eq!(block_files(&doctor.home).len(), before + 3);
    fetch(&["--first"], "results/second.dcm").refused(1, "exists already");
    fetch(&["--first", "--force"], "results/second.dcm").json();
    let first = fs::read(stage.file("results/second.dcm")).unwrap();
    assert!(first == whole("0001/00001.dcm"));
    let series = manifest["series"][0]["series_instance_uid"]
        .as_str()
        .unwrap();
    let told = fetch(&["--series", series], "results/series").json();
    assert_eq!(told["instances"].as_array().unwrap().len(), 2);
    assert_eq!(
        names(Path::new(&stage.file("results/series/0001"))),
        ["00001.dcm", "00002.dcm"]
    );
    fetch(&["--series", "2.25.1"], "results/no")
        .refused(1, "has no series 2.25.1: it has 2 instances");
    fetch(&["--instance", "9"], "results/no").refused(1, "has no instance 9: it has 2 instances");
    assert_eq!(fetch(&["--first", "--receipt"], "results/no").code, Some(2));

    // A reader who is approved looks at one instance; so does the owner, at her own.
    for actor in [&doctor, patient] {
        let png = stage.file("results/second.png");
        let view = ["view", image, "--instance", "2", "--force", "--out", &png];
        let run = actor.run(view);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(
            run.stderr.contains("instance 2 of 2 was verified by"),
            "{run:?}"
        );
        let beyond = ["view", image, "--instance", "4", "--force", "--out", &png];
        actor.run(beyond).refused(2, "--instance 4: there are 3");
    }
    // All of it is fetched and verified by itself.
    let told = fetch(&[], "results/all").json();
    assert_eq!(told["contents"]["instances"], 2);
}

/// Begins a command with these arguments and kills it after so long; tells whether it had ended by itself.
fn killed(actor: &Actor, args: &[&str], after: Duration) -> bool {
    let mut command = actor.command();
    command
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Process(command.spawn().unwrap());
    thread::sleep(after);
    process.0.try_wait().unwrap().is_some()
}

#[test]
fn a_kill_leaves_no_half_of_a_study_and_no_half_of_a_handover() {
    let stage = Stage::new();
    let (radiologist, patient) = (stage.actor("radiologist"), stage.actor("patient"));
    let results = stage.results();
    folder(Path::new(&stage.file("")));
    let at = |name: &str| results.join(name).display().to_string();
    let (disc, card, first) = (stage.file("disc"), stage.file("patient.card"), at("h.pgp"));
    let seal = [
        "radiologist",
        "seal",
        &disc,
        "--to",
        &card,
        "--with-identity",
        "--force",
        "--out",
        &first,
    ];
    let begun = Instant::now();
    Run::of(radiologist.command().args(seal)).json();
    let whole = begun.elapsed();
    let handovers = names(&results);
    assert_eq!(handovers.len(), 4);

    // Between handovers, and inside: what is there is whole, and the rest of it is taken back or finished.
    for part in 3..7 {
        for name in &handovers {
            fs::remove_file(results.join(name)).unwrap_or_default();
        }
        killed(&radiologist, &seal, whole * part / 7);
        radiologist.run(["resume"]).json();
        assert!(repo::temporary(&results).is_empty());
        let there = names(&results);
        assert!(
            there.iter().all(|name| handovers.contains(name)),
            "{there:?}"
        );
        let served = radiologist.serve();
        patient.knows(&served.address);
        for name in there {
            let out = at("opened");
            let open = ["patient", "open", "--handover", &at(&name), "--out", &out];
            patient.run(open).json();
            fs::remove_dir_all(&out)
                .or_else(|_| fs::remove_file(&out))
                .unwrap();
        }
    }

    // While a study is unpacked: it is there as a whole, or not at all.
    Run::of(radiologist.command().args(seal)).json();
    let served = radiologist.serve();
    patient.knows(&served.address);
    let registered = patient.run(["patient", "register", &at("h-1.pgp")]).json();
    let (image, out) = (registered["image"].as_str().unwrap(), at("study"));
    let of_image = ["patient", "open", image, "--out", &out];
    let (by, handover) = (at("h-1.pgp"), "--handover");
    let of_handover = ["patient", "open", handover, &by, "--out", &out];
    for open in [&of_image[..], &of_handover] {
        let begun = Instant::now();
        Run::of(patient.command().args(open)).json();
        let whole = begun.elapsed();
        let (tree, manifest) = (
            names(Path::new(&out)),
            fs::read(results.join("study/manifest.json")),
        );
        fs::remove_dir_all(&out).unwrap();
        for part in 4..9 {
            let ended = killed(&patient, open, whole * part / 8);
            let there = Path::new(&out).exists();
            assert!(there || !ended, "{open:?}");
            if there {
                assert_eq!(names(Path::new(&out)), tree);
                let found = fs::read(results.join("study/manifest.json"));
                assert_eq!(found.unwrap(), *manifest.as_ref().unwrap());
                fs::remove_dir_all(&out).unwrap();
            }
            patient.run(["resume"]).json();
            assert!(repo::temporary(&results).is_empty());
        }
        Run::of(patient.command().args(open)).json();
        fs::remove_dir_all(&out).unwrap();
    }
}
