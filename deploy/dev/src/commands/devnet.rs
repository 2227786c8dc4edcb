//! `pcim-dev devnet`

mod network_file;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use stylus_devnet::{ArbOs, Config};

use pcim_deploy::networks;
use pcim_terminal::failure::Usage;
use pcim_terminal::interrupted;
use pcim_terminal::ui::Ui;

/// Run a development chain until interrupted
///
/// It executes Stylus contracts as an Arbitrum chain does, and answers Ethereum JSON-RPC over HTTP and
/// WebSocket on one port. Its accounts are known to everyone: never use their keys elsewhere. The
/// chain's id is that of --chain-id or --network.
#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// The chain's id
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// A network by name, whose chain id it takes: devnet, arbitrum-sepolia, arbitrum-one
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// ArbOS version of a new chain: 40, 51, 59, 60 or 61
    #[arg(long, value_name = "VERSION", default_value_t)]
    arbos: ArbOs,
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 8547)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Keep the chain's state here, and go on from it
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Make a block each time this number of seconds has passed, instead of one with each transaction
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    block_time: Option<u32>,
    /// Price of posting to the parent chain, wei per unit (16 units for each packed byte)
    #[arg(long, value_name = "WEI")]
    l1_price_per_unit: Option<u128>,
    /// Deploy the contract, for the second account as consortium, and write the file by which homes join: `pcim init --join`
    #[arg(long, value_name = "FILE")]
    network_file: Option<PathBuf>,
}

impl DevnetArgs {
    pub(crate) async fn run(&self, ui: Ui) -> anyhow::Result<()> {
        let mut config = Config {
            arbos: self.arbos,
            port: self.port,
            host: self.host,
            state_dir: self.state_dir.clone(),
            block_time: self
                .block_time
                .map(|seconds| Duration::from_secs(seconds.into())),
            l1_price_per_unit: self.l1_price_per_unit,
            ..Config::default()
        };
        if let Some(chain_id) = self.chain_id()? {
            config.chain_id = chain_id;
        }
        let devnet = stylus_devnet::spawn(config).await?;
        let accounts: Vec<_> = devnet
            .accounts()
            .iter()
            .map(
                |account| json!({ "address": account.address, "private_key": account.private_key }),
            )
            .collect();
        let network = match &self.network_file {
            Some(path) => Some(network_file::write(&devnet, path).await?),
            None => None,
        };
        let value = json!({
            "network": network,
            "rpc_url": devnet.url(),
            "ws_url": devnet.ws_url(),
            "chain_id": devnet.chain_id(),
            "accounts": accounts,
        });
        let mut text = format!(
            "RPC       {}\nWebSocket {}\nchain id  {}\n\nfunded accounts (address, private key)\n",
            devnet.url(),
            devnet.ws_url(),
            devnet.chain_id()
        );
        if let (Some(file), Some(path)) = (&network, &self.network_file) {
            let (contract, path) = (file.contract, path.display());
            text = format!("network   {path}\ncontract  {contract}\n{text}");
        }
        for account in devnet.accounts() {
            text.push_str(&format!("{} {}\n", account.address, account.private_key));
        }
        ui.result(&value, &text)?;
        interrupted().await;
        devnet.shutdown().await;
        Ok(())
    }

    /// The chain's id that the command line asks for, if any.
    fn chain_id(&self) -> anyhow::Result<Option<u64>> {
        let Some(name) = &self.network else {
            return Ok(self.chain_id);
        };
        let network = networks::by_name(name).ok_or_else(|| {
            Usage(format!(
                "unknown network `{name}`: wanted devnet, arbitrum-sepolia or arbitrum-one"
            ))
        })?;
        Ok(Some(self.chain_id.unwrap_or(network.chain_id)))
    }
}
