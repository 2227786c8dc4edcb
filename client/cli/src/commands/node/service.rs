//! The node as a service: `pcim node install`, `status`, `stop`, `logs`

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use pcim_client::Error;
use pcim_client::home::{self, Home};
use pcim_node::{DEFAULT_CHUNK, Node};
use pcim_terminal::log;
use serde_json::json;
use tokio::process::Command;

use crate::context::Context;
use crate::failure::Usage;
use crate::ui::printable;

/// How long a node may take to end.
const ENDING: Duration = Duration::from_secs(30);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(100);
/// How long systemd may take to answer.
const SYSTEMD: Duration = Duration::from_secs(60);

/// Have systemd run this home's node from now on, for this user
///
/// Writes a user unit that runs this very program on this home, starts it, and starts it again when it fails. The unit takes the
/// home's settings and none of this command line's. Without systemd, or with --no-start, the unit is only written, and
/// what is to be typed is shown. After `loginctl enable-linger` it runs while nobody is logged in, too.
#[derive(Debug, Args)]
pub(crate) struct InstallArgs {
    /// Have the node follow the contract and keep mail for others
    #[arg(long = "follow-chain")]
    follows: bool,
    /// Name of the unit, without `.service`; another home needs another one
    #[arg(long, value_name = "NAME", default_value = "pcim-node", value_parser = unit_name)]
    unit: String,
    /// Write the unit, and start nothing
    #[arg(long)]
    no_start: bool,
    /// Replace the unit if it is there
    #[arg(long)]
    force: bool,
}

/// Show whether this home's node runs, where it is reached, and what it keeps
#[derive(Debug, Args)]
pub(crate) struct NodeStatusArgs {}

/// Have this home's node end
///
/// One that systemd runs ends too, and stays so until `systemctl --user start`, or the next start of the system.
#[derive(Debug, Args)]
pub(crate) struct StopArgs {}

/// Show the last messages of this home's node
///
/// The node keeps them in the home, 2 MiB at most, whether it runs now or not: its starts and ends, warnings, what it follows, and why it
/// ended.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// How many lines
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    lines: usize,
}

/// Has the messages of this process kept in the home.
pub(super) fn keep_log(home: &Path) -> anyhow::Result<()> {
    let path = Home::log_path_in(home);
    log::keep(&path).with_context(|| path.display().to_string())
}

/// The directory of this home, which another process may have open.
fn home(context: &Context) -> anyhow::Result<PathBuf> {
    let dir = context.home_dir()?;
    match dir.join("config.toml").is_file() {
        true => Ok(dir),
        false => Err(Error::from(home::Error::NotAHome { dir }).into()),
    }
}

impl InstallArgs {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if !cfg!(target_os = "linux") {
            let text = "systemd is Linux's: have this system's own means run `pcim node`";
            return Err(Usage(text.to_owned()).into());
        }
        let dir = home(context)?;
        let dir = fs::canonicalize(&dir).with_context(|| dir.display().to_string())?;
        let program = std::env::current_exe().context("this program has no name")?;
        let folder = units()?;
        let path = folder.join(format!("{}.service", self.unit));
        let text = unit(&program, &dir, self.follows)?;
        let is_same = fs::read(&path).is_ok_and(|found| found == text.as_bytes());
        if path.exists() && !self.force && !is_same {
            return Err(Error::FileExists { path }.into());
        }
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        pcim_core::private::replace(&path, text.as_bytes())
            .with_context(|| path.display().to_string())?;
        let started = match self.no_start {
            true => Err("not asked for (--no-start)".to_owned()),
            false => self.start().await,
        };
        let start = format!(
            "systemctl --user daemon-reload && systemctl --user enable --now {}",
            self.unit
        );
        let mut text = format!("unit         {}\n", path.display());
        match &started {
            Ok(()) => {
                text.push_str("runs         now, and whenever you log in (pcim node status)\n")
            }
            Err(why) => {
                let why = printable(why);
                text.push_str(&format!("not started  {why}\nto start it  {start}\n"));
            }
        }
        text.push_str("at any time  loginctl enable-linger\n");
        let value = json!({
            "unit": path.display().to_string(),
            "started": started.is_ok(),
            "why_not": started.err(),
            "start": start,
        });
        context.ui.result(&value, &text)
    }

    /// Has systemd read the unit and start it, now and at each login; the reason if it does not.
    async fn start(&self) -> Result<(), String> {
        for args in [&["daemon-reload"][..], &["enable", "--now", &self.unit]] {
            let mut systemctl = Command::new("systemctl");
            systemctl.arg("--user").args(args).stdin(Stdio::null());
            let run = tokio::time::timeout(SYSTEMD, systemctl.kill_on_drop(true).output());
            let output = match run.await {
                Ok(output) => output.map_err(|error| format!("systemctl: {error}"))?,
                Err(_) => return Err(format!("systemctl: no answer within {SYSTEMD:?}")),
            };
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.lines().next().unwrap_or("it failed");
                return Err(format!("systemctl: {said}"));
            }
        }
        Ok(())
    }
}

