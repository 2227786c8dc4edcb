//! One file per command: its arguments (their documentation is the help) and what it does.

pub(crate) mod bench;
pub(crate) mod demo;
pub(crate) mod devnet;
pub(crate) mod faucet;
pub(crate) mod gas;
