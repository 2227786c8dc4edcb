//! End-to-end tests on real parts: the contract's WASM on a devnet, IPFS nodes, OpenPGP keys, DICOM files.

#![allow(clippy::unwrap_used)]

mod account;
mod actors;
mod audit;
mod chain;
mod contract;
mod deploy;
mod flow;
mod follow;
mod historian;
mod ledger;
mod refusals;
mod resume;
mod sealed;
mod stock;
mod study;
mod watch;
