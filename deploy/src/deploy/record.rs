//! The record of a deployment.

use std::io::Write;
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use super::Error;

/// What `deploy/deployments/<chain-id>.json` records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// EIP-155 chain id
    pub chain_id: u64,
    /// the `Pcac` contract
    pub contract: Address,
    /// who accredits radiologists, as deployed
    pub consortium: Address,
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

/// Writes `<dir>/<chain-id>.json`, whole or not at all, in place of an earlier record; tells where.
///
/// # Errors
/// [`Error::Write`]
pub fn write_record(dir: &Path, record: &Record) -> Result<PathBuf, Error> {
    let path = dir.join(format!("{}.json", record.chain_id));
    write(dir, &path, record).map_err(|source| Error::Write {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

fn write(dir: &Path, path: &Path, record: &Record) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    // A record is public; temporary files are made private.
    #[cfg(unix)]
    file.as_file()
        .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    serde_json::to_writer_pretty(&mut file, record)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_record_is_written_whole_and_replaces_the_one_before() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("deployments");
        let record = Record {
            chain_id: 412_346,
            contract: Address::repeat_byte(1),
            consortium: Address::repeat_byte(2),
            code_hash: B256::repeat_byte(3),
            wasm_sha256: "ab".into(),
            compiler: "rustc".into(),
            block: 7,
            tx: B256::repeat_byte(4),
            gas_used: 5,
            data_fee: "115087110388611".into(),
        };
        let later = Record {
            block: 8,
            ..record.clone()
        };
        for record in [record, later] {
            let path = write_record(&dir, &record).unwrap();
            assert_eq!(path, dir.join("412346.json"));
            let json = std::fs::read(&path).unwrap();
            assert_eq!(serde_json::from_slice::<Record>(&json).unwrap(), record);
        }
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);

        let file = folder.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let blocked = Record {
            chain_id: 1,
            ..serde_json::from_slice(&std::fs::read(dir.join("412346.json")).unwrap()).unwrap()
        };
        assert!(matches!(
            write_record(&file, &blocked),
            Err(Error::Write { .. })
        ));
    }
}
