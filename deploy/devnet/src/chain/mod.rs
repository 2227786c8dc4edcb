//! The chain: blocks, state, held transactions, time, snapshots, persistence.
//!
//! One writer at a time executes a transaction, has its block on disk, and only then shows it to
//! readers; readers never wait for an execution.

mod account;
pub(crate) mod block;
mod call;
mod clock;
mod config;
mod core;
mod dev;
mod error;
mod estimate;
pub(crate) mod fork;
mod fork_error;
pub(crate) mod ledger;
mod limits;
pub(crate) mod mine;
pub(crate) mod overrides;
pub(crate) mod pool;
pub(crate) mod simulate;
pub(crate) mod simulation;
pub(crate) mod state;
mod store;
pub(crate) mod touched;
mod transport;
pub(crate) mod tx;
mod view;

pub(crate) use self::{
    call::{BlockId, Call},
    clock::Mining,
    core::Chain,
    error::Error,
};
pub use self::{
    config::{Config, Fork},
    fork_error::ForkError,
    store::StoreError,
};

#[cfg(test)]
mod tests;
