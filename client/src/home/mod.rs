//! An actor's home: one directory (0700) with everything that is the actor's own.
//!
//! | file | holds |
//! |---|---|
//! | `config.toml` | name, network, contract, the node's addresses: [`Config`] |
//! | `ethereum.json` | the Ethereum key, Web3 v3 keystore (0600) |
//! | `openpgp.asc` | the OpenPGP key, its secrets locked (0600) |
//! | `deid.key` | 32 random bytes that key the pseudonyms and date shifts of de-identification, encrypted to the home's own OpenPGP key and signed by it (0600) |
//! | `ipfs/` | the node's repository |
//! | `node.sock` | there while `pcim node` runs: the node, for the home's other commands (0600) |
//! | `node.log` | the messages of `pcim node`, the earlier ones in `node.log.1` (0600); may be deleted |
//! | `agent.sock` | there while `pcim unlock` has an agent hold the keys, for the home's other commands (0600) |
//! | `follow-*.sqlite` | what a node that follows a contract has read and pinned; may be deleted, and is read again then |
//! | `relay-*.sqlite` | what `pcim relay serve` paid for whom, by days (0600) |
//! | `watch-*.sqlite` | what `pcim watch` has done about which events |
//! | `contacts/` | contact cards, each named as the owner calls its holder; may be missing |
//! | `networks/` | the files of the networks that the home knows; may be missing |
//! | `audit-*.sqlite` | the logs of a contract, for questions; may be deleted, and is read again then (0600) |
//! | `notes-*.pgp` | notes about the home's own images, encrypted to its own key (0600) |
//! | `inbox/` | letters that were fetched from followers, encrypted to the home's own key (0600); may be missing |
//! | `invitations.pgp` | the codes of invitations that are open, encrypted to the home's own key (0600); may be missing |
//! | `guests.sqlite` | the host's part of the links that were given to guests (0600) |
//! | `mailbox.token` | what mail for this home comes with, as its cards say (0600); drawn again if it is missing |
//! | `mailbox.sqlite` | what a node that keeps mail for others keeps (0600) |
//! | `gateway/` | the gateway's spool and handovers; may be missing |
//! | `held/` | letters with shares and keys of others' backups, and the keys by which the home is a guardian, encrypted to its own key; may be missing |
//! | `custodians.json` | the custodians of the home's images; may be missing |
//! | `rotation.pgp` | the Ethereum key that is to act next, encrypted to the home's own key (0600); there while the account is handed to it |
//! | `former/` | the Ethereum keys that acted before, each a keystore named by its address (0600); may be missing |
//! | `backup.pgp` | the keys of the home's own backups, encrypted to its own key (0600) |
//! | `swarm.key` | the key of a private swarm, if there is one (0600) |
//! | `journal.sqlite` | operations in flight, images |
//! | `.renewed/` | there for the instant in which keys are locked again: the new files, complete |
//! | `lock` | held while a command has the home open; names that process |

pub(crate) mod config;
mod contacts;
mod deid;
mod inbox;
mod kept;
mod locks;
mod networks;
mod next;
mod renewal;
mod room;
mod settings;

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rand::RngCore;
use zeroize::Zeroizing;

use crate::papers::{card, network};
use pcim_core::private;
use pcim_core::{Address, LockCost, Passphrase};
use pcim_ledger::Account;
use pcim_seal::{KeyKind, UnlockedKey};

pub use crate::home::config::{Config, FollowSettings};
pub use crate::home::inbox::MAX_INBOX;
pub use crate::home::settings::{SETTINGS, Setting, SettingError};

const CONFIG: &str = "config.toml";
const ETHEREUM: &str = "ethereum.json";
const OPENPGP: &str = "openpgp.asc";
const DEID: &str = "deid.key";
/// The files that are replaced together.
const KEYS: [&str; 4] = [ETHEREUM, OPENPGP, DEID, CONFIG];
const REPO: &str = "ipfs";
const JOURNAL: &str = "journal.sqlite";
const LOCK: &str = "lock";
const SOCKET: &str = "node.sock";
const AGENT: &str = "agent.sock";
const LOG: &str = "node.log";

/// Most bytes of a file of the home that is read whole; the OpenPGP key is the largest.
const MAX_FILE: usize = pcim_seal::KEY_MAX;

