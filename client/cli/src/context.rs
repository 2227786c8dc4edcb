//! From the command line and the environment to an open home.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use pcim_client::home::{Home, Keys};
use pcim_client::papers::card::Card;
use pcim_client::{Actor, Limits, Overrides, Session};
use pcim_core::private::mode_open_to_others;
use pcim_core::{Address, Passphrase};
use pcim_deploy::networks::Network;
pub(crate) use pcim_terminal::interrupted;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::agent;
use crate::failure::Usage;
use crate::global::Global;
use crate::input::read_at_most;
pub(crate) use crate::input::{home_dir, read_card_file, read_small};
use crate::ui::Ui;
use crate::{names, written};

/// Names a file that holds the passphrase.
const PASSPHRASE_VARIABLE: &str = "PCIM_PASSPHRASE_FILE";
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
        home_dir(self.global.home.as_deref())
    }

    /// Opens the home with its keys locked: enough to read the chain.
    pub(crate) fn reader(&self) -> anyhow::Result<Session> {
        let home = Home::open(&self.home_dir()?)?;
        let overrides = self.overrides_in(&home)?;
        let client = Session::open(home)?.with_overrides(overrides);
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
        // The keys that it holds are about to be others.
        agent::forget(&home).await;
        let overrides = self.overrides_in(&home)?;
        let client = Actor::open(home, passphrase.clone()).await?;
        let client = client.with_overrides(overrides);
        Ok((client.with_limits(self.limits()), passphrase))
    }

    /// Opens the home and unlocks its keys, with a setting of the command's own.
    pub(crate) async fn client_with(&self, own: Overrides) -> anyhow::Result<Actor> {
        let home = Home::open(&self.home_dir()?)?;
        let overrides = Overrides {
            chunk_bytes: own.chunk_bytes,
            ..self.overrides_in(&home)?
        };
        let (home, keys) = self.unlock(home).await?;
        let client = Session::open(home)?.with_keys(keys);
        Ok(client
            .with_overrides(overrides)
            .with_limits(self.limits())
            .with_progress(self.ui.progress()))
    }

    /// The keys of an open home: its agent's, or those that the passphrase unlocks.
    pub(crate) async fn unlock(&self, home: Home) -> anyhow::Result<(Home, Keys)> {
        match agent::keys(&home).await {
            Some(keys) => Ok((home, keys)),
            None => self.unlock_by_passphrase(home).await,
        }
    }

    /// Unlocks an open home's keys, whatever an agent holds.
    pub(crate) async fn unlock_by_passphrase(&self, home: Home) -> anyhow::Result<(Home, Keys)> {
        let passphrase = self.passphrase("Passphrase: ")?;
        let unlocked = tokio::task::spawn_blocking(move || {
            let keys = home.unlock(&passphrase);
            (home, keys)
        });
        let (home, keys) = unlocked.await?;
        Ok((home, keys?))
    }

    /// Says whether the command line says how long to wait for others.
    pub(crate) fn waits_as_said(&self) -> bool {
        self.global.wait.is_some()
    }

    /// How long is waited for others.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        if let Some(seconds) = self.global.wait {
            limits.fetch = Duration::from_secs(seconds.into());
        }
        limits
    }

    /// What the command line says of the network; a name may be that of a network that the home knows.
    pub(crate) fn overrides_in(&self, home: &Home) -> anyhow::Result<Overrides> {
        let known = match &self.global.network {
            Some(name) => home.network(name)?.map(|file| file.name),
            None => None,
        };
        match known {
            Some(name) => Ok(Overrides {
                network: Some(name),
                ..self.overrides_on(None)?
            }),
            None => self.overrides(),
        }
    }

    /// What the command line says of the network, where no home is asked.
    pub(crate) fn overrides(&self) -> anyhow::Result<Overrides> {
        let named = self.global.network.as_ref().map(|name| {
            pcim_deploy::networks::by_name(name).ok_or_else(|| {
                Usage(format!(
                    "unknown network `{name}`: neither one that this home has joined (`pcim network list`), nor devnet, \
                     arbitrum-sepolia or arbitrum-one"
                ))
            })
        });
        self.overrides_on(named.transpose()?)
    }

    fn overrides_on(&self, network: Option<Network>) -> anyhow::Result<Overrides> {
        let (contract, recorded_chain) = match self.global.contract.as_deref() {
            None => (None, None),
            Some(text) if text.starts_with("0x") => {
                (Some(written::address(text).map_err(Usage)?), None)
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
            network: None,
            rpc_url,
            chain_id,
            contract,
            chunk_bytes: None,
            ipfs_api: self.global.ipfs_api.clone(),
            insecure_rpc: self.global.insecure_rpc,
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

    /// A new passphrase, from a file or typed twice on a terminal; one that is guessed soon only if it `may_be_weak`.
    /// `known` are words that stand beside it in the home.
    pub(crate) fn new_passphrase(
        &self,
        file: Option<&Path>,
        known: &[&str],
        may_be_weak: bool,
    ) -> anyhow::Result<Passphrase> {
        let passphrase = match file {
            Some(path) => read_passphrase(path)?,
            None => self.type_new_passphrase()?,
        };
        if !may_be_weak {
            refuse_weak(&passphrase, known)?;
        }
        if passphrase.normalized().is_some() {
            self.ui.note(
                "note: the passphrase is stored in its compatibility form (Unicode NFKC), as Ethereum wallets do; it opens as \
                 you type it here and there. Programs that know no such form, GnuPG among them, take only that form",
            );
        }
        Ok(passphrase)
    }

    fn type_new_passphrase(&self) -> anyhow::Result<Passphrase> {
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

/// The passphrase file that the environment names.
pub(crate) fn passphrase_path() -> Option<PathBuf> {
    std::env::var_os(PASSPHRASE_VARIABLE).map(PathBuf::from)
}

/// The passphrase in the file that the environment names, if it names one.
fn passphrase_file() -> anyhow::Result<Option<Passphrase>> {
    let path = passphrase_path();
    let read = |path: &PathBuf| read_passphrase(path).context(PASSPHRASE_VARIABLE);
    path.as_ref().map(read).transpose()
}

/// The one line of a file that only its owner may read.
fn read_passphrase(path: &Path) -> anyhow::Result<Passphrase> {
    let mut text = Zeroizing::new(String::new());
    let read = open_secret(path)?
        .take(MAX_PASSPHRASE)
        .read_to_string(&mut text);
    read.with_context(|| path.display().to_string())?;
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default();
    if line.is_empty() {
        return Err(Usage(format!("{} is empty", path.display())).into());
    }
    if lines.next().is_some() {
        let path = path.display();
        return Err(Usage(format!(
            "{path} has more than one line; a passphrase is one"
        ))
        .into());
    }
    Ok(Passphrase::new(line.to_owned()))
}

/// Guesses that a passphrase should withstand, as a power of ten.
pub(crate) const WANTED_GUESSES: f64 = 8.0;

/// Estimates how many guesses find a passphrase, as a power of ten. `known` are words that stand beside it in the home.
pub(crate) fn guesses(passphrase: &Passphrase, known: &[&str]) -> f64 {
    zxcvbn::zxcvbn(passphrase.expose(), known).guesses_log10()
}

/// Refuses a passphrase that is guessed soon. The error does not say what it was.
fn refuse_weak(passphrase: &Passphrase, known: &[&str]) -> anyhow::Result<()> {
    let guesses = guesses(passphrase, known);
    if guesses >= WANTED_GUESSES {
        return Ok(());
    }
    let text = format!(
        "the passphrase is weak: about 10^{guesses:.0} guesses find it, 10^8 are wanted; take four or more random words, or \
         give --weak"
    );
    Err(Usage(text).into())
}

/// Opens a file with a secret, which others than its owner may not be able to read.
pub(crate) fn open_secret(path: &Path) -> anyhow::Result<File> {
    let at = || path.display().to_string();
    let file = File::open(path).with_context(at)?;
    match mode_open_to_others(&file).with_context(at)? {
        Some(mode) => {
            let path = path.display();
            let text = format!(
                "{path} has mode {mode:04o}: others can read the secret in it; close it with `chmod 600 {path}`"
            );
            Err(Usage(text).into())
        }
        None => Ok(file),
    }
}

/// Reads a file with a secret, of at most 1 MiB.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(read_at_most(open_secret(path)?, path)?))
}

/// Reads and verifies a contact card: a file, or that of a contact by its name.
pub(crate) fn read_card(path: &Path) -> anyhow::Result<Card> {
    match path.to_str() {
        Some(name) if !path.exists() && !name.contains(['/', '\\']) => {
            Ok(names::card(name).map_err(Usage)?)
        }
        _ => read_card_file(path),
    }
}

/// An actor by address, by contact card or by the name of a contact.
pub(crate) fn actor(text: &str) -> anyhow::Result<Address> {
    if Path::new(text).exists() {
        return Ok(read_card_file(Path::new(text))?.address);
    }
    Ok(names::person(text).map_err(Usage)?)
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

    /// Tells others when it is asked.
    pub(crate) fn receiver(self) -> watch::Receiver<bool> {
        self.0
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
