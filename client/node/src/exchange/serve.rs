//! The streams of one peer: reading its messages, writing ours, and its blocks from the disk in between.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::io::{AsyncReadExt, AsyncWriteExt};
use rust_ipfs::{PeerId, Stream};
use tokio::sync::mpsc;

use super::room::{PIECE, Pieces, Room};
use super::state::{Exchange, MAX_WAITING, Outbox};
use super::wire::{Message, Want};
use crate::types::MAX_BLOCK;

/// Blocks that a peer may have asked for at a time; the rest is answered as not here.
const QUEUE: usize = 4096;
/// Blocks read from disk ahead of the stream.
const AHEAD: usize = 2;
/// How long a message may take either way, whatever its length.
const MESSAGE_TIME: Duration = Duration::from_secs(30);
/// The slowest that a message may come, in bytes a second.
const SLOWEST: usize = 16 * 1024;

/// Starts writing to a peer.
pub(super) fn start(exchange: &Exchange, peer: PeerId, stream: Stream) -> Outbox {
    let (messages, outgoing) = mpsc::channel(MAX_WAITING);
    let (serve, asked) = mpsc::channel(QUEUE);
    let (ahead, blocks) = mpsc::channel(AHEAD);
    tokio::spawn(read_ahead(exchange.clone(), peer, asked, ahead));
    tokio::spawn(write(exchange.clone(), peer, stream, outgoing, blocks));
    Outbox { messages, serve }
}

/// Reads from disk what the peer asked for and did not cancel.
async fn read_ahead(
    exchange: Exchange,
    peer: PeerId,
    mut asked: mpsc::Receiver<Want>,
    ahead: mpsc::Sender<(Want, Option<Bytes>)>,
) {
    while let Some(want) = asked.recv().await {
        let wanted = {
            let state = exchange.state();
            state
                .peers
                .get(&peer)
                .is_some_and(|peer| peer.theirs.contains_key(&want.cid))
        };
        if !wanted {
            continue;
        }
        let block = exchange.0.disk.read(&want.cid, MAX_BLOCK).await;
        let block = block.unwrap_or_else(|error| {
            tracing::warn!(cid = %want.cid, %error, "a block cannot be served");
            None
        });
        if ahead.send((want, block)).await.is_err() {
            return;
        }
    }
}

/// Writes until the stream breaks or another one takes its place.
async fn write(
    exchange: Exchange,
    peer: PeerId,
    mut stream: Stream,
    mut outgoing: mpsc::Receiver<Message>,
    mut blocks: mpsc::Receiver<(Want, Option<Bytes>)>,
) {
    let outcome: io::Result<()> = async {
        loop {
            tokio::select! {
                biased;
                message = outgoing.recv() => match message {
                    Some(message) => in_time(&mut stream, &[&message.encode()[..]]).await?,
                    None => return stream.close().await,
                },
                Some((want, block)) = blocks.recv() => match block {
                    Some(block) => {
                        exchange.served(peer, &want.cid);
                        let before = Message::before_block(&want.cid, block.len());
                        in_time(&mut stream, &[&before[..], &block[..]]).await?;
                    }
                    // It is answered again when the block comes.
                    None if want.answer_missing => {
                        let missing = Message::presence(want.cid, false);
                        in_time(&mut stream, &[&missing.encode()[..]]).await?;
                    }
                    None => {}
                },
            }
        }
    }
    .await;
    if let Err(error) = outcome {
        tracing::debug!(%peer, %error, "a stream for blocks broke");
        drop(outgoing);
        exchange.broke(peer);
    }
}

/// Writes a message; a peer that reads none of it is given up.
async fn in_time(stream: &mut Stream, parts: &[&[u8]]) -> io::Result<()> {
    let length = parts.iter().map(|part| part.len()).sum();
    let writing = async {
        for part in parts {
            stream.write_all(part).await?;
        }
        stream.flush().await
    };
    tokio::time::timeout(time_for(length), writing).await?
}

/// How long a message of this length may take.
fn time_for(length: usize) -> Duration {
    MESSAGE_TIME + Duration::from_secs((length / SLOWEST) as u64)
}

/// Reads until the stream ends or what comes is not a message.
pub(super) async fn listen(exchange: Exchange, peer: PeerId, mut stream: Stream) {
    loop {
        let room = || exchange.room(peer);
        match read_message(&mut stream, room, || exchange.heard(peer)).await {
            Ok(Some((message, held))) => exchange.take(peer, message, held).await,
            Ok(None) => break,
            Err(error) => {
                tracing::debug!(%peer, %error, "a peer's stream is refused");
                break;
            }
        }
    }
    exchange.ended(peer);
}

/// Reads a message into the room that there is for it; `heard` is called as its bytes come. `None` at the end of the stream.
pub(super) async fn read_message(
    stream: &mut Stream,
    room: impl Fn() -> Room,
    heard: impl Fn(),
) -> io::Result<Option<(Message, Pieces)>> {
    let refused = |text: &str| io::Error::new(io::ErrorKind::InvalidData, text.to_owned());
    let Some(length) = read_length(stream).await? else {
        return Ok(None);
    };
    let room = room();
    if length > room.longest() {
        return Err(refused("a message that is too long"));
    }
    let reading = async {
        let (mut held, here) = room.begin(length).await?;
        let mut frame = BytesMut::zeroed(here);
        let mut from = 0;
        while from < length {
            let end = (from + PIECE).min(length);
            if end > frame.len() {
                room.grow(&mut held)?;
                frame.resize(end, 0);
            }
            // A slow peer is seen to send.
            stream.read_exact(&mut frame[from..end]).await?;
            heard();
            from = end;
        }
        io::Result::Ok((frame.freeze(), held))
    };
    let (frame, held) = tokio::time::timeout(time_for(length), reading).await??;
    let message = Message::decode(&frame).map_err(|_| refused("not a message"))?;
    Ok(Some((message, held.into())))
}

/// The length in front of a message; `None` if the stream ends here.
async fn read_length(stream: &mut Stream) -> io::Result<Option<usize>> {
    let mut length = 0_usize;
    for position in 0..4 {
        let mut byte = [0];
        if stream.read(&mut byte).await? == 0 {
            return match position {
                0 => Ok(None),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
        length |= usize::from(byte[0] & 0x7f) << (7 * position);
        if byte[0] < 0x80 {
            return Ok(Some(length));
        }
    }
    Ok(Some(usize::MAX))
}