/// An open home; while it lives, or until [`Home::let_others_in`], no other process can open it.
pub struct Home {
    dir: PathBuf,
    config: RwLock<Arc<Config>>,
    lock: Option<File>,
}

/// The parts of a new home.
pub struct NewHome<'a> {
    /// Network and addresses; its `address` is set from the key.
    pub config: Config,
    /// Locks both keys, in its compatibility form (Unicode NFKC), so that other wallets open them too.
    pub passphrase: &'a Passphrase,
    /// The work that a guess at the passphrase costs.
    pub cost: LockCost,
    /// Which OpenPGP the key is of.
    pub openpgp: KeyKind,
    /// A User ID for the OpenPGP certificate. It is never published.
    pub user_id: Option<&'a str>,
    /// The Ethereum account; a new one if none is given.
    pub account: Option<Account>,
}

/// The usable keys of a home.
pub struct Keys {
    /// Signs transactions, attestations and cards.
    pub account: Account,
    /// Signs and opens images and documents.
    pub openpgp: Arc<UnlockedKey>,
}

impl Keys {
    /// Writes the keys with their secrets as they are, for memory that is locked and wiped, or for what is encrypted at once.
    ///
    /// # Errors
    /// [`Error::OpenPgp`]
    pub fn expose(&self) -> Result<Zeroizing<Vec<u8>>> {
        let openpgp = self.openpgp.expose().map_err(Error::OpenPgp)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(32 + openpgp.len()));
        bytes.extend_from_slice(self.account.expose_key().as_ref());
        bytes.extend_from_slice(&openpgp);
        Ok(bytes)
    }

    /// Reads what [`Keys::expose`] wrote; `None` if it is something else.
    pub fn from_exposed(bytes: &[u8]) -> Option<Self> {
        let (ethereum, openpgp) = bytes.split_first_chunk::<32>()?;
        Some(Self {
            account: Account::from_private_key(ethereum).ok()?,
            openpgp: UnlockedKey::from_exposed(openpgp).ok()?.into(),
        })
    }
}

/// Why a home could not be made or opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is something already; it is never overwritten.
    #[error("{} exists already and is not empty", dir.display())]
    Exists {
        /// The directory.
        dir: PathBuf,
    },
    /// No `config.toml`.
    #[error("{} is not a pcim home", dir.display())]
    NotAHome {
        /// The directory.
        dir: PathBuf,
    },
    /// Another process has it open.
    #[error("{} is open in another process{}", dir.display(), pid.map_or(String::new(), |pid| format!(" (pid {pid})")))]
    Busy {
        /// The directory.
        dir: PathBuf,
        /// The process, if it said so.
        pid: Option<u32>,
    },
    /// `config.toml` does not read.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The fault, and its place.
        reason: String,
    },
    /// `deid.key` does not hold a key of this home's.
    #[error("{}: {reason}", path.display())]
    DeidKey {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Others than its owner can read a file of keys.
    #[error("{} has mode {mode:04o}: others can read the keys in it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// No contact can have that name.
    #[error(
        "a contact's name has 1 to 100 characters, without control characters, `/` or `\\`, and does not begin with a point"
    )]
    ContactName,
    /// A card that does not verify.
    #[error(transparent)]
    Contact(Box<card::Error>),
    /// The file of a network that the home knows does not read.
    #[error("{}: {source}", path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<network::Error>,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The OpenPGP key.
    #[error("OpenPGP key: {0}")]
    OpenPgp(#[source] pcim_seal::Error),
    /// The Ethereum key.
    #[error("Ethereum key: {0}")]
    Ethereum(#[source] pcim_ledger::Error),
}

/// Draws a new key of de-identification.
#[must_use]
pub fn new_deid_key() -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    rand::rng().fill_bytes(key.as_mut());
    key
}

/// Result of this module's functions.
pub type Result<T> = std::result::Result<T, Error>;

impl Home {
    /// Makes a home in one step: either all of it stands afterwards, or nothing but the folders that lead to it.
    ///
    /// # Errors
    /// [`Error::Exists`] if `dir` is there and not empty.
    pub fn init(dir: &Path, new: NewHome<'_>) -> Result<Self> {
        let exists = || Error::Exists {
            dir: dir.to_owned(),
        };
        if std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(exists());
        }
        let account = new.account.unwrap_or_else(Account::generate);
        let stored = new.passphrase.normalized();
        let passphrase = stored.as_ref().unwrap_or(new.passphrase);
        let keystore = account
            .to_keystore(passphrase, new.cost)
            .map_err(Error::Ethereum)?;
        let openpgp = UnlockedKey::generate(new.openpgp, new.user_id).map_err(Error::OpenPgp)?;
        let deid = deid::seal(&new_deid_key(), &openpgp).map_err(Error::OpenPgp)?;
        let openpgp = openpgp.lock(passphrase, new.cost).map_err(Error::OpenPgp)?;
        let mut config = new.config;
        config.address = account.address();

