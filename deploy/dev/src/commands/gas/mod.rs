//! `pcim-dev gas`

mod chart;
mod figures;
mod price;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::gas::{ACCOUNTS, Ground, measure, time};
use clap::Args;
use pcim_client::Error as ClientError;
use pcim_deploy::artifact;
use pcim_deploy::build::module::MAX_WASM_BYTES;
use pcim_ledger::Version;
use stylus_devnet::{ArbOs, Config};

use pcim_terminal::failure::Usage;
use pcim_terminal::ui::Ui;
use price::{Amount, Prices};

/// Measure what the contract costs, on a chain of its own
///
/// Runs the protocol on a fresh development chain, which charges as Arbitrum does, and tells for each
/// operation the L2 gas with the program in the chain's cache and without; the floor, which is what the
/// chain charges for what the operation has to do, whatever the program; the paper's Table 1; and the
/// published contract measured again. A second table takes each figure apart; its parts, of which the
/// refund is negative, add up to the gas. Of a deployment, precompiles are the activation.
///
/// A floor is 21,000; 4 for each zero byte of calldata and 16 for any other; 2,100 for each slot read, 22,100 for
/// each set, 5,000 for each changed; 375 for each log and each of its topics, 8 for each byte of its data; 3,100 for
/// recovering a signer; and for the deployment 32,000, 200 for each byte of code, and the activation.
///
/// The inputs are always the same (description CT CHEST, notes TREAT, no limit unless named, slots written
/// for the first time), so the figures are repeatable digit by digit. The JSON document is {"rows": [...]}.
///
/// With --l1-price and --ether-price it makes the paper's Table 1 again, in ether and dollars: L2 gas and the
/// gas for posting the compressed transaction to the parent chain, times the price of L2 gas.
#[derive(Debug, Args)]
pub(crate) struct GasArgs {
    /// Module of version 2 to measure instead of the released one
    #[arg(long, value_name = "FILE", conflicts_with = "contract_version")]
    wasm: Option<PathBuf>,
    /// Version of the released contract to measure
    #[arg(long, value_name = "VERSION", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    contract_version: u8,
    /// Rules to measure under: those of ArbOS 40, 51, 59, 60 or 61
    #[arg(long, value_name = "VERSION", default_value_t)]
    arbos: ArbOs,
    /// Tell the program's size and what follows from it instead
    #[arg(long, conflicts_with_all = ["figures", "l1_price"])]
    size: bool,
    /// Time the protocol for five patients instead, five times over, and write figure11 and figure12 here, each as .csv and .svg
    #[arg(long, value_name = "DIR", conflicts_with = "l1_price")]
    figures: Option<PathBuf>,
    /// Gwei for a unit of data posted to the parent chain, 16 units to a compressed byte
    #[arg(long, value_name = "GWEI", value_parser = price::gwei, requires = "ether_price")]
    l1_price: Option<Amount>,
    /// Gwei for a unit of L2 gas
    #[arg(long, value_name = "GWEI", value_parser = price::gas_price, default_value = "0.1")]
    l2_gas_price: Amount,
    /// Dollars for an ether
    #[arg(long, value_name = "USD", value_parser = price::dollars, requires = "l1_price")]
    ether_price: Option<Amount>,
}

impl GasArgs {
    pub(crate) async fn run(&self, ui: Ui) -> anyhow::Result<()> {
        let (version, wasm) = match (&self.wasm, self.contract_version) {
            (Some(path), _) => (Version::V2, read_module(path)?),
            (None, 1) => (Version::V1, artifact::V1_WASM.to_vec()),
            (None, _) => (Version::V2, artifact::PCAC_WASM.to_vec()),
        };
        let devnet = stylus_devnet::spawn(Config {
            arbos: self.arbos,
            ..Config::default()
        })
        .await?;
        let accounts = devnet.accounts().iter().take(ACCOUNTS);
        let keys: Vec<_> = accounts.map(|account| account.private_key.0).collect();
        let rpc_url = devnet.url();
        let ground = Ground {
            rpc_url: &rpc_url,
            chain_id: devnet.chain_id(),
            keys: &keys,
            wasm: &wasm,
            version,
            arbos: self.arbos,
        };
        let told = self.tell(ui, ground).await;
        devnet.shutdown().await;
        told
    }

    async fn tell(&self, ui: Ui, ground: Ground<'_>) -> anyhow::Result<()> {
        if let Some(dir) = &self.figures {
            let figures = time(ground).await?;
            let written = figures::write(dir, &figures)?;
            return ui.result(&figures, &table::figures(&figures, &written));
        }
        let (report, size) = measure(ground).await?;
        if self.size {
            return ui.result(&size, &table::size(&size));
        }
        if let (Some(l1), Some(ether)) = (self.l1_price, self.ether_price) {
            let prices = Prices {
                l1,
                l2: self.l2_gas_price,
                ether,
            };
            let bill = prices.bill(&report)?;
            return ui.result(&bill, &table::bill(&bill));
        }
        ui.result(&report, &table::report(&report, &size))
    }
}

/// A module, never more of it than a chain would take.
fn read_module(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut module = Vec::new();
    File::open(path)
        .and_then(|file| {
            file.take(MAX_WASM_BYTES as u64 + 1)
                .read_to_end(&mut module)
        })
        .map_err(|source| ClientError::File {
            path: path.to_owned(),
            source,
        })?;
    if module.len() > MAX_WASM_BYTES {
        let path = path.display();
        let text = format!("{path} has more than the {MAX_WASM_BYTES} bytes that a chain takes");
        return Err(Usage(text).into());
    }
    Ok(module)
}
