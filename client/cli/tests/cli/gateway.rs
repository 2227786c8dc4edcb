//! `pcim gateway`: from another program's storage to an image that its patient opens.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pcim_dicom::sample::write_instance;
use serde_json::Value;

use crate::program::{Actor, PATIENCE, Process, Run, first_document, names};
use crate::stage::Stage;

/// A gateway at work.
pub(crate) struct Gateway {
    process: Process,
    dicom: String,
    pub(crate) http: String,
    log: mpsc::Receiver<String>,
}

impl Gateway {
    pub(crate) fn start(actor: &Actor, config: &Path) -> Self {
        let mut command = actor.command();
        command.args(["gateway", "--dicom-port", "0", "--http-port", "0"]);
        let mut child = command
            .arg("--config")
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let (told, log) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            let _ = told.send(text);
        });
        let said = first_document(&mut child);
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        Self {
            process: Process(child),
            dicom: text("dicom").rsplit(':').next().unwrap().to_owned(),
            http: text("http"),
            log,
        }
    }

    /// Sends files as a modality does.
    fn store(&self, files: &[PathBuf]) {
        let mut command = Command::new("storescu");
        command.args(["-aec", "PCIM", "-aet", "CT1", "127.0.0.1", &self.dicom]);
        let sent = command.args(files).output().unwrap();
        assert!(sent.status.success(), "{sent:?}");
    }

    /// Asks it to end; returns its log.
    pub(crate) fn end(mut self) -> String {
        let id = self.process.0.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().unwrap();
        let ended = self.process.0.wait().unwrap();
        assert!(ended.success(), "{ended}");
        self.log.recv_timeout(PATIENCE).unwrap()
    }

    fn kill(mut self) {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
    }
}

