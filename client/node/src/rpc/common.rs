//! Limits, the body of a request, and small helps that both sides share.

use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use tokio::task::JoinHandle;

/// The name of a node of the same home in errors.
pub(super) const OURS: &str = "this home's node";
/// How long a connection may take.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take that needs nothing of others.
pub(super) const ANSWER: Duration = Duration::from_secs(60);
/// How long work over a whole tree or repository may take.
pub(super) const WORK: Duration = Duration::from_secs(1800);

/// The bytes of a request.
pub(super) type Body = UnsyncBoxBody<bytes::Bytes, std::io::Error>;

/// A task that ends with its owner.
pub(super) struct Tied<T>(pub(super) JoinHandle<T>);

impl<T> Drop for Tied<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
