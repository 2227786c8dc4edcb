//! The time, and the wish to end.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// The time, in seconds, unix.
pub(crate) fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_secs())
}

/// Returns when the gateway is to end.
pub(crate) async fn asked(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone asks for nothing more.
    drop(stop.wait_for(|stop| *stop).await);
}
