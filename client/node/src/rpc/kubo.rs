//! Storage in another process: a Kubo node, or the daemon of this home.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use futures::future::{BoxFuture, join_all};
use http_body_util::{BodyExt, Full};
use serde::Deserialize;
use tokio::time::timeout;

use super::api::{Api, Fault};
use super::batch::RemoteBatch;
use super::common::{ANSWER, OURS, WORK};
use super::form;
use crate::mail::{MAX_ANSWER as MAX_MAIL_ANSWER, Mailbox, Serving, Topic};
use crate::storage::{self, Reach, Storage};
use crate::types::{MAX_BLOCK, RepoStat, Survey};
use crate::{Error, Result, Tried, disk, peers, unixfs};
use pcim_core::ImageDigest;

/// Most bytes of an answer that is not a block.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;
/// Most bytes of the list of what a garbage collection deleted.
const MAX_GARBAGE: usize = 256 * 1024 * 1024;
/// More than any block that is read.
const MAX_BYTES: usize = 2 * MAX_BLOCK;
/// Blocks that are deleted with one call.
const AT_ONCE: usize = 64;
/// How often a waiting fetch has the known peers dialled.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// How the API says that a block is not there.
const MISSING: &[&str] = &["not found", "could not find", "NotFound"];
/// How it says that peers did not deliver.
const LATE: &[&str] = &[
    "deadline exceeded",
    "did not arrive",
    "timed out",
    "timeout",
];

/// The other node; clones share it.
#[derive(Clone)]
pub(crate) struct Kubo(Arc<KuboParts>);

struct KuboParts {
    api: Api,
    /// True for this home's daemon, which does more than a Kubo node.
    ours: bool,
    /// Peers that were asked for by address; dialled again while a block is missing.
    known: Mutex<Vec<String>>,
    redial: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "Addresses")]
    addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Connected {
    #[serde(rename = "Peers")]
    peers: Option<Vec<PeerLine>>,
}

#[derive(Deserialize)]
struct PeerLine {
    #[serde(rename = "Peer")]
    id: String,
}

#[derive(Deserialize)]
struct Stat {
    #[serde(rename = "NumObjects")]
    blocks: u64,
    #[serde(rename = "RepoSize")]
    bytes: u64,
}

/// A line of what `block/rm` answers.
#[derive(Deserialize)]
struct Removed {
    #[serde(rename = "Error", default)]
    error: String,
}

impl Kubo {
    /// The API at a URL; peers are dialled in the background.
    ///
    /// # Errors
    /// [`Error::Endpoint`], and [`Error::Api`] if nothing answers there.
    pub(crate) async fn at(url: &str, known: Vec<String>) -> Result<Self> {
        let kubo = Self::new(Api::parse(url)?, false, known);
        kubo.id().await.map_err(kubo.failed("answering"))?;
        kubo.redial();
        Ok(kubo)
    }

