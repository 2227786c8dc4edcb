//! Backups, paper and a second device from the command line; and each of them killed at any moment, then run again.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pcim_core::chance::{Numbers, rounds};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Run, pcim, write_secret};
use crate::stage::{PASSPHRASE, copy};

/// Homes in a folder; no chain is needed.
struct Homes(TempDir);

impl Homes {
    /// Makes homes, and a card of each.
    fn new(names: &[&str]) -> Self {
        let homes = Self(tempfile::tempdir().unwrap());
        write_secret(homes.path("passphrase"), PASSPHRASE);
        for name in names {
            homes.run(name, &["init"]).json();
            homes
                .run(
                    name,
                    &["card", "--out", &homes.file(&format!("{name}.card"))],
                )
                .json();
        }
        homes
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn command(&self, home: &str, args: &[&str]) -> Command {
        let mut command = pcim();
        command
            .env("PCIM_PASSPHRASE_FILE", self.path("passphrase"))
            .arg("--json")
            .arg("--home")
            .arg(self.path(home))
            .args(args);
        command
    }

    fn run(&self, home: &str, args: &[&str]) -> Run {
        Run::of(&mut self.command(home, args))
    }

    fn begin(&self) -> Vec<String> {
        let mut args = vec![
            "backup".to_owned(),
            "--threshold".to_owned(),
            "2".to_owned(),
        ];
        for (what, name) in [
            ("guardian", "g1"),
            ("guardian", "g2"),
            ("guardian", "g3"),
            ("follower", "f1"),
            ("follower", "f2"),
        ] {
            args.extend([format!("--{what}"), self.file(&format!("{name}.card"))]);
        }
        args.extend(["--out".to_owned(), self.file("kept")]);
        args
    }

    /// The file of a guardian's share.
    fn share(&self, number: usize) -> String {
        let files = fs::read_dir(self.path("kept")).unwrap();
        let names = files.map(|it| it.unwrap().file_name().into_string().unwrap());
        let begin = format!("share-{number}-");
        let name = names.into_iter().find(|it| it.starts_with(&begin)).unwrap();
        self.file(&format!("kept/{name}"))
    }
}

const EVERYBODY: [&str; 7] = ["patient", "g1", "g2", "g3", "f1", "f2", "new"];

fn refs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[test]
fn a_backup_comes_back_in_a_new_home() {
    let homes = Homes::new(&EVERYBODY);
    fs::create_dir(homes.path("patient/contacts")).unwrap();
    fs::copy(
        homes.path("g1.card"),
        homes.path("patient/contacts/mother.card"),
    )
    .unwrap();
    homes
        .run("patient", &["backup", "--out", &homes.file("kept")])
        .refused(1, "has made no backup yet");
    let made = homes.run("patient", &refs(&homes.begin())).json();
    assert_eq!(made["number"], 1);
    assert_eq!(made["shares"].as_array().unwrap().len(), 3);
    let newest = homes
        .run("patient", &["backup", "--out", &homes.file("kept")])
        .json();
    assert_eq!(
        (&newest["number"], &newest["set"]),
        (&Value::from(2), &made["set"])
    );
    let backup = homes.file("kept/backup-2.json");

    let (card, to) = (homes.file("new.card"), |name: &str| {
        homes.file(&format!("{name}.letter"))
    });
    for (home, number) in [("g1", 1), ("g3", 3)] {
        let given = [
            "backup",
            "release",
            &homes.share(number),
            "--to",
            &card,
            "--out",
            &to(home),
        ];
        let given = homes.run(home, &given).json();
        assert_eq!(given["share"], number);
    }
    let given = [
        "backup",
        "release",
        "--backup",
        &backup,
        "--to",
        &card,
        "--out",
        &to("f2"),
    ];
    homes.run("f2", &given).json();
    homes
        .run(
            "g2",
            &[
                "backup",
                "release",
                "--backup",
                &backup,
                "--to",
                &card,
                "--out",
                &to("x"),
            ],
        )
        .refused(1, "none of the backup's 2 letters is for this home");

    let few = ["restore", &backup, "--share", &to("g1"), "--key", &to("f2")];
    homes.run("new", &few).refused(1, "1 shares; 2 are wanted");
    let all = [
        "restore",
        &backup,
        "--share",
        &to("g1"),
        "--share",
        &to("g3"),
        "--key",
        &to("f2"),
    ];
    let restored = homes.run("new", &all).json();
    assert_eq!(
        (&restored["number"], &restored["already"]),
        (&Value::from(2), &Value::from(false))
    );
    assert_eq!(homes.run("new", &all).json()["already"], true);
    let kept = |home: &str, name: &str| fs::read(homes.path(home).join(name)).unwrap();
    for name in ["contacts/mother.card", "backup.pgp"] {
        assert_eq!(kept("new", name), kept("patient", name), "{name}");
    }
    assert_ne!(
        kept("new", "ethereum.json"),
        kept("patient", "ethereum.json")
    );
    let third = homes
        .run("new", &["backup", "--out", &homes.file("kept")])
        .json();
    assert_eq!(
        (&third["number"], &third["set"]),
        (&Value::from(3), &made["set"])
    );
}

#[test]
fn paper_brings_a_home_back() {
    let homes = Homes::new(&["patient", "new"]);
    let out = homes.file("paper");
    let made = homes
        .run(
            "patient",
            &["backup", "paper", "--form", "text", "--out", &out],
        )
        .json();
    assert!(made["paper_guardian"].as_str().unwrap().starts_with("0x"));
    let words = |sheet: &str| {
        let text = fs::read_to_string(homes.path(&format!("paper/sheet-{sheet}.txt"))).unwrap();
        let rows = text.lines().filter(|line| {
            let mut parts = line.split_whitespace();
            parts.next().is_some_and(|it| it.parse::<u8>().is_ok()) && parts.count() == 7
        });
        let words: Vec<_> = rows
            .flat_map(|row| row.split_whitespace().skip(1).step_by(2))
            .collect();
        let file = homes.path(&format!("{sheet}.words"));
        fs::write(&file, words.join("\n")).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(homes.path("paper/sheet-a.txt"))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let (a, b) = (words("a"), words("b"));
    let backup = homes.file("paper/backup-1.json");
    homes
        .run(
            "new",
            &["restore", &backup, "--sheet-a", &b, "--sheet-b", &a],
        )
        .refused(1, "does not open with these keys");
    homes
        .run("new", &["restore", &backup, "--sheet-b", &b])
        .refused(1, "this backup's secret is on sheet A");
    let all = ["restore", &backup, "--sheet-a", &a, "--sheet-b", &b];
    assert_eq!(homes.run("new", &all).json()["already"], false);
}

#[test]
fn a_second_device_takes_all_keys() {
    let homes = Homes::new(&["laptop", "tablet", "stranger"]);
    let (from, file) = (homes.file("laptop.card"), homes.file("device"));
    let add = ["device", "add", &homes.file("tablet.card"), "--out", &file];
    let added = homes.run("laptop", &add).json();
    assert_eq!(added["fingerprint"].as_str().unwrap().len(), 64);
    homes
        .run("stranger", &["device", "accept", &file, "--from", &from])
        .refused(1, "not sealed to key");
    homes
        .run(
            "tablet",
            &[
                "device",
                "accept",
                &file,
                "--from",
                &homes.file("stranger.card"),
            ],
        )
        .refused(1, "it was written by");
    let accept = ["device", "accept", &file, "--from", &from];
    assert_eq!(homes.run("tablet", &accept).json()["already"], false);
    assert_eq!(homes.run("tablet", &accept).json()["already"], true);
    let card = |home: &str| homes.run(home, &["card"]).json();
    let (one, two) = (card("laptop"), card("tablet"));
    for same in ["address", "certificate"] {
        assert_eq!(one[same], two[same]);
    }
    assert_ne!(one["peers"], two["peers"]);
}

/// Runs a command, and kills it after this long unless it has ended.
pub(crate) fn killed(command: &mut Command, after: Duration) -> bool {
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while started.elapsed() < after {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// `PCIM_TEST_KILLS` is how often.
#[test]
fn killed_at_any_moment_the_same_command_comes_to_its_end() {
    let homes = Homes::new(&EVERYBODY);
    let begin = homes.begin();
    let mut numbers = Numbers(0x5eed_2043);
    let kills = rounds("PCIM_TEST_KILLS", 6);
    let mut cut = 0;

    // The first backup: one set, whatever was killed.
    let started = Instant::now();
    copy(&homes.path("patient"), &homes.path("spare"));
    homes.run("spare", &refs(&begin)).json();
    let long = started.elapsed();
    fs::remove_dir_all(homes.path("kept")).unwrap();
    for _ in 0..kills {
        let after = long.mul_f64(numbers.below(1000) as f64 / 1000.0);
        cut += usize::from(killed(&mut homes.command("patient", &refs(&begin)), after));
    }
    let made = homes.run("patient", &refs(&begin)).json();
    let backup = made["backup"].as_str().unwrap().to_owned();
    println!(
        "{cut} of {kills} backups were killed; the last one has number {}",
        made["number"]
    );

    // Restoring, from the state that the kill left.
    let (card, to) = (homes.file("new.card"), |name: &str| {
        homes.file(&format!("{name}.letter"))
    });
    for (home, number) in [("g1", 1), ("g2", 2)] {
        homes
            .run(
                home,
                &[
                    "backup",
                    "release",
                    &homes.share(number),
                    "--to",
                    &card,
                    "--out",
                    &to(home),
                ],
            )
            .json();
    }
    homes
        .run(
            "f1",
            &[
                "backup",
                "release",
                "--backup",
                &backup,
                "--to",
                &card,
                "--out",
                &to("f1"),
            ],
        )
        .json();
    let restore = [
        "restore",
        &backup,
        "--share",
        &to("g1"),
        "--share",
        &to("g2"),
        "--key",
        &to("f1"),
    ];
    // What a restore that nothing killed brings back.
    copy(&homes.path("new"), &homes.path("whole"));
    homes.run("whole", &restore).json();
    let kept = |home: &str| fs::read(homes.path(home).join("backup.pgp")).unwrap();
    let mut ends = BTreeSet::new();
    for round in 0..kills {
        let name = format!("new-{round}");
        copy(&homes.path("new"), &homes.path(&name));
        let after = long.mul_f64(numbers.below(1000) as f64 / 1000.0);
        let was = killed(&mut homes.command(&name, &restore), after);
        let end = homes.run(&name, &restore).json();
        ends.insert((was, end["already"] == true));
        assert_eq!(kept(&name), kept("whole"), "after {after:?}");
        let issued = homes.run(&name, &["card"]).json();
        assert_eq!(
            issued["certificate"],
            homes.run("patient", &["card"]).json()["certificate"]
        );
    }
    println!("restores, killed and then already done: {ends:?}");
}
