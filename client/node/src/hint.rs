//! Advice about an IPFS error.

use crate::Error;
use pcim_core::hint::{CHECK_THE_DISK, Hint, Hints};

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Timeout { .. } | Self::PeerUnreachable { .. } => {
                "the owner's node must run and be reachable: `pcim node` there, its address in the `peers` of this home's config.toml"
            }
            Self::MailboxSilent { .. } => {
                "a follower keeps mailboxes (`pcim node --follow-chain`); a network file names those of its consortium"
            }
            Self::SwarmKey { .. } => {
                "a swarm.key has three lines: /key/swarm/psk/1.0.0/, /base16/ and 64 hexadecimal digits; chmod 600 it"
            }
            Self::NoSwarmKey => "put the swarm's swarm.key into the home, or set `private = false`",
            Self::RepoLocked { .. } => {
                "this home's `pcim node` runs already, or another program has the repository open"
            }
            Self::Endpoint { .. } => "correct --ipfs-api or `ipfs_api` in the home's config.toml",
            Self::Api { .. } => {
                "check that the IPFS node runs and that --ipfs-api is its RPC API; what was stored stays"
            }
            Self::Listen { .. } => {
                "another program has the port; change `listen` in the home's config.toml"
            }
            Self::Address { .. } => {
                "correct `listen`, `peers` or `relays` in the home's config.toml"
            }
            Self::BlockMismatch { .. } => {
                "the block is damaged on this disk or at its sender; fetch it again from another peer"
            }
            Self::Io { .. } => CHECK_THE_DISK,
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}
