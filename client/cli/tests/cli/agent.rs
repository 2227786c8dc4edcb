//! The agent that holds unlocked keys: for its owner alone, for a time, in memory alone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::canary::{search, secrets};
use crate::program::{Actor, Run, pcim};
use crate::stage::{self, Stage};

/// Users without an entry and without rights, for tests that root runs.
const USER: u32 = 61_234;
const STRANGER: u32 = 61_235;

/// A command of an actor who has no passphrase at hand.
fn asking(actor: &Actor) -> Command {
    let mut command = actor.command();
    command.env_remove("PCIM_PASSPHRASE_FILE");
    command
}

fn unlock(actor: &Actor, time: &str) -> Value {
    let unlocked = actor.run(["unlock", "--for", time]).json();
    assert_eq!(unlocked["memory_locked"], true, "{unlocked}");
    unlocked
}

fn is_asked(actor: &Actor) {
    let run = Run::of(asking(actor).arg("card"));
    run.refused(2, "no terminal to ask for the passphrase");
}

/// Waits until the agent has ended.
fn ends(pid: &Value) {
    let started = Instant::now();
    let path = format!("/proc/{pid}/stat");
    let runs = || fs::read_to_string(&path).is_ok_and(|stat| !stat.contains(") Z "));
    while runs() {
        assert!(started.elapsed() < Duration::from_secs(30), "{pid} goes on");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn commands_do_not_ask_while_the_keys_are_held() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    is_asked(&patient);
    let unlocked = unlock(&patient, "10m");
    let socket = patient.home.join("agent.sock");
    assert_eq!(
        fs::metadata(&socket).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // An image is registered: both keys are used.
    let served = stage.actor("radiologist").serve();
    patient.knows(&served.address);
    let handover = stage.file("fresh.handover");
    Run::of(asking(&patient).args(["patient", "register", &handover])).json();
    drop(served);

    // The time of a command that needs the keys and nothing else, at the cost of a home that lasts.
    let change = [
        "passphrase",
        "change",
        "--new",
        patient.passphrase.to_str().unwrap(),
    ];
    patient.run(change).json();
    let note = |mut command: Command| {
        let started = Instant::now();
        Run::of(command.args(["patient", "note", &stage.known.image, "seen"])).json();
        started.elapsed()
    };
    let mut held: Vec<_> = (0..11).map(|_| note(asking(&patient))).collect();
    held.sort();
    let locked = Run::of(asking(&patient).arg("lock")).json();
    assert_eq!(locked["was_unlocked"], true);
    ends(&unlocked["pid"]);
    let asked = note(patient.command());
    println!(
        "held: median {:?}, best {:?}; asked: {asked:?}",
        held[5], held[0]
    );
    assert!(held[5] * 3 < asked, "{held:?}, {asked:?}");

    assert!(!fs::exists(&socket).unwrap());
    is_asked(&patient);
    let locked = Run::of(asking(&patient).arg("lock")).json();
    assert_eq!(locked["was_unlocked"], false);
}

#[test]
fn the_keys_are_forgotten_when_the_time_is_over_or_the_socket_is_gone() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let unlocked = unlock(&patient, "1s");
    ends(&unlocked["pid"]);
    is_asked(&patient);
    let first = unlock(&patient, "1h");
    let second = unlock(&patient, "1h");
    ends(&first["pid"]);
    Run::of(asking(&patient).arg("card")).json();
    fs::remove_file(patient.home.join("agent.sock")).unwrap();
    ends(&second["pid"]);
    for time in ["0s", "25h"] {
        let run = patient.run(["unlock", "--for", time]);
        assert_eq!(run.code, Some(2), "{run:?}");
    }
}

#[test]
fn the_keys_are_forgotten_when_the_session_ends() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let mut shell = Command::new("setsid");
    let program = pcim().get_program().to_owned();
    shell
        .args([
            "sh",
            "-c",
            r#""$0" --json --home "$1" unlock --for 1h; cat"#,
        ])
        .args([&program, patient.home.as_os_str()])
        .env("PCIM_PASSPHRASE_FILE", &patient.passphrase)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let unlocked = crate::program::first_document(&mut shell);
    Run::of(asking(&patient).arg("card")).json();
    // The shell ends with its input.
    drop(shell.stdin.take());
    shell.wait().unwrap();
    ends(&unlocked["pid"]);
    is_asked(&patient);
}

