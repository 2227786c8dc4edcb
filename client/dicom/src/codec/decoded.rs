//! Results of a decoder.

use super::super::format::Colour;

/// The samples that a decoder found.
pub(in crate::codec) struct Decoded {
    /// Pixel by pixel, little endian.
    pub(in crate::codec) bytes: Vec<u8>,
    /// Bytes of a sample: 1 or 2.
    pub(in crate::codec) width: usize,
    /// Bits of a sample that mean something.
    pub(in crate::codec) bits: u32,
    /// The colours that the compressed data name, if they do.
    pub(in crate::codec) colour: Option<Colour>,
}

/// The reason why a decoder gave up.
pub(in crate::codec) type Undecodable = &'static str;

/// The reason for data that end too early or make no sense.
pub(in crate::codec) const SHORT: Undecodable = "it is cut short or malformed";
