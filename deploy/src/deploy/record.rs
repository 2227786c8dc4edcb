//! The record of a deployment.

use std::io::Write;
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256};
use pcim_ledger::SignedCall;
use serde::{Deserialize, Serialize};

use super::Error;

/// The record in `deploy/deployments/<chain-id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// EIP-155 chain id
    pub chain_id: u64,
    /// the `Pcac` contract
    pub contract: Address,
    /// who accredits radiologists, as deployed
    pub consortium: Address,
    /// the contract that images are imported from, if there is one
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Address>,
    /// Keccak-256 of the account's code
    pub code_hash: B256,
    /// SHA-256 of the module, hex
    pub wasm_sha256: String,
    /// what compiled the module
    pub compiler: String,
    /// the block of the deployment
    pub block: u64,
    /// the transaction
    pub tx: B256,
    /// gas, the L1 part included
    pub gas_used: u64,
    /// wei paid for the activation; 0 if the same code was active already
    pub data_fee: String,
}

/// Names the file of a chain's record: `<dir>/<chain-id>.json`.
pub fn record_path(dir: &Path, chain_id: u64) -> PathBuf {
    dir.join(format!("{chain_id}.json"))
}

/// A deployment that was signed, recorded before it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    pub(super) payer: Address,
    pub(super) consortium: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) predecessor: Option<Address>,
    pub(super) code_hash: B256,
    pub(super) call: SignedCall,
}

/// The records of one chain's deployment: one before it is sent, one when it is done.
pub(super) struct Records<'a> {
    dir: &'a Path,
    chain_id: u64,
}

impl<'a> Records<'a> {
    /// Looks at a folder; an error if a contract is on record there already.
    pub(super) fn of(dir: &'a Path, chain_id: u64) -> Result<Self, Error> {
        let path = record_path(dir, chain_id);
        match path.try_exists() {
            Ok(false) => Ok(Self { dir, chain_id }),
            Ok(true) => Err(Error::Recorded { path }),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    fn pending_path(&self) -> PathBuf {
        self.dir.join(format!("{}.pending.json", self.chain_id))
    }

    /// Reads the deployment that was begun, if one was; an error if it is not the one that `is_wanted`.
    pub(super) fn pending(
        &self,
        is_wanted: impl Fn(&Pending) -> bool,
    ) -> Result<Option<SignedCall>, Error> {
        let path = self.pending_path();
        let read = |source| Error::Read {
            path: path.clone(),
            source,
        };
        let json = match std::fs::read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read(error)),
        };
        let pending: Pending = serde_json::from_slice(&json).map_err(|error| read(error.into()))?;
        let tx = pending.call.tx;
        match is_wanted(&pending) {
            true => Ok(Some(pending.call)),
            false => Err(Error::Unfinished { path, tx }),
        }
    }

    /// Records a deployment before it is sent.
    pub(super) fn begin(&self, pending: &Pending) -> Result<(), Error> {
        self.write(&self.pending_path(), pending)
    }

    /// Records a deployment that is done.
    pub(super) fn finish(&self, record: &Record) -> Result<(), Error> {
        self.write(&record_path(self.dir, self.chain_id), record)?;
        self.forget()
    }

    /// Removes the record of a deployment that can never be mined, or is done.
    pub(super) fn forget(&self) -> Result<(), Error> {
        let path = self.pending_path();
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Write { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Writes a new file, whole or not at all, never over another.
    fn write(&self, path: &Path, record: &impl Serialize) -> Result<(), Error> {
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(self.dir)?;
            let mut file = tempfile::NamedTempFile::new_in(self.dir)?;
            // A record is public; temporary files are made private.
            #[cfg(unix)]
            file.as_file()
                .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            serde_json::to_writer_pretty(&mut file, record)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist_noclobber(path)?;
            // The file's name is durable once its folder is.
            #[cfg(unix)]
            std::fs::File::open(self.dir)?.sync_all()?;
            Ok(())
        };
        write().map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn record() -> Record {
        Record {
            chain_id: 412_346,
            contract: Address::repeat_byte(1),
            consortium: Address::repeat_byte(2),
            predecessor: None,
            code_hash: B256::repeat_byte(3),
            wasm_sha256: "ab".into(),
            compiler: "rustc".into(),
            block: 7,
            tx: B256::repeat_byte(4),
            gas_used: 5,
            data_fee: "115087110388611".into(),
        }
    }

    fn pending(payer: u8) -> Pending {
        Pending {
            payer: Address::repeat_byte(payer),
            consortium: Address::repeat_byte(2),
            predecessor: None,
            code_hash: B256::repeat_byte(3),
            call: SignedCall {
                tx: B256::repeat_byte(4),
                nonce: 1,
                raw: vec![1, 2, 3],
                returns: None,
            },
        }
    }

    #[test]
    fn a_record_is_written_whole_and_never_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("deployments");
        let records = Records::of(&dir, 412_346).unwrap();
        records.begin(&pending(9)).unwrap();
        records.finish(&record()).unwrap();
        let path = record_path(&dir, 412_346);
        let json = std::fs::read(&path).unwrap();
        assert_eq!(serde_json::from_slice::<Record>(&json).unwrap(), record());
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);

        assert!(
            matches!(Records::of(&dir, 412_346), Err(Error::Recorded { path: found }) if found == path)
        );
        let later = Record {
            block: 8,
            ..record()
        };
        assert!(matches!(records.finish(&later), Err(Error::Write { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), json);
        // Another chain's has a place of its own.
        assert!(Records::of(&dir, 1).is_ok());

        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let blocked = Records::of(folder.path(), 1).unwrap();
        let blocked = Records {
            dir: &file,
            ..blocked
        };
        assert!(matches!(
            blocked.finish(&record()),
            Err(Error::Write { .. })
        ));
    }

    #[test]
    fn what_was_begun_is_gone_on_with_by_the_same_request_only() {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::of(folder.path(), 7).unwrap();
        assert_eq!(records.pending(|_| true).unwrap(), None);
        let begun = pending(9);
        records.begin(&begun).unwrap();
        assert!(records.begin(&pending(8)).is_err());
        let found = records.pending(|it| *it == begun).unwrap();
        assert_eq!(found, Some(begun.call.clone()));
        assert!(matches!(
            records.pending(|it| it.payer == Address::repeat_byte(8)),
            Err(Error::Unfinished { tx, .. }) if tx == begun.call.tx
        ));
        records.forget().unwrap();
        records.forget().unwrap();
        assert_eq!(records.pending(|_| true).unwrap(), None);
        std::fs::write(records.pending_path(), "{").unwrap();
        assert!(matches!(records.pending(|_| true), Err(Error::Read { .. })));
    }
}
