//! Operations that outlive a process: begun in the journal, carried out on node and chain, settled, resumed.

pub(crate) mod deed;
pub(crate) mod finality;
pub mod journal;
pub(crate) mod relay;
pub(crate) mod relayed;
pub(crate) mod resume;
pub(crate) mod settle;
pub(crate) mod write;
