//! Unix sockets that only their owner can open, however long their paths are.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::private;

/// Most bytes of a socket's path that every system takes.
const MAX_PATH: usize = 90;

/// Makes a socket (0600) out of others' sight, and gives it its name when only its owner can open it; one that is there is
/// replaced. Returns the listener and the owner's user id.
pub fn bind(socket: &Path) -> io::Result<(UnixListener, u32)> {
    let hidden = private::temp_dir_beside(socket)?;
    let path = hidden.path().join("s");
    let (short, _folder) = short(&path)?;
    let listener = UnixListener::bind(short)?;
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600))?;
    let owner = std::fs::metadata(&path)?.uid();
    std::fs::rename(&path, socket)?;
    Ok((listener, owner))
}

/// Connects to a socket.
pub async fn connect(socket: &Path) -> io::Result<UnixStream> {
    let (short, _folder) = short(socket)?;
    UnixStream::connect(short).await
}

/// A path to a socket that is short enough; a long one goes by its folder, which stays open with the second part.
fn short(socket: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let (Some(folder), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Ok((socket.to_owned(), None));
    };
    if socket.as_os_str().len() <= MAX_PATH || !Path::new("/proc/self/fd").exists() {
        return Ok((socket.to_owned(), None));
    }
    let folder = File::open(folder)?;
    let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
    Ok((path.join(name), Some(folder)))
}
