//! The two ways of an image's bytes, each a line of stages that work at the same time: files → de-identified → signed and
//! encrypted → blocks on the disk, and blocks from here or from peers → decrypted and verified → a file.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use tokio::time::{Instant, timeout_at};

use crate::error::{Error, Result};
use crate::flow::payload::{Payload, Summary};
use pcim_core::ImageDigest;
use pcim_core::pipe;
use pcim_node::{BodyRef, Node, Root, Stored};
use pcim_seal::{BodyVersion, Certificate, Claims, Opened, Sealed, SessionKey, UnlockedKey};

/// Hears of a body before it is pinned.
pub(crate) type NoteBody<'n> = &'n mut (dyn FnMut(&BodyRef) -> io::Result<()> + Send);

/// Tells how far a transfer is.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The work on the bytes: `looked at`, `sealed` or `fetched`.
    pub what: &'static str,
    /// Bytes so far: of the files that are looked at, of the sealed body.
    pub bytes: u64,
    /// Bytes that it will be, where that is known.
    pub total: Option<u64>,
    /// Files so far and in all, where they are counted.
    pub files: Option<(u64, u64)>,
}

/// The progress of one transfer.
pub struct Meter {
    pub(crate) sink: Option<ProgressSink>,
    pub(crate) progress: Progress,
}

impl Meter {
    /// Makes a meter that reports to nobody.
    pub fn silent() -> Self {
        let progress = Progress {
            what: "",
            bytes: 0,
            total: None,
            files: None,
        };
        Self {
            sink: None,
            progress,
        }
    }

    fn watch(
        mut self,
        stream: BoxStream<'static, io::Result<Bytes>>,
    ) -> BoxStream<'static, io::Result<Bytes>> {
        let Some(sink) = self.sink else {
            return stream;
        };
        let stream = stream.inspect(move |piece| {
            if let Ok(piece) = piece {
                self.progress.bytes += piece.len() as u64;
                sink(self.progress);
            }
        });
        stream.boxed()
    }
}

/// Encrypts a payload straight into the node. When this returns the body is on the disk to stay.
///
/// # Errors
/// Those of reading and de-identifying the files, of sealing and of the node.
pub async fn seal(
    node: &Node,
    payload: Payload,
    signer: &Arc<UnlockedKey>,
    version: BodyVersion,
    meter: Meter,
) -> Result<(BodyRef, Sealed, Summary)> {
    seal_noted(node, payload, signer, None, version, meter, &mut |_| Ok(())).await
}

/// [`seal`] of an image that may replace another; `noted` as in [`Node::add_body_noted`].
pub(crate) async fn seal_noted(
    node: &Node,
    mut payload: Payload,
    signer: &Arc<UnlockedKey>,
    predecessor: Option<ImageDigest>,
    version: BodyVersion,
    meter: Meter,
    noted: NoteBody<'_>,
) -> Result<(BodyRef, Sealed, Summary)> {
    let (mut writer, stream) = pipe::writer();
    let signer = Arc::clone(signer);
    let index = payload.sign(&signer)?;
    let claims = Claims { predecessor, index };
    let sealing = tokio::task::spawn_blocking(move || {
        let sealed = pcim_seal::seal_body(&mut payload, &signer, claims, version, &mut writer);
        match sealed {
            Ok(sealed) => {
                // If the node went away its own error tells why.
                let _ = writer.finish();
                Some(Ok((sealed, payload.summary())))
            }
            Err(pcim_seal::Error::Write(_)) => None,
            Err(error) => {
                writer.fail(io::Error::other("sealing failed"));
                Some(Err(payload.take_error().unwrap_or(error.into())))
            }
        }
    });
    let (body, sealing) = tokio::join!(node.add_body_noted(meter.watch(stream), noted), sealing);
    match (body, sealing?) {
        (_, Some(Err(error))) => Err(error),
        (Err(error), _) => Err(error.into()),
        (Ok(body), Some(Ok((sealed, summary)))) => Ok((body, sealed, summary)),
        (Ok(_), None) => Err(Error::Seal(pcim_seal::Error::Write(
            io::ErrorKind::BrokenPipe.into(),
        ))),
    }
}