        if let Some(parent) = dir.parent() {
            std::fs::create_dir_all(parent).map_err(io_at(parent))?;
        }
        let staging = private::temp_dir_beside(dir).map_err(io_at(dir))?;
        let put = |name: &str, content: &[u8]| {
            private::write_new(&staging.path().join(name), content).map_err(io_at(&dir.join(name)))
        };
        put(CONFIG, config.to_toml().as_bytes())?;
        put(ETHEREUM, &keystore)?;
        put(OPENPGP, &openpgp.to_armored())?;
        put(DEID, &deid)?;
        put(JOURNAL, b"")?;
        put(LOCK, b"")?;
        let repo = staging.path().join(REPO);
        std::fs::create_dir(&repo)
            .and_then(|()| private::sync_parent(&repo))
            .map_err(io_at(dir))?;
        // A rename onto a directory that is not empty fails; onto an empty one it replaces it.
        std::fs::rename(staging.path(), dir).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => exists(),
            _ => io_at(dir)(error),
        })?;
        drop(staging);
        private::sync_parent(dir).map_err(io_at(dir))?;
        Self::open(dir)
    }

    /// Opens a home and holds its lock.
    ///
    /// # Errors
    /// [`Error::NotAHome`], [`Error::Busy`], [`Error::Config`].
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(CONFIG);
        match path.metadata() {
            Ok(found) if found.is_file() => {}
            // Somebody else's home.
            Err(denied) if denied.kind() == io::ErrorKind::PermissionDenied => {
                return Err(io_at(&path)(denied));
            }
            _ => {
                return Err(Error::NotAHome {
                    dir: dir.to_owned(),
                });
            }
        }
        let lock = lock(dir)?;
        private::sweep(dir).map_err(io_at(dir))?;
        renewal::finish(dir, &KEYS).map_err(io_at(dir))?;
        let text = private::read_limited(&path, MAX_FILE).map_err(io_at(&path))?;
        let config = Config::from_toml(&text).map_err(|reason| Error::Config { path, reason })?;
        Ok(Self {
            dir: dir.to_owned(),
            config: RwLock::new(Arc::new(config)),
            lock: Some(lock),
        })
    }

    /// Names the home's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the configuration.
    pub fn config(&self) -> Arc<Config> {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&config)
    }

    /// Replaces the configuration, on disk too.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn set_config(&self, config: Config) -> Result<()> {
        let path = self.dir.join(CONFIG);
        let mut held = self.config.write().unwrap_or_else(PoisonError::into_inner);
        private::replace(&path, config.to_toml().as_bytes()).map_err(io_at(&path))?;
        *held = Arc::new(config);
        Ok(())
    }

    /// Returns the actor's Ethereum address.
    pub fn address(&self) -> Address {
        self.config().address
    }

    /// Names the directory of the node's repository.
    pub fn repo_dir(&self) -> PathBuf {
        self.dir.join(REPO)
    }

    /// Names the socket on which this home's node listens while it serves the home's other processes.
    pub fn socket_path(&self) -> PathBuf {
        Self::socket_path_in(&self.dir)
    }

    /// Names the socket of the node of the home in `dir`, which need not be open.
    pub fn socket_path_in(dir: &Path) -> PathBuf {
        dir.join(SOCKET)
    }

    /// Names the file of the messages of the node of the home in `dir`, which need not be open.
    pub fn log_path_in(dir: &Path) -> PathBuf {
        dir.join(LOG)
    }

    /// Names the socket on which this home's agent listens while it holds the unlocked keys.
    pub fn agent_path(&self) -> PathBuf {
        Self::agent_path_in(&self.dir)
    }

    /// Names the socket of the agent of the home in `dir`, which need not be open.
    pub fn agent_path_in(dir: &Path) -> PathBuf {
        dir.join(AGENT)
    }

    /// Lets other processes open the home. This one changes nothing in it any more but the node's repository, whose own
    /// lock it holds, what a node that follows keeps beside it, and the journal and the index, which take several writers.
    pub fn let_others_in(&mut self) {
        self.lock = None;
    }

    /// Names the file in which a node that follows the contract of this name keeps its reading and its pins.
    pub fn follow_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("follow-{name}.sqlite"))
    }

    /// Names the file of what a relay paid for calls of the contract of this name.
    pub fn relay_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("relay-{name}.sqlite"))
    }

    /// Names the file in which a watcher of the contract of this name keeps its finished events.
    pub fn watch_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("watch-{name}.sqlite"))
    }

    /// Names the folder of the contact cards whose holders the owner calls by name; it may be missing.
    pub fn contacts_dir(&self) -> PathBuf {
        Self::contacts_in(&self.dir)
    }

    /// Names the file of the index of the contract of this name.
    pub fn audit_path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("audit-{name}.sqlite"))
    }

    /// Names the file of the notes about images whose digest begins with this hexadecimal digit.
    pub fn notes_path(&self, digit: u8) -> PathBuf {
        self.dir.join(format!("notes-{digit:x}.pgp"))
    }

    /// Names the file of a private swarm's key; it may be missing.
    pub fn swarm_key_path(&self) -> PathBuf {
        self.dir.join("swarm.key")
    }

    /// Names the journal's file.
    pub fn journal_path(&self) -> PathBuf {
        Self::journal_path_in(&self.dir)
    }

    /// Names the journal's file of the home in `dir`, which need not be open.
    pub fn journal_path_in(dir: &Path) -> PathBuf {
        dir.join(JOURNAL)
    }

    /// Names the folder of contact cards of the home in `dir`, which need not be open.
    pub fn contacts_in(dir: &Path) -> PathBuf {
        dir.join("contacts")
    }
}

