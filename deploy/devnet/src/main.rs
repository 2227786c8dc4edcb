//! Runs a development chain until it is interrupted.

use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use alloy_primitives::U256;
use clap::Parser;
use serde_json::json;
use stylus_devnet::{ArbOs, Config, Cors, Error, Fork, Handle, spawn};

/// Wei.
const ETHER: u64 = 1_000_000_000_000_000_000;

/// Run an Arbitrum-style development chain with Stylus until interrupted
///
/// It answers Ethereum JSON-RPC over HTTP and WebSocket on one port. Its accounts are known to everyone: never use
/// their keys elsewhere.
#[derive(Debug, Parser)]
#[command(name = "stylus-devnet", version)]
struct Options {
    /// Port; 0 takes a free one
    #[arg(long, default_value_t = 8547)]
    port: u16,
    /// Address to listen on
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// Chain id (EIP-155)
    #[arg(long, value_name = "ID", default_value_t = Config::default().chain_id)]
    chain_id: u64,
    /// ArbOS version of a new chain: 40, 51, 59, 60 or 61
    #[arg(long, value_name = "VERSION", default_value_t)]
    arbos: ArbOs,
    /// Keep the chain's state here, and go on from it
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Blocks whose states are kept in memory for calls and traces, at least 16
    #[arg(long, value_name = "BLOCKS", default_value_t = Config::default().states)]
    states: u64,
    /// Blocks that are kept in memory with their receipts, at least 16 [default: all]
    #[arg(long, value_name = "BLOCKS")]
    blocks: Option<u64>,
    /// Make a block each time this has passed, instead of one with each transaction
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    block_time: Option<u32>,
    /// Price of posting to the parent chain, wei per unit (16 units for each packed byte) [default: 0]
    #[arg(long, value_name = "WEI")]
    l1_price_per_unit: Option<u128>,
    /// Web pages that may use it: off, *, or origins with commas between them
    #[arg(long, default_value = "*")]
    cors: Cors,
    /// Send so much ether to an address with each `POST /faucet/ADDRESS` [default: no faucet; 1 if it has no number]
    #[arg(long, value_name = "ETHER", num_args = 0..=1, default_missing_value = "1")]
    faucet: Option<u32>,
    /// Go on from a block of the chain that this JSON-RPC node serves, reading its state when it is needed
    #[arg(long, value_name = "URL")]
    fork: Option<String>,
    /// The block to go on from [default: the newest]
    #[arg(
        long,
        visible_alias = "block",
        value_name = "NUMBER",
        requires = "fork"
    )]
    fork_block: Option<u64>,
    /// Keep what is read of that chain here [default: stylus-devnet in the user's cache folder]
    #[arg(long, value_name = "DIR", requires = "fork")]
    fork_cache: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

impl Options {
    fn config(&self) -> Config {
        Config {
            chain_id: self.chain_id,
            arbos: self.arbos,
            port: self.port,
            host: self.host,
            state_dir: self.state_dir.clone(),
            states: self.states,
            blocks: self.blocks,
            block_time: self
                .block_time
                .map(|seconds| Duration::from_secs(seconds.into())),
            l1_price_per_unit: self.l1_price_per_unit,
            cors: self.cors.clone(),
            faucet: self
                .faucet
                .map(|ether| U256::from(ether) * U256::from(ETHER)),
            fork: self.fork.clone().map(|url| Fork {
                url,
                block: self.fork_block,
                cache: self.fork_cache.clone().or_else(cache_folder),
            }),
        }
    }
}

/// The folder for what may be read again: `$XDG_CACHE_HOME/stylus-devnet`, or `.cache/stylus-devnet` at home.
fn cache_folder() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("stylus-devnet"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let devnet = match spawn(options.config()).await {
        Ok(devnet) => devnet,
        Err(error) => refuse(&error),
    };
    let shown = match options.json {
        true => document(&devnet),
        false => text(&devnet),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{shown}")?;
    out.flush()?;
    drop(out);
    tokio::signal::ctrl_c().await?;
    devnet.shutdown().await;
    Ok(())
}

fn refuse(error: &Error) -> ! {
    eprintln!("error: {error}");
    std::process::exit(1)
}

fn document(devnet: &Handle) -> String {
    let accounts = devnet
        .accounts()
        .iter()
        .map(|account| json!({ "address": account.address, "private_key": account.private_key }));
    let document = json!({
        "rpc_url": devnet.url(),
        "ws_url": devnet.ws_url(),
        "chain_id": devnet.chain_id(),
        "accounts": accounts.collect::<Vec<_>>(),
        "preloaded": devnet.preloaded().collect::<std::collections::BTreeMap<_, _>>(),
    });
    document.to_string()
}

fn text(devnet: &Handle) -> String {
    let mut text = format!(
        "RPC       {}\nWebSocket {}\nchain id  {}\n\npreloaded contracts\n",
        devnet.url(),
        devnet.ws_url(),
        devnet.chain_id()
    );
    for (name, address) in devnet.preloaded() {
        text.push_str(&format!("{address} {name}\n"));
    }
    text.push_str("\nfunded accounts (address, private key)\n");
    for account in devnet.accounts() {
        text.push_str(&format!("{} {}\n", account.address, account.private_key));
    }
    text
}
