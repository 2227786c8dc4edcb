//! The chain's history as something to read, and to be warned by.

pub mod report;
pub mod watch;
