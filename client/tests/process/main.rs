//! Whole processes: their remains when they are killed, and other programs that they talk to.

#![allow(clippy::unwrap_used)]

mod crash;
mod helia;
mod kubo;
mod peers;
mod private;

/// Kubo listens on the port that it always has: one at a time.
static KUBO: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
