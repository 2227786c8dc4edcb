//! Limits of the doors and of the spool.

use std::time::Duration;

/// Limits of an association.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// Most bytes of a PDU.
    pub(crate) pdu: u32,
    /// For the association request (PS3.8 §9.1.4, ARTIM).
    pub(crate) request: Duration,
    /// For the next message.
    pub(crate) idle: Duration,
    /// For the next PDU of a message, and for one that is sent to be taken.
    pub(crate) stall: Duration,
}

/// Limits of the spool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Most bytes of all objects.
    pub(crate) spool_bytes: u64,
    /// Fewest bytes that stay free on the disk.
    pub(crate) free_bytes: u64,
    /// Most bytes of one data set.
    pub(crate) object_bytes: u64,
    /// How long the instances of a sealed study are known.
    pub(crate) remember: Duration,
}
