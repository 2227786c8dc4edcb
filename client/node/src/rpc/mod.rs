//! A node in another process, over the RPC API of Kubo (HTTP/1.1, `/api/v0/…`).
//!
//! [`Kubo`] is the client: of a Kubo node, and of this home's own daemon. [`serve`] is the daemon's side: the same part of
//! the same API on a Unix socket that only its owner can open. Blocks that come back are verified like those on the disk.
//!
//! A block in the other node is as durable as that node makes it: a Kubo with its default `flatfs` syncs each block, our
//! daemon does as an embedded node does. A tree counts as stored once the other node has pinned it, which it does only when
//! it has all of it, so a garbage collection in between is noticed.

mod api;
mod batch;
mod common;
pub(super) mod form;
mod kubo;
mod serve;

pub(super) use kubo::Kubo;
pub use serve::Server;
