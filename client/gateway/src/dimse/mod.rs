//! The DIMSE door: verification, storage, storage commitment (PS3.4 Annexes A, B, J).

mod association;
mod classes;
mod command;
mod serve;

pub(crate) use command::is_uid;
pub(crate) use serve::Door;

#[cfg(test)]
mod tests;
