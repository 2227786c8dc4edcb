//! How a devnet starts.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use alloy_primitives::U256;

use super::limits::Keep;
use crate::{arbos::ArbOs, cors::Cors};

/// How a devnet starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain id (EIP-155).
    pub chain_id: u64,
    /// The ArbOS version that a new chain starts with; one in [`Config::state_dir`] has its own.
    pub arbos: ArbOs,
    /// The TCP port of the JSON-RPC; 0 picks a free one.
    pub port: u16,
    /// The address to listen on.
    pub host: IpAddr,
    /// The directory that keeps the chain between runs; `None` keeps it in memory only.
    pub state_dir: Option<PathBuf>,
    /// How many blocks' states are kept in memory, the newest counted and at least 16: calls,
    /// estimates and traces reach that far back. A snapshot keeps what it needs besides.
    pub states: u64,
    /// How many blocks are kept in memory with their transactions, receipts and logs, the newest
    /// counted and at least 16; older ones are as if they had never been, but for the first. `None`
    /// keeps all.
    pub blocks: Option<u64>,
    /// Make a block of what waits each time this has passed; `None` makes one with each transaction.
    pub block_time: Option<Duration>,
    /// The price of posting to the parent chain, wei per unit (16 units for each packed byte of a
    /// transaction). `None` leaves what the chain has; a new one starts with 0.
    pub l1_price_per_unit: Option<u128>,
    /// The web pages that may use the devnet.
    pub cors: Cors,
    /// Wei that `POST /faucet/ADDRESS` sends, from the last prefunded account; `None` is no faucet.
    pub faucet: Option<U256>,
    /// The chain to go on from; its id and ArbOS version come with it.
    pub fork: Option<Fork>,
}

/// A block of another chain that a devnet goes on from, reading its state when it is asked for.
#[derive(Clone, Debug)]
pub struct Fork {
    /// The address of a JSON-RPC node, `http://` or `https://`.
    pub url: String,
    /// The block; `None` is the newest.
    pub block: Option<u64>,
    /// The directory that keeps what was read; `None` keeps it in memory only.
    pub cache: Option<PathBuf>,
}
impl Default for Config {
    /// Chain 412346 in memory, on a free port of the loopback interface, with all its blocks and the
    /// states of the last 4,096.
    fn default() -> Self {
        Self {
            chain_id: 412_346,
            arbos: ArbOs::default(),
            port: 0,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            state_dir: None,
            states: Keep::default().states,
            blocks: Keep::default().blocks,
            block_time: None,
            l1_price_per_unit: None,
            cors: Cors::default(),
            faucet: None,
            fork: None,
        }
    }
}
