//! DICOM files as they are: data sets in memory, files read and written (PS3.10), frames of pixels decoded.
//!
//! [`deid`], [`view`], [`check`], [`arrival`], [`query`] and [`web`] stand on them. Pure: no key, no network. Every length is checked before
//! memory is set aside for it.

pub mod arrival;
pub mod check;
pub mod commitment;
pub mod deface;
pub mod deid;
pub mod fhir;
#[cfg(feature = "lettering")]
pub mod lettering;
pub mod query;
pub mod sample;
pub mod view;
pub mod web;

mod codec;
mod description;
mod error;
mod file;
mod format;
mod fragments;
mod frame;
mod hint;
mod listing;
mod lut;
mod reader;
mod repair;
mod transfer;
mod tree;

#[cfg(any(test, fuzzing))]
pub use codec::fuzzing;
pub use error::{Error, Result};
pub use file::is_dicom;
pub use listing::{Level, ListedInstance, Listing, SeriesOf};
pub use transfer::little_endian_data_set;

#[cfg(test)]
mod tests;
