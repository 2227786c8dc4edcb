//! From the command line and the environment to an open home.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use pcim_client::home::Home;
use pcim_client::papers::card::{Card, MAX_CARD_BYTES};
use pcim_client::{Actor, Limits, Overrides, Session};
use pcim_core::{Address, Passphrase};
pub(crate) use pcim_terminal::interrupted;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::failure::Usage;
use crate::global::Global;
use crate::parse;
use crate::ui::Ui;

/// Names the actor's home.
const HOME_VARIABLE: &str = "PCIM_HOME";
/// Names a file that holds the passphrase.
const PASSPHRASE_VARIABLE: &str = "PCIM_PASSPHRASE_FILE";
/// Most bytes of a small file named on the command line.
const MAX_SMALL_FILE: u64 = 1024 * 1024;
/// Most bytes of a passphrase.
const MAX_PASSPHRASE: u64 = 4096;

/// What every command is given.
pub(crate) struct Context {
    pub(crate) ui: Ui,
    global: Global,
}

impl Context {
    pub(crate) fn new(global: Global, ui: Ui) -> Self {
        Self { ui, global }
    }

    pub(crate) fn global(&self) -> &Global {
        &self.global
    }

    /// The actor's home: `--home`, `$PCIM_HOME` or `~/.pcim`.
    pub(crate) fn home_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.global.home {
            return Ok(dir.clone());
        }
        if let Some(dir) = std::env::var_os(HOME_VARIABLE) {
            return Ok(dir.into());
        }
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
        let home = home.ok_or_else(|| Usage("no home directory: give --home DIR".to_owned()))?;
        Ok(home.join(".pcim"))
    }

    /// Opens the home with its keys locked: enough to read the chain.
    pub(crate) fn reader(&self) -> anyhow::Result<Session> {
        let home = Home::open(&self.home_dir()?)?;
        let client = Session::open(home)?.with_overrides(self.overrides()?);
        Ok(client.with_limits(self.limits()))
    }

    /// Opens the home and unlocks its keys.
    pub(crate) async fn client(&self) -> anyhow::Result<Actor> {
        self.client_with(Overrides::default()).await
    }

    /// Opens the home and unlocks its keys; the passphrase is to lock others with.
    pub(crate) async fn client_and_passphrase(&self) -> anyhow::Result<(Actor, Passphrase)> {
        let home = Home::open(&self.home_dir()?)?;
        let passphrase = self.passphrase("Passphrase: ")?;
        let client = Actor::open(home, passphrase.clone()).await?;
        Ok((client.with_limits(self.limits()), passphrase))
    }

    /// Opens the home and unlocks its keys, with a setting of the command's own.
    pub(crate) async fn client_with(&self, own: Overrides) -> anyhow::Result<Actor> {
        let home = Home::open(&self.home_dir()?)?;
        let overrides = Overrides {
            chunk_bytes: own.chunk_bytes,
            ..self.overrides()?
        };
        let passphrase = self.passphrase("Passphrase: ")?;
        let client = Actor::open(home, passphrase).await?;
        Ok(client
            .with_overrides(overrides)
            .with_limits(self.limits())
            .with_progress(self.ui.progress()))
    }

    /// How long is waited for others.
    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(seconds) = self.global.wait {
            limits.fetch = Duration::from_secs(seconds.into());
        }
        limits
    }

    /// What the command line says of the network.
    pub(crate) fn overrides(&self) -> anyhow::Result<Overrides> {
        let network = match &self.global.network {
            Some(name) => Some(pcim_deploy::networks::by_name(name).ok_or_else(|| {
                Usage(format!(
                    "unknown network `{name}`: wanted devnet, arbitrum-sepolia or arbitrum-one"
                ))
            })?),
            None => None,
        };
        let (contract, recorded_chain) = match self.global.contract.as_deref() {
            None => (None, None),
            Some(text) if text.starts_with("0x") => {
                (Some(parse::address(text).map_err(Usage)?), None)
            }
            Some(path) => {
                let json = read_small(Path::new(path))?;
                let record: pcim_deploy::deploy::Record =
                    serde_json::from_slice(&json).map_err(|error| {
                        Usage(format!("{path}: not the record of a deployment: {error}"))
                    })?;
                (Some(record.contract), Some(record.chain_id))
            }
        };
        let chain_id = self
            .global
            .chain_id
            .or(recorded_chain)
            .or(network.as_ref().map(|network| network.chain_id));
        let rpc_url = self
            .global
            .rpc_url
            .clone()
            .or(network.map(|network| network.rpc_url));
        Ok(Overrides {
            rpc_url,
            chain_id,
            contract,
            chunk_bytes: None,
            ipfs_api: self.global.ipfs_api.clone(),
        })
    }

    /// The passphrase: from the file that the environment names, or from the terminal.
    pub(crate) fn passphrase(&self, prompt: &str) -> anyhow::Result<Passphrase> {
        if let Some(passphrase) = passphrase_file()? {
            return Ok(passphrase);
        }
        let secret = self.ui.ask_secret(prompt)?.ok_or_else(no_passphrase)?;
        Ok(Passphrase::new(secret.to_string()))
    }

    /// A new passphrase; typed twice on a terminal.
    pub(crate) fn new_passphrase(&self) -> anyhow::Result<Passphrase> {
        if let Some(passphrase) = passphrase_file()? {
            return Ok(passphrase);
        }
        let ask = |prompt| self.ui.ask_secret(prompt)?.ok_or_else(no_passphrase);
        let first = ask("New passphrase: ")?;
        if first.is_empty() {
            return Err(Usage("the passphrase is empty".to_owned()).into());
        }
        if *first != *ask("The same again: ")? {
            return Err(Usage("the two passphrases differ".to_owned()).into());
        }
        Ok(Passphrase::new(first.to_string()))
    }
}

