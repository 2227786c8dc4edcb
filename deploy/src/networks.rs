//! Networks by name, from `deploy/networks.toml` (embedded).

/// A network.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Network {
    pub name: String,
    pub chain_id: u64,
    pub rpc_url: String,
}
/// Finds a network by name: `devnet`, `arbitrum-sepolia`, `arbitrum-one`.
pub fn by_name(_name: &str) -> Option<Network> {
    todo!()
}
