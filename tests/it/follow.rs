//! Nodes that follow the contract: what they keep for a patient who is away, and what they drop.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alloy_primitives::B256;
use pcim_client::home::{Config, FollowSettings, Home, NewHome};
use pcim_client::{Actor, FollowEvent, FollowSink, Kind, Session};
use pcim_core::{ImageDigest, LockCost, Passphrase};
use pcim_node::{Error as NodeError, Node, NodeConfig};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::actors::{DEMO, DOCTOR, STRANGER, WAIT, World, blocks, card, image_of, limits};
use crate::chain::Chain;

/// A node that follows, at work in the background.
struct Follower {
    client: Arc<Session>,
    address: String,
    told: Arc<Mutex<Vec<FollowEvent>>>,
    stop: oneshot::Sender<()>,
    work: JoinHandle<()>,
}

impl Follower {
    /// Makes a home, whose keys stay locked for ever, and follows.
    async fn start(world: &World, name: &str, peers: &[&Actor], follow: FollowSettings) -> Self {
        let mut addresses = Vec::new();
        for peer in peers {
            addresses.extend(card(peer).await.peers);
        }
        let config = Config {
            rpc_url: Some(world.chain.devnet.url()),
            chain_id: Some(world.chain.devnet.chain_id()),
            contract: Some(world.chain.contract),
            peers: addresses,
            follow,
            ..Config::default()
        };
        let dir = world.path(name);
        let made = tokio::task::spawn_blocking(move || {
            let new = NewHome {
                config,
                passphrase: &Passphrase::new("never used again".to_owned()),
                user_id: None,
                account: None,
                cost: LockCost::LIGHT,
                openpgp: Default::default(),
            };
            drop(Home::init(&dir, new).unwrap());
            dir
        });
        Self::resume(made.await.unwrap()).await
    }

    /// Follows with a home that is there.
    async fn resume(dir: PathBuf) -> Self {
        let client = Session::open(Home::open(&dir).unwrap()).unwrap();
        let client = Arc::new(client.with_limits(limits(WAIT)));
        let address = client.node().await.unwrap().addresses().await.unwrap();
        let told: Arc<Mutex<Vec<FollowEvent>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let (following, heard) = (Arc::clone(&client), Arc::clone(&told));
        // What starts a node stays on its thread.
        let work = tokio::task::spawn_blocking(move || {
            Handle::current().block_on(async move {
                let tell: FollowSink = Arc::new(move |event| heard.lock().unwrap().push(event));
                let settings = following.home().config().follow.clone();
                let follower = following.follower();
                tokio::select! {
                    ended = follower.follow(&settings, &tell) => panic!("{ended:?}"),
                    _ = stopped => {}
                }
            });
        });
        Self {
            client,
            address: address[0].clone(),
            told,
            stop,
            work,
        }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.work.await.unwrap();
        let client = Arc::into_inner(self.client).unwrap();
        client.shutdown().await;
    }

    fn has(&self, cid: &str) -> bool {
        blocks(&self.client).contains_key(cid)
    }

    fn told(&self, wanted: impl Fn(&FollowEvent) -> bool) -> bool {
        self.told.lock().unwrap().iter().any(wanted)
    }
}

fn settings() -> FollowSettings {
    FollowSettings {
        poll_seconds: 1,
        ..FollowSettings::default()
    }
}

