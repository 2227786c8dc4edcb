//! Text that is part of the picture: found by a network that detects text (PP-OCR's, by differentiable binarization), so that it
//! can be looked at and blanked.
//!
//! A help, not a proof. It misses small and faint letters, most of all in the speckle of ultrasound: no box found does not
//! mean that there is no text. The network is a file that the user has; nothing of it is in this program, and only the one
//! whose digest is known here is run.

mod boxes;
mod detector;
mod error;
mod frames;

pub use boxes::{TextBox, framed};
pub use detector::{Detector, MODEL_SHA256};
pub use error::{Error, Result};

#[cfg(test)]
mod tests;
