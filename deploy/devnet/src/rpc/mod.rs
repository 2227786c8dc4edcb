//! Ethereum JSON-RPC over HTTP and WebSocket on one port.

mod accounts;
mod debug;
mod dev;
mod eip712;
mod error;
mod eth;
mod filters;
mod logs;
mod methods;
mod node;
mod parity;
mod proof;
mod raw;
mod results;
mod server;
mod simulate;
mod states;
mod storage;
mod structlog;
mod subscribe;
mod tracers;
mod txpool;
mod types;

pub(crate) use self::methods::module;
pub use self::server::{Error, Handle, spawn};