/// Waits for what must come.
async fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < WAIT, "not within {WAIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A stranger's node that knows one other.
async fn plain(dir: &tempfile::TempDir, peer: &str) -> Node {
    let config = NodeConfig {
        repo: dir.path().to_owned(),
        listen: Vec::new(),
        bootstrap: vec![peer.to_owned()],
        chunk_size: 1 << 20,
    };
    let node = Node::start(config).await.unwrap();
    node.connect(peer).await.unwrap();
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_keep_what_the_chain_says_and_nothing_else() {
    let mut world = World::start().await;
    let content = image_of(1100);
    let (sealed, _) = world.registered(&content).await;
    let image = sealed.image;
    let known = [&world.patient];
    let (first, second) = tokio::join!(
        Follower::start(&world, "first", &known, settings()),
        Follower::start(&world, "second", &known, settings()),
    );
    let both = [&first, &second];

    // Registered: both have all of it, and so has the radiologist.
    let replicas = world.patient.await_replicas(&image, 3).await.unwrap();
    assert!(
        replicas.complete == 3 && replicas.blocks > 4,
        "{replicas:?}"
    );
    let too_many = world.patient.replicas(&image).await.unwrap().at_least(9);
    let text = too_many.unwrap_err().to_string();
    assert!(text.contains("of 9 wanted nodes"), "{text}");

    // Asked for: the certificate and the document come to the followers, so that the requestor may leave.
    let mut doctor = world.actor("doctor", DOCTOR).await;
    let addresses: Vec<_> = both.map(|follower| follower.address.clone()).into();
    doctor.dial(&addresses).await.unwrap();
    let certificate = world.ask(&mut doctor, image).await.public_key.to_string();
    for follower in both {
        until("the certificate", || follower.has(&certificate)).await;
        let documents = || {
            let told = follower.told.lock().unwrap();
            let pinned = told.iter().filter(|event| {
                matches!(
                    event,
                    FollowEvent::Pinned {
                        kind: Kind::Block,
                        ..
                    }
                )
            });
            pinned.count()
        };
        until("the document", || documents() == 2).await;
    }
    let reader = doctor.address();
    doctor.shutdown().await;

    // Approved: the header too. Removed: it goes, and the certificate; the image stays.
    let approved = world
        .patient
        .patient()
        .approve(&image, reader, 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let shared = approved.shared_image;
    world.patient.await_replicas(&shared, 2).await.unwrap();
    let plain_dir = tempfile::tempdir().unwrap();
    let removed = plain(&plain_dir, &first.address).await;
    removed.get_root(&shared, WAIT).await.unwrap();
    removed.forget_root(&shared).await.unwrap();
    world
        .patient
        .patient()
        .revoke(&image, reader)
        .await
        .unwrap()
        .mined()
        .unwrap();
    for follower in both {
        until("the removed header to vanish", || {
            !follower.has(&shared.to_string())
        })
        .await;
        until("the certificate to vanish", || !follower.has(&certificate)).await;
        assert!(
            follower
                .client
                .node()
                .await
                .unwrap()
                .holds(&image)
                .await
                .unwrap()
        );
    }
    let nothing = removed.get_root(&shared, Duration::from_secs(1)).await;
    assert!(
        matches!(nothing, Err(NodeError::Timeout { .. })),
        "{nothing:?}"
    );
    removed.shutdown().await;

    // Expired, which no event tells: it goes. Approved again: it is back.
    let mut stranger = world.actor("stranger", STRANGER).await;
    stranger.dial(&addresses).await.unwrap();
    world.ask(&mut stranger, image).await;
    let end = world.chain.now().await + 3_600;
    let reader = stranger.address();
    let approved = world
        .patient
        .patient()
        .approve(&image, reader, end)
        .await
        .unwrap()
        .mined()
        .unwrap();
    world
        .patient
        .await_replicas(&approved.shared_image, 2)
        .await
        .unwrap();
    world.chain.later(3_600).await;
    for follower in both {
        let gone = approved.shared_image.to_string();
        until("the expired header to vanish", || !follower.has(&gone)).await;
    }
    world.ask(&mut stranger, image).await;
    let again = world
        .patient
        .patient()
        .approve(&image, reader, 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    world
        .patient
        .await_replicas(&again.shared_image, 2)
        .await
        .unwrap();

    // The patient and the radiologist are away, and so is one of the two, once it has noted what it has.
    let noted = again.shared_image.to_string();
    let is_noted =
        |event: &FollowEvent| matches!(event, FollowEvent::Pinned { cid, .. } if *cid == noted);
    until("the header to be noted", || second.told(is_noted)).await;
    let dir = second.client.home().dir().to_owned();
    second.stop().await;
    stranger.remember_peers(&addresses).unwrap();
    let target = world.target("from-a-follower.dcm");
    let World {
        chain,
        patient,
        radiologist,
        dir: _kept,
    } = world;
    tokio::join!(patient.shutdown(), radiologist.shutdown());
    let opened = stranger.requestor().fetch(&image, &target).await.unwrap();
    assert!(std::fs::read(&opened.path).unwrap() == content);

    // Back again, it goes on where it was: nothing is fetched anew, nothing dropped.
    let second = Follower::resume(dir).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(second.has(&again.shared_image.to_string()));
    assert!(
        !second.told(|event| !matches!(event, FollowEvent::Read { .. })),
        "{:?}",
        second.told
    );
    first.stop().await;
    second.stop().await;
    chain.devnet.shutdown().await;
}

/// Registers a digest with nothing of the client in between.
async fn register(chain: &Chain, digest: [u8; 32]) {
    let call = chain.registration_2(B256::from(digest));
    chain.done_2(&chain.patient, &call).await;
}

/// Asks the chain's node.
async fn ask(chain: &Chain, method: &str, params: Value) -> Value {
    chain.provider.request(method, params).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_hostile_on_the_chain_holds_nothing_up() {
    let mut world = World::start().await;
    // Nobody has it; it is no sealed root; it is too large; its header is a reader's, and its body another image's.
    register(&world.chain, [0x11; 32]).await;
    let large = world.seal(&image_of(1100), false).await.image;
    register(&world.chain, large.0).await;
    let node = world.radiologist.node().await.unwrap();
    let body = node.get_root(&large, WAIT).await.unwrap().body;
    let tree: ImageDigest = body.cid.parse().unwrap();
    register(&world.chain, tree.0).await;
    let (sealed, _) = world.registered(DEMO).await;
    let node = world.radiologist.node().await.unwrap();
    let body = node.get_root(&sealed.image, WAIT).await.unwrap().body;
    let grafted = node.put_root(vec![7; 300], &body).await.unwrap().image;
    register(&world.chain, grafted.0).await;
    let before = ask(&world.chain, "evm_snapshot", json!([])).await;
    let (later, _) = world.registered(&image_of(64)).await;

    let limited = FollowSettings {
        max_image_bytes: 1 << 20,
        ..settings()
    };
    let known = [&world.patient, &world.radiologist];
    let follower = Follower::start(&world, "follower", &known, limited).await;
    for image in [sealed.image, later.image] {
        world.patient.await_replicas(&image, 1).await.unwrap();
        let pinned = |event: &FollowEvent| matches!(event, FollowEvent::Pinned { kind: Kind::Root, image: of, .. } if *of == image);
        until("an honest image", || follower.told(pinned)).await;
    }
    for (image, why) in [
        (large, "at most 1048576 are kept of an image"),
        (tree, "is not a sealed root"),
        (grafted, "its body is that of image"),
    ] {
        let refused = |event: &FollowEvent| matches!(event, FollowEvent::Refused { image: of, reason, .. } if *of == image && reason.contains(why));
        until(why, || follower.told(refused)).await;
    }
    let missing = |event: &FollowEvent| matches!(event, FollowEvent::Failed { image, retry_seconds: 5.., .. } if image.0 == [0x11; 32]);
    until("a missing image", || follower.told(missing)).await;
    until("what was refused to be gone", || {
        !follower.has(&tree.to_string())
    })
    .await;

    // A reorganisation takes an image back.
    let done = ask(&world.chain, "evm_revert", json!([before])).await;
    assert_eq!(done, true);
    ask(&world.chain, "anvil_mine", json!(["0x10"])).await;
    let dropped = |event: &FollowEvent| matches!(event, FollowEvent::Dropped { kind: Kind::Root, image, .. } if *image == later.image);
    until("the image that is gone", || follower.told(dropped)).await;
    let of_other = |event: &FollowEvent| matches!(event, FollowEvent::Dropped { image, .. } if *image == sealed.image);
    assert!(follower.has(&body.cid) && !follower.told(of_other));

    // What the disk lost is fetched again at the next start.
    let dir = follower.client.home().dir().to_owned();
    std::fs::remove_file(&blocks(&follower.client)[&body.cid].path).unwrap();
    follower.stop().await;
    let follower = Follower::resume(dir).await;
    let again = |event: &FollowEvent| matches!(event, FollowEvent::Pinned { kind: Kind::Body, image, .. } if *image == sealed.image);
    until("the lost body", || follower.told(again)).await;
    assert!(follower.has(&body.cid));
    follower.stop().await;
}
