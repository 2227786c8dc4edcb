//! The options that every command takes.

use std::path::PathBuf;

use clap::Args;

/// Options that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The actor's home [default: $PCIM_HOME, or ~/.pcim]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print the result as one JSON document
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// A network by name: one that the home has joined, or devnet, arbitrum-sepolia, arbitrum-one
    #[arg(long, global = true, value_name = "NAME", help_heading = "Network")]
    pub(crate) network: Option<String>,
    /// The chain's JSON-RPC endpoint
    #[arg(long, global = true, value_name = "URL", help_heading = "Network")]
    pub(crate) rpc_url: Option<String>,
    /// Take an RPC of another machine over http://, where anyone on the way can change what it says
    #[arg(long, global = true, help_heading = "Network")]
    pub(crate) insecure_rpc: bool,
    /// The chain's id; any other chain is refused
    #[arg(long, global = true, value_name = "ID", help_heading = "Network")]
    pub(crate) chain_id: Option<u64>,
    /// The contract: an address, or the JSON file that `pcim deploy` wrote
    #[arg(
        long,
        global = true,
        value_name = "ADDRESS|FILE",
        help_heading = "Network"
    )]
    pub(crate) contract: Option<String>,
    /// Store in a Kubo node through its RPC API: http://127.0.0.1:5001 or unix:/path
    #[arg(long, global = true, value_name = "URL", help_heading = "Network")]
    pub(crate) ipfs_api: Option<String>,
    /// How long a peer that was asked for a block may keep silent, such as 90s [default: 60s]
    #[arg(
        long,
        global = true,
        value_name = "TIME",
        help_heading = "Network",
        value_parser = crate::parse::seconds
    )]
    pub(crate) wait: Option<u32>,
}
