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
    /// Removed by the patient.
    Removed = 4,
}
