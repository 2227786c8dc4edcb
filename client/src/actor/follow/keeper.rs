//! The hands of a node that follows: they know what is kept here, what is missing, and what is too much.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::{Duration, Instant};

use futures::future::{AbortHandle, Aborted, BoxFuture, FutureExt, abortable};

use crate::actor::follow::event::{FollowEvent, FollowSink, told};
use crate::actor::follow::job::{self, Brought, Held, Item, MAX_BLOCK_BYTES};
use crate::actor::follow::plan::Chain;
use crate::actor::follow::quota;
use crate::error::Result;
use crate::home::config::FollowSettings;
use crate::operation::journal::KnownImage;
use crate::operation::journal::follow::{FollowStore, HeldRow};
use pcim_core::ImageDigest;
use pcim_node::Node;

/// Jobs at the same time, and how many of them may be bodies.
const JOBS: usize = 16;
const BODIES: usize = 3;
/// How long a peer may be silent at the first try; doubled at each further one, up to the client's limit.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// When a failed job is tried again; doubled at each further failure.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// The bytes that a root takes, with its header, before it is known.
const ROOT_BYTES: u64 = (pcim_node::MAX_ROOT + pcim_node::MAX_HEADER) as u64;

/// A job's end: what it was about, and what it brought unless it was called off.
pub(crate) type Done = (
    Item,
    Held,
    std::result::Result<pcim_node::Result<Brought>, Aborted>,
);

pub(crate) struct Keeper<'a> {
    node: &'a Node,
    store: &'a FollowStore,
    settings: &'a FollowSettings,
    limit: Duration,
    tell: &'a FollowSink,
    /// The items that are here, pinned.
    held: BTreeMap<Item, Held>,
    /// The items that were begun and are not whole.
    begun: BTreeMap<Item, Held>,
    /// The wanted items, in the order in which they are fetched.
    wanted: Vec<(Item, Held)>,
    /// The jobs at work.
    running: HashMap<Item, AbortHandle>,
    failures: HashMap<Item, Failures>,
    refused: HashSet<Item>,
    /// The home's own images: pinned by its owner, and not this node's to drop.
    own: HashSet<Item>,
    /// How many peers there were last.
    peers: usize,
}

struct Failures {
    tries: u32,
    due: Instant,
}

/// The part of all that is kept which blocks of requests may take: one in so much.
const REQUESTS_SHARE: u64 = 8;

impl<'a> Keeper<'a> {
    pub(crate) fn new(
        node: &'a Node,
        store: &'a FollowStore,
        settings: &'a FollowSettings,
        limit: Duration,
        tell: &'a FollowSink,
    ) -> Self {
        Self {
            node,
            store,
            settings,
            limit,
            tell,
            held: BTreeMap::new(),
            begun: BTreeMap::new(),
            wanted: Vec::new(),
            running: HashMap::new(),
            failures: HashMap::new(),
            refused: HashSet::new(),
            own: HashSet::new(),
            peers: 0,
        }
    }

    /// Leaves the home's own images alone.
    pub(crate) fn spare(&mut self, images: &[KnownImage]) {
        for known in images {
            self.own.insert(Item::Root(known.image));
            self.own.insert(Item::Body(known.body.clone()));
        }
    }

    /// Remembers what was kept and begun before. A thing that is not there any more, though it was kept, counts as begun.
    pub(crate) async fn recall(&mut self) -> Result<()> {
        for row in self.store.held()? {
            // A row of a later version is left as it is.
            let (Some(item), Ok(held)) = (Item::named(&row.name), serde_json::from_str(&row.value))
            else {
                tracing::warn!(name = %row.name, "not understood, left alone");
                continue;
            };
            match row.whole {
                true => self.held.insert(item, held),
                false => self.begun.insert(item, held),
            };
        }
        let mut lost = Vec::new();
        for (item, held) in &self.held {
            let here = match item {
                Item::Root(digest) => self.node.holds(digest).await.unwrap_or(false),
                Item::Block(digest) => self.node.has_raw(digest).await.unwrap_or(false),
                // With its root.
                Item::Body(_) => true,
            };
            if !here {
                lost.push(item.clone());
                lost.extend(held.body.iter().map(|body| Item::Body(body.cid.clone())));
            }
        }
        for item in lost {
            if let Some(held) = self.held.remove(&item) {
                self.begun.insert(item, held);
            }
        }
        Ok(())
    }

