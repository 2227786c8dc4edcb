//! The running gateway's socket, by which the commands of its owner reach the inbox: one line of JSON each way.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use pcim_core::socket;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::inbox::{Reply, Request};
use crate::moment::asked;

/// Most bytes of a request, which holds a card at most, and of a reply.
const REQUEST_MAX: u64 = 1 << 20;
const REPLY_MAX: u64 = 64 << 20;
/// How long a request may take to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names the socket of a home's gateway.
#[must_use]
pub fn socket_path(home: &Path) -> PathBuf {
    home.join("gateway.sock")
}

/// The socket of a gateway that does not answer yet.
pub struct Control {
    listener: UnixListener,
    owner: u32,
    path: PathBuf,
}

impl Gateway {
    /// Opens the socket for the owner's commands.
    ///
    /// # Errors
    /// [`Error::Listen`]
    pub fn control(&self) -> Result<Control> {
        let path = socket_path(self.actor().home().dir());
        let (listener, owner) = socket::bind(&path).map_err(|source| Error::Listen {
            address: path.display().to_string(),
            source,
        })?;
        Ok(Control {
            listener,
            owner,
            path,
        })
    }

    /// Answers the owner's commands until `stop` says true; those that are under way are finished.
    pub async fn listen(&self, control: Control, mut stop: watch::Receiver<bool>) {
        let Control {
            listener,
            owner,
            path,
        } = control;
        let mut talks = FuturesUnordered::new();
        loop {
            let accepted = tokio::select! {
                () = asked(&mut stop) => break,
                Some(()) = talks.next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            if stream.peer_cred().is_ok_and(|peer| peer.uid() == owner) {
                talks.push(async {
                    if let Err(error) = self.talk(stream).await {
                        tracing::debug!(%error, "a command broke off");
                    }
                });
            }
        }
        while talks.next().await.is_some() {}
        // One that cannot be deleted refuses connections, and is replaced.
        let _ = std::fs::remove_file(&path);
    }

    async fn talk(&self, mut stream: UnixStream) -> io::Result<()> {
        let mut line = String::new();
        let mut reader = BufReader::new((&mut stream).take(REQUEST_MAX));
        timeout(PATIENCE, reader.read_line(&mut line)).await??;
        let reply = match serde_json::from_str::<Request>(&line) {
            Ok(request) => self.inbox(request).await,
            Err(error) => Reply::Refused {
                why: format!("the request does not read: {error}"),
                hints: vec!["use the program of the same version".to_owned()],
            },
        };
        let reply = serde_json::to_string(&reply)? + "\n";
        timeout(PATIENCE, stream.write_all(reply.as_bytes())).await?
    }
}

/// Asks the running gateway of a home; none if none runs.
///
/// # Errors
/// Those of the connection; an answer that does not read.
pub async fn ask(home: &Path, request: &Request) -> io::Result<Option<Reply>> {
    let path = socket_path(home);
    let mut stream = match socket::connect(&path).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let line = serde_json::to_string(request)? + "\n";
    stream.write_all(line.as_bytes()).await?;
    let mut reply = String::new();
    stream.take(REPLY_MAX).read_to_string(&mut reply).await?;
    Ok(Some(serde_json::from_str(&reply)?))
}
