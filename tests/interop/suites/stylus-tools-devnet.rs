//! The node that the examples of stylus-sdk-rs ask for: a `stylus-devnet`, which has from its start what their set-up deploys.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use alloy::{
    network::EthereumWallet,
    providers::{Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use eyre::{OptionExt as _, Result};

pub const DEVNET_PRIVATE_KEY: &str = "b6b15c8cb491557369f3c7d2c287b053eb229daa9c22138887752191c9520659";

pub mod addresses {
    pub use alloy::primitives::{address, Address};

    pub const OWNER: Address = address!("0x3f1Eae7D46d88F08fc2F8ed27FCb2AB183EB2d0E");
    pub const ARB_DEBUG: Address = address!("0x00000000000000000000000000000000000000FF");
    pub const ARB_OWNER: Address = address!("0x0000000000000000000000000000000000000070");
    pub const CREATE2_FACTORY: Address = address!("0x4e59b44847b379578588920ca78fbf26c0b4956c");
    pub const STYLUS_DEPLOYER: Address = address!("0xcEcba2F1DC234f70Dd89F2041029807F8D03A990");
    pub const CACHE_MANAGER: Address = address!("0x2F8Bd4EaB69764c105aDd7dE7CB0402557a44E6f");
}

/// A chain in a process of its own, which ends when this is dropped.
pub struct Node {
    process: Child,
    rpc: String,
    /// What it prints goes somewhere as long as it runs.
    _out: BufReader<ChildStdout>,
}

impl Node {
    /// Starts the program that `STYLUS_DEVNET` names.
    pub async fn new() -> Result<Self> {
        let mut process = Command::new(std::env::var("STYLUS_DEVNET")?)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()?;
        let out = process.stdout.take().ok_or_eyre("no output")?;
        let mut first = String::new();
        let mut out = BufReader::new(out);
        out.read_line(&mut first)?;
        let rpc = first.split_whitespace().last().ok_or_eyre("no address")?;
        Ok(Self {
            rpc: rpc.to_owned(),
            process,
            _out: out,
        })
    }

    pub fn rpc(&self) -> &str {
        &self.rpc
    }

    pub async fn create_provider(&self) -> Result<impl Provider> {
        let signer: PrivateKeySigner = DEVNET_PRIVATE_KEY.parse()?;
        let wallet = EthereumWallet::from(signer);
        Ok(ProviderBuilder::new().wallet(wallet).connect(self.rpc()).await?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
