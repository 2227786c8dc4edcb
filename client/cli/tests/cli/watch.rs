//! `pcim watch`: every event once, whatever becomes of connections and of the program; and `pcim report` through the program.
//!
//! `PCIM_TEST_WATCH_SECONDS` is how long connections are dropped (a few seconds unless it is set).

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Actor, PATIENCE, Process, Run};
use crate::rpc::ask;
use crate::stage::Stage;

/// Passes bytes to the chain and back, and drops every connection each time that `every` has passed.
fn dropping(url: &str, every: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = format!("http://{}", listener.local_addr().unwrap());
    let host = url.strip_prefix("http://").unwrap().to_owned();
    let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let streams = open.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(every);
            for stream in streams.lock().unwrap().drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    });
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(&host) else {
                continue;
            };
            let clone = |stream: &TcpStream| stream.try_clone().unwrap();
            open.lock().unwrap().extend([clone(&near), clone(&far)]);
            for (mut from, mut to) in [(clone(&near), clone(&far)), (far, near)] {
                thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut bytes) {
                        // Slow enough that answers are cut in the middle, too.
                        thread::sleep(Duration::from_millis(5));
                        if to.write_all(&bytes[..read]).is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    own
}

fn rules(stage: &Stage, text: &str) -> String {
    let path = stage.file("rules.toml");
    fs::write(&path, text).unwrap();
    path
}

const EVERYTHING: &str = "[[rule]]\nname = \"everything\"\nwhen = \"event\"\nof = \"all\"\n";

/// The command, as it watches.
fn watch(actor: &Actor, rules: &str, more: &[&str]) -> Process {
    let mut command = actor.command();
    command
        .args(["watch", "--rules", rules, "--every", "1s"])
        .args(more);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().unwrap())
}

