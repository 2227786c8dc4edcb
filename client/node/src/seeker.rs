//! Looking blocks up in the DHT.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cid::Cid;
use futures::StreamExt;
use rust_ipfs::Ipfs;

/// How long a look-up may take.
const LOOK_UP: Duration = Duration::from_secs(20);
/// How long a block that was looked up is not looked up again.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(30);
/// Bodies that a fetch may be about, the latest last.
const SUBJECTS: usize = 8;
/// Look-ups that are remembered.
const MAX_SOUGHT: usize = 4096;

/// Looks blocks up in the DHT.
pub(super) struct Seeker {
    ipfs: Ipfs,
    sought: Mutex<HashMap<Cid, Instant>>,
    /// The bodies that missing blocks may belong to: leaves are not announced, bodies are.
    subjects: Mutex<VecDeque<Cid>>,
}

impl Seeker {
    pub(super) fn new(ipfs: Ipfs) -> Self {
        Self {
            ipfs,
            sought: Mutex::default(),
            subjects: Mutex::default(),
        }
    }

    /// Remembers that a body is about to be read.
    pub(super) fn about(&self, body: Cid) {
        let mut subjects = self.subjects.lock().unwrap_or_else(|e| e.into_inner());
        subjects.retain(|known| *known != body);
        if subjects.len() == SUBJECTS {
            subjects.pop_front();
        }
        subjects.push_back(body);
    }

    /// Has the providers of a block, and of what it may belong to, connected in the background.
    pub(super) fn seek(&self, cid: &Cid) {
        let subjects = {
            let subjects = self.subjects.lock().unwrap_or_else(|e| e.into_inner());
            subjects.clone()
        };
        for cid in subjects.into_iter().chain([*cid]) {
            if !self.is_due(cid) {
                continue;
            }
            let ipfs = self.ipfs.clone();
            tokio::spawn(async move {
                // A provider is dialled when the answer comes in; here it is only waited for.
                let looked = tokio::time::timeout(LOOK_UP, async {
                    let mut answers = ipfs.dht_get_providers(cid.hash().to_bytes()).await?;
                    while answers.next().await.is_some() {}
                    Ok::<_, rust_ipfs::Error>(())
                });
                if let Ok(Err(error)) = looked.await {
                    tracing::debug!(%cid, %error, "no look-up");
                }
            });
        }
    }

    fn is_due(&self, cid: Cid) -> bool {
        let mut sought = self.sought.lock().unwrap_or_else(|e| e.into_inner());
        if sought.len() >= MAX_SOUGHT {
            sought.retain(|_, since| since.elapsed() < LOOK_UP_AGAIN);
        }
        if sought.len() >= MAX_SOUGHT {
            return false;
        }
        let due = sought
            .get(&cid)
            .is_none_or(|since| since.elapsed() >= LOOK_UP_AGAIN);
        if due {
            sought.insert(cid, Instant::now());
        }
        due
    }
}
