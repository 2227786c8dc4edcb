//! `pcim-dev faucet`

use clap::Args;
use pcim_core::{Address, B256, U256};
use pcim_ledger::{Chain, is_insecure};
use pcim_terminal::failure::Usage;
use pcim_terminal::ui::Ui;
use serde_json::json;

/// Wei of a thousandth of an ether.
const MILLIETHER: u64 = 1_000_000_000_000_000;

/// Give an account ether of a development chain
///
/// From the chain's own first account, which sends without asking: no other chain does that.
#[derive(Debug, Args)]
pub(crate) struct FaucetArgs {
    /// The account: `pcim config get address` prints that of a home
    #[arg(required = true)]
    address: Vec<Address>,
    /// Thousandths of an ether for each account
    #[arg(long, value_name = "NUMBER", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    milliether: u64,
    /// The chain's JSON-RPC endpoint
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8547")]
    rpc_url: String,
    /// The chain's id
    #[arg(long, value_name = "ID", default_value_t = 412_346)]
    chain_id: u64,
}

impl FaucetArgs {
    pub(crate) async fn run(&self, ui: Ui) -> anyhow::Result<()> {
        if is_insecure(&self.rpc_url) {
            let text = "a development chain of this machine is wanted, not http:// to another one";
            return Err(Usage(text.to_owned()).into());
        }
        let chain = Chain::connect(&self.rpc_url, self.chain_id).await?;
        let own: Vec<Address> = chain.request("eth_accounts", json!([])).await?;
        let none = || Usage("this chain gives no ether: it is no development chain".to_owned());
        let from = own.first().ok_or_else(none)?;
        let value = U256::from(self.milliether) * U256::from(MILLIETHER);
        let mut given = Vec::new();
        let mut text = String::new();
        for to in &self.address {
            let transfer = json!([{ "from": from, "to": to, "value": value }]);
            let tx: B256 = chain.request("eth_sendTransaction", transfer).await?;
            given.push(json!({ "address": to, "wei": value.to_string(), "transaction": tx }));
            text.push_str(&format!("{to}  {value} wei  {tx}\n"));
        }
        ui.result(&given, &text)
    }
}
