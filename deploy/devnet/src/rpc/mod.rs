//! Ethereum JSON-RPC over HTTP and WebSocket on one port.

mod debug;
mod dev;
mod error;
mod eth;
mod filters;
mod logs;
mod methods;
mod node;
mod results;
mod server;
mod simulate;
mod structlog;
mod subscribe;
mod txpool;
mod types;

pub(crate) use self::methods::module;
pub use self::server::{Error, Handle, spawn};
