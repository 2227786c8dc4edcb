//! An embeddable Arbitrum-style development chain that runs Stylus WASM, behind Ethereum JSON-RPC.
//!
//! It knows nothing of any particular contract. [`spawn`] starts one; dropping the [`Handle`] stops it.
//!
//! Each transaction is mined at once into a block of its own. One whose nonce is ahead of its
//! account is held until the gap is filled. Blocks, receipts and errors look as they do on
//! Arbitrum, time can be moved forward, and with [`Config::state_dir`] the chain outlives the
//! process: what was acknowledged is on disk.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! use ethers::providers::{Http, Middleware, Provider};
//!
//! let devnet = stylus_devnet::spawn(stylus_devnet::Config::default()).await?;
//! let provider = Provider::<Http>::try_from(devnet.url())?;
//! let rich = devnet.accounts()[0].address.into_array();
//! assert_eq!(provider.get_chainid().await?.as_u64(), 412_346);
//! assert!(!provider.get_balance(ethers::types::Address::from(rich), None).await?.is_zero());
//! devnet.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! [`Handle::send_raw`] and [`Handle::call`] leave out the wire. Memory grows by the blocks that are kept, all of them unless
//! [`Config::blocks`] says otherwise; of the state, the newest [`Config::states`] versions are kept.
//!
//! # What differs from a real Arbitrum chain
//!
//! * The prefunded accounts' keys are public ([`Handle::accounts`]): never fund them elsewhere.
//! * There is no parent chain: its block numbers are simulated from the clock, its block hashes
//!   from the numbers, and posting to it costs nothing. There are no bridge, no retryable
//!   tickets, and no internal transaction at the start of a block.
//! * `ArbSys` sends nothing to a parent chain, `ArbOwner` sets no price of one and schedules no upgrade; `ArbRetryableTx`,
//!   `ArbAggregator` and `ArbFunctionTable` are not there. The cache manager, where development nodes have a contract, is
//!   built in: it answers as the contract does, but its gas is that of a precompile.
//! * `debug_traceTransaction` and `debug_traceCall` know `callTracer` and `stylusTracer`, not single opcodes.
//! * A header's `stateRoot` commits to the state by hashing each block's changes onto the
//!   parent's root; it is not the root of a Merkle tree, so there is no `eth_getProof`.

mod arbos;
mod chain;
mod engine;
mod evm;
mod genesis;
mod hostio;
mod rpc;
mod wasm;

pub use chain::{Config, StoreError};
pub use genesis::DevAccount;
pub use rpc::{Error, Handle, spawn};
