//! The chain: blocks, state, mempool, time, snapshots, persistence.

use std::path::PathBuf;

/// How a devnet starts.
#[derive(Clone, Debug)]
pub struct Config {
    pub chain_id: u64,
    /** 0 picks a free port */
    pub port: u16,
    pub host: std::net::IpAddr,
    pub state_dir: Option<PathBuf>,
}
impl Default for Config {
    fn default() -> Self {
        Self {
            chain_id: 412_346,
            port: 0,
            host: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            state_dir: None,
        }
    }
}
