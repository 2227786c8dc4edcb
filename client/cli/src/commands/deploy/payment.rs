//! The chain that a deployment is on, the account that pays, and the limit of the fee.

use std::path::Path;

use clap::Args;
use pcim_client::Error;
use pcim_client::home::Home;
use pcim_core::{Address, U256};
use pcim_deploy::deploy::MAX_FEE;
use zeroize::Zeroizing;

use crate::commands::init::private_key;
use crate::context::Context;
use crate::failure::Usage;

/// The limit of the fee.
#[derive(Debug, Args)]
pub(crate) struct FeeArgs {
    /// The most wei to pay as the transaction's fee, 0.005 ether unless given
    #[arg(long, value_name = "WEI", default_value_t = MAX_FEE)]
    pub(super) max_fee: U256,
}

/// Returns the RPC's URL, the chain's id and the contract of the command line, or else those that the home is set up for.
pub(super) fn deployed(context: &Context) -> anyhow::Result<(String, u64, Address)> {
    let named = context.overrides()?;
    if let (Some(_), Some(_), Some(contract)) = (&named.rpc_url, named.chain_id, named.contract) {
        let (rpc_url, chain_id) = network(context)?;
        return Ok((rpc_url, chain_id, contract));
    }
    let Ok(session) = context.reader() else {
        let (_, _) = network(context)?;
        let text = "which contract? give --contract, or the record of its deployment";
        return Err(Usage(text.to_owned()).into());
    };
    let deployment = session.deployment()?;
    Ok((deployment.rpc_url, deployment.chain_id, deployment.contract))
}

/// Returns the RPC's URL and the chain's id.
pub(super) fn network(context: &Context) -> anyhow::Result<(String, u64)> {
    let network = context.overrides()?;
    let missing = |what: &str| Usage(format!("which chain? give --network, or {what}"));
    let rpc_url = network.rpc_url.ok_or_else(|| missing("--rpc-url"))?;
    let chain_id = network.chain_id.ok_or_else(|| missing("--chain-id"))?;
    if pcim_ledger::is_insecure(&rpc_url) && !network.insecure_rpc {
        return Err(Error::InsecureRpc.into());
    }
    Ok((rpc_url, chain_id))
}

/// Reads the key of the account that pays.
pub(super) async fn payer(
    context: &Context,
    key_file: Option<&Path>,
) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    if let Some(path) = key_file {
        return private_key(path);
    }
    let home = Home::open(&context.home_dir()?)?;
    let (_home, keys) = context.unlock(home).await?;
    Ok(keys.account.expose_key())
}