    /// Compares what is here with what the chain wants at its time `now`; drops what is too much.
    pub(crate) async fn settle(&mut self, chain: &Chain, now: u64) -> Result<()> {
        let wanted = chain.wanted(now, |root| self.is_complete(root));
        let mut items = Vec::new();
        let mut bodies = Vec::new();
        // In the order of the chain, whatever came in first.
        let mut claimed: HashMap<String, ImageDigest> = HashMap::new();
        for (root, image) in wanted.roots {
            let item = Item::Root(root);
            if self.own.contains(&item) {
                continue;
            }
            let known = self.held.get(&item).cloned();
            if let Some(body) = known.as_ref().and_then(|held| held.body.clone()) {
                let body_item = Item::Body(body.cid.clone());
                let owner = *claimed.entry(body.cid.clone()).or_insert(image);
                if owner != image {
                    self.refuse(&item, image, format!("its body is that of image {owner}"));
                } else if !self.own.contains(&body_item) {
                    let bytes = body.dag_size;
                    let body = Some(body);
                    let held = Held {
                        image,
                        bytes,
                        body,
                        requestor: None,
                    };
                    bodies.push((body_item, held));
                }
            }
            let unknown = Held {
                image,
                bytes: ROOT_BYTES,
                body: None,
                requestor: None,
            };
            items.push((item, known.unwrap_or(unknown)));
        }
        for (item, held) in &bodies {
            // Whose it is may be known better by now.
            let known = self.held.get_mut(item).or(self.begun.get_mut(item));
            known.into_iter().for_each(|known| known.image = held.image);
        }
        items.extend(bodies);
        for (block, image, requestor) in wanted.blocks {
            let held = Held {
                image,
                bytes: MAX_BLOCK_BYTES as u64,
                body: None,
                requestor,
            };
            items.push((Item::Block(block), held));
        }
        items.retain(|(item, _)| !self.refused.contains(item));
        let keep: BTreeSet<&Item> = items.iter().map(|(item, _)| item).collect();
        let here = self.held.keys().chain(self.begun.keys());
        let too_much: BTreeSet<Item> = here.filter(|i| !keep.contains(i)).cloned().collect();
        self.failures.retain(|item, _| keep.contains(&item));
        self.wanted = items;
        // Roots come first in their order: a body goes when no root is left that leads to it.
        for item in too_much {
            self.discard(&item).await?;
        }
        Ok(())
    }

    /// Says whether a root, its header and its body are here.
    fn is_complete(&self, root: &ImageDigest) -> bool {
        let item = Item::Root(*root);
        if self.own.contains(&item) {
            return true;
        }
        let body = self.held.get(&item).and_then(|held| held.body.as_ref());
        body.is_some_and(|body| {
            let body = Item::Body(body.cid.clone());
            self.held.contains_key(&body) || self.own.contains(&body)
        })
    }

