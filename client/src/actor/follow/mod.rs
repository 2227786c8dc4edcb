//! The follower's parts: what is wanted, what is fetched, and how it is reported.

pub(crate) mod event;
pub(crate) mod job;
pub(crate) mod keeper;
pub(crate) mod plan;
pub(crate) mod quota;
