//! Instances as DICOMweb serves them (PS3.18): metadata in JSON, frames and bulk data as they are stored.

mod instance;
pub(crate) mod json;

pub use instance::{Bulk, Instance, UNCOMPRESSED};

#[cfg(test)]
mod tests;
