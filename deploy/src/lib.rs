//! Builds, checks, deploys, activates and records the `Pcac` contract on Arbitrum-style chains.

pub mod artifact;
pub mod build;
pub mod deploy;
pub mod networks;
