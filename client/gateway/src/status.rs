//! Statuses of DIMSE (PS3.7 §C, PS3.4 §B.2.3), which STOW-RS gives as failure reasons.

pub(crate) const SUCCESS: u16 = 0x0000;
pub(crate) const PROCESSING_FAILURE: u16 = 0x0110;
pub(crate) const DUPLICATE_INSTANCE: u16 = 0x0111;
pub(crate) const NO_SUCH_INSTANCE: u16 = 0x0112;
pub(crate) const NO_SUCH_ARGUMENT: u16 = 0x0114;
pub(crate) const INVALID_ARGUMENT: u16 = 0x0115;
pub(crate) const CLASS_CONFLICT: u16 = 0x0119;
pub(crate) const CLASS_NOT_SUPPORTED: u16 = 0x0122;
pub(crate) const NO_SUCH_ACTION: u16 = 0x0123;
pub(crate) const UNRECOGNIZED: u16 = 0x0211;
pub(crate) const OUT_OF_RESOURCES: u16 = 0xa700;
pub(crate) const DOES_NOT_MATCH: u16 = 0xa900;
pub(crate) const CANNOT_UNDERSTAND: u16 = 0xc000;