    /// The next jobs, as far as there is room for them.
    pub(crate) async fn next_jobs(&mut self) -> Result<Vec<BoxFuture<'a, Done>>> {
        let peers = self.node.peers().await;
        if peers > self.peers {
            // Somebody new may have what was missing.
            let now = Instant::now();
            self.failures
                .values_mut()
                .for_each(|failed| failed.due = now);
        }
        self.peers = peers;
        let now = Instant::now();
        let tries = |item: &Item| self.failures.get(item).map_or(0, |failed| failed.tries);
        let is_due = |item: &Item| self.failures.get(item).is_none_or(|f| f.due <= now);
        let missing = self.wanted.iter().filter(|(item, _)| {
            !self.held.contains_key(item) && !self.running.contains_key(item) && is_due(item)
        });
        let mut missing: Vec<_> = missing.cloned().collect();
        // Stable: otherwise in the order of the chain.
        missing.sort_by_key(|(item, _)| tries(item));
        let mut jobs = Vec::new();
        for (item, held) in missing {
            if self.running.len() >= JOBS {
                break;
            }
            let is_body = |item: &Item| matches!(item, Item::Body(_));
            if is_body(&item) && self.running.keys().filter(|i| is_body(i)).count() >= BODIES {
                continue;
            }
            if self.has_room(&item, &held) {
                jobs.push(self.begin(item, held)?);
            }
        }
        Ok(jobs)
    }

    /// Says whether an item fits into the limits; says so if it does not.
    fn has_room(&mut self, item: &Item, held: &Held) -> bool {
        let limits = self.settings;
        if let Item::Body(_) = item {
            let of_image = self.held.iter().chain(&self.begun).filter(|(other, kept)| {
                matches!(other, Item::Body(_)) && *other != item && kept.image == held.image
            });
            let others = of_image.fold(0_u64, |sum, (_, kept)| sum.saturating_add(kept.bytes));
            if held.bytes > limits.max_image_bytes {
                let reason = format!(
                    "{} bytes; at most {} are kept of an image",
                    held.bytes, limits.max_image_bytes
                );
                self.refuse(item, held.image, reason);
                return false;
            }
            // An earlier body of the image may go yet.
            if others.saturating_add(held.bytes) > limits.max_image_bytes {
                let reason = format!(
                    "{} bytes beside {others}; at most {} are kept of an image",
                    held.bytes, limits.max_image_bytes
                );
                self.fail(item, held.image, reason);
                return false;
            }
        }
        if let Item::Block(_) = item {
            // Requests cost strangers little: they leave room for images.
            let blocks = self.held.iter().chain(&self.begun);
            let blocks =
                blocks.filter(|(other, _)| matches!(other, Item::Block(_)) && *other != item);
            let used = blocks.fold(0_u64, |sum, (_, kept)| sum.saturating_add(kept.bytes));
            let most = limits.max_bytes / REQUESTS_SHARE;
            if used.saturating_add(held.bytes) > most {
                let reason = format!("{used} bytes of requests are kept; at most {most} are");
                self.fail(item, held.image, reason);
                return false;
            }
            let others = self.held.iter().chain(&self.begun);
            let others = others.filter(|(other, _)| *other != item);
            if let Some(reason) = quota::excess(held, others.map(|(_, kept)| kept), most) {
                self.fail(item, held.image, reason);
                return false;
            }
        }
        let all = self.held.iter().chain(&self.begun);
        let used = all
            .filter(|(other, _)| *other != item)
            .fold(0_u64, |sum, (_, kept)| sum.saturating_add(kept.bytes));
        if used.saturating_add(held.bytes) > limits.max_bytes {
            let reason = format!(
                "{} bytes beside the {used} kept; at most {} are",
                held.bytes, limits.max_bytes
            );
            self.fail(item, held.image, reason);
            return false;
        }
        true
    }

    /// Writes down what is about to be fetched, and makes the job.
    fn begin(&mut self, item: Item, held: Held) -> Result<BoxFuture<'a, Done>> {
        self.write(&item, &held, false)?;
        let tries = self.failures.get(&item).map_or(0, |failed| failed.tries);
        let patience = FIRST_PATIENCE
            .saturating_mul(1 << tries.min(16))
            .min(self.limit);
        let node = self.node;
        let (about, known) = (item.clone(), held.clone());
        let body = held.body.as_ref().map(pcim_node::BodyRef::from);
        let work = async move {
            match (&about, &body) {
                (Item::Root(digest), _) => job::fetch_root(node, digest, patience).await,
                (Item::Block(digest), _) => job::fetch_block(node, digest, patience).await,
                (Item::Body(_), Some(body)) => job::fetch_body(node, body, patience).await,
                (Item::Body(cid), None) => Err(pcim_node::Error::Missing { cid: cid.clone() }),
            }
        };
        let (work, handle) = abortable(work);
        self.running.insert(item.clone(), handle);
        self.begun.insert(item.clone(), held);
        Ok(work.map(move |outcome| (item, known, outcome)).boxed())
    }

    /// Takes in what a job brought.
    pub(crate) async fn done(&mut self, (item, mut held, outcome): Done) -> Result<()> {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Aborted) => {
                // What came after it was called off is deleted too, unless it is wanted again.
                if !self.begun.contains_key(&item) && !self.held.contains_key(&item) {
                    self.begun.insert(item.clone(), held);
                    self.discard(&item).await?;
                }
                return Ok(());
            }
        };
        self.running.remove(&item);
        let pinned = match outcome {
            Ok(Brought::Root(root)) => {
                held.body = Some((&root.body).into());
                held.bytes = root.header.len() as u64 + ROOT_BYTES / 8;
                // What a crash leaves pinned must be known.
                self.write(&item, &held, false)?;
                self.node
                    .put_root(root.header, &root.body)
                    .await
                    .map(|_| ())
            }
            Ok(Brought::Block(bytes)) => {
                held.bytes = bytes;
                Ok(())
            }
            Ok(Brought::Body) => Ok(()),
            Err(error) => Err(error),
        };
        match pinned {
            Ok(()) => {
                self.write(&item, &held, true)?;
                self.failures.remove(&item);
                self.begun.remove(&item);
                (self.tell)(FollowEvent::Pinned {
                    kind: item.kind(),
                    cid: item.cid(),
                    image: held.image,
                    bytes: held.bytes,
                });
                self.held.insert(item, held);
            }
            Err(error) if job::is_final(&error) => {
                self.refuse(&item, held.image, told(&error));
                self.discard(&item).await?;
            }
            Err(error) => self.fail(&item, held.image, told(&error)),
        }
        Ok(())
    }

    /// Calls a job off and deletes what it brought, or what is kept.
    async fn discard(&mut self, item: &Item) -> Result<()> {
        if let Some(job) = self.running.remove(item) {
            job.abort();
        }
        let whole = self.held.remove(item);
        let was = whole.clone().or(self.begun.remove(item));
        if !self.own.contains(item) {
            let deleted = match (item, was.as_ref().and_then(|held| held.body.as_ref())) {
                (Item::Root(digest), _) => self.node.forget_root(digest).await,
                (Item::Block(digest), _) => self.node.drop_raw(digest).await,
                (Item::Body(_), Some(body)) => self.node.drop_body(&body.into()).await,
                (Item::Body(_), None) => Ok(()),
            };
            if let Err(error) = deleted
                && let Some(held) = was
            {
                // It stays on the list, and is not wanted: the next turn tries again.
                let reason = format!("not deleted: {}", told(&error));
                self.fail(item, held.image, reason);
                self.begun.insert(item.clone(), held);
                return Ok(());
            }
        }
        self.store.release(&item.name())?;
        if let Some(held) = whole {
            (self.tell)(FollowEvent::Dropped {
                kind: item.kind(),
                cid: item.cid(),
                image: held.image,
            });
        }
        Ok(())
    }

    fn write(&self, item: &Item, held: &Held, whole: bool) -> Result<()> {
        self.store.hold(&HeldRow {
            name: item.name(),
            whole,
            value: serde_json::to_string(held)?,
        })?;
        Ok(())
    }

    fn fail(&mut self, item: &Item, image: ImageDigest, reason: String) {
        let tries = self.failures.get(item).map_or(0, |failed| failed.tries) + 1;
        let retry = FIRST_RETRY
            .saturating_mul(1 << (tries - 1).min(16))
            .min(LAST_RETRY);
        let due = Instant::now() + retry;
        self.failures.insert(item.clone(), Failures { tries, due });
        (self.tell)(FollowEvent::Failed {
            kind: item.kind(),
            cid: item.cid(),
            image,
            tries,
            retry_seconds: retry.as_secs(),
            reason,
        });
    }

    fn refuse(&mut self, item: &Item, image: ImageDigest, reason: String) {
        if self.refused.insert(item.clone()) {
            (self.tell)(FollowEvent::Refused {
                kind: item.kind(),
                cid: item.cid(),
                image,
                reason,
            });
        }
    }
}
