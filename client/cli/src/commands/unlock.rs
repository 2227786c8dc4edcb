//! `pcim unlock`, `pcim lock`, and the agent that they start and end.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use pcim_client::home::Home;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::agent;
use crate::context::Context;
use crate::failure::Usage;
use crate::parse;

/// Longest time for which keys are held, in seconds.
const LONGEST: u32 = 24 * 3600;

/// Unlock the keys for a time, so that commands do not ask
///
/// An agent holds the keys in memory that is not swapped out. Any program that you run as the same user can have them from it.
/// It forgets them when the time is over, at `pcim lock`, and when the session ends in which it was started.
#[derive(Debug, Args)]
pub(crate) struct UnlockArgs {
    /// How long the keys are held: at most 24h
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = parse::seconds)]
    lasts: u32,
}

/// Have the agent forget the keys
#[derive(Debug, Args)]
pub(crate) struct LockArgs {}

/// Be the agent: the keys come from standard input
#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    /// For how many seconds
    #[arg(long = "for", value_name = "TIME", value_parser = parse::seconds)]
    lasts: u32,
}

impl UnlockArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if self.lasts == 0 || self.lasts > LONGEST {
            return Err(Usage("--for takes a time of at most 24h".to_owned()).into());
        }
        let dir = context.home_dir()?;
        let home = Home::open(&dir)?;
        let (home, keys) = context.unlock_by_passphrase(home).await?;
        agent::forget(&home).await;
        let lasts = format!("{}s", self.lasts);
        let mut agent = Command::new(std::env::current_exe().context("this program has no name")?)
            .arg("--home")
            .arg(home.dir())
            .args(["agent", "--for", &lasts])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // An interrupt that is meant for a later command does not reach it.
            .process_group(0)
            .spawn()
            .context("cannot start the agent")?;
        let mut stdin = agent.stdin.take().context("no way to the agent")?;
        let keys = keys.expose()?;
        let given = stdin.write_all(&keys).await;
        given.context("the agent took no keys")?;
        drop(stdin);
        let mut said = String::new();
        let stdout = agent.stdout.take().context("no way from the agent")?;
        BufReader::new(stdout).read_line(&mut said).await?;
        let said: Value = serde_json::from_str(&said).context("the agent did not start")?;
        let pinned = said["memory_locked"] == true;
        if !pinned {
            context.ui.note(
                "note: the memory of the keys may be swapped out: RLIMIT_MEMLOCK allows less than 128 KiB (`ulimit -l`, \
                 LimitMEMLOCK in a unit file)",
            );
        }
        let until = agent::end_of(Duration::from_secs(self.lasts.into()));
        let value = json!({
            "home": home.dir().display().to_string(),
            "until": until,
            "memory_locked": pinned,
            "pid": agent.id(),
        });
        let text = format!("unlocked for {} s; `pcim lock` ends it", self.lasts);
        context.ui.result(&value, &text)
    }
}

impl LockArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let held = agent::forget(&home).await;
        let value = json!({ "home": home.dir().display().to_string(), "was_unlocked": held });
        let text = match held {
            true => "locked: the agent has forgotten the keys",
            false => "no agent held the keys",
        };
        context.ui.result(&value, text)
    }
}

impl AgentArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let lasts = Duration::from_secs(self.lasts.min(LONGEST).into());
        let ready = |pinned| {
            let line = json!({ "memory_locked": pinned }).to_string();
            context.ui.stream(format!("{line}\n").as_bytes())
        };
        // Without a buffer, in which the keys would stay.
        let stdin = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        agent::run(&context.home_dir()?, lasts, stdin, ready).await
    }
}
