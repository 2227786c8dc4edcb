//! Checks, deploys, activates and constructs in one transaction through StylusDeployer, and records it.

use alloy_primitives::{Address, B256};

/// What to deploy and where.
pub struct Request<'a> {
    pub rpc_url: &'a str,
    /** refuse any other chain */
    pub chain_id: u64,
    pub deployer_key: &'a [u8; 32],
    pub consortium: Address,
    pub wasm: &'a [u8],
}
/// What `deploy/deployments/<chain-id>.json` records.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Record {
    pub chain_id: u64,
    pub contract: Address,
    pub consortium: Address,
    pub code_hash: B256,
    pub wasm_sha256: String,
    pub compiler: String,
    pub block: u64,
    pub tx: B256,
    pub gas_used: u64,
    /** wei */
    pub data_fee: String,
}
/// Why a deployment did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("placeholder")]
    Placeholder,
}
/// Deploys and reads `consortium()` back.
pub async fn deploy(_request: &Request<'_>) -> Result<Record, Error> {
    todo!()
}
