//! Limits, the body of a request, and small helps that both sides share.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
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

/// Most bytes of a socket's path that every system takes.
const MAX_SOCKET_PATH: usize = 90;

/// A path to a socket that is short enough; a long one goes by its folder, which stays open with the second part.
pub(super) fn short(socket: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Ok((socket.to_owned(), None));
    };
    if socket.as_os_str().len() <= MAX_SOCKET_PATH || !Path::new("/proc/self/fd").exists() {
        return Ok((socket.to_owned(), None));
    }
    let folder = File::open(folder)?;
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
    Ok((path.join(name), Some(folder)))
}

/// A task that ends with its owner.
pub(super) struct Tied<T>(pub(super) JoinHandle<T>);

impl<T> Drop for Tied<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
