//! The ways in which a node meets others beyond the peers that were named to it, and the key of those who may join. Everything here is off
//! unless it is switched on.
//!
//! - **mDNS** tells the local network that this node is there, and connects it with others that do the same.
//! - **DHT** (Kademlia, `/ipfs/kad/1.0.0`): a block that no connected peer has is looked up, and its providers are
//!   connected and asked. Announced is the CID of every pinned sealed root, of its header and of its body, all
//!   of them ciphertext; no leaf, no certificate, no document. A node remembers 1,024 CIDs at most; those beyond are not
//!   announced. The DHT is the one that the named peers are part of.
//! - **Relays** (circuit relay v2) carry bytes, encrypted from end to end, between nodes that cannot reach each other. An
//!   address that names a relay (`…/p2p/RELAY/p2p-circuit/p2p/PEER`) is always understood.
//! - A **mailbox** keeps small sealed documents for others (format.md §13.15).
//! - A **host** answers guests with whom an image is shared (§13.19).
//! - A **private swarm** has a key that every member knows (`swarm.key`, as go-ipfs writes it); with it a node
//!   neither talks to others nor understands them.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cid::Cid;
use connexa::behaviour::BehaviourEvent;
use connexa::prelude::dht::{Event as DhtEvent, GetProvidersOk, QueryResult, RecordKey};
use connexa::prelude::mdns;
use connexa::prelude::transport::pnet::PreSharedKey;
use rust_ipfs::builder::IpfsBuilder;
use rust_ipfs::p2p::{MultiaddrExt, RelayConfig};
use rust_ipfs::swarm::SwarmEvent;
use rust_ipfs::{DhtMode, DialOpts, Ipfs, Multiaddr, Protocol};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use super::error::of_ipfs;
use super::exchange::Streams;
use super::mail::Topic;
use super::seeker::Seeker;
use super::storage::Storage;
use super::store::Store;
use super::types::MAX_ROOT;
use super::unixfs::DAG_PB;
use super::{Cause, Error, Result, mail, peers, root};

/// Most bytes of a `swarm.key` file.
const MAX_KEY_FILE: u64 = 1024;
/// Peers of the local network that are remembered.
const MAX_FOUND: usize = 64;
/// Providers of one answer that are dialled.
const MAX_PROVIDERS: usize = 8;
/// The most CIDs that a node announces (the memory of its DHT).
const MAX_PROVIDED: usize = 1024;
/// How often new pins are looked for, to be announced.
const PROVIDE: Duration = Duration::from_secs(5);
/// How often everything is announced again.
const PROVIDE_AGAIN: Duration = Duration::from_secs(3600);
/// How often a relay that went away is asked again.
const RELAY_AGAIN: Duration = Duration::from_secs(10);
/// Settings of the network; the default talks to named peers only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Network {
    /// Look for peers on the local network, and be found there.
    pub mdns: bool,
    /// Take part in the DHT of the named peers.
    pub dht: Dht,
    /// Multiaddrs (with `/p2p/…`) of relays through which this node can be reached.
    pub relays: Vec<String>,
    /// Be a relay for others.
    pub relay: bool,
    /// Refuse to run without a swarm key.
    pub private: bool,
    /// Keep sealed documents for others while this node serves.
    pub mailbox: bool,
    /// Answer guests with whom an image is shared; not a setting.
    #[serde(skip)]
    pub guests: bool,
}

/// A node's part in the DHT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dht {
    /// None.
    #[default]
    Off,
    /// Looks up and announces.
    Client,
    /// Answers others too.
    Server,
}

/// The key of a private swarm: 32 bytes as three lines, `/key/swarm/psk/1.0.0/`, `/base16/` and hex. Never printed.
#[derive(Clone)]
pub struct SwarmKey(Zeroizing<String>);

impl SwarmKey {
    /// Reads a key file; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::SwarmKey`] for one that is no key, or that others than its owner can read.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let refuse = |source: Cause| Error::SwarmKey {
            path: path.to_owned(),
            source,
        };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refuse(error.into())),
        };
        let mode = file.metadata().map_err(|error| refuse(error.into()))?;
        let mode = mode.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(refuse(
                format!("its mode is {mode:o}, wanted 600: others can read it").into(),
            ));
        }
        let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE as usize));
        file.take(MAX_KEY_FILE)
            .read_to_string(&mut text)
            .map_err(|error| refuse(error.into()))?;
        text.parse::<PreSharedKey>()
            .map_err(|error| refuse(error.into()))?;
        Ok(Some(Self(text)))
    }

    fn shared(&self) -> Result<PreSharedKey> {
        self.0.parse().map_err(|error| Error::SwarmKey {
            path: "swarm.key".into(),
            source: Box::new(error),
        })
    }
}

