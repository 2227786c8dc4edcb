//! TODO home
