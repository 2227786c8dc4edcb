//! Version 2 of the contract on a devnet, through its ABI alone. No program uses it yet.

#![allow(clippy::unwrap_used)]

mod chain;
mod gas;
mod import;
mod machine;
mod matrix;
mod model;
mod random;
mod signed;
