//! `pcim node` as a service: its unit, and the commands that look after it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;

use crate::program::{PATIENCE, Run, pcim};
use crate::stage::Stage;

#[test]
fn a_node_is_installed_looked_at_stopped_and_its_messages_are_read() {
    let stage = Stage::new();
    let patient = stage.actor("patient");
    assert_eq!(
        patient.run(["node", "status"]).json(),
        json!({ "running": false })
    );
    assert_eq!(
        patient.run(["node", "stop"]).json(),
        json!({ "stopped": false })
    );
    assert_eq!(patient.run(["node", "logs"]).json(), json!([]));

    let served = patient.serve();
    let status = patient.run(["node", "status"]).json();
    assert_eq!(status["running"], true);
    assert!(status["blocks"].as_u64().unwrap() > 2, "{status}");
    let addresses = status["addresses"].as_array().unwrap();
    assert!(addresses.contains(&json!(served.address)), "{status}");
    assert_eq!(
        patient.run(["node", "stop"]).json(),
        json!({ "stopped": true })
    );
    assert_eq!(
        patient.run(["node", "status"]).json(),
        json!({ "running": false })
    );
    // It writes its last message after it has let go of the socket.
    let began = Instant::now();
    let logs = loop {
        let logs = patient.run(["node", "logs"]).json();
        if logs.to_string().contains("the node ends") || began.elapsed() > PATIENCE {
            break logs;
        }
    };
    drop(served);
    let lines: Vec<_> = logs
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it.as_str().unwrap())
        .collect();
    assert!(lines[0].contains("Z serving /ip4/127.0.0.1/tcp/"), "{logs}");
    assert!(lines.last().unwrap().ends_with("Z the node ends"), "{logs}");
    assert_eq!(
        patient.run(["node", "logs", "--lines", "1"]).json(),
        json!([lines.last().unwrap()])
    );

    // Another directory is no home, and gets no unit.
    let nowhere = stage.file("results");
    fs::create_dir(&nowhere).unwrap();
    Run::of(pcim().args(["--home", &nowhere, "node", "status"])).refused(1, "is not a pcim home");

    // No manager of units is reached here, whatever this machine has.
    let config = stage.file("config");
    let install = |args: &[&str]| {
        let mut command = patient.command();
        command
            .env("XDG_CONFIG_HOME", &config)
            .env("XDG_RUNTIME_DIR", stage.dir())
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .args(["node", "install"])
            .args(args);
        Run::of(&mut command)
    };
    let done = install(&["--follow-chain"]).json();
    assert_eq!(done["started"], false);
    assert!(
        done["why_not"].as_str().unwrap().starts_with("systemctl: "),
        "{done}"
    );
    let path = Path::new(&config).join("systemd/user/pcim-node.service");
    assert_eq!(done["unit"], json!(path));
    let unit = fs::read_to_string(&path).unwrap();
    let home = fs::canonicalize(&patient.home).unwrap();
    let start = format!("--home \"{}\" node --follow-chain\n", home.display());
    assert!(unit.contains(&start), "{unit}");
    install(&["--follow-chain", "--no-start"]).json();
    install(&["--no-start"]).refused(1, "exists already");
    install(&["--no-start", "--force"]).json();
    install(&["--unit", "../x"]).refused(2, "a unit's name");
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--user", "--man=no"])
        .arg(&path)
        .env("XDG_RUNTIME_DIR", stage.dir())
        .stdin(Stdio::null())
        .output();
    match verify {
        Err(error) => eprintln!("skipped: systemd-analyze: {error}"),
        Ok(output) => assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}
