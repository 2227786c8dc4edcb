//! TODO pipe
