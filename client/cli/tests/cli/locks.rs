//! The locks of a home: the strength of its passphrase, the modes of files with secrets, and memory that no dump shows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::Value;

use crate::program::{Actor, Process, Run, first_document, pcim, write_secret};
use crate::stage::Stage;

/// `pcim init` with a passphrase of its own.
fn init(stage: &Stage, name: &str, passphrase: &str, args: &[&str]) -> Run {
    let file = stage.file(&format!("{name}.passphrase"));
    write_secret(&file, passphrase);
    let mut init = pcim();
    init.env("PCIM_PASSPHRASE_FILE", file);
    init.args(["--json", "--home", &stage.file(name), "init"]);
    Run::of(init.args(args))
}

#[test]
fn a_weak_passphrase_is_taken_only_when_that_is_said() {
    let stage = Stage::new();
    for weak in ["a", "hunter2", "password1", "correcthorse", "Anna1987"] {
        let run = init(&stage, "weak", weak, &["--name", "Anna"]);
        run.refused(2, "the passphrase is weak");
        assert!(!run.stderr.contains(weak) || weak == "a", "{run:?}");
        assert!(!fs::exists(stage.file("weak")).unwrap());
    }
    init(&stage, "weak", "a", &["--weak"]).json();

    // A new home costs what it should to guess at.
    let keystore = fs::read(stage.file("weak/ethereum.json")).unwrap();
    let keystore: Value = serde_json::from_slice(&keystore).unwrap();
    assert_eq!(keystore["crypto"]["kdfparams"]["n"], 1 << 18);
    let deid = fs::read(stage.file("weak/deid.key")).unwrap();
    assert!(deid.len() > 200, "{} bytes", deid.len());
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let open = |path: &str, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let passphrase = patient.passphrase.to_str().unwrap().to_owned();
    for mode in [0o644, 0o640, 0o602] {
        open(&passphrase, mode);
        let run = patient.run(["card"]);
        run.refused(2, &format!("has mode {mode:04o}"));
    }
    open(&passphrase, 0o400);
    patient.run(["card"]).json();

    let keystore = patient.home.join("ethereum.json");
    let keystore = keystore.to_str().unwrap();
    open(keystore, 0o644);
    patient.run(["card"]).refused(1, "has mode 0644");
    open(keystore, 0o600);

    let key = stage.file("imported");
    write_secret(&key, "11".repeat(32));
    open(&key, 0o640);
    let run = init(&stage, "new", "seven quiet herons", &["--import-key", &key]);
    run.refused(2, "has mode 0640");
    assert!(!fs::exists(stage.file("new")).unwrap());
}

#[test]
fn a_passphrase_is_changed_for_both_keys() {
    let stage = Stage::new();
    let mut patient = stage.actor("patient");
    let (new, weak) = (stage.file("new"), stage.file("weak"));
    write_secret(&new, "eleven m² of über-quiet ﬁns\n");
    write_secret(&weak, "1234\n");
    let before =
        ["ethereum.json", "openpgp.asc"].map(|it| fs::read(patient.home.join(it)).unwrap());
    let files =
        || ["ethereum.json", "openpgp.asc"].map(|it| fs::read(patient.home.join(it)).unwrap());
    let change = |actor: &Actor, to: &str| actor.run(["passphrase", "change", "--new", to]);
    change(&patient, &weak).refused(2, "the passphrase is weak");
    assert_eq!(files(), before);
    let changed = change(&patient, &new);
    assert!(changed.stderr.contains("Unicode NFKC"), "{changed:?}");
    assert_eq!(changed.json()["changed"], true);
    patient
        .run(["card"])
        .refused(1, "does not open with this passphrase");
    for form in [
        "eleven m² of über-quiet ﬁns",
        "eleven m2 of u\u{308}ber-quiet fins",
    ] {
        write_secret(&new, form);
        patient.passphrase = new.clone().into();
        patient.run(["card"]).json();
    }
}

/// Nothing of a process with keys can be read or dumped by another one of the same user.
#[test]
fn a_process_leaves_no_core_file() {
    let stage = Stage::new();
    let mut node = stage.actor("patient").command();
    let mut child = node
        .arg("node")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    first_document(&mut child);
    let of = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", child.id()));
    let limits = of("limits").unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.unwrap().split_whitespace().skip(4).take(2).collect();
    assert_eq!(core, ["0", "0"]);
    // The files of a process that may not be dumped belong to root.
    use std::os::unix::fs::MetadataExt;
    let owner = fs::metadata(format!("/proc/{}/mem", child.id()))
        .unwrap()
        .uid();
    assert_eq!(owner, 0);
    drop(Process(child));
}