/// Takes the lock and writes who has it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(LOCK);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(io_at(&path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.take(20).read_to_string(&mut text);
            return Err(Error::Busy {
                dir: dir.to_owned(),
                pid: text.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(error)) => return Err(io_at(&path)(error)),
    }
    let pid = format!("{}\n", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(pid.as_bytes()))
        .map_err(io_at(&path))?;
    Ok(file)
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn new_home<'a>(passphrase: &'a Passphrase) -> NewHome<'a> {
        NewHome {
            config: Config {
                name: Some("Ada \"quoted\"".to_owned()),
                ..Config::default()
            },
            passphrase,
            cost: LockCost::LIGHT,
            openpgp: KeyKind::default(),
            user_id: None,
            account: None,
        }
    }

    #[test]
    fn a_home_is_private_whole_and_locked() {
        let above = tempfile::tempdir().unwrap();
        let parent = above.path().join("clinic");
        let dir = parent.join("ada");
        let passphrase = Passphrase::new("correct horse".to_owned());
        let home = Home::init(&dir, new_home(&passphrase)).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(&dir), 0o700);
            for name in [CONFIG, ETHEREUM, OPENPGP, DEID, JOURNAL] {
                assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
            }
        }
        assert_eq!(std::fs::read_dir(&parent).unwrap().count(), 1);

        let pid = std::process::id();
        assert!(
            matches!(Home::open(&dir), Err(Error::Busy { pid: Some(found), .. }) if found == pid)
        );
        let address = home.address();
        drop(home);

        let home = Home::open(&dir).unwrap();
        assert_eq!(home.config().name.as_deref(), Some("Ada \"quoted\""));
        let keys = home.unlock(&passphrase).unwrap();
        assert_eq!(keys.account.address(), address);
        assert_eq!(home.deid_key(&keys).unwrap().len(), 32);
        assert!(home.unlock(&Passphrase::new("wrong".to_owned())).is_err());
    }

    #[test]
    fn nothing_is_overwritten() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("taken");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("thesis.txt"), "mine").unwrap();
        let passphrase = Passphrase::new("x".to_owned());
        let result = Home::init(&dir, new_home(&passphrase));
        assert!(matches!(result, Err(Error::Exists { .. })));
        assert_eq!(std::fs::read(dir.join("thesis.txt")).unwrap(), b"mine");
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_directory_is_not_a_home() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(
            Home::open(dir.path()),
            Err(Error::NotAHome { .. })
        ));
    }
}
