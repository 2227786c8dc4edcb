//! `pcim audit` and `pcim search`: what each actor is shown, with the chain and without it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::program::{Actor, Run};
use crate::stage::Stage;

/// The command's text.
fn text(actor: &Actor, args: &[&str]) -> Run {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pcim"));
    command
        .env("PCIM_PASSPHRASE_FILE", &actor.passphrase)
        .arg("--home")
        .arg(&actor.home)
        .args(["--rpc-url", &actor.rpc_url])
        .args(args);
    Run::of(&mut command)
}

fn names(report: &Value) -> Vec<&str> {
    let entries = report["entries"].as_array().unwrap().iter();
    entries.map(|it| it["event"].as_str().unwrap()).collect()
}

#[test]
fn every_actor_is_shown_what_concerns_him_and_it_is_what_the_contract_says() {
    let stage = Stage::new();
    let image = stage.known.image.as_str();
    let (patient, doctor, clinic) = (
        stage.actor("patient"),
        stage.actor("doctor"),
        stage.actor("clinic"),
    );
    let report = patient.run(["audit"]).json();
    assert!(report["checked"] == true && report["differences"] == serde_json::json!([]));
    let all = names(&report);
    for name in ["ContractCreated", "RequestedForApproval", "Approved"] {
        assert!(all.contains(&name), "{all:?}");
    }
    assert!(!all.contains(&"RadiologistAccredited"), "{all:?}");
    let everything = patient.run(["audit", "--all"]).json();
    assert!(names(&everything).contains(&"RadiologistAccredited"));
    // The doctor waits: what the clinic was given does not concern him.
    let report = doctor.run(["audit"]).json();
    assert_eq!(names(&report), ["RequestedForApproval"]);
    let mine = doctor.run(["audit", "--mine"]).json();
    assert_eq!(mine["mine"][0]["standing"], "requested");
    let mine = clinic.run(["audit", "--mine"]).json();
    assert_eq!(mine["mine"][0]["standing"], "approved");
    let who = patient.run(["audit", "--who"]).json();
    assert_eq!(who["who"].as_array().unwrap().len(), 1);
    assert_eq!(
        who["who"][0]["requestor"].as_str().unwrap().to_lowercase(),
        clinic.address.to_lowercase()
    );

    // Filters, and the same without the chain.
    let some = [
        "audit",
        "--event",
        "approved",
        "--requestor",
        &clinic.address,
    ];
    assert_eq!(names(&patient.run(some).json()), ["Approved"]);
    let open = patient.run(["audit", "--status", "requested"]).json();
    assert_eq!(names(&open), ["RequestedForApproval"]);
    let none = patient.run(["audit", "--to", "2001-01-01"]).json();
    assert!(names(&none).is_empty());
    let online = patient.run(["audit", "--image", image]).json();
    let away = patient.through("http://127.0.0.1:1");
    let offline = away.run(["audit", "--offline", "--image", image]).json();
    assert_eq!(offline["entries"], online["entries"]);
    assert_eq!(offline["checked"], false);
    assert_eq!(offline["freshness"]["block"], online["freshness"]["block"]);
    let shown = text(&away, &["audit", "--offline"]);
    assert!(shown.stdout.contains("offline: not compared"), "{shown:?}");
    assert_eq!(away.run(["audit"]).code, Some(1));
    let bad = patient.run(["audit", "--from", "yesterday"]);
    assert_eq!(bad.code, Some(2), "{bad:?}");

    // A second provider that tells the same.
    let url = stage.chain.url();
    let compared = patient.run(["audit", "--compare-rpc-url", url]).json();
    assert!(compared["compared"]["logs"].as_u64().unwrap() >= 5);

    for args in [&["audit"][..], &["audit", "--who"], &["audit", "--all"]] {
        let shown = text(&patient, args);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let longest = shown.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest.unwrap() <= 100, "{}", shown.stdout);
        assert!(shown.stdout.contains("as of block"), "{shown:?}");
    }
}

#[test]
fn words_on_the_chain_cannot_steer_a_terminal_and_damage_is_told() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let image = stage.known.image.as_str();
    let hostile = "\u{1b}[2J\u{202e}<script>\r\nfake line\u{7}";
    let deny = [
        "patient",
        "deny",
        image,
        &doctor.address,
        "--reason",
        hostile,
    ];
    patient.run(deny).json();
    let shown = text(&patient, &["audit"]);
    assert!(
        shown
            .stdout
            .contains(r"\u{1b}[2J\u{202e}<script>\r\nfake line\u{7}"),
        "{shown:?}"
    );
    assert!(!shown.stdout.contains('\u{1b}') && !shown.stdout.contains('\u{202e}'));

    let file = fs::read_dir(&patient.home)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.starts_with("audit-") && name.ends_with(".sqlite")
        })
        .unwrap();
    fs::write(&file, "something else entirely, and long enough").unwrap();
    let again = text(&patient, &["audit"]);
    assert!(
        again.stderr.contains("damaged") && again.code == Some(0),
        "{again:?}"
    );
    let timeline = |run: &Run| {
        let lines: Vec<String> = run.stdout.lines().map(str::to_owned).collect();
        lines
            .into_iter()
            .filter(|line| !line.starts_with("as of"))
            .collect::<Vec<_>>()
    };
    assert_eq!(timeline(&again), timeline(&shown));
}

