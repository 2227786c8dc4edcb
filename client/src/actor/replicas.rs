//! How many other nodes hold an image.

use std::fmt::Write;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::session::Session;
use pcim_core::{Address, Event, ImageDigest};
use pcim_ledger::EventFilter;
use pcim_node::{Replica, Survey};

/// How often nodes are asked while they are waited for.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The answers of the connected nodes about a sealed root: that they have itself, its header and every block of its body.
#[derive(Clone, Debug, Serialize)]
pub struct Replicas {
    /// The sealed root that was asked for.
    pub root: ImageDigest,
    /// How many blocks it has.
    pub blocks: usize,
    /// How many nodes have all of them.
    pub complete: usize,
    /// Each node that was asked.
    pub nodes: Vec<Replica>,
}

impl Replicas {
    fn of(root: ImageDigest, survey: Survey) -> Self {
        Self {
            root,
            blocks: survey.blocks,
            complete: survey.complete(),
            nodes: survey.peers,
        }
    }

    /// Refuses fewer complete copies than wanted.
    ///
    /// # Errors
    /// [`Error::TooFewReplicas`]
    pub fn at_least(self, wanted: usize) -> Result<Self> {
        if self.complete >= wanted {
            return Ok(self);
        }
        let peers = self.nodes.iter().fold(String::new(), |mut text, node| {
            let has = (node.has, node.silent);
            // Writing to a string cannot fail.
            let _ = match has {
                (has, 0) => write!(text, "; {} has {has}", node.peer),
                (has, silent) => write!(text, "; {} has {has}, silent on {silent}", node.peer),
            };
            text
        });
        Err(Error::TooFewReplicas {
            root: self.root,
            blocks: self.blocks,
            wanted,
            found: self.complete,
            peers,
        })
    }
}

impl Session {
    /// Reads the sealed root that is current for an image, or for one of its readers: the chain's last word.
    pub async fn current_root(
        &self,
        image: &ImageDigest,
        reader: Option<Address>,
    ) -> Result<ImageDigest> {
        self.record(image).await?;
        if let Some(requestor) = reader {
            let standing = self.status(image, Some(requestor)).await?;
            let root = standing.shared_image.filter(|_| standing.authorized);
            return root.ok_or(Error::NotAuthorized {
                image: *image,
                status: standing.status,
                expires_at: standing.expires_at,
            });
        }
        let filter = EventFilter {
            image: Some(*image),
            events: &["ImageResealed"],
            ..EventFilter::default()
        };
        let events = self.ledger().await?.events(&filter).await?;
        let resealed = events.iter().rev().find_map(|logged| match logged.event {
            Event::ImageResealed { root, .. } => Some(root),
            _ => None,
        });
        Ok(resealed.unwrap_or(*image))
    }

    /// Asks every connected node, and those of the configuration, what it has of a sealed root.
    pub async fn replicas(&self, root: &ImageDigest) -> Result<Replicas> {
        self.dial(&self.dialled()).await?;
        let survey = self.node().await?.survey(root, self.limits.fetch).await?;
        Ok(Replicas::of(*root, survey))
    }

    /// Waits until `wanted` other nodes have a whole sealed root; gives up when none of them got further for the time
    /// that a peer may be silent.
    ///
    /// # Errors
    /// [`Error::TooFewReplicas`]
    pub async fn await_replicas(&self, root: &ImageDigest, wanted: usize) -> Result<Replicas> {
        let (mut best, mut since) = (0, Instant::now());
        loop {
            let replicas = self.replicas(root).await?;
            let got = replicas.nodes.iter().map(|node| node.has).sum();
            if got > best {
                (best, since) = (got, Instant::now());
            }
            if replicas.complete >= wanted || since.elapsed() >= self.limits.fetch {
                return replicas.at_least(wanted);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}
