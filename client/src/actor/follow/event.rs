//! Reports of a node that follows.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use pcim_core::ImageDigest;

/// The kind of a thing that is kept, or was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A sealed root and its header.
    Root,
    /// The encrypted body of an image.
    Body,
    /// A requestor's certificate or an encrypted request document.
    Block,
}

/// A report of a node that follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "follow", rename_all = "lowercase")]
#[non_exhaustive]
pub enum FollowEvent {
    /// The chain was read up to a block, and said something new.
    Read {
        /// The block.
        block: u64,
        /// How many events there are by now.
        events: usize,
    },
    /// Something is here and pinned.
    Pinned {
        /// Its kind.
        kind: Kind,
        /// Its CID.
        cid: String,
        /// The image that it is for.
        image: ImageDigest,
        /// Its bytes.
        bytes: u64,
    },
    /// Something is no longer wanted, and deleted here.
    Dropped {
        /// Its kind.
        kind: Kind,
        /// Its CID.
        cid: String,
        /// The image that it was for.
        image: ImageDigest,
    },
    /// Something could not be had; it is tried again.
    Failed {
        /// Its kind.
        kind: Kind,
        /// Its CID.
        cid: String,
        /// The image that it is for.
        image: ImageDigest,
        /// How often it was tried.
        tries: u32,
        /// When it is tried again, in seconds.
        retry_seconds: u64,
        /// Why.
        reason: String,
    },
    /// Something is not taken, and not tried again.
    Refused {
        /// Its kind.
        kind: Kind,
        /// Its CID.
        cid: String,
        /// The image that it is for.
        image: ImageDigest,
        /// Why.
        reason: String,
    },
    /// The chain could not be read; it is tried again.
    Chain {
        /// Why.
        reason: String,
    },
}

/// Where a node that follows tells what it does.
pub type FollowSink = Arc<dyn Fn(FollowEvent) + Send + Sync>;

/// An error with its sources, in one line.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text.replace(|c: char| c.is_control(), " ")
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Body => "body",
            Self::Block => "block",
        })
    }
}

/// One line.
impl fmt::Display for FollowEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { block, events } => write!(f, "read up to block {block}: {events} events"),
            Self::Pinned {
                kind,
                cid,
                image,
                bytes,
            } => write!(f, "pinned {kind} {cid} of image {image}, {bytes} bytes"),
            Self::Dropped { kind, cid, image } => {
                write!(f, "dropped {kind} {cid} of image {image}")
            }
            Self::Failed {
                kind,
                cid,
                image,
                tries,
                retry_seconds,
                reason,
            } => write!(
                f,
                "{kind} {cid} of image {image} not had (try {tries}, next in {retry_seconds} s): {reason}"
            ),
            Self::Refused {
                kind,
                cid,
                image,
                reason,
            } => write!(f, "{kind} {cid} of image {image} refused: {reason}"),
            Self::Chain { reason } => write!(f, "the chain was not read: {reason}"),
        }
    }
}
