//! Errors of an actor's work, above the adapters' own.

mod account;
mod convert;
mod text;

use std::io;
use std::path::PathBuf;

pub use self::account::AccountError;
pub(crate) use self::convert::file_error;
use self::text::{or_none, standing};
use crate::audit;
use crate::backup::error as backup;
use crate::home;
use crate::mail;
use crate::operation::journal;
use crate::papers::{card, emergency, guardian, guest, handover, network, request};
use crate::study::error as study;
use pcim_core::date::time;
use pcim_core::{Address, B256, BlockDigest, GrantStatus, ImageDigest, Seal};
use pcim_ledger::Nonce;

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
    /// A network file.
    #[error(transparent)]
    Network(Box<network::Error>),
    /// A handover.
    #[error(transparent)]
    Handover(Box<handover::Error>),
    /// A request document.
    #[error(transparent)]
    Request(#[from] request::Error),
    /// A backup.
    #[error(transparent)]
    Backup(Box<backup::Error>),
    /// Mail.
    #[error(transparent)]
    Mail(Box<mail::Error>),
    /// An emergency object, or what custodians give of it.
    #[error(transparent)]
    Emergency(Box<emergency::Error>),
    /// A guardian's paper.
    #[error(transparent)]
    Guardian(Box<guardian::Error>),
    /// Something about who acts for a patient.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A key that does not act for a patient.
    #[error("{address} does not act for {patient} by a move or a recovery")]
    NotActing {
        /// The patient.
        patient: Address,
        /// The key.
        address: Address,
    },
    /// Asked for too soon after an account moved.
    #[error("the account of {patient} moved lately: this is given from {} on", time(*from))]
    TooSoonAfter {
        /// The patient.
        patient: Address,
        /// Unix seconds.
        from: u64,
    },
    /// Words that are not the card's.
    #[error("the words are not those of the card of {address}")]
    WrongWords {
        /// The card's address.
        address: Address,
    },
    /// An image whose key is with no custodians.
    #[error("no shares of the key of image {image} are with custodians")]
    NoEmergencyObject {
        /// The image.
        image: ImageDigest,
    },
    /// A custodian's consent that the chain does not ask for.
    #[error(
        "no emergency opened image {image} to {requestor} (status: {status:?}), and that key does not act for its patient"
    )]
    NoEmergency {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
        /// How it stands.
        status: GrantStatus,
    },
    /// A card with another certificate than the request's.
    #[error("the certificate of the card of {requestor} is not the one that the request names")]
    OtherCertificate {
        /// The requestor.
        requestor: Address,
    },
    /// Two providers of the chain that do not say the same.
    #[error("another provider (number {number}) says something else of {about} than the first one")]
    ProvidersDiffer {
        /// The request or the account.
        about: String,
        /// The provider, from 1.
        number: usize,
    },
    /// A link for a guest.
    #[error(transparent)]
    Guest(Box<guest::Error>),
    /// OpenPGP.
    #[error(transparent)]
    Seal(#[from] pcim_seal::Error),
    /// IPFS.
    #[error(transparent)]
    Node(#[from] pcim_node::Error),
    /// A pinning service.
    #[error(transparent)]
    Pinning(#[from] pcim_node::pinning::Error),
    /// The chain.
    #[error(transparent)]
    Ledger(#[from] pcim_ledger::Error),
    /// The index of the chain's history.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// Another watcher of this contract is at work in the home.
    #[error("another `pcim watch` is at work in {}", home.display())]
    Watched {
        /// The home.
        home: PathBuf,
    },
    /// A file is not DICOM, or cannot be de-identified safely.
    #[error("{}: {source}", path.display())]
    Dicom {
        /// The file as the caller named it.
        path: PathBuf,
        /// Why.
        source: pcim_dicom::deid::Error,
    },
    /// An input that is no study, or a study that is not what it says.
    #[error(transparent)]
    Study(Box<study::Error>),
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
    /// A note that is too long.
    #[error("a note of {found} bytes; at most {max} are kept")]
    NoteTooLong {
        /// Its length in bytes.
        found: usize,
        /// Most bytes.
        max: usize,
    },
    /// Notes of a later version.
    #[error("notes of version {found}; this program reads version 1")]
    NotesVersion {
        /// The file's version.
        found: u32,
    },
    /// Nothing to seal.
    #[error("no file was given")]
    NoFile,
    /// The home does not know its chain or contract.
    #[error("this home has no {missing} set")]
    NotConfigured {
        /// `rpc_url`, `chain_id` or `contract`.
        missing: &'static str,
    },
    /// A network that the home does not know.
    #[error("this home knows no network `{name}`")]
    UnknownNetwork {
        /// The name.
        name: String,
    },
    /// A contract with another code than at its first use.
    #[error(
        "the code of contract {contract} is not what it was at its first use: {found}, wanted {wanted}"
    )]
    ContractChanged {
        /// The contract.
        contract: Address,
        /// Keccak-256 of its code at its first use.
        wanted: B256,
        /// Keccak-256 of its code as the RPC has it.
        found: B256,
    },
    /// An attestation in the chain's log that its radiologist did not sign.
    #[error(
        "the log says that {radiologist} attested image {image}, and the signature in it is not that account's"
    )]
    ForgedLog {
        /// The image.
        image: ImageDigest,
        /// The radiologist named.
        radiologist: Address,
    },
    /// An RPC of another machine over plain text.
    #[error(
        "the RPC is another machine's, over http:// without encryption: anyone on the way can change what it says"
    )]
    InsecureRpc,
    /// A signed call is for another contract, or for another chain.
    #[error("signed for contract {} on chain {}, this is {} on chain {}", found.1, found.0, wanted.1, wanted.0)]
    OtherContract {
        /// This chain and contract.
        wanted: (u64, Address),
        /// The call's.
        found: (u64, Address),
    },
    /// A signed call that comes after another one of its signer, which was not done yet.
    #[error("call {nonce} of {signer} cannot be done before call {next}")]
    NonceAhead {
        /// The signer.
        signer: Address,
        /// Its nonce.
        nonce: u64,
        /// The nonce that is next.
        next: u64,
    },
    /// A number for a signed call where they have no order.
    #[error(
        "number {nonce} was given for a signed call; at version 2 of the contract they have no order"
    )]
    NoOrder {
        /// The number.
        nonce: u64,
    },
    /// A signed call that gives, and could be held back for long.
    #[error(
        "a call that gives can be sent for a day, until {}, not until {}",
        time(*latest),
        time(*found)
    )]
    DeadlineTooLate {
        /// The deadline given.
        found: u64,
        /// The latest, unix seconds.
        latest: u64,
    },
    /// A signed call that takes away, and might be too late.
    #[error(
        "a call that takes away can be sent for seven days, until {} at least, not until {}",
        time(*earliest),
        time(*found)
    )]
    DeadlineTooSoon {
        /// The deadline given.
        found: u64,
        /// The earliest, unix seconds.
        earliest: u64,
    },
    /// A signed call that takes away, and may still be sent after what is to be given.
    #[error(
        "{function} was signed here as call {nonce} and may be sent until {}: it would end what is given now",
        time(*deadline)
    )]
    Outstanding {
        /// Its function.
        function: String,
        /// Its number.
        nonce: Nonce,
        /// The last second, unix.
        deadline: u64,
    },
    /// No such signed call in this home.
    #[error("no call {nonce} was signed in this home")]
    NotSigned {
        /// The number.
        nonce: Nonce,
    },
    /// The provider's log of a request is not what the contract has.
    #[error(
        "the log of the request of {requestor} for image {image} names another {what} than the contract"
    )]
    RequestForged {
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
        /// The value that differs.
        what: &'static str,
    },
    /// No change of the account is pending, or it ran out.
    #[error("no change of the account of {patient} is pending")]
    NothingPending {
        /// The patient.
        patient: Address,
    },
    /// A change of the account that has to wait.
    #[error("the change can be finished from {} (now is {}){}", time(*ripe), time(*now), last.map(|it| format!(", until {}", time(it))).unwrap_or_default())]
    NotRipe {
        /// Unix seconds.
        ripe: u64,
        /// The chain's time.
        now: u64,
        /// The last moment, if there is one.
        last: Option<u64>,
    },
    /// An image that was not retracted.
    #[error("image {image} is not retracted")]
    NotRetracted {
        /// The image.
        image: ImageDigest,
    },
    /// An image that is as it is to be.
    #[error("image {image} is {how} already")]
    AlreadyFlagged {
        /// The image.
        image: ImageDigest,
        /// How it is.
        how: &'static str,
    },
    /// More approvals, denials or removals than one transaction takes.
    #[error(
        "{found} pairs of image and requestor, at most {} in one transaction",
        crate::limits::MAX_APPROVALS
    )]
    TooManyApprovals {
        /// How many were asked for.
        found: usize,
    },
    /// No request to decide on.
    #[error("there is no open request")]
    NothingToApprove,
    /// One of several requests or approvals cannot be decided on as was asked for.
    #[error("nothing was done: {requestor} and image {image}: {source}")]
    InBatch {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
        /// Why.
        #[source]
        source: Box<Error>,
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
        /// Its owner.
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
    /// Another's signature in the image.
    #[error("the image is signed by {found}, and the radiologist's certificate is {wanted}")]
    SignerMismatch {
        /// Fingerprint of the radiologist's certificate.
        wanted: String,
        /// Fingerprint of the signer.
        found: String,
    },
    /// The signature names another predecessor than the handover.
    #[error("image {image} replaces {}, and its handover says {}", or_none(*found), or_none(*wanted))]
    PredecessorMismatch {
        /// The image.
        image: ImageDigest,
        /// The handover's value.
        wanted: Option<ImageDigest>,
        /// The signature's value.
        found: Option<ImageDigest>,
    },
    /// The predecessor that an image names is another patient's.
    #[error("image {image} claims to replace {predecessor}, which belongs to {owner}")]
    ForeignPredecessor {
        /// The image.
        image: ImageDigest,
        /// The named predecessor.
        predecessor: ImageDigest,
        /// Its owner.
        owner: Address,
    },
    /// Predecessors that lead back to where they began, or never end.
    #[error("the predecessors of image {image} have no end: {predecessor} comes again or too late")]
    EndlessHistory {
        /// The image.
        image: ImageDigest,
        /// The one that is too many.
        predecessor: ImageDigest,
    },
    /// More than is taken from others.
    #[error("a sealed image of {found} bytes; at most {max} are opened")]
    BodyTooLarge {
        /// Bytes of the body.
        found: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The image has no index: it is a single file, of version 1, or older than indexes.
    #[error("image {image} has no index: it can only be opened whole")]
    NoIndex {
        /// The image.
        image: ImageDigest,
    },
    /// The image does not have such an instance.
    #[error("image {image} has no {wanted}: it has {found} instances")]
    NoInstance {
        /// The image.
        image: ImageDigest,
        /// The instance or the series.
        wanted: String,
        /// How many instances it has.
        found: usize,
    },
    /// An instance that memory is not set aside for.
    #[error("instance {number} has {found} bytes; at most {max} are read into memory")]
    InstanceTooLarge {
        /// Its number.
        number: usize,
        /// Its bytes.
        found: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// The chain does not authorize this requestor.
    #[error("not authorized to open image {image}: {}", standing(*status, *expires_at))]
    NotAuthorized {
        /// The image.
        image: ImageDigest,
        /// The status of the request.
        status: GrantStatus,
        /// When an approval ended, unix seconds; 0 if it has no end.
        expires_at: u64,
    },
    /// No request to decide on.
    #[error("{requestor} has no open request for image {image}")]
    NoOpenRequest {
        /// The named requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// The requestor asked again with another certificate than the one that was reviewed.
    #[error("the request now names certificate {requested}, not the reviewed {reviewed}")]
    CertificateChanged {
        /// The certificate that the patient reviewed.
        reviewed: BlockDigest,
        /// The certificate that the latest request names.
        requested: BlockDigest,
    },
    /// The requestor asked again after the request was reviewed.
    #[error(
        "the request was made again at {}, and the one of {} was reviewed",
        time(*requested),
        time(*reviewed)
    )]
    RequestChanged {
        /// When the reviewed request was made, unix seconds.
        reviewed: u64,
        /// When the latest one was made, unix seconds.
        requested: u64,
    },
    /// Approved, and still valid.
    #[error("{requestor} is authorized to open image {image} already")]
    AlreadyAuthorized {
        /// The requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// No approval in force.
    #[error("{requestor} has no approval in force for image {image}")]
    NoApproval {
        /// The named requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// Neither an open request nor an approval.
    #[error("{requestor} has neither a request nor an approval for image {image}")]
    NothingToRevoke {
        /// The named requestor.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// The requestor's certificate cannot take a header for this body.
    #[error("the requestor's certificate {fingerprint} does not accept this image's encryption")]
    ReaderLacksV2 {
        /// The certificate.
        fingerprint: String,
    },
    /// Fewer nodes than asked for have an image.
    #[error("{found} of {wanted} wanted nodes have all {blocks} blocks of {root}{peers}")]
    TooFewReplicas {
        /// The sealed root.
        root: ImageDigest,
        /// How many blocks it has.
        blocks: usize,
        /// How many nodes were wanted.
        wanted: usize,
        /// How many have everything.
        found: usize,
        /// Each peer that was asked, with what it has.
        peers: String,
    },
    /// A value could not be written down.
    #[error("cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// A background task died.
    #[error("a task failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

impl Error {
    /// Says whether no endpoint of the chain answered.
    pub fn is_silence(&self) -> bool {
        use pcim_ledger::Error as L;
        matches!(self, Self::Ledger(L::Rpc { .. } | L::Timeout { .. }))
    }

    /// Says whether it is the chain's, which may answer another time, and not this home's.
    pub fn is_of_chain(&self) -> bool {
        use audit::Error as A;
        match self {
            Self::Ledger(_) => true,
            Self::Audit(error) => {
                matches!(error, A::Ledger(_) | A::BadLogs { .. } | A::Restless { .. })
            }
            _ => false,
        }
    }
}

/// Result of an actor's work.
pub type Result<T> = std::result::Result<T, Error>;