#[test]
fn images_are_found_by_what_the_chain_and_the_notes_say() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let image = stage.known.image.as_str();
    let found = |run: Run| -> Vec<String> {
        let found = run.json();
        let images = found.as_array().unwrap().iter();
        images
            .map(|it| it["image"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(found(patient.run(["search"])), [image]);
    assert!(found(patient.run(["search", "left knee"])).is_empty());
    let words = "Left KNEE after the fall, Dr. Grün\u{1b}[31m";
    patient.run(["patient", "note", image, words]).json();
    for args in [["search", "left knee"], ["search", "grün"]] {
        assert_eq!(found(patient.run(args)), [image]);
    }
    assert!(found(patient.run(["search", "knee", "--modality", "ZZ"])).is_empty());
    assert!(found(patient.run(["search", "knee", "--no-notes"])).is_empty());
    assert!(found(patient.run(["search", "--to", "2001-01-01"])).is_empty());
    let clinic = stage.actor("clinic").address;
    assert_eq!(
        found(patient.run(["search", "--requestor", &clinic])),
        [image]
    );
    assert_eq!(found(patient.run(["search", "--offline"])), [image]);
    let shown = text(&patient, &["search", "knee"]);
    assert!(
        shown.stdout.contains("Left KNEE") && !shown.stdout.contains('\u{1b}'),
        "{shown:?}"
    );

    // Nothing of it lies there in clear.
    for entry in fs::read_dir(&patient.home).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = fs::read(&path).unwrap();
            assert!(
                !bytes.windows(4).any(|four| four == b"KNEE"),
                "{}",
                path.display()
            );
        }
    }
}

/// Reads CSV strictly and prints it as JSON.
const READ_CSV: &str = "import csv, io, json, sys
data = sys.stdin.buffer.read().decode()
print(json.dumps(list(csv.reader(io.StringIO(data, newline=''), strict=True))))";

