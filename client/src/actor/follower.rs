//! A node that follows the contract: it keeps, for everybody, the sealed images that the chain registers and approves,
//! and drops what is removed, denied, resealed or expired. It needs no keys and sees ciphertext only.
//!
//! It keeps (oldest image first):
//! - the root of every registered image, with its header and its whole body; after a reseal the new root too, and 30 days
//!   later, if the new body is here, in its place;
//! - a withdrawn image for 30 days, in which it can be restored;
//! - the root and header of every approval until it expires by the chain's clock, and the body that it links to;
//! - a requestor's certificate while the request is open or approved, the request document while it is open: so that the
//!   patient can decide, and re-seal, while the requestor is away.
//!
//! These days are counted again when another key acts for the patient, and nothing goes while a recovery is pending.
//!
//! A root counts for the image that named it first; a body for the oldest image with a root that leads to it. A thing
//! that is not a sealed root, or is too large, is refused and not asked for again before the next start. Whatever else
//! fails is tried again, less and less often, those that failed least often first: nothing on the chain holds up the
//! rest.
//!
//! The chain is read through the home's [index](crate::audit::Index), which follows reorganisations.

use std::ops::Deref;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::actor::follow::event::{FollowEvent, FollowSink, told};
use crate::actor::follow::keeper::Keeper;
use crate::actor::follow::plan::Chain;
use crate::audit::index::Index;
use crate::audit::tail::{News, Tail};
use crate::error::Result;
use crate::home::config::FollowSettings;
use crate::operation::journal::follow::FollowStore;
use crate::session::Session;

/// The follower's work. No key is needed.
#[derive(Clone, Copy)]
pub struct Follower<'s>(&'s Session);

impl Session {
    /// Opens the follower's work.
    pub fn follower(&self) -> Follower<'_> {
        Follower(self)
    }
}

impl Deref for Follower<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.0
    }
}

impl Follower<'_> {
    /// Follows the contract until the future is dropped; nothing that the chain says ends it.
    ///
    /// # Errors
    /// Those of this home itself: its journal, its node, its configuration. A chain that is away is reported, and asked
    /// again.
    pub async fn follow(&self, settings: &FollowSettings, tell: &FollowSink) -> Result<()> {
        let deployment = self.deployment()?;
        let name = format!("{}-{:#x}", deployment.chain_id, deployment.contract);
        let store = FollowStore::open(&self.home.follow_path(&name))?;
        let (index, mut tail) = (self.auditor().audit_index()?, Tail::default());
        let node = self.node().await?;
        let mut keeper = Keeper::new(node, &store, settings, self.limits.fetch, tell);
        keeper.recall().await?;
        let mut known = Chain::default();
        let mut events = 0;
        let mut now = None;
        let mut running = FuturesUnordered::new();
        let mut finished = Vec::new();
        let mut tick =
            tokio::time::interval(Duration::from_secs(settings.poll_seconds.max(1).into()));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(done) = running.next(), if !running.is_empty() => finished.push(done),
                _ = tick.tick() => match beside(&mut running, &mut finished, self.level(&index)).await? {
                    Ok((block, time)) => {
                        now = Some(time);
                        let (news, anew) = match tail.read(&index, block)? {
                            News::More(news) => (news, false),
                            News::Anew(all) => (all, true),
                        };
                        if anew {
                            (known, events) = (Chain::default(), 0);
                        }
                        for entry in &news {
                            if let Some(event) = entry.event() {
                                known.apply(entry.timestamp, event);
                            }
                        }
                        events += news.len();
                        if anew || !news.is_empty() {
                            tell(FollowEvent::Read { block, events });
                        }
                    }
                    Err(reason) => tell(FollowEvent::Chain { reason }),
                },
            }
            while let Some(done) = finished.pop() {
                beside(&mut running, &mut finished, keeper.done(done)).await?;
            }
            // The home's other commands, which this node serves, may have added some.
            keeper.spare(&self.journal.images()?);
            // Without the chain's clock nothing can be said to have expired, or not to have.
            let Some(now) = now else { continue };
            beside(&mut running, &mut finished, keeper.settle(&known, now)).await?;
            for job in keeper.next_jobs().await? {
                running.push(job);
            }
        }
    }

    /// Brings the index level with the chain. Up to which block, and the latest one's time, unix seconds; the inner error is
    /// the chain's.
    async fn level(&self, index: &Index) -> Result<std::result::Result<(u64, u64), String>> {
        let level = async {
            let ledger = self.ledger().await?;
            let synced = index.sync(ledger).await?;
            Result::Ok((synced.block, ledger.now().await?))
        };
        match level.await {
            Ok(read) => Ok(Ok(read)),
            Err(error) if error.is_of_chain() => Ok(Err(told(&error))),
            Err(error) => Err(error),
        }
    }
}

/// Does some work while what is running goes on: that may hold the very lock that the work waits for.
async fn beside<J: Future, W: Future>(
    running: &mut FuturesUnordered<J>,
    finished: &mut Vec<J::Output>,
    work: W,
) -> W::Output {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            Some(job) = running.next(), if !running.is_empty() => finished.push(job),
        }
    }
}