/// The ends that the swarm's events come out of and go into, beside its own commands.
#[derive(Clone)]
pub(super) struct Hooks {
    found: mpsc::UnboundedSender<Multiaddr>,
    /// Keys that are no longer to be announced.
    withdrawn: Arc<Mutex<Vec<RecordKey>>>,
}

/// The other ends of [`Hooks`].
pub(super) struct Met {
    found: mpsc::UnboundedReceiver<Multiaddr>,
    withdrawn: Arc<Mutex<Vec<RecordKey>>>,
}

impl Hooks {
    /// Makes both ends.
    pub(super) fn pair() -> (Self, Met) {
        let (sender, found) = mpsc::unbounded_channel();
        let withdrawn = Arc::default();
        let hooks = Self {
            found: sender,
            withdrawn: Arc::clone(&withdrawn),
        };
        (hooks, Met { found, withdrawn })
    }
}

impl Network {
    /// Adds what is switched on to a node that is not started yet.
    pub(super) fn configure(
        &self,
        mut builder: IpfsBuilder<Streams>,
        key: Option<&SwarmKey>,
        hooks: Hooks,
    ) -> Result<IpfsBuilder<Streams>> {
        builder = builder.with_relay(false).with_request_response(vec![
            mail::protocol(Topic::Mail, self.mailbox),
            mail::protocol(Topic::Guests, self.guests),
        ]);
        if self.mdns {
            builder = builder.with_mdns();
        }
        if self.dht != Dht::Off {
            builder = builder.with_kademlia();
        }
        if self.relay {
            builder = builder.with_relay_server(relay_limits());
        }
        match key {
            Some(key) => builder = builder.enable_pnet(key.shared()?),
            None if self.private => return Err(Error::NoSwarmKey),
            None => {}
        }
        Ok(builder.swarm_events(move |swarm, event| {
            let mut withdrawn = hooks.withdrawn.lock().unwrap_or_else(|e| e.into_inner());
            if let Some(dht) = swarm.behaviour_mut().kademlia.as_mut() {
                withdrawn.drain(..).for_each(|key| dht.stop_providing(&key));
            }
            match event {
                SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(peers))) => {
                    for (peer, address) in peers {
                        let address = match address.peer_id() {
                            Some(_) => address.clone(),
                            None => address.clone().with(Protocol::P2p(*peer)),
                        };
                        // Nobody listens any more when the node stops.
                        let _ = hooks.found.send(address);
                    }
                }
                SwarmEvent::Behaviour(BehaviourEvent::Kademlia(
                    DhtEvent::OutboundQueryProgressed {
                        result:
                            QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders {
                                providers,
                                ..
                            })),
                        ..
                    },
                )) => {
                    // Their addresses are known as long as the look-up goes on.
                    for peer in providers.iter().take(MAX_PROVIDERS) {
                        if let Err(error) = swarm.dial(DialOpts::peer_id(*peer).build()) {
                            tracing::debug!(%peer, %error, "provider not dialled");
                        }
                    }
                }
                _ => {}
            }
        }))
    }

    /// Begins what goes on as long as the node runs.
    pub(super) async fn begin(&self, store: &Store, met: Met) -> Result<JoinSet<()>> {
        let relays = peers::parse_all(&self.relays)?;
        let ipfs = store.ipfs();
        let mut tasks = JoinSet::new();
        if self.dht != Dht::Off || self.relay {
            for address in reachable(ipfs.listening_addresses().await.unwrap_or_default()) {
                let announced = ipfs.add_external_address(address).await;
                announced.map_err(|error| of_ipfs("announcing an address", error))?;
            }
        }
        if self.dht != Dht::Off {
            let mode = match self.dht {
                Dht::Server => DhtMode::Server,
                _ => DhtMode::Client,
            };
            let set = ipfs.dht_mode(mode).await;
            set.map_err(|error| of_ipfs("joining the DHT", error))?;
            store.seek_with(Seeker::new(ipfs.clone()));
            tasks.spawn(provide(store.clone(), met.withdrawn));
        }
        if self.mdns {
            tasks.spawn(meet(store.clone(), met.found));
        }
        for relay in relays {
            tasks.spawn(stay_reachable(ipfs.clone(), relay));
        }
        Ok(tasks)
    }
}

