//! `pcim watch`: every event once, whatever becomes of connections and of the program.
//!
//! `PCIM_TEST_WATCH_SECONDS` is how long connections are dropped (a few seconds unless it is set).

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::lifecycle;
use crate::program::{Actor, PATIENCE, Process, Run, pcim};
use crate::rpc::{Fault, Proxy, ask};
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
    command.args(["watch", "--rules", rules, "--every", "1s"]);
    quiet(command.args(more))
}

fn quiet(command: &mut Command) -> Process {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Process(command.spawn().unwrap())
}

/// Asks a process to end, as service managers do; its exit code.
fn terminate(mut process: Process) -> Option<i32> {
    let id = process.0.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    process.0.wait().unwrap().code()
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
            .run(["trace", &image, "--requestor", &clinic.address])
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
fn a_home_has_one_watcher_and_its_file_may_be_rotated() {
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let image = &*stage.known.image;
    let rules = rules(&stage, EVERYTHING);
    let begin = ["watch", "--rules", &rules, "--once", "--from-start"];
    // Nobody reads: nothing was told.
    let mut command = patient.command();
    command.args(begin).stdout(Stdio::piped());
    let mut unread = command.stderr(Stdio::null()).spawn().unwrap();
    drop(unread.stdout.take());
    assert_eq!(unread.wait().unwrap().code(), Some(1));
    let all = patient.run(begin);
    assert_eq!(all.stdout.lines().count(), logs(&stage).len(), "{all:?}");

    let out = stage.file("alerts");
    let running = watch(&patient, &rules, &["--out", &out]);
    let trace = || clinic.run(["trace", image]).json();
    trace();
    wait_for("the first told", || alerts(&out).len() == 1);
    patient.run(["patient", "images"]).json();
    let second = patient.run(["watch", "--rules", &rules, "--once"]);
    second.refused(1, "another `pcim watch` is at work in ");
    let home = patient.home.to_str().unwrap();
    assert!(second.stderr.contains(home), "{second:?}");
    assert!(second.stderr.contains("a home has one watcher"));

    let old = stage.file("alerts.1");
    fs::rename(&out, &old).unwrap();
    trace();
    wait_for("the second told in a new file", || alerts(&out).len() == 1);
    let file = fs::OpenOptions::new().write(true).open(&out).unwrap();
    file.set_len(0).unwrap();
    trace();
    wait_for("the third told at the file's new end", || {
        alerts(&out).len() == 1
    });
    assert_eq!(alerts(&old).len(), 1);
    assert_eq!(terminate(running), Some(0));
    let once = ["watch", "--rules", &rules, "--once"];
    let after = patient.run(once);
    assert_eq!((after.code, &*after.stdout), (Some(0), ""), "{after:?}");

    // The chain is away: that is waited for, unless it is to look once; and it can be asked to end meanwhile.
    let away = patient.through("http://127.0.0.1:1");
    away.run(once).refused(1, "does not answer");
    let program = stage.file("no-such-program");
    let rule = format!("{EVERYTHING}run = [{program:?}]\n");
    fs::write(&rules, rule).unwrap();
    let mut command = away.command();
    command
        .args(["watch", "--rules", &rules])
        .stdout(Stdio::null());
    let mut waiting = Process(command.stderr(Stdio::piped()).spawn().unwrap());
    let notes = BufReader::new(waiting.0.stderr.take().unwrap());
    let mut notes = notes.lines().map(Result::unwrap);
    let missing = notes.next().unwrap();
    assert!(
        missing.ends_with(&format!("there is no program {program}")),
        "{missing}"
    );
    assert!(notes.next().unwrap().contains("the chain was not read"));
    assert_eq!(terminate(waiting), Some(0));
}

#[test]
fn an_event_is_told_when_it_comes_and_not_when_it_is_asked_for() {
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let rules = rules(&stage, EVERYTHING);
    let proxy = Proxy::start(stage.chain.url(), Fault::None);
    let socket = stage.chain.told("ws_url").as_str().unwrap();
    let rare = ["--every", "10m"];
    let command = |actor: &Actor, more: &[&str], out: &str| {
        let mut command = actor.command();
        command.args(["watch", "--rules", &rules, "--out", out]);
        command.args(more);
        command
    };
    let outs = ["own", "named", "configured", "polled"].map(|name| stage.file(name));
    // At the RPC's own address; at another one; at that of the configuration; nowhere.
    let own = quiet(&mut command(&patient, &rare, &outs[0]));
    let named = stage.actor("consortium").through(&proxy.url);
    let named = quiet(command(&named, &rare, &outs[1]).args(["--ws-url", socket]));
    let configured = stage.actor("radiologist");
    let config = configured.home.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let lines = text.lines().map(|line| match line.starts_with("rpc_url") {
        true => format!("rpc_url = {:?}\nws_url = {socket:?}\n", proxy.url),
        false => format!("{line}\n"),
    });
    fs::write(&config, lines.collect::<String>()).unwrap();
    let mut configured_command = pcim();
    configured_command.arg("--json").arg("--home");
    configured_command.arg(&configured.home).args(["watch"]);
    configured_command.args(["--rules", &rules, "--out", &outs[2]]);
    let configured = quiet(configured_command.args(rare));
    let polled = stage.actor("doctor").through(&proxy.url);
    let mut polled = command(&polled, &["--every", "3s"], &outs[3]);
    let mut polled = polled.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let polled = polled.as_mut().unwrap();
    let mut notes = polled.stderr.take().unwrap();

    // They begin with what happens from now on, so this may come before the last of them.
    let start = Instant::now();
    let told = |out: &String| !alerts(out).is_empty();
    while !outs.iter().all(told) {
        assert!(
            start.elapsed() < PATIENCE,
            "{:?}",
            outs.each_ref().map(told)
        );
        clinic.run(["trace", &stage.known.image]).json();
        thread::sleep(Duration::from_millis(500));
    }
    let traced = clinic.run(["trace", &stage.known.image]).json();
    let mined = Instant::now();
    let last = traced["tx"].as_str().unwrap();
    let mut took = Vec::new();
    for out in &outs {
        wait_for("told", || {
            alerts(out).iter().any(|alert| alert["event"]["tx"] == last)
        });
        took.push(mined.elapsed());
    }
    let limit = Duration::from_secs(60);
    assert!(took.iter().all(|took| *took < limit), "{took:?}");
    println!("told after {took:?} (own, named, configured, polled)");
    drop((own, named, configured));
    polled.kill().unwrap();
    polled.wait().unwrap();
    let mut said = String::new();
    notes.read_to_string(&mut said).unwrap();
    assert!(said.contains("says nothing by WebSocket"), "{said}");
    let wrong = ["watch", "--rules", &rules, "--ws-url", "http://127.0.0.1:1"];
    patient.run(wrong).refused(1, "is no WebSocket address");
}

#[test]
fn after_a_reorganisation_each_event_is_told_once_and_what_is_gone_is_taken_back() {
    let stage = Stage::new();
    let url = stage.chain.url();
    let recorder = Proxy::start(url, Fault::None);
    let actor = |name: &str| stage.actor(name).through(&recorder.url);
    let (patient, clinic, doctor) = (actor("patient"), actor("clinic"), actor("doctor"));
    let image = &*stage.known.image;
    let rules = rules(
        &stage,
        &format!(
            "{EVERYTHING}[[rule]]\nname = \"misuse\"\nwhen = \"use-after-end\"\n\
             [[rule]]\nname = \"limit\"\nwhen = \"limit-reached\"\n"
        ),
    );
    let limit = ["patient", "limit", image, "--approvals", "2", "--per", "1h"];
    patient.run(limit).json();
    let before = ask(url, "evm_snapshot", json!([]));
    let out = stage.file("alerts");
    let watcher = stage.actor("patient");
    let more = ["--from-start", "--out", &out];
    let running = watch(&watcher, &rules, &more);
    let base = logs(&stage);
    wait_for("what was before", || told(&out).len() == base.len());

    // Five transactions; the second and the third will not come back.
    recorder.sent.lock().unwrap().clear();
    let by_patient = ["trace", image, "--requestor", &clinic.address];
    patient.run(by_patient).json();
    let approve = ["patient", "approve", image, &doctor.address];
    patient.run(approve).json();
    patient
        .run(["patient", "revoke", image, &clinic.address])
        .json();
    assert_eq!(clinic.run(["trace", image]).code, Some(4));
    let consortium = actor("consortium");
    consortium
        .run(["consortium", "accredit", &doctor.address])
        .json();
    let sent = recorder.sent.lock().unwrap().clone();
    assert_eq!(sent.len(), 5);
    let all = logs(&stage).len() + 1;
    wait_for("all told, the misuse twice", || alerts(&out).len() == all);

    // Another chain, on which nothing of it has happened; and another process that sees it.
    assert_eq!(ask(url, "evm_revert", json!([before])), true);
    ask(url, "anvil_mine", json!(["0x10"]));
    thread::sleep(Duration::from_millis(2000));
    drop(running);
    let running = watch(&watcher, &rules, &more);
    for back in [0, 3, 4] {
        ask(url, "eth_sendRawTransaction", sent[back].clone());
    }
    // On this chain it is the first approval within the limit, and the clinic's access has not ended.
    patient.run(approve).json();
    let taken_back = || {
        let alerts = alerts(&out).into_iter();
        let alerts = alerts.filter_map(|mut it| Some(it.get_mut("taken_back")?.take()));
        let mut said: Vec<_> = alerts
            .map(|it| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (text(&it["rule"]), text(&it["event"]["event"]))
            })
            .collect();
        said.sort();
        said
    };
    wait_for("what is gone", || taken_back().len() >= 6);
    let now = logs(&stage);
    let standing = || {
        let mut standing = BTreeMap::new();
        for mut alert in alerts(&out) {
            let sign = match alert.get_mut("taken_back").map(Value::take) {
                Some(back) => {
                    alert = back;
                    -1
                }
                None => 1,
            };
            if alert["rule"] == "everything" {
                let event = &alert["event"];
                let tx = event["tx"].as_str().unwrap().to_owned();
                *standing
                    .entry((tx, event["log_index"].as_u64().unwrap()))
                    .or_insert(0) += sign;
            }
        }
        standing.retain(|_, count| *count != 0);
        standing
    };
    let wanted: BTreeMap<_, _> = now.into_keys().map(|place| (place, 1)).collect();
    wait_for("the new approval", || standing().len() >= wanted.len());
    // Nothing comes behind it.
    thread::sleep(Duration::from_secs(2));
    assert_eq!(terminate(running), Some(0), "asked to end, it ends well");
    assert_eq!(standing(), wanted);
    let gone = [
        ("everything", "Approved"),
        ("everything", "AuthorizationFailed"),
        ("everything", "Reason"),
        ("everything", "Requestaccepted"),
        ("everything", "UserRemoved"),
        ("misuse", "AuthorizationFailed"),
    ];
    assert_eq!(
        taken_back(),
        gone.map(|(rule, event)| (rule.to_owned(), event.to_owned()))
    );
    let of_rule = |name: &str| alerts(&out).iter().filter(|it| it["rule"] == name).count();
    assert_eq!((of_rule("misuse"), of_rule("limit")), (1, 0));
    let lines = fs::read_to_string(&out).unwrap();
    let again = watcher.run(["watch", "--rules", &rules, "--once", "--out", &out]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(fs::read_to_string(&out).unwrap(), lines);
}

#[test]
fn of_the_programs_end_a_home_is_told_once_until_it_lives_longer() {
    const DAY: u64 = 86_400;
    let stage = Stage::new();
    let consortium = stage.actor("consortium");
    let rule = "[[rule]]\nname = \"program\"\nwhen = \"program-near-expiry\"\nwithin = \"30d\"\n";
    let rules = rules(&stage, rule);
    let said = || {
        let run = consortium.run(["watch", "--rules", &rules, "--once"]);
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stdout.lines().count()
    };
    assert_eq!(said(), 0);
    stage.pass(340 * DAY);
    assert_eq!([said(), said()], [1, 0]);
    let key = stage.file("key");
    let keepalive = ["keepalive", "--key-file", &key];
    lifecycle::deploy(&stage, &stage.known.contract, &keepalive).json();
    assert_eq!(said(), 0);
    // One that has ended before anybody looked is told too, though nothing can be read through it.
    stage.pass(366 * DAY);
    for lines in [1, 0] {
        let run = consortium.run(["watch", "--rules", &rules, "--once"]);
        run.explained(1, "not activated");
        assert_eq!(run.stdout.matches("has expired").count(), lines, "{run:?}");
    }
}
