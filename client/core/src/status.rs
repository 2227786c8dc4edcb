//! The status of a request.

use serde::{Deserialize, Serialize};

/// The status of a request (format.md §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantStatus {
    /// Never asked.
    None = 0,
    /// Open.
    Requested = 1,
    /// Approved (perhaps expired).
    Approved = 2,
    /// Denied.
    Denied = 3,
    /// Removed by the patient, or given up by the requestor.
    Removed = 4,
    /// Opened by an emergency desk (perhaps ended). Version 2 of the contract.
    Emergency = 5,
}

impl GrantStatus {
    /// All of them, by their numbers.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Requested,
        Self::Approved,
        Self::Denied,
        Self::Removed,
        Self::Emergency,
    ];

    /// Reads the contract's number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}