/// Images pass, so bytes are not limited; how many and how long is.
fn relay_limits() -> RelayConfig {
    RelayConfig {
        max_circuit_bytes: 0,
        max_circuit_duration: Duration::from_secs(6 * 3600),
        max_circuits: 64,
        max_circuits_per_peer: 16,
        ..RelayConfig::default()
    }
}

/// The addresses to tell others: loopback ones only if there are no others.
fn reachable(listening: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let beyond = |address: &&Multiaddr| !address.is_loopback();
    let wide: Vec<_> = listening.iter().filter(beyond).cloned().collect();
    if wide.is_empty() { listening } else { wide }
}

/// Connects with the peers of the local network.
async fn meet(store: Store, mut found: mpsc::UnboundedReceiver<Multiaddr>) {
    let mut known = HashSet::new();
    while let Some(address) = found.recv().await {
        if known.len() < MAX_FOUND && known.insert(address.clone()) {
            store.remember(address);
            store.redial();
        }
    }
}

/// Holds a reservation at a relay.
async fn stay_reachable(ipfs: Ipfs, relay: Multiaddr) {
    let circuit = relay.clone().with(Protocol::P2pCircuit);
    let through = relay.peer_id();
    loop {
        let listening = ipfs.listening_addresses().await.unwrap_or_default();
        let reserved = |address: &Multiaddr| {
            address.is_relay()
                && through.is_none_or(|id| address.iter().any(|part| part == Protocol::P2p(id)))
        };
        if !listening.iter().any(reserved) {
            let asked = ipfs.add_listening_address(circuit.clone());
            match tokio::time::timeout(peers::DIAL_TIMEOUT, asked).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%relay, %error, "the relay gives no reservation"),
                Err(_) => tracing::warn!(%relay, "the relay does not answer"),
            }
        }
        tokio::time::sleep(RELAY_AGAIN).await;
    }
}

/// Announces the sealed roots that are pinned, with their headers and bodies, and withdraws those that were dropped.
async fn provide(store: Store, withdrawn: Arc<Mutex<Vec<RecordKey>>>) {
    let me = store.ipfs().keypair().public().to_peer_id();
    let mut provided: HashMap<Cid, Instant> = HashMap::new();
    loop {
        tokio::time::sleep(PROVIDE).await;
        // Without a peer that listens, announcing would count as done.
        let others = store.ipfs().get_closest_peers(me).await;
        if !others.is_ok_and(|peers| peers.iter().any(|peer| *peer != me)) {
            continue;
        }
        let pinned = match pinned(&store).await {
            Ok(pinned) => pinned,
            Err(error) => {
                tracing::warn!(%error, "pins cannot be read, to be announced");
                continue;
            }
        };
        let gone: Vec<_> = provided
            .keys()
            .filter(|cid| !pinned.contains(*cid))
            .collect();
        let gone: Vec<Cid> = gone.into_iter().copied().collect();
        for cid in gone {
            provided.remove(&cid);
            let mut withdrawn = withdrawn.lock().unwrap_or_else(|e| e.into_inner());
            withdrawn.push(RecordKey::new(&cid.hash().to_bytes()));
        }
        for cid in pinned {
            let fresh = |since: &Instant| since.elapsed() < PROVIDE_AGAIN;
            if provided.get(&cid).is_some_and(fresh)
                || provided.len() >= MAX_PROVIDED && !provided.contains_key(&cid)
            {
                continue;
            }
            match store.ipfs().dht_provide(cid.hash().to_bytes()).await {
                Ok(()) => drop(provided.insert(cid, Instant::now())),
                Err(error) => tracing::warn!(%cid, %error, "not announced"),
            }
        }
    }
}

/// The CIDs of the roots that are pinned, of their headers and of their bodies, as far as they are pinned.
async fn pinned(store: &Store) -> Result<HashSet<Cid>> {
    let mut all = HashSet::new();
    for cid in store.pinned_directly().await? {
        if cid.codec() != DAG_PB {
            continue;
        }
        let Some(block) = store.local(&cid, MAX_ROOT).await? else {
            continue;
        };
        let Ok(parts) = root::take_apart(&block) else {
            continue;
        };
        all.insert(cid);
        for part in parts {
            if store.is_pinned(&part.cid).await? {
                all.insert(part.cid);
            }
        }
    }
    Ok(all)
}
