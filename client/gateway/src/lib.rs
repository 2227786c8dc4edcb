//! The door of a department's network: takes objects by DIMSE and DICOMweb, keeps them encrypted, and seals studies to
//! their patients by rules; gives out by DIMSE and DICOMweb the images that its home may open.
//!
//! In: a sender → `spool` → rules → the radiologist's work of `pcim_client`. Nothing that arrives is on disk in clear.
//! Out: the chain says which images → `catalogue` → a reader. Nothing that is opened is on disk at all.

mod catalogue;
mod control;
mod current;
mod dimse;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gateway;
mod http;
mod inbox;
mod limits;
mod log;
mod memory;
mod metrics;
mod moment;
mod rehearsal;
mod rules;
mod settings;
mod spool;
mod status;
mod tls;
mod wire;

pub use control::{Control, ask, socket_path};
pub use current::Reloaded;
pub use error::{Error, Result};
pub use gateway::{Gateway, Listening, Ports, Rereading};
pub use inbox::{Entry, Reply, Request};
pub use log::LogSink;
pub use rehearsal::{Rehearsal, Rehearsed};
pub use rules::Rules;
pub use settings::{Network, Peer, Right, Settings, Token};
pub use tls::TlsFiles;