#[test]
fn a_killed_agent_leaves_no_key_on_the_disk() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let needles = secrets(&patient, "patient");
    let temporary = stage.results().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut unlock = patient.command();
    unlock.env("TMPDIR", &temporary).env("RUST_LOG", "trace");
    let unlocked = Run::of(unlock.args(["unlock", "--for", "1h"])).json();
    let mut card = asking(&patient);
    card.env("TMPDIR", &temporary)
        .env("RUST_LOG", "trace")
        .arg("card");
    Run::of(&mut card).json();
    let pid = unlocked["pid"].to_string();
    let looked = |what: &str| {
        let (mut found, mut files) = (Vec::new(), 0);
        for place in [&patient.home, &stage.results()] {
            search(place, &needles, &mut found, &mut files);
        }
        assert!(
            found.is_empty() && files > 5,
            "{what}: {files} files, {found:#?}"
        );
    };
    looked("held");
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.unwrap().split_whitespace().skip(4).take(2).collect();
    assert_eq!(core, ["0", "0"]);
    // SIGQUIT would have it dump its memory.
    for signal in ["-QUIT", "-KILL"] {
        let _ = Command::new("kill").args([signal, &pid]).status();
    }
    ends(&unlocked["pid"]);
    looked("killed");
    // Its socket is left, and nobody answers there.
    is_asked(&patient);
    let again = patient.run(["unlock"]).json();
    Run::of(asking(&patient).arg("card")).json();
    Run::of(asking(&patient).arg("lock")).json();
    ends(&again["pid"]);
}

/// A home and the program in a folder that every user can enter.
fn foreign_home(stage: &Stage) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    stage::copy(&stage.actor("patient").home, &dir.path().join("home"));
    fs::copy(
        stage.actor("patient").passphrase,
        dir.path().join("passphrase"),
    )
    .unwrap();
    let program = pcim().get_program().to_owned();
    let own = dir.path().join("pcim");
    if fs::hard_link(&program, &own).is_err() {
        fs::copy(&program, &own).unwrap();
    }
    give(&dir.path().join("home"));
    give(&dir.path().join("passphrase"));
    dir
}

/// Makes a file or folder, and all that is in it, the user's.
fn give(path: &Path) {
    chown(path, Some(USER), Some(USER)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    }
}

#[test]
fn another_user_gets_no_key() {
    let own = tempfile::tempdir().unwrap();
    if fs::metadata(own.path()).unwrap().uid() != 0 {
        println!("skipped: only root can be two users");
        return;
    }
    let stage = Stage::new();
    let dir = foreign_home(&stage);
    let (home, passphrase) = (dir.path().join("home"), dir.path().join("passphrase"));
    let run = |user: u32, args: &[&str]| {
        let mut command = Command::new(dir.path().join("pcim"));
        command
            .uid(user)
            .gid(user)
            .args(["--json", "--home"])
            .arg(&home);
        command
            .env_remove("PCIM_HOME")
            .env_remove("PCIM_PASSPHRASE_FILE");
        if user == USER && args[0] == "unlock" {
            command.env("PCIM_PASSPHRASE_FILE", &passphrase);
        }
        command.stdin(Stdio::null()).current_dir("/");
        Run::of(command.args(args))
    };
    let unlocked = run(USER, &["unlock"]).json();
    run(USER, &["card"]).json();
    // The system gives the files of a process that may not be looked into to root.
    let agent = format!("/proc/{}/mem", unlocked["pid"]);
    assert_eq!(fs::metadata(agent).unwrap().uid(), 0);
    assert_ne!(run(STRANGER, &["card"]).code, Some(0));

    // Were the folder and the socket open to all, the agent would still look at who asks.
    let socket = home.join("agent.sock");
    for path in [&home, &socket] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let ask = r#"use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new($ARGV[0]) or die "cannot connect: $!";
        syswrite $s, "K"; my $n = 0; while (my $r = sysread $s, my $b, 65536) { $n += $r } print $n"#;
    let asked = |user: u32| {
        let mut perl = Command::new("perl");
        perl.uid(user)
            .gid(user)
            .args(["-e", ask])
            .arg(&socket)
            .current_dir("/");
        Run::of(&mut perl)
    };
    let got = |run: Run| run.stdout.parse::<usize>().unwrap();
    assert!(got(asked(USER)) > 500);
    let stranger = asked(STRANGER);
    assert_eq!(
        stranger.stdout.parse::<usize>().unwrap_or(0),
        0,
        "{stranger:?}"
    );
    run(USER, &["lock"]).json();
    ends(&unlocked["pid"]);
}
