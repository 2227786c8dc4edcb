//! De-identifies, seals, stores, shares and audits medical images that belong to the patient.
//!
//! Data flows one way: file → [`deid`] → [`seal`] → [`node`] → [`ledger`]. Those adapters never know
//! each other; [`client`] is the only place that joins them.

pub mod audit;
pub mod bench;
pub mod card;
pub mod client;
pub mod deid;
pub mod dicom;
pub mod domain;
pub mod handover;
pub mod home;
pub mod journal;
pub mod ledger;
pub mod node;
pub mod pinning;
pub mod request;
pub mod seal;
pub mod view;

mod buffers;
#[cfg(test)]
mod chance;
mod direct;
mod parallel;
mod pipe;
mod private;
