//! What can go wrong in an actor's work, above the adapters' own errors.

use std::io;
use std::path::PathBuf;

use crate::domain::{Address, BlockDigest, GrantStatus, ImageDigest, Seal};
use crate::{card, deid, handover, home, journal, ledger, node, pinning, request, seal};

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The home.
    #[error(transparent)]
    Home(#[from] home::Error),
    /// A contact card.
    #[error(transparent)]
    Card(#[from] card::Error),
    /// A handover.
    #[error(transparent)]
    Handover(Box<handover::Error>),
    /// A request document.
    #[error(transparent)]
    Request(#[from] request::Error),
    /// OpenPGP.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// IPFS.
    #[error(transparent)]
    Node(#[from] node::Error),
    /// A pinning service.
    #[error(transparent)]
    Pinning(#[from] pinning::Error),
    /// The chain.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// A file is not DICOM, or cannot be de-identified safely.
    #[error("{}: {source}", path.display())]
    Dicom {
        /// The file as the caller named it.
        path: PathBuf,
        /// Why.
        source: deid::Error,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file as the caller named it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a file already where the result belongs.
    #[error("{} exists already", path.display())]
    FileExists {
        /// The file.
        path: PathBuf,
    },
    /// A description for the chain has words that are not on the standard's lists.
    #[error("the description may only have modality and body part codes of DICOM's lists")]
    Description,
    /// Nothing to seal.
    #[error("no file was given")]
    NoFile,
    /// The keys of the home were not unlocked.
    #[error("the keys of this home are locked")]
    Locked,
    /// The home does not know its chain or contract.
    #[error("this home has no {missing} set")]
    NotConfigured {
        /// `rpc_url`, `chain_id` or `contract`.
        missing: &'static str,
    },
    /// Nobody registered the image with this contract.
    #[error("no image {image} is registered")]
    UnknownImage {
        /// The image.
        image: ImageDigest,
    },
    /// The image is another patient's.
    #[error("image {image} belongs to {owner}, not to {me}")]
    NotMine {
        /// The image.
        image: ImageDigest,
        /// Its owner.
        owner: Address,
        /// This home's address.
        me: Address,
    },
    /// The image is registered already.
    #[error("image {image} is already registered, by {owner}")]
    ImageTaken {
        /// The image.
        image: ImageDigest,
        /// Who registered it.
        owner: Address,
    },
    /// The radiologist is not accredited by this contract's consortium.
    #[error("radiologist {radiologist} is not accredited")]
    NotAccredited {
        /// The radiologist.
        radiologist: Address,
    },
    /// The image in a handover is not what its radiologist attested.
    #[error("the sealed image's signature is {found}, and {wanted} was attested")]
    SealMismatch {
        /// The attested seal.
        wanted: Seal,
        /// The seal of what was opened.
        found: Seal,
    },
    /// Someone else's signature in the image.
    #[error("the image is signed by {found}, and the radiologist's certificate is {wanted}")]
    SignerMismatch {
        /// Fingerprint of the radiologist's certificate.
        wanted: String,
        /// Fingerprint of the signer.
        found: String,
    },
    /// More than is taken from others.
    #[error("a sealed image of {found} bytes; at most {max} are opened")]
    BodyTooLarge {
        /// Bytes of the body.
        found: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The chain does not authorize this requestor.
    #[error("not authorized to open image {image}: {}", standing(*status, *expires_at))]
    NotAuthorized {
        /// The image.
        image: ImageDigest,
        /// What became of the request.
        status: GrantStatus,
        /// When an approval ended, unix seconds; 0 if it has no end.
        expires_at: u64,
    },
    /// No request to decide on.
    #[error("{requester} has no open request for image {image}")]
    NoOpenRequest {
        /// Who was named.
        requester: Address,
        /// The image.
        image: ImageDigest,
    },
    /// The requestor asked again with another certificate than the one that was reviewed.
    #[error("the request now names certificate {requested}, not the reviewed {reviewed}")]
    CertificateChanged {
        /// What the patient looked at.
        reviewed: BlockDigest,
        /// What the latest request names.
        requested: BlockDigest,
    },
    /// Approved, and still valid.
    #[error("{requester} is authorized to open image {image} already")]
    AlreadyAuthorized {
        /// Who.
        requester: Address,
        /// The image.
        image: ImageDigest,
    },
    /// Neither an open request nor an approval.
    #[error("{requester} has neither a request nor an approval for image {image}")]
    NothingToRevoke {
        /// Who was named.
        requester: Address,
        /// The image.
        image: ImageDigest,
    },
    /// The requestor's certificate cannot take a header for this body.
    #[error("the requestor's certificate {fingerprint} does not accept this image's encryption")]
    ReaderLacksV2 {
        /// The certificate.
        fingerprint: String,
    },
    /// A value could not be written down.
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A background task died.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl From<handover::Error> for Error {
    fn from(error: handover::Error) -> Self {
        Self::Handover(Box::new(error))
    }
}

/// What the facade returns.
pub type Result<T> = std::result::Result<T, Error>;

fn standing(status: GrantStatus, expires_at: u64) -> String {
    match status {
        GrantStatus::None => "no access was requested".to_owned(),
        GrantStatus::Requested => "the patient has not decided yet".to_owned(),
        GrantStatus::Approved => format!("the approval expired at {expires_at} (unix seconds)"),
        GrantStatus::Denied => "the patient denied the request".to_owned(),
        GrantStatus::Removed => "the patient removed the access".to_owned(),
    }
}
