//! The work of each role, and the parts that roles share.

pub(crate) mod account;
pub(crate) mod archive;
pub(crate) mod auditor;
pub(crate) mod batch;
pub(crate) mod consortium;
pub(crate) mod emergency;
pub(crate) mod endings;
pub(crate) mod follow;
pub(crate) mod follower;
pub(crate) mod history;
pub(crate) mod notes;
pub(crate) mod patient;
pub(crate) mod radiologist;
pub(crate) mod receipt;
pub(crate) mod registration;
pub(crate) mod relayer;
pub(crate) mod replicas;
pub(crate) mod requestor;
pub(crate) mod requests;
pub(crate) mod reseal;
pub(crate) mod reviewed;
pub(crate) mod signed;
pub(crate) mod trace;
pub(crate) mod watch;