/// What another's reader finds in some CSV; none if there is no Python.
fn rows(csv: &str) -> Option<Vec<Vec<String>>> {
    let python = std::env::var_os("PCIM_TEST_PYTHON").unwrap_or("python3".into());
    let mut reader = Command::new(python)
        .args(["-c", READ_CSV])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    reader
        .stdin
        .take()
        .unwrap()
        .write_all(csv.as_bytes())
        .unwrap();
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success(), "{csv}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What a browser makes of a page, and a picture of it; none if there is no browser.
fn shown(page: &Path, picture: &Path) -> Option<String> {
    let named = std::env::var_os("PCIM_TEST_CHROMIUM").map(PathBuf::from);
    let chromium = named.unwrap_or("/usr/bin/chromium".into());
    let run = |more: &[String]| {
        let profile = tempfile::tempdir().unwrap();
        Command::new(&chromium)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--disable-background-networking", "--disable-dev-shm-usage"])
            .args(["--virtual-time-budget=1000", "--window-size=1400,1000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(more)
            .arg(format!("file://{}", page.display()))
            .stderr(Stdio::null())
            .output()
    };
    let picture = format!("--screenshot={}", picture.display());
    assert!(run(&[picture]).ok()?.status.success());
    let dom = run(&["--dump-dom".to_owned()]).unwrap();
    Some(String::from_utf8(dom.stdout).unwrap())
}

#[test]
fn others_read_the_history_as_csv_and_as_a_page() {
    let stage = Stage::new();
    let (patient, doctor) = (stage.actor("patient"), stage.actor("doctor"));
    let image = stage.known.image.as_str();
    let hostile = "=1+1, \"so\"\r\n\u{1b}[2J<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">";
    let deny = [
        "patient",
        "deny",
        image,
        &doctor.address,
        "--reason",
        hostile,
    ];
    patient.run(deny).json();
    let seen = hostile
        .replace('\r', "\\r")
        .replace('\n', "\\n")
        .replace('\u{1b}', "\\u{1b}");
    for (question, key, event) in [
        (&["audit"][..], "entries", "event"),
        (&["audit", "--who", "--status", "denied"], "who", "standing"),
        (&["audit", "--who"], "who", "standing"),
        (&["audit", "--mine", "--all"], "mine", "standing"),
    ] {
        let json = text(&patient, &[&["--json"], question].concat()).json();
        let wanted = json[key].as_array().unwrap();
        let csv = text(&patient, &[question, &["--csv"]].concat());
        assert_eq!(csv.code, Some(0), "{csv:?}");
        assert!(csv.stderr.contains("note: as of block"), "{csv:?}");
        assert!(!csv.stdout.contains('\u{1b}'));
        let Some(found) = rows(&csv.stdout) else {
            println!("skipped: no python3, and PCIM_TEST_PYTHON names none");
            return;
        };
        let (columns, found) = found.split_first().unwrap();
        assert_eq!(found.len(), wanted.len(), "{question:?}: {csv:?}");
        let column = |name: &str| columns.iter().position(|it| it == name).unwrap();
        let (title, said) = match key {
            "entries" => ("Event", "Text on the chain"),
            _ => ("Status", "Patient's words"),
        };
        for (row, wanted) in found.iter().zip(wanted) {
            assert_eq!(row.len(), columns.len());
            assert_eq!(row[column(title)], wanted[event].as_str().unwrap());
            assert_eq!(row[column("Image")], image);
            let tx = wanted.get("tx").unwrap_or(&wanted["since"]["tx"]);
            assert_eq!(row[column("Transaction")], tx.as_str().unwrap());
        }
        let words: Vec<&str> = found.iter().map(|row| &*row[column(said)]).collect();
        let denied = !matches!(question, ["audit", "--who"] | ["audit", "--mine", ..]);
        assert_eq!(words.contains(&&*format!("'{seen}")), denied, "{words:?}");

        let page = stage.file("page.html");
        let made = text(&patient, &[question, &["--html", &page]].concat());
        assert!(
            made.code == Some(0) && made.stdout.contains(&page),
            "{made:?}"
        );
        let again = text(&patient, &[question, &["--html", &page]].concat());
        assert_ne!(again.code, Some(0), "nothing is replaced: {again:?}");
        let picture = PathBuf::from(stage.file("page.png"));
        if let Some(dom) = shown(Path::new(&page), &picture) {
            assert_eq!(dom.matches("<tr>").count(), found.len() + 1, "{dom}");
            assert!(
                dom.contains("as of block") && !dom.contains("<script"),
                "{dom}"
            );
            assert!(
                !dom.contains("pwned</title>") && !dom.contains("<img"),
                "{dom}"
            );
            assert_eq!(dom.contains("&lt;script&gt;"), denied, "{dom}");
            assert!(fs::read(&picture).unwrap().len() > 10_000);
        } else {
            println!("skipped: no /usr/bin/chromium, and PCIM_TEST_CHROMIUM names none");
        }
        if let Some(keep) = std::env::var_os("PCIM_TEST_KEEP_REPORTS") {
            let name = question.join("").replace("--", "-");
            for (file, end) in [(page.as_ref(), "html"), (picture.as_path(), "png")] {
                let _ = fs::copy(file, Path::new(&keep).join(format!("{name}.{end}")));
            }
        }
        fs::remove_file(&page).unwrap();
    }
    let both = patient.run(["audit", "--csv"]);
    assert_eq!(both.code, Some(2), "--json and --csv: {both:?}");
}

#[test]
fn an_image_that_was_opened_is_found_by_what_it_says_of_itself() {
    let stage = Stage::new();
    let image = stage.known.image.as_str();
    let found = |run: Run| -> Vec<String> {
        let found = run.json();
        let images = found.as_array().unwrap().iter();
        images
            .map(|it| it["image"].as_str().unwrap().to_owned())
            .collect()
    };
    let radiologist = stage.actor("radiologist");
    let clinic = stage.actor("clinic");
    let said = |actor: &Actor| {
        let noted = actor.run(["patient", "note", image]).json();
        let noted = noted.as_array().unwrap().iter();
        noted
            .map(|note| note["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let names_him = |said: &[String]| {
        let wanted = radiologist.address.to_lowercase();
        said.iter()
            .any(|text| text.to_lowercase().contains(&wanted))
    };
    let mut served = None;
    for (actor, open) in [
        (stage.actor("patient"), ["patient", "open"]),
        (clinic, ["requestor", "fetch"]),
    ] {
        if open[0] == "requestor" {
            let node = served.insert(stage.actor("patient").serve());
            actor.knows(&node.address);
        }
        assert!(!names_him(&said(&actor)));
        for times in 1..=2 {
            let out = stage.file(&format!("{}-{times}.dcm", open[1]));
            actor.run([open[0], open[1], image, "--out", &out]).json();
            let said = said(&actor);
            assert!(names_him(&said), "{said:?}");
            let once = said.iter().filter(|text| names_him(&[(*text).clone()]));
            assert_eq!(once.count(), 1, "noted once: {said:?}");
        }
        let unread = actor.run(["search", &radiologist.address, "--offline"]);
        assert!(
            unread.code == Some(2) && unread.stderr.contains("nothing of the chain"),
            "{unread:?}"
        );
        assert_eq!(found(actor.run(["search", &radiologist.address])), [image]);
    }
}
