//! An embeddable Arbitrum-style development chain that runs Stylus WASM, behind Ethereum JSON-RPC.
//!
//! It knows nothing of any particular contract. [`spawn`] starts one; dropping the [`Handle`] stops it.

mod arbos;
mod chain;
mod engine;
mod evm;
mod genesis;
mod hostio;
mod rpc;
mod wasm;

pub use chain::Config;
pub use rpc::{Handle, spawn};
