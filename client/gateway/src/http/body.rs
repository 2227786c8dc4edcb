//! Bodies of answers: in one piece, or as they are made.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// Pieces that wait to be sent.
const PIECES: usize = 4;

/// A body.
pub(crate) enum Content {
    /// In one piece.
    Whole(Option<Bytes>),
    /// As it is made.
    Made(mpsc::Receiver<Result<Bytes, BrokenOff>>),
}

/// A body that could not be made to its end: the connection breaks off, so that its reader knows.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(crate) struct BrokenOff;

/// Takes the pieces of a body.
pub(super) struct Maker {
    pieces: mpsc::Sender<Result<Bytes, BrokenOff>>,
    /// For a piece to be taken.
    stall: Duration,
}

impl Content {
    /// A body that is made: what is given to the maker is sent. A reader that takes nothing for as long as `stall` is left.
    pub(super) fn made(stall: Duration) -> (Maker, Self) {
        let (pieces, made) = mpsc::channel(PIECES);
        (Maker { pieces, stall }, Self::Made(made))
    }
}

impl Maker {
    /// Gives the next piece; none if nobody takes it.
    pub(super) async fn give(&self, piece: impl Into<Bytes>) -> Option<()> {
        let given = self.pieces.send_timeout(Ok(piece.into()), self.stall);
        given.await.ok()
    }

    /// Breaks the body off.
    pub(super) async fn break_off(self) {
        // Without a reader it is broken off already.
        let _ = self.pieces.send_timeout(Err(BrokenOff), self.stall).await;
    }
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Some(bytes))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|it| Ok(Frame::data(it)))),
            Self::Made(pieces) => pieces
                .poll_recv(context)
                .map(|it| it.map(|it| it.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Made(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |it| it.len() as u64))
            }
            Self::Made(_) => SizeHint::default(),
        }
    }
}
