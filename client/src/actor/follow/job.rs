//! One thing to be fetched, and what came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::actor::follow::event::Kind;
use crate::papers::emergency::{EmergencyObject, MAX_EMERGENCY_BYTES};
use crate::papers::request::{MAX_CERTIFICATE_BYTES, MAX_REQUEST_BYTES};
use pcim_core::{Address, BlockDigest, ImageDigest};
use pcim_node::{BodyRef, Node, Root};

/// Most bytes of a block that is kept by itself: an emergency object is larger than certificates and request documents.
pub(crate) const MAX_BLOCK_BYTES: usize = MAX_EMERGENCY_BYTES;
/// The slowest that a body may come, in bytes a second, and what it may take beside.
const SLOWEST: u64 = 16 * 1024;
const BODY_TIME: Duration = Duration::from_secs(600);

/// A thing to fetch or to drop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Item {
    Root(ImageDigest),
    /// By the CID of its root.
    Body(String),
    Block(BlockDigest),
}

/// The known facts of an item that is kept, or was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) image: ImageDigest,
    pub(crate) bytes: u64,
    /// Of a root: what it links to; of a body: itself.
    pub(crate) body: Option<Body>,
    /// Of a block that a request names: the requestor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) requestor: Option<Address>,
}

/// A [`BodyRef`] as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    pub(crate) cid: String,
    pub(crate) file_size: u64,
    pub(crate) dag_size: u64,
}

/// The result of a job.
pub(crate) enum Brought {
    Root(Root),
    Body,
    Block(u64),
}

impl Item {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Root(_) => Kind::Root,
            Self::Body(_) => Kind::Body,
            Self::Block(_) => Kind::Block,
        }
    }

    pub(crate) fn cid(&self) -> String {
        match self {
            Self::Root(digest) => digest.to_string(),
            Self::Body(cid) => cid.clone(),
            Self::Block(digest) => digest.to_string(),
        }
    }

    /// The name that it is written down under.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.kind(), self.cid())
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        let (kind, cid) = name.split_once(' ')?;
        Some(match kind {
            "root" => Self::Root(cid.parse().ok()?),
            "body" => Self::Body(cid.to_owned()),
            "block" => Self::Block(cid.parse().ok()?),
            _ => return None,
        })
    }
}

impl From<&BodyRef> for Body {
    fn from(body: &BodyRef) -> Self {
        Self {
            cid: body.cid.clone(),
            file_size: body.file_size,
            dag_size: body.dag_size,
        }
    }
}

impl From<&Body> for BodyRef {
    fn from(body: &Body) -> Self {
        Self {
            cid: body.cid.clone(),
            file_size: body.file_size,
            dag_size: body.dag_size,
        }
    }
}

/// Fetches a root and its header; what is known of it is written down before they are pinned.
pub(crate) async fn fetch_root(
    node: &Node,
    digest: &ImageDigest,
    patience: Duration,
) -> pcim_node::Result<Brought> {
    let root = node.get_root(digest, patience).await?;
    Ok(Brought::Root(root))
}

/// Fetches and pins a whole body; nothing of it is decrypted.
pub(crate) async fn fetch_body(
    node: &Node,
    body: &BodyRef,
    patience: Duration,
) -> pcim_node::Result<Brought> {
    let limit = BODY_TIME + Duration::from_secs(body.dag_size / SLOWEST);
    match tokio::time::timeout(limit, node.fetch_body(body, patience)).await {
        Ok(done) => done.map(|()| Brought::Body),
        Err(_) => Err(pcim_node::Error::Timeout {
            cid: body.cid.clone(),
            seconds: limit.as_secs_f64(),
            peers: node.peers().await,
            tried: pcim_node::Tried(Vec::new()),
        }),
    }
}

/// Fetches and pins a raw block.
pub(crate) async fn fetch_block(
    node: &Node,
    digest: &BlockDigest,
    patience: Duration,
) -> pcim_node::Result<Brought> {
    let bytes = node.get_raw(digest, MAX_BLOCK_BYTES, patience).await?;
    if !is_of_a_request(&bytes) && EmergencyObject::read(&bytes).is_err() {
        return Err(pcim_node::Error::NotOpenPgp {
            cid: digest.to_string(),
        });
    }
    let length = bytes.len() as u64;
    node.put_raw(bytes).await?;
    Ok(Brought::Block(length))
}

/// Says whether a block is what requests name: a certificate or an encrypted document. Anything else is a stranger's, who would
/// have it kept and served at a follower's cost.
fn is_of_a_request(bytes: &[u8]) -> bool {
    bytes.len() <= MAX_REQUEST_BYTES && pcim_seal::is_document(bytes)
        || bytes.len() <= MAX_CERTIFICATE_BYTES && pcim_seal::Certificate::from_bytes(bytes).is_ok()
}

/// Says whether asking again cannot help: the CID says what the bytes are, and they are not what they should be.
pub(crate) fn is_final(error: &pcim_node::Error) -> bool {
    matches!(
        error,
        pcim_node::Error::NotARoot { .. }
            | pcim_node::Error::NotABody { .. }
            | pcim_node::Error::NotOpenPgp { .. }
            | pcim_node::Error::TooLarge { .. }
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pcim_seal::{KeyKind, UnlockedKey};

    use super::*;

    #[test]
    fn a_request_names_certificates_and_documents_and_nothing_else_is_kept() {
        let key = UnlockedKey::generate(KeyKind::Hybrid, None).unwrap();
        let certificate = key.certificate();
        let document = pcim_seal::encrypt_document(b"a request", &key, &[&certificate]).unwrap();
        assert!(is_of_a_request(&document));
        assert!(is_of_a_request(&certificate.to_published_bytes()));
        let prose = "It was a dark and stormy night. ".repeat(1252);
        let twice = [&document[..], &document].concat();
        let behind = [&document[..], b"more"].concat();
        for (name, bytes) in [
            ("nothing", &b""[..]),
            ("prose", prose.as_bytes()),
            ("cut", &document[..40]),
            ("twice", &twice),
            ("more behind it", &behind),
            ("no document before it", &document[1..]),
        ] {
            assert!(!is_of_a_request(bytes), "{name}");
        }
    }
}
