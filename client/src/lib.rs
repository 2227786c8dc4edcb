//! De-identifies, seals, stores, shares and audits medical images that belong to the patient.
//!
//! Data flows one way: file → `pcim_dicom` → `pcim_seal` → `pcim_node` → `pcim_ledger`. Those adapters never know
//! each other; this crate is the only place that joins them.

pub mod audit;
pub mod backup;
pub mod flow;
pub mod guest;
pub mod home;
pub mod known;
pub mod mail;
pub mod network;
pub mod papers;
pub mod relay;
pub mod study;

mod actor;
mod confirm;
mod error;
mod hint;
mod limits;
mod operation;
mod place;
mod session;
mod unlocked;

pub use actor::account::{AccountStanding, Desk, Guarded};
pub use actor::archive::{Exported, Imported};
pub use actor::auditor::{Auditor, ChainStory, OwnImage};
pub use actor::batch::{Approval, Approvals};
pub use actor::consortium::Consortium;
pub use actor::custody::{Consent, ConsentReason};
pub use actor::endings::{Ending, Endings};
pub use actor::follow::event::{FollowEvent, FollowSink, Kind};
pub use actor::follower::Follower;
pub use actor::guardian::{DrillStanding, Drilled};
pub use actor::handed::{Fetched, HandedOver};
pub use actor::history::Version;
pub use actor::inbox::InboxItem;
pub use actor::instances::{FetchedInstance, FetchedInstances, Selection};
pub use actor::invite::{Invitation, Invited, JoinedBy};
pub use actor::mail::{FetchedMail, LeftMail};
pub use actor::notes::{Author, MAX_NOTE_BYTES, Note};
pub use actor::openable::Openable;
pub use actor::patient::{Decision, Patient, PendingRequest};
pub use actor::radiologist::{OutcomeSink, Radiologist, SealOptions, SealedIdentity, SealedImage};
pub use actor::receipt::Receipted;
pub use actor::registration::Registered;
pub use actor::rehearsal::{DrillFailure, DrilledImage, EmergencyAnswered, EmergencyDrilled};
pub use actor::relayer::{Relayed, Relayer};
pub use actor::replicas::Replicas;
pub use actor::requestor::{AccessRequest, AccessStatus, Requested, Requestor};
pub use actor::rescue::Rescue;
pub use actor::reseal::{LeftOut, Resealed, Reshared};
pub use actor::reviewed::Reviewed;
pub use actor::rotation::Rotation;
pub use actor::shred::{ShredPlan, Shredded};
pub use actor::signed::{SignedFate, SignedHere, Voided, VoidedCall};
pub use actor::trace::Traced;
pub use actor::watch::{Seen, Watching};
pub use error::{AccountError, Error, Result};
pub use flow::access::{MAX_INSTANCE_BYTES, Opened, Origin};
pub use flow::landing::Target;
pub use flow::opening::OpenedFile;
pub use flow::pipeline::{Progress, ProgressSink};
pub use limits::{Limits, MAX_APPROVALS, RELAY_GAS};
pub use operation::deed::{Deed, DeedKey, Once, UnknownDeed};
pub use operation::journal;
pub use operation::resume::{Fate, Resumed};
pub use operation::write::{Outcome, Written};
pub use session::{Delegacy, Overrides, Session};
pub use unlocked::{Actor, Signing, Unlocked};
