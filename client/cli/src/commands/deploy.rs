//! `pcim deploy`

pub(crate) mod upkeep;

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::home::Home;
use pcim_core::{Address, U256};
use pcim_deploy::artifact;
use pcim_deploy::deploy::{MAX_FEE, Request, deploy, record_path};
use zeroize::Zeroizing;

use self::upkeep::UpkeepCommand;

use super::init::private_key;
use crate::context::Context;
use crate::failure::Usage;
use crate::parse;

/// Deploy and activate the contract, and record where it is
///
/// One transaction through StylusDeployer deploys, activates and constructs; `consortium()` is read
/// back. The account that pays is --key-file's, or that of the home. Name the chain with --network, or
/// with --rpc-url and --chain-id. The transaction is recorded before it is sent: the same command again goes on with it. The code on the chain is compared with the build that was sent.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct DeployArgs {
    #[command(subcommand)]
    upkeep: Option<UpkeepCommand>,
    /// Who will accredit radiologists
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address, required = true)]
    consortium: Option<Address>,
    /// File with the private key (64 hex digits) of the account that pays
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    fee: FeeArgs,
    /// Where <CHAIN-ID>.json is written; a record that is there stays, and nothing is deployed
    #[arg(long, value_name = "DIR", default_value = "deploy/deployments")]
    record_dir: PathBuf,
}

/// The limit of the fee.
#[derive(Debug, Args)]
pub(crate) struct FeeArgs {
    /// The most wei to pay as the transaction's fee, 0.005 ether unless given
    #[arg(long, value_name = "WEI", default_value_t = MAX_FEE)]
    max_fee: U256,
}

impl DeployArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if let Some(command) = &self.upkeep {
            return command.run(context).await;
        }
        let missing = || Usage("who will be the --consortium?".to_owned());
        let consortium = self.consortium.ok_or_else(missing)?;
        let (rpc_url, chain_id) = network(context)?;
        let key = payer(context, self.key_file.as_deref()).await?;
        let request = Request {
            rpc_url: &rpc_url,
            chain_id,
            deployer_key: &key,
            consortium,
            wasm: artifact::PCAC_WASM,
            max_fee: self.fee.max_fee,
            records: Some(&self.record_dir),
        };
        context.ui.note("deploying and activating …");
        let record = deploy(&request).await?;
        let path = record_path(&self.record_dir, chain_id);
        let text = format!(
            "contract     {}\nconsortium   {}\ntransaction  {}\ngas          {} in block {}\ndata fee     {} wei\nrecord       {}\n",
            record.contract,
            record.consortium,
            record.tx,
            record.gas_used,
            record.block,
            record.data_fee,
            path.display()
        );
        context.ui.result(&record, &text)
    }
}

/// The RPC's URL and the chain's id.
fn network(context: &Context) -> anyhow::Result<(String, u64)> {
    let network = context.overrides()?;
    let missing = |what: &str| Usage(format!("which chain? give --network, or {what}"));
    let rpc_url = network.rpc_url.ok_or_else(|| missing("--rpc-url"))?;
    let chain_id = network.chain_id.ok_or_else(|| missing("--chain-id"))?;
    Ok((rpc_url, chain_id))
}

/// The key of the account that pays.
async fn payer(context: &Context, key_file: Option<&Path>) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    if let Some(path) = key_file {
        return private_key(path);
    }
    let home = Home::open(&context.home_dir()?)?;
    let passphrase = context.passphrase("Passphrase: ")?;
    let keys = tokio::task::spawn_blocking(move || home.unlock(&passphrase)).await??;
    Ok(keys.account.expose_key())
}
