//! The version of a body.

use std::fmt;

/// The container that a body is (RFC 9580 §5.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyVersion {
    /// SEIPDv1, AES-256-CFB with a modification detection code: for readers whose certificate lacks SEIPDv2. Their
    /// software must skip or verify version 6 signatures (RFC 9580 §5.2); GnuPG 2.2 does neither and stops at them.
    V1,
    /// SEIPDv2, AES-256-OCB.
    V2,
}

impl fmt::Display for BodyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "1",
            Self::V2 => "2",
        })
    }
}
