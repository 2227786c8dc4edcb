//! DICOM files as they are: data sets in memory, files read and written (PS3.10), frames of pixels decoded.
//!
//! [`deid`] and [`view`] both stand on them. Pure: no key, no network. Every length is checked before
//! memory is set aside for it.

pub mod check;
pub mod deid;
pub mod lettering;
pub mod sample;
pub mod view;

mod codec;
mod error;
mod file;
mod format;
mod frame;
mod lut;
mod tree;
mod unknown;

pub use error::{Error, Result};
