//! Networks by name, from `deploy/networks.toml` (embedded).

use alloy_primitives::Address;
use serde::Deserialize;

/// A network.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The value of `--network`.
    pub name: String,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// A public RPC endpoint; another one can be named.
    pub rpc_url: String,
    /// The factory that deploys, activates and constructs in one transaction.
    pub stylus_deployer: Address,
    /// The contract that sells places in the cache of programs.
    pub cache_manager: Option<Address>,
    /// Where people look at transactions.
    pub explorer: Option<String>,
    /// Where the ether comes from, or what to mind.
    pub note: String,
}

/// Finds a network by name: `devnet`, `arbitrum-sepolia`, `arbitrum-one`.
pub fn by_name(name: &str) -> Option<Network> {
    all().into_iter().find(|network| network.name == name)
}

/// Lists every network that has a name.
pub fn all() -> Vec<Network> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        network: Vec<Network>,
    }
    let table: Table = toml::from_str(include_str!("../networks.toml"))
        .expect("the embedded table is well-formed: a test reads it");
    table.network
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::deploy::STYLUS_DEPLOYER;

    #[test]
    fn the_networks_are_those_that_are_known() {
        let found: Vec<_> = all().into_iter().map(|n| (n.name, n.chain_id)).collect();
        let wanted = [
            ("devnet", 412_346),
            ("arbitrum-sepolia", 421_614),
            ("arbitrum-one", 42_161),
        ];
        assert_eq!(found, wanted.map(|(name, id)| (name.to_owned(), id)));
        for network in all() {
            assert_eq!(by_name(&network.name), Some(network.clone()));
            assert_eq!(network.stylus_deployer, STYLUS_DEPLOYER);
            let local = network.rpc_url.starts_with("http://127.0.0.1:");
            assert!(
                local || network.rpc_url.starts_with("https://"),
                "{network:?}"
            );
        }
        assert_eq!(by_name("mainnet"), None);
    }
}