    /// The daemon that listens on a socket; `None` if there is none.
    pub(crate) async fn daemon(socket: &Path, known: Vec<String>) -> Result<Option<Self>> {
        if !socket.exists() {
            return Ok(None);
        }
        let kubo = Self::new(Api::unix(socket.to_owned(), OURS), true, known);
        match kubo.id().await {
            Ok(_) => {
                kubo.redial();
                Ok(Some(kubo))
            }
            // Left by a daemon that is gone.
            Err(Fault::Unreachable(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
                ) =>
            {
                Ok(None)
            }
            Err(fault) => Err(kubo.failed("answering")(fault)),
        }
    }

    /// Asks the daemon that listens on a socket to end; false if there is none.
    pub(crate) async fn stop_daemon(socket: &Path) -> Result<bool> {
        let Some(daemon) = Self::daemon(socket, Vec::new()).await? else {
            return Ok(false);
        };
        let asked = daemon.call("pcim/stop", &[], ANSWER).await;
        asked.map_err(daemon.failed("ending"))?;
        Ok(true)
    }

    fn new(api: Api, ours: bool, known: Vec<String>) -> Self {
        Self(Arc::new(KuboParts {
            api,
            ours,
            known: Mutex::new(known),
            redial: Arc::default(),
        }))
    }

    pub(super) fn api(&self) -> &Api {
        &self.0.api
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl Fn(Fault) -> Error + '_ {
        self.0.api.failed(doing)
    }

    async fn call(
        &self,
        command: &str,
        args: &[(&str, &str)],
        limit: Duration,
    ) -> std::result::Result<Bytes, Fault> {
        self.0
            .api
            .call(command, args, None, limit, MAX_ANSWER)
            .await
    }

    fn unable(&self, doing: &'static str) -> Error {
        Error::Unable {
            endpoint: self.0.api.name.clone(),
            doing,
        }
    }

    async fn id(&self) -> std::result::Result<Id, Fault> {
        let answer = self.call("id", &[], ANSWER).await?;
        serde_json::from_slice(&answer).map_err(|_| Fault::Nonsense)
    }

    /// A block's bytes, of limited size and verified.
    async fn block(
        &self,
        cid: &Cid,
        max: usize,
        how: (&str, &str),
        limit: Duration,
    ) -> Result<std::result::Result<Bytes, Fault>> {
        let name = cid.to_string();
        let args = [("arg", name.as_str()), how];
        let api = &self.0.api;
        let bytes = match api.call("block/get", &args, None, limit, MAX_BYTES).await {
            Ok(bytes) => bytes,
            Err(Fault::TooLong(found)) => {
                return Err(Error::TooLarge {
                    cid: name,
                    found,
                    max,
                });
            }
            Err(fault) => return Ok(Err(fault)),
        };
        if bytes.len() > max {
            return Err(Error::TooLarge {
                cid: name,
                found: bytes.len(),
                max,
            });
        }
        disk::verified(cid, bytes).map(Ok)
    }

    /// The error for a block that peers did not deliver.
    async fn undelivered(&self, cid: &Cid, limit: Duration, fault: &Fault) -> Error {
        Error::Timeout {
            cid: cid.to_string(),
            seconds: limit.as_secs_f64(),
            peers: self.peers().await.map_or(0, |peers| peers.len()),
            tried: Tried(vec![format!("{}: {fault}", self.0.api.name)]),
        }
    }

    /// Has the known peers dialled, in the background, one round at a time. The node knows whom it is connected to.
    fn redial(&self) {
        let known = self.0.known.lock().unwrap_or_else(|held| held.into_inner());
        let known = known.clone();
        let Ok(round) = self.0.redial.clone().try_lock_owned() else {
            return;
        };
        let kubo = self.clone();
        tokio::spawn(async move {
            let _round = round;
            let dials = known.iter().map(async |address| {
                let args = [("arg", address.as_str())];
                let dialled = kubo.call("swarm/connect", &args, peers::DIAL_TIMEOUT);
                if let Err(error) = dialled.await {
                    tracing::debug!(%address, %error, "peer not reached");
                }
            });
            join_all(dials).await;
        });
    }

    async fn pin(&self, cid: &Cid, recursive: bool) -> Result<()> {
        let name = cid.to_string();
        let recursive = if recursive { "true" } else { "false" };
        let args = [
            ("arg", name.as_str()),
            ("recursive", recursive),
            ("offline", "true"),
        ];
        match self.call("pin/add", &args, WORK).await {
            Ok(_) => Ok(()),
            // A pin of a tree holds its root.
            Err(fault) if fault.says(&["already pinned recursively"]) => Ok(()),
            Err(fault) if fault.says(MISSING) => Err(Error::Missing { cid: name }),
            Err(fault) => Err(self.failed("pinning")(fault)),
        }
    }
}

#[async_trait]
impl Storage for Kubo {
    async fn local(&self, cid: &Cid, max: usize) -> Result<Option<Bytes>> {
        match self.block(cid, max, ("offline", "true"), ANSWER).await? {
            Ok(bytes) => Ok(Some(bytes)),
            Err(fault) if fault.says(MISSING) => Ok(None),
            Err(fault) => Err(self.failed("reading a block")(fault)),
        }
    }

    async fn get(&self, cid: &Cid, max: usize, reach: Reach) -> Result<Bytes> {
        let Reach::Peers(limit) = reach else {
            return self.local(cid, max).await?.ok_or_else(|| Error::Missing {
                cid: cid.to_string(),
            });
        };
        let within = format!("{}ms", limit.as_millis());
        // The node has a little longer to say what it tried.
        let whole = limit.saturating_mul(5).saturating_add(ANSWER);
        let fetched = self.block(cid, max, ("timeout", &within), whole);
        tokio::pin!(fetched);
        let fetched = loop {
            match timeout(LOOK_AGAIN, &mut fetched).await {
                Ok(fetched) => break fetched?,
                Err(_) => self.redial(),
            }
        };
        match fetched {
            Ok(bytes) => Ok(bytes),
            Err(fault)
                if fault.says(MISSING) || fault.says(LATE) || matches!(fault, Fault::Late(_)) =>
            {
                Err(self.undelivered(cid, limit, &fault).await)
            }
            Err(fault) => Err(self.failed("fetching a block")(fault)),
        }
    }

