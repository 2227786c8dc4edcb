//! Sealing and opening: the two ways of an image's bytes between files and the node.

pub(crate) mod access;
pub(crate) mod delivery;
pub(crate) mod labels;
pub mod landing;
pub(crate) mod look;
pub(crate) mod opening;
pub mod payload;
pub mod pipeline;
pub(crate) mod split;