/// The alerts of an output file; a last line that is not whole yet is not there.
fn alerts(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// How often each event was told, by its transaction and its place.
fn told(path: &str) -> BTreeMap<(String, u64), usize> {
    let mut told = BTreeMap::new();
    for alert in alerts(path) {
        let event = &alert["event"];
        let place = (
            event["tx"].as_str().unwrap().to_owned(),
            event["log_index"].as_u64().unwrap(),
        );
        *told.entry(place).or_default() += 1;
    }
    told
}

fn logs(stage: &Stage) -> BTreeMap<(String, u64), usize> {
    let query =
        json!([{ "address": stage.known.contract, "fromBlock": "0x0", "toBlock": "latest" }]);
    let logs = ask(stage.chain.url(), "eth_getLogs", query);
    let number = |text: &Value| {
        u64::from_str_radix(text.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
    };
    let logs = logs.as_array().unwrap().iter();
    let place = |log: &Value| {
        (
            log["transactionHash"].as_str().unwrap().to_owned(),
            number(&log["logIndex"]),
        )
    };
    logs.map(|log| (place(log), 1)).collect()
}

fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn every_event_is_told_once_over_dropped_connections_and_kills() {
    let seconds = std::env::var("PCIM_TEST_WATCH_SECONDS").map_or(6, |it| it.parse().unwrap());
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let watcher = stage.actor("consortium");
    let image = stage.known.image.clone();
    let proxy = dropping(stage.chain.url(), Duration::from_secs(1));
    let out = stage.results().join("alerts.jsonl");
    let out = out.to_str().unwrap();
    let rules = rules(&stage, EVERYTHING);
    let more = ["--from-start", "--out", out];
    let begun = watch(&watcher.through(&proxy), &rules, &more);
    let start = Instant::now();
    let (mut running, mut kills, mut sent) = (begun, 0, 0);
    while start.elapsed() < Duration::from_secs(seconds) {
        patient
            .run(["trace", &image, "--requester", &clinic.address])
            .json();
        sent += 1;
        // Killed at whatever it does, and begun again.
        if sent % 3 == 0 {
            drop(running);
            kills += 1;
            running = watch(&watcher.through(&proxy), &rules, &more);
        }
    }
    let all = logs(&stage);
    assert!(
        all.len() > sent,
        "{sent} traces, and what the stage began with"
    );
    wait_for("all told", || told(out).len() >= all.len());
    // Nothing comes behind it.
    thread::sleep(Duration::from_secs(2));
    drop(running);
    assert_eq!(told(out), all, "each once");
    println!(
        "{} events in {seconds} s of connections dropped every second, {kills} kills: each once",
        all.len()
    );
}

#[test]
fn rules_run_programs_and_revoke_and_nothing_is_done_twice() {
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let image = &*stage.known.image;
    let heard = stage.file("heard");
    let script = stage.file("hear.sh");
    fs::write(&script, format!("cat >> {heard}\nenv >> {heard}.env\n")).unwrap();
    let rules = rules(
        &stage,
        &format!(
            "[[rule]]\nname = \"used\"\nwhen = \"event\"\nevents = [\"AuthorizationSuccess\"]\n\
             run = [\"sh\", {script:?}]\nrevoke = true\n\
             [[rule]]\nname = \"slow\"\nwhen = \"event\"\nevents = [\"AuthorizationSuccess\"]\nprint = false\n\
             run = [\"sleep\", \"60\"]\ntime_limit = \"1s\"\n\
             [[rule]]\nname = \"misuse\"\nwhen = \"use-after-end\"\n"
        ),
    );
    let once = |more: &[&str]| {
        let mut command = patient.command();
        Run::of(
            command
                .args(["watch", "--rules", &rules, "--once", "--unlock"])
                .args(more),
        )
    };
    let first = once(&[]);
    assert_eq!(
        (first.code, &*first.stdout),
        (Some(0), ""),
        "it begins with what happens from now on: {first:?}"
    );
    clinic.run(["trace", image]).json();
    let before = stage.nonce(&patient);
    let said = once(&[]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let alert: Value = serde_json::from_str(said.stdout.trim()).unwrap();
    assert_eq!(
        (&alert["rule"], &alert["image"]),
        (&json!("used"), &json!(image))
    );
    assert!(
        said.stderr.contains("stopped after 1 s") && said.stderr.contains("revoked"),
        "{said:?}"
    );
    assert_eq!(
        serde_json::from_str::<Value>(&fs::read_to_string(&heard).unwrap()).unwrap(),
        alert
    );
    let environment = fs::read_to_string(format!("{heard}.env")).unwrap();
    assert!(!environment.contains("PASSPHRASE"), "{environment}");
    assert_eq!(stage.nonce(&patient), before + 1);

    // Who was removed and tries again is told of; what was done is not done again.
    assert_eq!(clinic.run(["trace", image]).code, Some(4));
    let said = once(&[]);
    let alert: Value = serde_json::from_str(said.stdout.trim()).unwrap();
    assert_eq!(alert["rule"], "misuse");
    assert!(
        alert["reason"]
            .as_str()
            .unwrap()
            .contains("the access was removed"),
        "{alert}"
    );
    assert_eq!(
        (once(&[]).stdout, stage.nonce(&patient)),
        (String::new(), before + 1)
    );

    let wrong = stage.file("wrong.toml");
    fs::write(&wrong, "[[rule]]\nname = \"x\"\nwhen = \"never\"\n").unwrap();
    patient
        .run(["watch", "--rules", &wrong])
        .refused(2, "`when` is `never`");
}

#[test]
fn two_watchers_do_not_share_a_home_and_other_commands_do() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    let rules = rules(&stage, EVERYTHING);
    let out = stage.file("alerts");
    let _running = watch(&patient, &rules, &["--from-start", "--out", &out]);
    wait_for("all told", || told(&out).len() == logs(&stage).len());
    patient.run(["patient", "images"]).json();
    patient
        .run(["watch", "--rules", &rules, "--once"])
        .refused(1, "cannot be read or written");
}

#[test]
fn reports_name_whom_the_home_has_a_card_of() {
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let image = &*stage.known.image;
    let contacts = patient.home.join("contacts");
    fs::create_dir(&contacts).unwrap();
    let card = contacts.join("North Clinic.card");
    clinic.run(["card", "--out", card.to_str().unwrap()]).json();
    fs::write(contacts.join("Forged.card"), "{}").unwrap();
    let run = Run::of(patient.command().args(["report", "consent"]));
    assert!(
        run.stderr.contains("no name is taken from a card"),
        "{run:?}"
    );
    let bundle = run.document();
    let consents = bundle["entry"].as_array().unwrap();
    assert_eq!(consents.len(), 2);
    let of = |status: &str| {
        let mut found = consents
            .iter()
            .map(|it| &it["resource"])
            .filter(|it| it["status"] == status);
        found.next().unwrap()["provision"][0]["actor"][0]["reference"].clone()
    };
    assert_eq!(of("active")["display"], "North Clinic");
    assert!(of("draft").get("display").is_none());
    fs::remove_file(contacts.join("Forged.card")).unwrap();
    let events = patient.run(["report", "fhir", "--image", image]).json();
    assert_eq!(
        events["entry"].as_array().unwrap().len(),
        5,
        "registered, asked twice, accepted, approved"
    );
    let page = stage.file("page.html");
    patient
        .run(["report", "disclosures", "--html", "--out", &page])
        .refused(2, "cannot be used with");
    // Without --json, which asks for another form.
    let text = |args: &[&str]| {
        let mut plain = crate::program::pcim();
        plain
            .arg("--home")
            .arg(&patient.home)
            .args(["--rpc-url", &patient.rpc_url, "report"])
            .args(args);
        Run::of(&mut plain)
    };
    let html = text(&["disclosures", "--html"]);
    assert!(
        html.stdout.contains("North Clinic (0x") && html.stdout.contains("treatment (TREAT)"),
        "{html:?}"
    );
    assert!(html.stdout.starts_with("<!DOCTYPE html>"));
    let csv = text(&["ehds", "--csv"]);
    assert_eq!(csv.stdout.lines().count(), 2, "{csv:?}");
    assert!(csv.stdout.starts_with("\"Who\",\"When\",\"What\""));
    let plain = text(&["ehds"]);
    assert!(
        plain
            .stdout
            .contains("could access from then on (approved)"),
        "{plain:?}"
    );
    // Another's home tells what names it.
    let other = clinic.run(["report", "ehds"]).json();
    assert_eq!(other["rows"].as_array().unwrap().len(), 1);
    // When the chain is away, what was read last.
    let mut away = patient.through("http://127.0.0.1:1").command();
    let stale = Run::of(away.args(["report", "ehds"]));
    assert!(
        stale
            .stderr
            .contains("the chain does not answer; as of block"),
        "{stale:?}"
    );
    assert_eq!(stale.document()["rows"].as_array().unwrap().len(), 1);
}