fn no_passphrase() -> anyhow::Error {
    Usage(format!(
        "no terminal to ask for the passphrase: set {PASSPHRASE_VARIABLE}"
    ))
    .into()
}

/// The first line of the passphrase file, if one is named.
fn passphrase_file() -> anyhow::Result<Option<Passphrase>> {
    let Some(path) = std::env::var_os(PASSPHRASE_VARIABLE) else {
        return Ok(None);
    };
    let path = PathBuf::from(path);
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(&path)
        .and_then(|file| file.take(MAX_PASSPHRASE).read_to_string(&mut text))
        .with_context(|| format!("{PASSPHRASE_VARIABLE}: {}", path.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        let text = format!("{PASSPHRASE_VARIABLE}: {} is empty", path.display());
        return Err(Usage(text).into());
    }
    Ok(Some(Passphrase::new(line.to_owned())))
}

/// Reads a file of at most 1 MiB.
pub(crate) fn read_small(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_SMALL_FILE + 1).read_to_end(&mut content))
        .with_context(|| path.display().to_string())?;
    if content.len() as u64 > MAX_SMALL_FILE {
        let text = format!("larger than {MAX_SMALL_FILE} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text))
            .with_context(|| path.display().to_string());
    }
    Ok(content)
}

/// Reads and verifies a contact card.
pub(crate) fn read_card(path: &Path) -> anyhow::Result<Card> {
    let mut content = read_small(path)?;
    content.truncate(MAX_CARD_BYTES + 1);
    Card::read(&content).with_context(|| path.display().to_string())
}

/// An actor by address or by contact card.
pub(crate) fn actor(text: &str) -> anyhow::Result<Address> {
    if text.starts_with("0x") {
        return Ok(parse::address(text).map_err(Usage)?);
    }
    Ok(read_card(Path::new(text))?.address)
}

/// A request of the user or the system that the program end, for work that is not to be cut in the middle.
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Listens from now on: an interrupt no longer ends the program by itself.
    pub(crate) fn listen() -> Self {
        let (tell, told) = watch::channel(false);
        tokio::spawn(async move {
            interrupted().await;
            let _ = tell.send(true);
        });
        Self(told)
    }

    /// Whether it was asked.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is asked.
    pub(crate) async fn asked(&mut self) {
        if self.0.wait_for(|asked| *asked).await.is_err() {
            // Nobody listens for signals any more, and nobody asked.
            std::future::pending::<()>().await;
        }
    }
}
