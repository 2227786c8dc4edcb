//! Ethereum JSON-RPC over HTTP and WebSocket on one port.

use crate::Config;
use alloy_primitives::{Address, B256};

/// Why a devnet did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("placeholder")]
    Placeholder,
}
/// A prefunded account.
#[derive(Clone)]
pub struct DevAccount {
    pub address: Address,
    pub private_key: B256,
}
/// A running devnet; dropping it stops it.
pub struct Handle(());
impl Handle {
    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        todo!()
    }
    pub fn ws_url(&self) -> String {
        todo!()
    }
    pub fn chain_id(&self) -> u64 {
        todo!()
    }
    /// Prefunded accounts; the first is the well-known dev account.
    pub fn accounts(&self) -> &[DevAccount] {
        todo!()
    }
    /// Moves the clock of the next block forward.
    pub async fn increase_time(&self, _seconds: u64) {
        todo!()
    }
    /// Stops it, flushing state to disk.
    pub async fn shutdown(self) {
        todo!()
    }
}
/// Starts a devnet on the current tokio runtime.
pub async fn spawn(_config: Config) -> Result<Handle, Error> {
    todo!()
}