    fn batch(&self) -> Box<dyn storage::Batch> {
        Box::new(RemoteBatch::new(self))
    }

    async fn put(&self, blocks: Vec<(Cid, Bytes)>, written: &mut Vec<Cid>) -> Result<()> {
        for (cid, _) in &blocks {
            if !self.has(cid).await? {
                written.push(*cid);
            }
        }
        let mut batch = self.batch();
        let put = async {
            for (cid, bytes) in blocks {
                batch.put(cid, bytes).await?;
            }
            batch.commit().await
        }
        .await;
        if put.is_err() {
            batch.give_up().await;
        }
        put.map(drop)
    }

    async fn about(&self, body: &Cid) {
        if !self.0.ours {
            return;
        }
        let name = body.to_string();
        if let Err(error) = self.call("pcim/about", &[("arg", &name)], ANSWER).await {
            tracing::debug!(%body, %error, "the node does not know what is read");
        }
    }

    async fn has(&self, cid: &Cid) -> Result<bool> {
        let name = cid.to_string();
        let args = [("arg", name.as_str()), ("offline", "true")];
        match self.call("block/stat", &args, ANSWER).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.says(MISSING) => Ok(false),
            Err(fault) => Err(self.failed("looking for a block")(fault)),
        }
    }

    async fn is_pinned(&self, cid: &Cid) -> Result<bool> {
        let name = cid.to_string();
        match self.call("pin/ls", &[("arg", &name)], ANSWER).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.says(&["not pinned"]) => Ok(false),
            Err(fault) => Err(self.failed("reading pins")(fault)),
        }
    }

    /// Pinning does: it looks for every block, and syncs.
    async fn keep(&self, _cids: &[Cid]) -> Result<()> {
        Ok(())
    }

    async fn pin_direct(&self, cids: &[Cid]) -> Result<()> {
        let mut new = Vec::new();
        for cid in cids {
            let pinned = async {
                let was = self.is_pinned(cid).await?;
                self.pin(cid, false).await?;
                Ok(was)
            };
            match pinned.await {
                Ok(true) => {}
                Ok(false) => new.push(*cid),
                Err(error) => {
                    for cid in &new {
                        if let Err(left) = self.unpin(cid).await {
                            tracing::warn!(%cid, error = %left, "the pin of a failed write is left behind");
                        }
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    async fn pin_tree(&self, root: &Cid, _below: Vec<Cid>) -> Result<()> {
        self.pin(root, true).await
    }

    async fn unpin(&self, cid: &Cid) -> Result<()> {
        let name = cid.to_string();
        let args = [("arg", name.as_str()), ("recursive", "true")];
        match self.call("pin/rm", &args, ANSWER).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.says(&["not pinned", "is pinned indirectly"]) => Ok(()),
            Err(fault) => Err(self.failed("unpinning")(fault)),
        }
    }

    async fn discard(&self, cids: &[Cid]) -> Result<()> {
        for some in cids.chunks(AT_ONCE) {
            let names: Vec<_> = some.iter().map(Cid::to_string).collect();
            let mut args: Vec<_> = names.iter().map(|name| ("arg", name.as_str())).collect();
            args.push(("force", "true"));
            let failed = self.failed("deleting blocks");
            let answer = self.call("block/rm", &args, ANSWER).await;
            let answer = answer.map_err(&failed)?;
            for line in lines::<Removed>(&answer) {
                let error = line.map_err(&failed)?.error;
                let is_held = ["pinned", "not found", "not find"];
                if !error.is_empty() && !is_held.iter().any(|word| error.contains(word)) {
                    return Err(failed(Fault::Refused(error.chars().take(400).collect())));
                }
            }
        }
        Ok(())
    }

    /// A Kubo node deletes what nobody's pins hold, at whatever age.
    async fn collect_garbage(&self, _age: Duration) -> Result<()> {
        let api = &self.0.api;
        let collected = api.call("repo/gc", &[], None, WORK, MAX_GARBAGE).await;
        collected.map_err(self.failed("collecting garbage"))?;
        Ok(())
    }

    async fn stat(&self) -> Result<RepoStat> {
        let failed = self.failed("counting blocks");
        let answer = self.call("repo/stat", &[], WORK).await.map_err(&failed)?;
        let stat: Stat = serde_json::from_slice(&answer).map_err(|_| failed(Fault::Nonsense))?;
        Ok(RepoStat {
            blocks: stat.blocks,
            bytes: stat.bytes,
        })
    }

    /// The TCP ones: what our nodes dial.
    async fn addresses(&self) -> Result<Vec<String>> {
        let id = self.id().await.map_err(self.failed("telling addresses"))?;
        let addresses = id.addresses.unwrap_or_default().into_iter();
        let is_tcp = |address: &String| {
            let mut parts = address.split('/');
            parts.nth(3) == Some("tcp") && parts.nth(1) == Some("p2p")
        };
        Ok(addresses.filter(is_tcp).collect())
    }

    async fn peers(&self) -> Result<Vec<String>> {
        let failed = self.failed("telling its peers");
        let answer = self.call("swarm/peers", &[], ANSWER).await;
        let answer = answer.map_err(&failed)?;
        let connected: Connected =
            serde_json::from_slice(&answer).map_err(|_| failed(Fault::Nonsense))?;
        let ids = connected.peers.unwrap_or_default().into_iter();
        let mut ids: Vec<_> = ids.map(|peer| peer.id).collect();
        ids.sort();
        ids.dedup();
        Ok(ids)
    }

    async fn connect(&self, address: &str) -> Result<()> {
        let address = peers::parse(address)?.to_string();
        // The node's own time-out comes first.
        let limit = peers::DIAL_TIMEOUT.saturating_mul(2);
        let dialled = self
            .call("swarm/connect", &[("arg", &address)], limit)
            .await;
        dialled.map_err(|fault| Error::PeerUnreachable {
            address: address.clone(),
            source: fault.into(),
        })?;
        let mut known = self.0.known.lock().unwrap_or_else(|held| held.into_inner());
        if !known.contains(&address) {
            known.push(address);
        }
        Ok(())
    }

    async fn survey(&self, image: &ImageDigest, limit: Duration) -> Result<Survey> {
        let doing = "asking peers which blocks they have";
        if !self.0.ours {
            return Err(self.unable(doing));
        }
        let root = unixfs::cid_from_digest(unixfs::DAG_PB, &image.0);
        let (name, within) = (root.to_string(), format!("{}ms", limit.as_millis()));
        let args = [("arg", name.as_str()), ("timeout", &within)];
        let answer = match self.call("pcim/survey", &args, WORK).await {
            Ok(answer) => answer,
            Err(fault) if fault.says(MISSING) || fault.says(LATE) => {
                return Err(self.undelivered(&root, limit, &fault).await);
            }
            Err(fault) => return Err(self.failed(doing)(fault)),
        };
        serde_json::from_slice(&answer).map_err(|_| self.failed(doing)(Fault::Nonsense))
    }

    async fn ask(
        &self,
        topic: Topic,
        address: &str,
        question: Bytes,
        limit: Duration,
    ) -> Result<Bytes> {
        if !self.0.ours {
            return Err(self.unable("asking a mailbox"));
        }
        let within = format!("{}ms", limit.as_millis());
        let args = [
            ("arg", address),
            ("timeout", within.as_str()),
            ("topic", topic.name()),
        ];
        let boundary = form::new_boundary();
        let parts = [form::prefix(&boundary), question, form::suffix(&boundary)];
        let body = Full::new(Bytes::from(parts.concat())).map_err(|never| match never {});
        let form = Some((boundary, body.boxed_unsync()));
        // The node dials first.
        let whole = limit.saturating_add(ANSWER);
        let api = &self.0.api;
        let answered = api
            .call("pcim/ask", &args, form, whole, MAX_MAIL_ANSWER)
            .await;
        answered.map_err(self.failed("asking a mailbox"))
    }

    async fn keep_mailbox(&self, _: Topic, _: Arc<dyn Mailbox>) -> Result<Serving> {
        Err(self.unable("keeping a mailbox"))
    }

    #[cfg(test)]
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn closing(&self) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}

/// One JSON value a line.
pub(super) fn lines<T: for<'a> Deserialize<'a>>(
    answer: &[u8],
) -> impl Iterator<Item = std::result::Result<T, Fault>> {
    serde_json::Deserializer::from_slice(answer)
        .into_iter::<T>()
        .map(|line| line.map_err(|_| Fault::Nonsense))
}
