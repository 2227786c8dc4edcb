//! An embeddable Arbitrum-style development chain that runs Stylus WASM, behind Ethereum JSON-RPC.
//!
//! It knows nothing of any particular contract. [`spawn`] starts one; dropping the [`Handle`] stops it.
//!
//! Each transaction is mined at once into a block of its own, unless [`Config::block_time`] or a request
//! for development nodes says otherwise: then those that wait share the next block. One whose nonce is ahead of its
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
//! # What is exact
//!
//! Ink, gas, stack, memory, storage, logs and errors of programs and transactions under ArbOS 51, as far as they have been
//! compared with recordings of a reference node and blocks of Arbitrum One; the README says by which tests.
//!
//! # With the tools of others
//!
//! ethers, viem, web3.py, cast and cargo-stylus 0.10 work unchanged: of the last, `check`, `deploy` (of a file or of a
//! project, also with a constructor through the `StylusDeployer` at its usual address), `activate`, `cache`, `trace`,
//! `simulate`, `replay`, `verify` and `get-initcode`. Port 8547 is where it looks by default.
//! `examples/counter` is a program to try them on:
//!
//! ```console
//! $ cd examples/counter
//! $ cargo stylus check
//! $ cargo stylus deploy --no-verify --private-key-path key --constructor-args 41
//! $ cargo stylus trace --tx 0x…
//! ```
//!
//! # What differs from a real Arbitrum chain
//!
//! * The prefunded accounts' keys are public ([`Handle::accounts`]): never fund them elsewhere.
//! * There is no parent chain: its block numbers are simulated from the clock, its block hashes
//!   from the numbers. Posting to it costs nothing unless [`Config::l1_price_per_unit`] or `ArbOwner` sets a price;
//!   what is paid is computed with this Brotli, whose level 1 may pack some bytes differently from the reference's.
//!   Messages to it are kept and committed to, but nothing takes them there. There are no bridge, no retryable
//!   tickets, and no internal transaction at the start of a block.
//! * The module hash of an activation is this chain's own. Programs that need a dictionary are refused, and so are
//!   programs in fragments.
//! * `ArbOwner` schedules no upgrade; `ArbRetryableTx`, `ArbAggregator` and `ArbFunctionTable` are not there. The cache
//!   manager, where development nodes have a contract, is
//!   built in: it answers as the contract does, but its gas is that of a precompile.
//! * `debug_traceTransaction` and `debug_traceCall` know `callTracer`, `stylusTracer` and the default tracer. The last shows
//!   opcodes, which programs do not have: of a call into one, only the opcode that makes it. No
//!   JavaScript is run: cargo-stylus's script is recognised and answered as `stylusTracer` is.
//! * A program has at most 5·10^12 ink, ten times what the gas of a call buys, and is at most 2 MiB decompressed, whatever
//!   the chain's owner sets. A call has at most 50,000,000 gas. The `pending` block is the latest one; only
//!   `eth_getTransactionCount` counts what waits.
//! * `eth_simulateV1` does not trace transfers, and its blocks state the root of the state they begin from.
//! * A header's `stateRoot` commits to the state by hashing each block's changes onto the
//!   parent's root; it is not the root of a Merkle tree, so there is no `eth_getProof`.

/// The README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

mod arbos;
mod chain;
mod cors;
mod engine;
mod evm;
#[doc(hidden)]
pub mod fuzzing;
mod genesis;
mod hostio;
mod multicall3;
mod rpc;
#[cfg(test)]
mod vectors;
mod wasm;

pub use arbos::{ArbOs, UnknownArbOs};
pub use chain::{Config, StoreError};
pub use cors::Cors;
pub use genesis::DevAccount;
pub use rpc::{Error, Handle, spawn};
