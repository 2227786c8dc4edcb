//! `pcim deploy`

mod network_file;
mod payment;
pub(crate) mod upkeep;

use std::path::PathBuf;

use clap::Args;
use pcim_core::Address;
use pcim_deploy::artifact;
use pcim_deploy::deploy::{Request, deploy, record_path};

use self::network_file::NetworkFileArgs;
use self::payment::{FeeArgs, network, payer};
use self::upkeep::UpkeepCommand;

use crate::context::Context;
use crate::failure::Usage;
use crate::parse;

/// Deploy and activate the contract, and record where it is
///
/// One transaction through StylusDeployer deploys, activates and constructs; `consortium()` is read
/// back. The account that pays is --key-file's, or that of the home. Name the chain with --network, or
/// with --rpc-url and --chain-id. The transaction is recorded before it is sent: the same command again goes on with it.
/// The code on the chain is compared with the build that was sent. Beside the record a network file is written, for those who
/// join: unsigned, unless the account that pays is the consortium (`pcim network sign`).
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct DeployArgs {
    #[command(subcommand)]
    upkeep: Option<UpkeepCommand>,
    /// Account that will accredit radiologists
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address, required = true)]
    consortium: Option<Address>,
    /// The contract before this one, from which patients take their images over (`pcim patient migrate`)
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    predecessor: Option<Address>,
    /// Version of the contract to deploy; version 1 is for programs that know no other
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    contract_version: u8,
    /// File with the private key (64 hex digits) of the account that pays
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    fee: FeeArgs,
    /// Where <CHAIN-ID>.json is written; a record that is there stays, and nothing is deployed
    #[arg(long, value_name = "DIR", default_value = "deploy/deployments")]
    record_dir: PathBuf,
    #[command(flatten)]
    network_file: NetworkFileArgs,
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
        let wasm = match (self.contract_version, self.predecessor) {
            (1, None) => artifact::V1_WASM,
            (1, Some(_)) => return Err(Usage("version 1 takes no predecessor".to_owned()).into()),
            _ => artifact::PCAC_WASM,
        };
        let request = Request {
            rpc_url: &rpc_url,
            chain_id,
            deployer_key: &key,
            consortium,
            predecessor: self.predecessor,
            wasm,
            max_fee: self.fee.max_fee,
            records: Some(&self.record_dir),
        };
        let path = record_path(&self.record_dir, chain_id);
        self.network_file.check(&path)?;
        let record = match self.network_file.left_over(&path, consortium)? {
            Some(record) => record,
            None => {
                context.ui.note("deploying and activating …");
                deploy(&request).await?
            }
        };
        let network = self
            .network_file
            .write(context, &record, &rpc_url, &key, &path)?;
        let text = format!(
            "contract     {}\nconsortium   {}\ntransaction  {}\ngas          {} in block {}\ndata fee     {} wei\nrecord       {}\nnetwork      {network}\n",
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
