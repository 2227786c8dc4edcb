//! Blocks that are written into another process's node.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::StreamExt;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::api::Fault;
use super::common::{ANSWER, Tied, WORK};
use super::form;
use super::kubo::{Kubo, MAX_ANSWER, lines};
use crate::{Result, car, storage};

/// Pieces of a file under way.
const DEPTH: usize = 16;

/// A line of what `dag/import` answers.
#[derive(Deserialize)]
struct ImportLine {
    #[serde(rename = "Stats")]
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "BlockCount")]
    blocks: u64,
}

/// Blocks on their way into the node: a CAR file that is sent while it is made.
pub(super) struct RemoteBatch {
    kubo: Kubo,
    import: Option<Import>,
    sent: Vec<Cid>,
}

/// The file.
struct Import {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    boundary: String,
    answer: Tied<std::result::Result<Bytes, Fault>>,
}

impl RemoteBatch {
    pub(super) fn new(kubo: &Kubo) -> Self {
        Self {
            kubo: kubo.clone(),
            import: None,
            sent: Vec::new(),
        }
    }
}

impl Import {
    fn start(kubo: &Kubo) -> Self {
        let boundary = form::new_boundary();
        let (pieces, receiver) = mpsc::channel(DEPTH);
        let stream = futures::stream::unfold(receiver, |mut receiver| async {
            let piece: io::Result<Bytes> = receiver.recv().await?;
            Some((piece.map(Frame::data), receiver))
        });
        let body = StreamBody::new(stream.boxed()).boxed_unsync();
        let (kubo, form) = (kubo.clone(), (boundary.clone(), body));
        let answer = tokio::spawn(async move {
            // Nothing is pinned yet: a tree is, when it is whole. The sender keeps the time.
            let args = [("pin-roots", "false"), ("stats", "true")];
            let api = kubo.api();
            let whole = Duration::from_secs(24 * 3600);
            api.call("dag/import", &args, Some(form), whole, MAX_ANSWER)
                .await
        });
        Self {
            pieces,
            boundary,
            answer: Tied(answer),
        }
    }

    /// Sends a piece; `false` if the node takes no more.
    async fn send(&self, piece: Bytes) -> bool {
        matches!(
            timeout(ANSWER, self.pieces.send(Ok(piece))).await,
            Ok(Ok(()))
        )
    }

    /// Waits for what the node answers in the end.
    async fn answer(mut self) -> std::result::Result<Bytes, Fault> {
        drop(self.pieces);
        match timeout(WORK, &mut self.answer.0).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(dead)) => Err(Fault::Broke(dead.into())),
            Err(_) => Err(Fault::Late(WORK.as_secs())),
        }
    }
}

#[async_trait]
impl storage::Batch for RemoteBatch {
    async fn put(&mut self, cid: Cid, bytes: Bytes) -> Result<()> {
        let mut head = Vec::new();
        let import = match &mut self.import {
            Some(import) => import,
            none => {
                let import = none.insert(Import::start(&self.kubo));
                head.extend(form::prefix(&import.boundary));
                head.extend(car::header(&[]));
                import
            }
        };
        head.extend(car::section(&cid, bytes.len()));
        self.sent.push(cid);
        if import.send(head.into()).await && (bytes.is_empty() || import.send(bytes).await) {
            return Ok(());
        }
        let why = match self.import.take() {
            Some(import) => match timeout(ANSWER, import.answer()).await {
                Ok(Err(fault)) => fault,
                _ => Fault::Late(ANSWER.as_secs()),
            },
            None => Fault::Nonsense,
        };
        Err(self.kubo.failed("storing blocks")(why))
    }

    async fn commit(&mut self) -> Result<Vec<Cid>> {
        let Some(import) = self.import.take() else {
            return Ok(Vec::new());
        };
        let failed = self.kubo.failed("storing blocks");
        // If the node takes no more, its answer tells why.
        import.send(form::suffix(&import.boundary)).await;
        let answer = import.answer().await.map_err(&failed)?;
        for line in lines::<ImportLine>(&answer) {
            let stats = line.map_err(&failed)?.stats;
            if stats.is_some_and(|stats| stats.blocks != self.sent.len() as u64) {
                return Err(failed(Fault::Nonsense));
            }
        }
        Ok(std::mem::take(&mut self.sent))
    }

    async fn give_up(&mut self) -> Vec<Cid> {
        if let Some(import) = self.import.take() {
            let broken = Err(io::ErrorKind::BrokenPipe.into());
            // The file ends in the middle; the node refuses it.
            let _ = timeout(ANSWER, import.pieces.send(broken)).await;
            let _ = timeout(ANSWER, import.answer()).await;
        }
        std::mem::take(&mut self.sent)
    }
}
