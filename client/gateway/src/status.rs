//! Statuses of DIMSE (PS3.7 §C, PS3.4 §B.2.3, §C.4); STOW-RS gives those of storage as failure reasons.

pub(crate) const SUCCESS: u16 = 0x0000;
pub(crate) const PROCESSING_FAILURE: u16 = 0x0110;
pub(crate) const DUPLICATE_INSTANCE: u16 = 0x0111;
pub(crate) const NO_SUCH_INSTANCE: u16 = 0x0112;
pub(crate) const NO_SUCH_ARGUMENT: u16 = 0x0114;
pub(crate) const INVALID_ARGUMENT: u16 = 0x0115;
pub(crate) const CLASS_CONFLICT: u16 = 0x0119;
pub(crate) const NOT_AUTHORIZED: u16 = 0x0124;
pub(crate) const CLASS_NOT_SUPPORTED: u16 = 0x0122;
pub(crate) const NO_SUCH_ACTION: u16 = 0x0123;
pub(crate) const UNRECOGNIZED: u16 = 0x0211;
pub(crate) const OUT_OF_RESOURCES: u16 = 0xa700;
pub(crate) const CANNOT_SEND: u16 = 0xa702;
pub(crate) const DESTINATION_UNKNOWN: u16 = 0xa801;
pub(crate) const DOES_NOT_MATCH: u16 = 0xa900;
pub(crate) const CANNOT_UNDERSTAND: u16 = 0xc000;
pub(crate) const SOME_FAILED: u16 = 0xb000;
pub(crate) const CANCELLED: u16 = 0xfe00;
pub(crate) const PENDING: u16 = 0xff00;
pub(crate) const PENDING_PARTLY: u16 = 0xff01;
