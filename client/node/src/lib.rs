//! IPFS: an embedded node with its repository on disk. The only place that names `rust_ipfs` / libp2p.
//!
//! Blocks are CIDv1, sha2-256. A body is a balanced UnixFS tree of raw leaves (profile
//! `unixfs-v1-2025`: the CIDs of `ipfs add --cid-version=1 --raw-leaves --chunker=size-1048576
//! --max-file-links=1024`); a sealed root is a node over one header block and one body (format.md §4.1).
//! Every block, from disk or from a peer, is verified against its CID before it is used.
//!
//! Unless its settings say otherwise ([`Network`]), the node announces nothing, asks no directory and looks for nobody: it talks
//! to the peers that were named to it, and to those that connect.

mod archive;
mod body;
pub mod car;
mod disk;
mod error;
mod exchange;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod hint;
mod keep;
mod mail;
mod network;
mod node;
mod peers;
pub mod pinning;
mod ranges;
mod replicas;
mod root;
mod rpc;
mod seeker;
mod storage;
mod store;
mod swarm;
#[cfg(test)]
mod tests;
mod types;
mod unixfs;

pub use archive::Imported;
pub use error::{Cause, Error, Result, Tried};
pub use mail::{MAX_ANSWER, MAX_QUESTION, Mailbox, Serving};
pub use network::{Dht, Network, SwarmKey};
pub use node::Node;
pub use pcim_core::BodyRef;
pub use ranges::BodyAt;
pub use root::{block_digest, root_digest};
pub use rpc::Server;
pub use types::{
    DEFAULT_CHUNK, MAX_BLOCK, MAX_HEADER, MAX_ROOT, NodeConfig, Replica, RepoStat, Root, Stored,
    Survey,
};
pub use unixfs::Malformed;
