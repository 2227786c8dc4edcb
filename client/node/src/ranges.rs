//! A body read at any place: only the leaves that a range stands in are fetched, with those that are said to come next.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::task::JoinSet;

use super::Result;
use super::body;
use super::node::Node;
use super::storage::{Reach, Shared};
use pcim_core::BodyRef;

/// Ranges that are fetched ahead at a time.
const MAX_AHEAD: usize = 4;

/// A body that is read at any place. Leaves that were fetched stay on the node, unpinned, for a later reader of the whole.
pub struct BodyAt {
    store: Shared,
    body: BodyRef,
    reach: Reach,
    /// Ranges that are fetched ahead; fetching ends with this.
    ahead: Mutex<JoinSet<()>>,
}

impl Node {
    /// Reads a body at any place, from here or from peers, each block within `timeout`.
    ///
    /// # Errors
    /// [`Error::NotABody`](crate::Error::NotABody) if its CID is none.
    pub async fn body_at(&self, body: &BodyRef, timeout: Duration) -> Result<BodyAt> {
        self.store.about(&body::link_to(body)?.cid).await;
        Ok(BodyAt {
            store: Shared::clone(&self.store),
            body: body.clone(),
            reach: Reach::Peers(timeout),
            ahead: Mutex::default(),
        })
    }
}

impl BodyAt {
    /// Returns the body's length in bytes.
    pub fn length(&self) -> u64 {
        self.body.file_size
    }

    /// Streams a range of the body, as far as the body goes, each block verified against its CID, every size against what the
    /// tree declares.
    ///
    /// # Errors
    /// [`Error::NotABody`](crate::Error::NotABody) if its CID is none.
    pub fn read(&self, bytes: Range<u64>) -> Result<BoxStream<'static, io::Result<Bytes>>> {
        body::read_range(&self.store, &self.body, self.reach, bytes)
    }

    /// Begins to fetch a range that is likely to be read next, in the background. A block that cannot be had is the reader's error, not this call's.
    pub fn fetch_ahead(&self, bytes: Range<u64>) {
        let Ok(mut blocks) = self.read(bytes) else {
            return;
        };
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        while ahead.try_join_next().is_some() {}
        if ahead.len() < MAX_AHEAD {
            ahead.spawn(async move { while let Some(Ok(_)) = blocks.next().await {} });
        }
    }
}
