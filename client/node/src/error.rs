//! Errors of the node.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::car;
use super::unixfs::Malformed;

/// The peers that were tried for a block, each with what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried(pub Vec<String>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|peer| write!(f, "; {peer}"))
    }
}

/// An error of another library, kept as the source.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a call of the node failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process (or another node of this one) has the repository open.
    #[error("the IPFS repository {} is in use by another process", path.display())]
    RepoLocked {
        /// The repository.
        path: PathBuf,
    },
    /// The file with the node's private key does not serve.
    #[error("the IPFS identity {} cannot be used", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
    /// The key of a private swarm does not serve.
    #[error("the swarm key {} cannot be used", path.display())]
    SwarmKey {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Cause,
    },
    /// The node must run in a private swarm, and there is no key.
    #[error("the network is set to `private`, and there is no swarm key")]
    NoSwarmKey,
    /// A configuration out of bounds.
    #[error("chunks of {found} bytes, wanted 1 to {max}")]
    ChunkSize {
        /// The value that was asked for.
        found: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Not a multiaddr.
    #[error("`{found}` is not a multiaddr such as /ip4/192.0.2.1/tcp/4001/p2p/12D3…")]
    Address {
        /// The value that was given.
        found: String,
        /// Why.
        source: Cause,
    },
    /// A socket that cannot be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// The multiaddr.
        address: String,
        /// Why.
        source: Cause,
    },
    /// A peer that did not answer, or is another one.
    #[error("peer {address} is not reachable")]
    PeerUnreachable {
        /// The multiaddr.
        address: String,
        /// Why.
        source: Cause,
    },
    /// A node that keeps no mailbox, or does not answer.
    #[error("no answer from a mailbox at {address}")]
    MailboxSilent {
        /// The multiaddr.
        address: String,
        /// Why.
        source: Cause,
    },
    /// A block that nobody delivered in time.
    #[error(
        "block {cid} did not arrive: nothing came for {seconds} s, {peers} peers connected{tried}"
    )]
    Timeout {
        /// The block.
        cid: String,
        /// The time limit in seconds.
        seconds: f64,
        /// How many peers were connected at the end.
        peers: usize,
        /// The answer of each peer.
        tried: Tried,
    },
    /// A block that should have been on this node.
    #[error("block {cid} is not on this node")]
    Missing {
        /// The block.
        cid: String,
    },
    /// Bytes that do not hash to the CID that they were stored or sent under.
    #[error("block {wanted} is damaged: its bytes hash to {found}")]
    BlockMismatch {
        /// The block that was asked for.
        wanted: String,
        /// The part that the bytes are.
        found: String,
    },
    /// A block beyond its limit.
    #[error("block {cid} of {found} bytes, at most {max} allowed here")]
    TooLarge {
        /// The block.
        cid: String,
        /// Its bytes.
        found: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// Something else where a sealed root belongs.
    #[error("{cid} is not a sealed root")]
    NotARoot {
        /// The block.
        cid: String,
        /// The reason.
        source: Malformed,
    },
    /// Something else where a body's tree belongs, or sizes other than declared.
    #[error("{cid} is not the body's tree")]
    NotABody {
        /// The block.
        cid: String,
        /// The reason.
        source: Malformed,
    },
    /// A block that is neither a certificate nor an encrypted document.
    #[error("{cid} is neither an OpenPGP certificate nor an encrypted document")]
    NotOpenPgp {
        /// The block.
        cid: String,
    },
    /// The stream that was to be stored failed; nothing of it is kept.
    #[error("the body broke off")]
    Body(#[source] io::Error),
    /// The disk refused.
    #[error("the IPFS repository failed while {doing}")]
    Io {
        /// The operation that was tried.
        doing: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// Neither `http://host:port` nor `unix:/path`.
    #[error("`{found}` is no IPFS API such as http://127.0.0.1:5001 or unix:/path/to/socket")]
    Endpoint {
        /// The value that was given.
        found: String,
    },
    /// Another process's node refused, or did not answer.
    #[error("the IPFS API at {endpoint} failed while {doing}")]
    Api {
        /// Where it is.
        endpoint: String,
        /// The operation that was tried.
        doing: &'static str,
        /// The reason.
        source: Cause,
    },
    /// Another program's node does not do this.
    #[error(
        "the IPFS API at {endpoint} has no means of {doing}; this home's own node has, without ipfs_api"
    )]
    Unable {
        /// Where it is.
        endpoint: String,
        /// The value that was wanted.
        doing: &'static str,
    },
    /// A CAR file that is not taken in.
    #[error("the CAR file is refused")]
    Car(#[from] car::MalformedCar),
    /// The IPFS library refused.
    #[error("the IPFS node failed while {doing}")]
    Ipfs {
        /// The operation that was tried.
        doing: &'static str,
        /// The reason.
        source: Cause,
    },
}

/// The node's results.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(super) fn io(doing: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}

/// For byte streams; [`io::Error::get_ref`] gives the node's error back.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Timeout { .. } => io::ErrorKind::TimedOut,
            Error::Missing { .. } => io::ErrorKind::NotFound,
            Error::BlockMismatch { .. }
            | Error::TooLarge { .. }
            | Error::NotARoot { .. }
            | Error::NotABody { .. }
            | Error::NotOpenPgp { .. } => io::ErrorKind::InvalidData,
            Error::Io { source, .. } | Error::Body(source) => source.kind(),
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

/// Finds the io error in what rust-ipfs reports.
pub(super) fn of_ipfs(doing: &'static str, error: rust_ipfs::Error) -> Error {
    match error.downcast::<std::io::Error>() {
        Ok(source) => Error::Io { doing, source },
        Err(other) => Error::Ipfs {
            doing,
            source: Cause::from(other),
        },
    }
}
