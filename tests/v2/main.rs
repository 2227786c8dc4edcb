//! Version 2 of the contract on a devnet, through its ABI alone.

#![allow(clippy::unwrap_used)]

mod chain;
mod fuzz;
mod gas;
mod import;
mod machine;
mod matrix;
mod model;
mod random;
mod signed;
mod worst;
