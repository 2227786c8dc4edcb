//! A node in another process, over the RPC API of Kubo (HTTP/1.1, `/api/v0/…`).
//!
//! [`Kubo`] is the client: of a Kubo node, and of this home's own daemon. [`serve`] is the daemon's side: the same part of
//! the same API on a Unix socket that only its owner can open. What comes back is verified like what lies on the disk.
//!
//! What the other node stores is as durable as that node makes it: a Kubo with its default `flatfs` syncs each block, our
//! daemon does as an embedded node does. A tree counts as stored once the other node has pinned it, which it does only when
//! it has all of it, so a garbage collection in between is noticed.

mod api;
mod batch;
mod form;
mod kubo;
mod serve;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use tokio::task::JoinHandle;

pub(super) use kubo::Kubo;
pub use serve::Server;

/// What is said of a node of the same home.
const OURS: &str = "this home's node";
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take that needs nothing of others.
const ANSWER: Duration = Duration::from_secs(60);
/// How long work over a whole tree or repository may take.
const WORK: Duration = Duration::from_secs(1800);

/// The bytes of a request.
type Body = UnsyncBoxBody<bytes::Bytes, std::io::Error>;

/// Most bytes of a socket's path that every system takes.
const MAX_SOCKET_PATH: usize = 90;

/// A path to a socket that is short enough; a long one goes by its folder, which stays open with the second part.
fn short(socket: &Path) -> io::Result<(PathBuf, Option<File>)> {
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
struct Tied<T>(JoinHandle<T>);

impl<T> Drop for Tied<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
