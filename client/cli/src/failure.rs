//! Errors that this program alone has, and what can be done about them.

use std::borrow::Cow;

use pcim_client::audit::Difference;
use pcim_core::hint::{Hint, Hints};
pub(crate) use pcim_terminal::failure::*;

/// The logs and the contract, or two providers, do not say the same.
#[derive(Debug, thiserror::Error)]
#[error("the logs and the contract differ in {count} places; first: {first}")]
pub(crate) struct NotTheSame {
    pub(crate) count: usize,
    pub(crate) first: Difference,
}

/// The contract does not run, or is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotSound(pub(crate) String);

/// Calls were refused, or could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {all} calls were not relayed")]
pub(crate) struct NotRelayed {
    pub(crate) failed: usize,
    pub(crate) all: usize,
}

/// Something of a home does not work.
#[derive(Debug, thiserror::Error)]
#[error("{count} of what was looked at does not work")]
pub(crate) struct Unwell {
    pub(crate) count: usize,
}

/// The inbox refused what was asked of it.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct FromInbox {
    pub(crate) why: String,
    pub(crate) hints: Vec<String>,
}

/// A drill showed that guardians could not help.
#[derive(Debug, thiserror::Error)]
#[error("a recovery by the guardians who answered would not work")]
pub(crate) struct WouldFail;

/// A drill showed that desk and custodians could open nothing.
#[derive(Debug, thiserror::Error)]
#[error("an emergency access by those who answered would not work")]
pub(crate) struct EmergencyWouldFail;

/// The check found something.
#[derive(Debug, thiserror::Error)]
#[error("the check found {found} faults in {files} files")]
pub(crate) struct Faulty {
    pub(crate) found: usize,
    pub(crate) files: u64,
}

/// Returns what can be done about an error of this program's own.
pub(crate) fn hint(error: &anyhow::Error) -> Option<Hints> {
    if error.is::<NotRelayed>() {
        return Some(vec![
            "the report says why; run it again with what can be put right: nothing is done twice"
                .into(),
        ]);
    }
    if let Some(refused) = error.downcast_ref::<FromInbox>() {
        return Some(refused.hints.iter().cloned().map(Cow::Owned).collect());
    }
    if let Some(error) = error.downcast_ref::<pcim_gateway::Error>() {
        return Some(error.hints());
    }
    if let Some(pcim_app::Error::Port { .. }) = error.downcast_ref() {
        return Some(vec!["give another --port, or none".into()]);
    }
    if error.is::<NotTheSame>() {
        return Some(vec!["do not rely on this provider: look again with another --rpc-url, and compare with --compare-rpc-url".into()]);
    }
    if error.is::<Unwell>() {
        return Some(vec![
            "each line that begins with BAD has its remedy below".into(),
        ]);
    }
    if error.is::<WouldFail>() {
        return Some(vec![
            "name other guardians with `pcim patient guardians`, make a backup for them, and drill again".into(),
        ]);
    }
    if error.is::<EmergencyWouldFail>() {
        return Some(vec![
            "name a desk with `pcim patient emergency` and custodians with `pcim patient custodians`, and drill again".into(),
        ]);
    }
    if error.is::<Faulty>() {
        return Some(vec![
            "the table names attributes and files: do not give these results away".into(),
        ]);
    }
    if error.is::<NotSound>() {
        return Some(vec!["check --contract; `pcim deploy keepalive` activates a contract of ours that does not run".into()]);
    }
    None
}
