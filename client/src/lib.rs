//! De-identifies, seals, stores, shares and audits medical images that belong to the patient.
//!
//! Data flows one way: file → `pcim_dicom` → `pcim_seal` → `pcim_node` → `pcim_ledger`. Those adapters never know
//! each other; [`client`] is the only place that joins them.

pub mod audit;
pub mod bench;
pub mod card;
pub mod client;
pub mod handover;
pub mod home;
pub mod journal;
pub mod request;
