//! The Ethereum key that is to act next, and those that acted before.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::{CONFIG, Config, ETHEREUM, Home, MAX_FILE, Result, io_at, locks};
use pcim_core::{Address, LockCost, Passphrase, private};
use pcim_ledger::Account;

/// The key that is to act next.
const ROTATION: &str = "rotation.pgp";
/// The folder of the keys that acted before.
const FORMER: &str = "former";

impl Home {
    /// Names the file of the key that is to act next; it may be missing.
    pub(crate) fn next_key_path(&self) -> PathBuf {
        self.dir.join(ROTATION)
    }

    /// Names the keystore of a key that acted before.
    pub(crate) fn former_path(&self, address: Address) -> PathBuf {
        self.dir.join(FORMER).join(format!("{address:#x}.json"))
    }

    /// Reads the key that is to act next, sealed.
    pub(crate) fn next_key(&self) -> Result<Option<Vec<u8>>> {
        let path = self.next_key_path();
        match private::read_limited(&path, MAX_FILE) {
            Ok(sealed) => Ok(Some(sealed)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_at(&path)(error)),
        }
    }

    /// Keeps the key that is to act next, sealed.
    pub(crate) fn keep_next_key(&self, sealed: &[u8]) -> Result<()> {
        let path = self.next_key_path();
        private::replace(&path, sealed).map_err(io_at(&path))
    }

    /// Deletes the file of the key that is to act next.
    pub(crate) fn forget_next_key(&self) -> Result<()> {
        let path = self.next_key_path();
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_at(&path)(error)),
            _ => Ok(()),
        }
    }

    /// Makes another Ethereum key the home's, for the same patient: key and configuration, or neither if the process is killed. The
    /// key before is kept; tells where.
    pub(crate) fn change_account(
        &self,
        account: &Account,
        patient: Address,
        passphrase: &Passphrase,
        cost: LockCost,
    ) -> Result<PathBuf> {
        let folder = self.dir.join(FORMER);
        if !folder.exists() {
            private::create_dir(&folder).map_err(io_at(&folder))?;
        }
        let former = self.former_path(self.address());
        let before = self.read_secret(ETHEREUM)?;
        private::replace(&former, &before).map_err(io_at(&former))?;
        let stored = passphrase.normalized();
        let passphrase = stored.as_ref().unwrap_or(passphrase);
        let keystore = locks::keystore(account, passphrase, cost)?;
        let address = account.address();
        let mut held = self.config.write().unwrap_or_else(PoisonError::into_inner);
        let config = Config {
            address,
            patient: (patient != address).then_some(patient),
            ..Config::clone(&held)
        };
        self.renew(&[
            (ETHEREUM, keystore),
            (CONFIG, config.to_toml().into_bytes()),
        ])?;
        *held = Arc::new(config);
        Ok(former)
    }
}
