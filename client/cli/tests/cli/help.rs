//! Help texts and exit codes.

use std::process::Command;

use pcim_deploy::artifact;
use sha2::{Digest, Sha256};

use crate::program::{Run, pcim};

/// Every command of a program with its subcommands, found through the help texts themselves.
pub(crate) fn commands(program: fn() -> Command) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let run = Run::of(program().args(&path).arg("--help"));
        assert_eq!(run.code, Some(0), "{path:?}: {run:?}");
        assert_eq!(run.stderr, "", "{path:?}");
        let mut names = false;
        for line in run.stdout.lines() {
            if line.is_empty() || !line.starts_with(' ') {
                names = line == "Commands:";
            } else if names && line.starts_with("  ") && !line.starts_with("   ") {
                let name = line.split_whitespace().next().unwrap().to_owned();
                if name != "help" {
                    open.push([path.clone(), vec![name]].concat());
                }
            }
        }
        found.push((path, run.stdout));
    }
    found
}

#[test]
fn every_command_explains_itself() {
    let commands = commands(pcim);
    let names: Vec<_> = commands.iter().map(|(path, _)| path.join(" ")).collect();
    for name in [
        "init",
        "card",
        "backup",
        "backup paper",
        "backup release",
        "restore",
        "device add",
        "device accept",
        "deid",
        "radiologist seal",
        "patient register",
        "patient images",
        "patient requests",
        "patient approve",
        "patient deny",
        "patient extend",
        "patient revoke",
        "patient limit",
        "patient rekey",
        "patient audit",
        "patient open",
        "patient replicas",
        "requestor request",
        "requestor status",
        "requestor fetch",
        "patient history",
        "resume",
        "view",
        "trace",
        "audit",
        "search",
        "patient note",
        "relay",
        "relay serve",
        "patient share",
        "patient guests",
        "visit",
        "report",
        "watch",
        "deploy status",
        "deploy keepalive",
        "deploy cache-bid",
        "consortium accredit",
        "consortium transfer",
        "consortium accept",
        "node",
        "node install",
        "node status",
        "node stop",
        "node logs",
        "node export",
        "node import",
        "node pin",
        "node pins",
        "node unpin",
        "deploy",
        "network join",
        "network leave",
        "network list",
        "network show",
        "network sign",
        "config get",
        "config list",
        "config set",
        "doctor",
        "guardian accept",
        "guardian drill",
        "guardian release",
        "custodian consent",
        "follower release",
        "patient custodians",
        "recover drill",
        "recover image",
        "completions",
        "man",
        "exit-codes",
    ] {
        assert!(
            names.iter().any(|it| it == name),
            "no `pcim {name}` in {names:?}"
        );
    }
    for (path, help) in &commands {
        let first = help.lines().next().unwrap();
        assert!(
            !first.is_empty() && !first.starts_with("Usage"),
            "{path:?}: {help}"
        );
        assert!(help.contains("Usage: pcim"), "{path:?}: {help}");
        for option in help
            .lines()
            .filter(|line| line.trim_start().starts_with('-'))
        {
            let name = option.trim_start();
            // In the long form the explanation stands below.
            let at = help.find(option).unwrap() + option.len();
            let below = help[at..].lines().nth(1).unwrap_or_default();
            let explained = below.starts_with("          ") || name.contains("  ");
            assert!(explained, "{path:?}: {name} is not explained:\n{help}");
        }
        let words: Vec<_> = help.split_whitespace().collect();
        for pair in words.windows(2) {
            let word = pair[0].chars().all(|c| c.is_ascii_lowercase());
            assert!(
                !word || pair[0] != pair[1],
                "{path:?}: `{} {}`",
                pair[0],
                pair[1]
            );
        }
    }
}

#[test]
fn exit_codes_are_documented() {
    let help = Run::of(pcim().args(["help", "exit-codes"]));
    assert_eq!(help.code, Some(0), "{help:?}");
    let command = Run::of(pcim().arg("exit-codes"));
    assert_eq!(command.code, Some(0), "{command:?}");
    let json = Run::of(pcim().args(["--json", "exit-codes"])).json();
    let codes: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["code"].as_u64().unwrap())
        .collect();
    assert_eq!(codes, [0, 1, 2, 4]);
    for it in json.as_array().unwrap() {
        let line = format!("{}  {}", it["code"], it["meaning"].as_str().unwrap());
        assert!(command.stdout.contains(&line), "{line}: {command:?}");
        assert!(help.stdout.contains(&line), "{line}: {help:?}");
    }
    let version = concat!("pcim ", env!("CARGO_PKG_VERSION"));
    assert_eq!(Run::of(pcim().arg("-V")).stdout.trim(), version);
    let long = Run::of(pcim().arg("--version"));
    let lines: Vec<_> = long.stdout.lines().collect();
    assert_eq!(lines[0], version);
    assert!(lines[1].starts_with("commit    "), "{long:?}");
    let contract = hex::encode(Sha256::digest(artifact::PCAC_WASM));
    assert_eq!(lines[2], format!("contract  sha-256 {contract}"));
}

#[test]
fn the_commands_of_the_other_program_name_it() {
    for arguments in [
        ["demo"].as_slice(),
        &["gas", "--json"],
        &["--json", "bench", "--runs", "1"],
        &["devnet", "--help"],
        &["demo", "--version"],
    ] {
        let run = Run::of(pcim().args(arguments));
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        assert!(run.stderr.contains("`pcim-dev`"), "{run:?}");
    }
}