/// The unit's text.
fn unit(program: &Path, home: &Path, follows: bool) -> anyhow::Result<String> {
    let (program, home) = (quoted(program)?, quoted(home)?);
    let follow = if follows { " --follow-chain" } else { "" };
    Ok(format!(
        "[Unit]
Description=PCIM node
StartLimitIntervalSec=0

[Service]
ExecStart={program} --home {home} node{follow}
Restart=on-failure
RestartSec=10
UMask=0077
NoNewPrivileges=yes
LimitCORE=0

[Install]
WantedBy=default.target
"
    ))
}

/// A path as one word of `ExecStart=` (systemd.service, "Command lines").
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().filter(|it| !it.chars().any(char::is_control));
    let text = text.ok_or_else(|| {
        let shown = printable(&path.to_string_lossy());
        Usage(format!("{shown}: a unit cannot name such a path"))
    })?;
    let mut word = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => word.extend(['\\', c]),
            // Specifiers and variables.
            '%' | '$' => word.extend([c, c]),
            c => word.push(c),
        }
    }
    word.push('"');
    Ok(word)
}

fn unit_name(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match (1..=64).contains(&name.len()) && name.chars().all(plain) && !name.starts_with('-') {
        true => Ok(name.to_owned()),
        false => Err("a unit's name has letters, digits, `-` and `_`".to_owned()),
    }
}

/// The folder of the user's units.
fn units() -> anyhow::Result<PathBuf> {
    let set = |name| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let config =
        config.ok_or_else(|| Usage("neither XDG_CONFIG_HOME nor HOME is set".to_owned()))?;
    Ok(config.join("systemd/user"))
}

impl NodeStatusArgs {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let socket = Home::socket_path_in(&home(context)?);
        let node = Node::beside(&socket, &[], DEFAULT_CHUNK).await;
        let Some(node) = node.map_err(Error::from)? else {
            return context
                .ui
                .result(&json!({ "running": false }), "running      no");
        };
        let addresses = node.addresses().await.map_err(Error::from)?;
        let stat = node.stat().await.map_err(Error::from)?;
        let peers = node.peers().await;
        let mut text = format!(
            "running      yes\npeers        {peers}\nkeeps        {} blocks, {} MiB\n",
            stat.blocks,
            stat.bytes >> 20
        );
        for address in &addresses {
            text.push_str(&format!("serving      {address}\n"));
        }
        let value = json!({
            "running": true,
            "peers": peers,
            "blocks": stat.blocks,
            "bytes": stat.bytes,
            "addresses": addresses,
        });
        context.ui.result(&value, &text)
    }
}

impl StopArgs {
    pub(super) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let socket = Home::socket_path_in(&home(context)?);
        let stopped = Node::stop_beside(&socket).await.map_err(Error::from)?;
        let gone = async {
            while socket.exists() {
                tokio::time::sleep(LOOK).await;
            }
        };
        if stopped && tokio::time::timeout(ENDING, gone).await.is_err() {
            anyhow::bail!("the node was asked to end, and has not within {ENDING:?}");
        }
        let text = match stopped {
            true => "stopped",
            false => "no node of this home runs",
        };
        context.ui.result(&json!({ "stopped": stopped }), text)
    }
}

impl LogsArgs {
    pub(super) fn run(&self, context: &Context) -> anyhow::Result<()> {
        let path = Home::log_path_in(&home(context)?);
        let lines = log::last(&path, self.lines).with_context(|| path.display().to_string())?;
        let text = match lines.is_empty() {
            true => "no node of this home has run yet".to_owned(),
            false => lines.join("\n"),
        };
        context.ui.result(&lines, &text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_unit_runs_this_program_on_this_home() {
        let home = Path::new("/srv/a \"b\"/50%/$HOME\\x");
        let text = unit(Path::new("/usr/bin/pcim"), home, true).unwrap();
        let start =
            r#"ExecStart="/usr/bin/pcim" --home "/srv/a \"b\"/50%%/$$HOME\\x" node --follow-chain"#;
        assert!(text.lines().any(|line| line == start), "{text}");
        let text = unit(Path::new("/usr/bin/pcim"), Path::new("/h"), false).unwrap();
        assert!(text.contains(" node\n"), "{text}");
        let hostile = Path::new("/a\nExecStart=/bin/false");
        assert!(unit(hostile, Path::new("/h"), false).is_err());
        for name in ["", "-x", "a/b", "a.service", "x y"] {
            assert!(unit_name(name).is_err(), "{name}");
        }
    }
}