/// Where an actor's node is found.
pub(crate) fn peers(actor: &Actor) -> Vec<String> {
    let card = actor.run(["card"]);
    assert_eq!(card.code, Some(0), "{card:?}");
    let card: Value = serde_json::from_str(&card.stdout).unwrap();
    let peers = card["peers"].as_array().unwrap().iter();
    peers.map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// The studies of the inbox.
fn inbox(actor: &Actor) -> Vec<Value> {
    let listed = actor.run(["gateway", "inbox", "list", "--all"]).json();
    listed.as_array().unwrap().clone()
}

/// Waits for a study to be in this state.
fn wait(actor: &Actor, study: usize, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let found = inbox(actor);
        if found.get(study - 1).is_some_and(|it| it["state"] == state) {
            return found[study - 1].clone();
        }
        assert!(began.elapsed() < PATIENCE, "not {state}: {found:#?}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// Files of one study of Jane Doe's.
fn files(folder: &Path, numbers: std::ops::Range<u64>) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).unwrap();
    let write = |number| {
        let path = folder.join(format!("{number}.dcm"));
        write_instance(&path, number, 20_000).unwrap();
        path
    };
    numbers.map(write).collect()
}

#[test]
fn a_study_goes_from_a_modality_to_its_patient() {
    if Command::new("storescu").arg("--version").output().is_err() {
        println!("skipped: dcmtk's storescu is not installed");
        return;
    }
    let stage = Stage::new();
    let (radiologist, patient) = (stage.actor("radiologist"), stage.actor("patient"));
    let dir = stage.dir().to_owned();
    let config = dir.join("gateway.toml");
    std::fs::write(&config, "quiet_seconds = 1\nrules = 'rules.toml'\n").unwrap();
    let rules = dir.join("rules.toml");
    let rule =
        "[[rule]]\nname = 'ct'\nsender = ['CT*']\nmodality = ['CT']\naccept_burned_in = true\n";
    std::fs::write(&rules, rule).unwrap();
    let sent = files(&dir.join("files"), 0..4);

    // Before anything starts: the rules are read, and tried on files.
    let config_text = config.to_str().unwrap();
    let folder = dir.join("files");
    let tried = radiologist.run([
        "gateway",
        "check",
        "--config",
        config_text,
        "--sender",
        "CT1",
        folder.to_str().unwrap(),
    ]);
    let tried = tried.json();
    assert_eq!(
        tried["rehearsal"]["studies"][0]["waits"],
        "no card of this patient is known"
    );

    let gateway = Gateway::start(&radiologist, &config);
    gateway.store(&sent);
    let waiting = wait(&radiologist, 1, "waiting");
    assert_eq!(waiting["reason"], "no card of this patient is known");
    assert_eq!(waiting["patient_id"], "12345678");
    assert_eq!(waiting["objects"], 4);

    // A kill loses nothing of it, and what is sent again is not kept twice.
    gateway.kill();
    let gateway = Gateway::start(&radiologist, &config);
    gateway.store(&sent);
    assert_eq!(wait(&radiologist, 1, "waiting")["objects"], 4);

    // A person says who the patient is; the rules do the rest.
    let card = stage.file("patient.card");
    radiologist
        .run(["gateway", "inbox", "assign", "1", "--to", &card])
        .json();
    // A kill while it is sealed, or just after that: it is sealed once.
    let began = Instant::now();
    while inbox(&radiologist)[0]["state"] == "waiting" || inbox(&radiologist)[0]["state"] == "ready"
    {
        assert!(began.elapsed() < PATIENCE);
    }
    gateway.kill();
    let gateway = Gateway::start(&radiologist, &config);
    let sealed = wait(&radiologist, 1, "sealed");
    let written = std::fs::read_dir(radiologist.home.join("gateway/handovers")).unwrap();
    let written = written.filter(|it| {
        let name = it.as_ref().unwrap().file_name().into_string().unwrap();
        name.ends_with(".pgp") && !name.ends_with(".identity.pgp")
    });
    assert_eq!(written.count(), 1);
    let image = sealed["image"].as_str().unwrap().to_owned();
    let handover = sealed["handover"].as_str().unwrap().to_owned();
    radiologist
        .run(["gateway", "inbox", "seal", "1"])
        .refused(1, "study 1 was sealed before");
    gateway.store(&sent);
    assert_eq!(inbox(&radiologist).len(), 1);

    // The gateway's node serves the image: its patient fetches and opens it.
    patient.knows_all(&peers(&radiologist));
    patient.run(["patient", "register", &handover]).json();
    let out = dir.join("opened");
    patient
        .run(["patient", "open", &image, "--out", out.to_str().unwrap()])
        .json();
    let opened = names(&out);
    assert!(opened.contains(&"manifest.json".to_owned()), "{opened:?}");
    let text = std::fs::read_to_string(out.join("manifest.json")).unwrap();
    assert!(!text.contains("12345678"));
    assert_eq!(names(&out.join("0001")).len(), 4);

    crate::dicomweb::others_read(&stage, &image, &peers(&radiologist));

    // By HTTP: health, numbers; a browser from elsewhere is refused.
    let curl = |args: &[&str]| {
        let run = Command::new("curl")
            .args(["-s", "-m", "20"])
            .args(args)
            .output()
            .unwrap();
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(curl(&[&format!("{}/healthz", gateway.http)]), "ok\n");
    let numbers = curl(&[&format!("{}/metrics", gateway.http)]);
    assert!(
        numbers.contains("pcim_gateway_objects_known_total 4\n"),
        "{numbers}"
    );
    assert!(
        numbers.contains("pcim_gateway_studies_waiting 0\n"),
        "{numbers}"
    );
    let evil = curl(&[
        "-H",
        "Host: evil.example",
        &format!("{}/metrics", gateway.http),
    ]);
    assert_eq!(evil, "another host was called\n");

    // Its configuration is read again; one that does not read changes nothing.
    let reload = || radiologist.run(["gateway", "reload"]);
    std::fs::write(&config, "quiet_seconds = 1\nlook_seconds = 7\n").unwrap();
    let again = reload().json();
    assert_eq!(
        (&again["rules"], &again["patients"]),
        (&0.into(), &0.into())
    );
    assert_eq!(again["at_next_start"], serde_json::json!(["look_seconds"]));
    std::fs::write(&config, "quiet_seconds = 1\nquiet = 2\n").unwrap();
    reload().refused(1, "unknown field `quiet`");

    // A later study is rejected.
    let later = files(&dir.join("later"), 10..11);
    gateway.store(&later);
    wait(&radiologist, 2, "waiting");
    let rejected = radiologist
        .run(["gateway", "inbox", "reject", "2", "--reason", "a test"])
        .json();
    assert_eq!(rejected["state"], "rejected");
    assert_eq!(rejected["reason"], "a test");

    let log = gateway.end();
    for secret in ["Doe", "12345678", "2.25.", "panicked"] {
        assert!(!log.contains(secret), "{log}");
    }
    assert!(log.contains(r#""event":"sealed""#), "{log}");
    // Without a gateway the inbox is opened with the passphrase; what was sealed is known with its size.
    reload().refused(1, "no gateway of this home runs");
    let left = inbox(&radiologist);
    assert_eq!(left.len(), 2);
    assert_eq!(left[0]["bytes"], waiting["bytes"]);
    assert!(left[0]["bytes"].as_u64().unwrap() > 4 * 19_000);
    let shown = Run::of(
        radiologist
            .command()
            .args(["gateway", "inbox", "show", "7"]),
    );
    shown.refused(1, "no study 7 is in the inbox");
}
