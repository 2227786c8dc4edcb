//! TODO client