/// Decrypts a body into `sink` and verifies its signature; on an error `sink` is dropped with what was written.
///
/// `stall` is for how long nothing may come from peers, `total` for the whole.
///
/// # Errors
/// Those of the node, of a body that is not as it was sealed, and of `sink`.
pub async fn open<W: Write + Send + 'static>(
    node: &Node,
    body: &BodyRef,
    key: SessionKey,
    mut sink: W,
    (stall, total): (Duration, Duration),
    meter: Meter,
) -> Result<(Opened, W)> {
    let stream = node.read_body(body, stall).await?;
    let mut source = pipe::reader(in_time(meter.watch(stream), total));
    tokio::task::spawn_blocking(move || {
        let opened = pcim_seal::open_body(&mut source, &key, &mut sink)?;
        Ok((opened, sink))
    })
    .await?
}

/// Adds a header for another reader to an image that `owner` can open. Costs the same whatever the image's size.
///
/// # Errors
/// [`Error::ReaderLacksV2`]; those of the node and of the header.
pub async fn share(
    node: &Node,
    image: &ImageDigest,
    owner: &UnlockedKey,
    reader: &Certificate,
    stall: Duration,
) -> Result<Stored> {
    let root = node.get_root(image, stall).await?;
    let header = header_for(&root, owner, reader)?;
    Ok(node.put_root(header, &root.body).await?)
}

/// The header for another reader of a root that `owner` can open.
pub(crate) fn header_for(
    root: &Root,
    owner: &UnlockedKey,
    reader: &Certificate,
) -> Result<Vec<u8>> {
    let (key, version) = pcim_seal::unwrap_header(&root.header, owner)?;
    if version == BodyVersion::V2 && !reader.accepts_v2() {
        return Err(Error::ReaderLacksV2 {
            fingerprint: reader.fingerprint(),
        });
    }
    Ok(pcim_seal::header_for(&key, version, reader)?)
}

/// Encrypts a body's inner packets, unchanged, under a new session key, straight from and into the node.
pub(crate) async fn reseal(
    node: &Node,
    body: &BodyRef,
    key: SessionKey,
    version: BodyVersion,
    (stall, total): (Duration, Duration),
    meter: Meter,
    noted: NoteBody<'_>,
) -> Result<(BodyRef, Sealed)> {
    let stream = node.read_body(body, stall).await?;
    let mut source = pipe::reader(in_time(stream, total));
    let (mut writer, out) = pipe::writer();
    let sealing = tokio::task::spawn_blocking(move || {
        let sealed = pcim_seal::reseal_body(&mut source, &key, version, &mut writer);
        match sealed {
            Ok(sealed) => {
                // If the node went away its own error tells why.
                let _ = writer.finish();
                Some(Ok(sealed))
            }
            Err(pcim_seal::Error::Write(_)) => None,
            Err(error) => {
                writer.fail(io::Error::other("sealing again failed"));
                Some(Err(Error::from(error)))
            }
        }
    });
    let (body, sealing) = tokio::join!(node.add_body_noted(meter.watch(out), noted), sealing);
    match (body, sealing?) {
        (_, Some(Err(error))) => Err(error),
        (Err(error), _) => Err(error.into()),
        (Ok(body), Some(Ok(sealed))) => Ok((body, sealed)),
        (Ok(_), None) => Err(Error::Seal(pcim_seal::Error::Write(
            io::ErrorKind::BrokenPipe.into(),
        ))),
    }
}

/// The stream, broken off when it takes too long.
pub(crate) fn in_time(
    stream: BoxStream<'static, io::Result<Bytes>>,
    total: Duration,
) -> BoxStream<'static, io::Result<Bytes>> {
    // A limit beyond what the clock can tell is none.
    let end = Instant::now().checked_add(total);
    let next = move |stream: Option<BoxStream<'static, io::Result<Bytes>>>| async move {
        let mut stream = stream?;
        let item = match end {
            Some(end) => timeout_at(end, stream.next()).await,
            None => Ok(stream.next().await),
        };
        match item {
            Ok(Some(Ok(bytes))) => Some((Ok(bytes), Some(stream))),
            Ok(Some(Err(error))) => Some((Err(error), None)),
            Ok(None) => None,
            Err(_) => {
                let text = format!("not fetched within {} s", total.as_secs_f64());
                Some((Err(io::Error::new(io::ErrorKind::TimedOut, text)), None))
            }
        }
    };
    futures::stream::unfold(Some(stream), next).boxed()
}

#[cfg(test)]
mod tests;
