//! A home that the first program made, with finished and unfinished operations of every kind, opens as it was.
//!
//! Its chain is gone: it is looked at offline, and resumed where no chain answers.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Run, pcim, write_secret};
use crate::stage;

const PASSPHRASE: &str = "correct horse battery staple";
/// Where no chain answers.
const NOWHERE: &str = "http://127.0.0.1:1";

/// A file of the fixture.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/home-v1")
        .join(name)
}

fn text_of(name: &str) -> String {
    fs::read_to_string(fixture(name)).unwrap()
}

/// A copy of the home, private as it was.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let copy = tempfile::tempdir().unwrap();
        let home = copy.path().join("home");
        fs::create_dir(&home).unwrap();
        stage::copy(&fixture("home"), &home);
        close(&home);
        // It named a port, which another process may have by now.
        let config = home.join("config.toml");
        let lines = fs::read_to_string(&config).unwrap();
        let lines = lines
            .lines()
            .map(|line| match line.starts_with("listen = ") {
                true => "listen = [\"/ip4/127.0.0.1/tcp/0\"]\n".to_owned(),
                false => format!("{line}\n"),
            });
        fs::write(&config, lines.collect::<String>()).unwrap();
        write_secret(copy.path().join("passphrase"), PASSPHRASE);
        Self(copy)
    }

    fn command(&self) -> Command {
        let mut command = pcim();
        command
            .env("PCIM_PASSPHRASE_FILE", self.0.path().join("passphrase"))
            .arg("--home")
            .arg(self.0.path().join("home"))
            .args(["--rpc-url", NOWHERE]);
        command
    }

    fn run<const N: usize>(&self, args: [&str; N]) -> Run {
        Run::of(self.command().args(args))
    }
}

/// Takes a folder and all that is in it away from everyone but its owner.
fn close(path: &Path) {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            close(&entry.unwrap().path());
        }
    }
}

/// The lines of a `resume` up to what was done to which operation: the reasons after that are the chain's.
fn operations(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| {
            let parts = line.split("  ").map(str::trim);
            parts.filter(|part| !part.is_empty()).take(3).collect()
        })
        .collect()
}

#[test]
fn a_home_of_version_1_opens_with_its_keys_images_and_receipts() {
    let home = Home::new();
    let card = home.run(["card", "--json"]).json();
    let wanted: Value = serde_json::from_str(&text_of("home.card")).unwrap();
    for field in ["address", "certificate"] {
        assert_eq!(card[field], wanted[field], "{field}");
    }
    // Its old card has no dates, a new one has.
    assert_eq!(
        (&wanted["pcim-card"], &card["pcim-card"]),
        (&json!(1), &json!(2))
    );

    let search = home.run(["search", "--offline"]);
    assert_eq!(search.code, Some(0), "{search:#?}");
    assert_eq!(search.stdout, text_of("search.txt"));
    let audit = home.run(["audit", "--offline"]);
    assert_eq!(audit.code, Some(0), "{audit:#?}");
    assert_eq!(audit.stdout, text_of("audit.txt"));
    // The receipt of its own fetch, and a trace of another's right.
    assert_eq!(audit.stdout.matches("AuthorizationSuccess").count(), 2);

    // Its own two images are here, whole.
    let search = text_of("search.txt");
    let images = search.lines().filter(|line| line.starts_with("bafy"));
    for image in images.take(2) {
        let file = home.0.path().join(image);
        let mut export = home.command();
        export.args(["--json", "node", "export", image, "--out"]);
        let exported = Run::of(export.arg(&file)).json();
        assert_eq!(exported["image"], image);
        assert_eq!(exported["bytes"], fs::metadata(&file).unwrap().len());
    }
}

#[test]
fn what_a_home_of_version_1_left_unfinished_is_resumed() {
    let home = Home::new();
    let wanted = text_of("resume.txt");
    let resumed = home.run(["resume"]);
    assert_eq!(resumed.code, Some(1), "{resumed:#?}");
    assert_eq!(operations(&resumed.stdout), operations(&wanted));

    // Once more: what was rolled back is gone, everything else waits on.
    let waiting: Vec<_> = operations(&wanted)
        .into_iter()
        .filter(|operation| operation[0] == "unfinished")
        .collect();
    assert_eq!(waiting.len(), 7);
    let again = home.run(["resume"]);
    assert_eq!(again.code, Some(1), "{again:#?}");
    assert_eq!(operations(&again.stdout), waiting);
}
