//! De-identifies, seals, stores, shares and audits medical images that belong to the patient.
//!
//! Data flows one way: file → `pcim_dicom` → `pcim_seal` → `pcim_node` → `pcim_ledger`. Those adapters never know
//! each other; this crate is the only place that joins them.

pub mod audit;
pub mod flow;
pub mod home;
pub mod papers;
pub mod study;

mod actor;
mod error;
mod operation;
mod session;

pub use actor::archive::{Exported, Imported};
pub use actor::auditor::{ChainStory, Traced};
pub use actor::batch::{Approval, Approvals, MAX_APPROVALS};
pub use actor::endings::{Ending, Endings};
pub use actor::follow::{FollowEvent, FollowSink, Kind};
pub use actor::history::Version;
pub use actor::notes::{Author, MAX_NOTE_BYTES, Note};
pub use actor::patient::{Decision, OwnImage, PendingRequest};
pub use actor::radiologist::{OutcomeSink, SealOptions, SealedIdentity, SealedImage};
pub use actor::receipt::Receipted;
pub use actor::registration::Registered;
pub use actor::replicas::Replicas;
pub use actor::requestor::{AccessRequest, Requested, Standing};
pub use actor::reseal::{LeftOut, Resealed, Reshared};
pub use actor::watch::{Seen, Watching};
pub use error::{Error, Result};
pub use flow::landing::Target;
pub use flow::opening::OpenedFile;
pub use flow::pipeline::{Progress, ProgressSink};
pub use operation::journal;
pub use operation::relay::{Relayed, Signing};
pub use operation::resume::{Fate, Resumed};
pub use operation::write::Written;
pub use session::{Client, Limits, Overrides};
