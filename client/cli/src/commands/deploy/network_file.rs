//! The network file that a deployment writes for those who join.

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::Error;
use pcim_client::papers::network::{NetworkFile, NetworkRpc, is_name};
use pcim_core::Address;
use pcim_core::date::now;
use pcim_deploy::deploy::Record;
use pcim_ledger::{Account, is_insecure, shown_url};

use crate::commands::write_result;
use crate::context::{Context, read_small};
use crate::failure::Usage;
use crate::ui::printable;

/// Seconds for which homes may join by the file: 90 days.
const LASTS: u64 = 90 * 86_400;

/// Options of a deployment's network file.
#[derive(Debug, Args)]
pub(crate) struct NetworkFileArgs {
    /// Name of the network in its file: lower-case letters, digits and `-` [default: --network, or chain-<ID>]
    #[arg(long, value_name = "NAME")]
    network_name: Option<String>,
}

impl NetworkFileArgs {
    /// Refuses to begin where another network file is, or by a name that no network can have.
    pub(super) fn check(&self, beside: &Path) -> anyhow::Result<()> {
        if let Some(name) = self.network_name.as_deref().filter(|name| !is_name(name)) {
            let name = printable(name);
            let text = format!("`{name}` is not 1 to 40 lower-case letters, digits and `-`");
            return Err(Usage(text).into());
        }
        let path = path(beside);
        // With a record nothing is deployed at all.
        match path.exists() && !beside.exists() {
            true => Err(Error::FileExists { path }.into()),
            false => Ok(()),
        }
    }

    /// Finds the record of a deployment to this consortium that ended before its network file was written.
    pub(super) fn left_over(
        &self,
        beside: &Path,
        consortium: Address,
    ) -> anyhow::Result<Option<Record>> {
        if !beside.is_file() || path(beside).exists() {
            return Ok(None);
        }
        let record: Record = serde_json::from_slice(&read_small(beside)?)?;
        Ok((record.consortium == consortium).then_some(record))
    }

    /// Writes the file beside the record; tells where, and whether it is signed.
    pub(super) fn write(
        &self,
        context: &Context,
        record: &Record,
        rpc_url: &str,
        key: &[u8; 32],
        beside: &Path,
    ) -> anyhow::Result<String> {
        let own = self.network_name.clone();
        let name = own.or_else(|| context.global().network.clone());
        let name = name.unwrap_or_else(|| format!("chain-{}", record.chain_id));
        let contract = (record.contract, record.code_hash);
        let mut file = NetworkFile::new(name, record.chain_id, contract, record.consortium);
        // What stands behind the host may be a key of the deployer's own.
        match is_public(rpc_url) {
            true => file.rpcs.push(NetworkRpc {
                url: rpc_url.to_owned(),
                insecure: is_insecure(rpc_url),
            }),
            false => context.ui.note(&format!(
                "note: {} is not written into the network file: what stands behind its host may be a key; `pcim network \
                 sign --rpc URL` names endpoints",
                shown_url(rpc_url)
            )),
        }
        let account = Account::from_private_key(key)?;
        let signs = account.address() == record.consortium && !file.rpcs.is_empty();
        if signs {
            file.sign(&account, now(), LASTS).map_err(Error::from)?;
        }
        let path = path(beside);
        write_result(&path, &file.to_json().map_err(Error::from)?, false)?;
        let standing = match signs {
            true => "signed",
            false => "unsigned: the consortium signs it with `pcim network sign`",
        };
        Ok(format!("{} ({standing})", path.display()))
    }
}

/// The file's place: beside the record.
fn path(beside: &Path) -> PathBuf {
    beside.with_extension("network.json")
}

/// Says whether a URL is scheme, host and port alone, or one of the networks that everyone knows.
fn is_public(url: &str) -> bool {
    let known = pcim_deploy::networks::all();
    shown_url(url) == url.trim_end_matches('/') || known.iter().any(|it| it.rpc_url == url)
}
