//! TODO handover
