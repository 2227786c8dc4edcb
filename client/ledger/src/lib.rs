//! The chain: the `Pcac` contract of either version through its ABI (format.md §3.1, §3.8), behind typed calls, events and
//! errors. The only place in the client that names `ethers`.
//!
//! [`Call`]s and events are version 2's; version 1 has fewer of them, and takes only the arguments that it knows.
//!
//! A call goes out in two steps, so that nothing is ever sent twice: [`Ledger::prepare`] simulates and
//! signs it, the caller records the [`SignedCall`], and [`Ledger::submit`] sends exactly those bytes, as
//! often as it takes.

mod abi;
mod account;
mod attestation;
mod call;
mod chain;
mod connect;
mod error;
mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guardians;
mod hint;
mod history;
mod keystore;
mod live;
mod relay;
mod revert;
mod rpc;
mod send;
mod text;
mod typed;
mod types;
mod views;
mod web;

#[cfg(test)]
mod fake;

pub use self::account::{Account, recover_message};
pub use self::attestation::Attestation;
pub use self::chain::Chain;
pub use self::connect::Ledger;
pub use self::error::{Error, Result};
pub use self::guardians::{GuardianSet, MAX_GUARDIANS, RecoveryTerms};
pub use self::history::{BlockHead, ChainLog, Trouble, decode_event};
pub use self::live::{Live, Nudge};
pub use self::relay::service::{RelayAnswer, RelayService, RelayTerms};
pub use self::revert::Revert;
pub use self::text::{is_insecure, shown as shown_url};
pub use self::typed::recover_typed;
pub use self::types::{
    AccountRecord, Accreditation, AccreditationRecord, BadNonce, Call, ChangeKind, Deployment,
    EventFilter, Grant, ImageFlags, ImageRecord, Mined, Nonce, NotesDigest, Pending, Recovery,
    RelayCall, SignedCall, Version,
};
pub use self::web::fetch_document;
pub use pcim_core::{Event, LoggedEvent};
