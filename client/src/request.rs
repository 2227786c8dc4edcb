//! TODO request
