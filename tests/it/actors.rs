//! The actors at work: homes, keys and IPFS nodes of their own, as the facade makes them, around one devnet and contract.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use openpgp::Profile;
use openpgp::cert::CertBuilder;
use openpgp::serialize::MarshalInto;
use openpgp::types::Features;
use pcim_client::home::{Config, Home, NewHome};
use pcim_client::papers::card::Card;
use pcim_client::papers::request::Purpose;
use pcim_client::{
    AccessRequest, Actor, Limits, OpenedFile, Registered, Requested, SealOptions, SealedImage,
    Session, Target,
};
use pcim_core::{ImageDigest, LockCost, Passphrase};
use pcim_ledger::Account;
use pcim_seal::KeyKind;
use sequoia_openpgp as openpgp;
use tempfile::TempDir;

use crate::chain::Chain;

/// A small real image: one CT slice of 128 × 128 pixels, 39,206 bytes.
pub(crate) const DEMO: &[u8] = include_bytes!("../../client/cli/assets/demo.dcm");
/// Locks every home.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";
/// How long a block that somebody has may take on a busy machine.
pub(crate) const WAIT: Duration = Duration::from_secs(60);

/// The tag and type of Pixel Data, in Explicit VR Little Endian.
const PIXELS: [u8; 8] = [0xe0, 0x7f, 0x10, 0, b'O', b'W', 0, 0];

/// The places of the prefunded accounts in [`Chain`].
const RADIOLOGIST: usize = 2;
const PATIENT: usize = 3;
/// The first requestor's: [`Chain`]'s doctor.
pub(crate) const DOCTOR: usize = 4;
/// The second requestor's: [`Chain`]'s stranger.
pub(crate) const STRANGER: usize = 5;
/// Nobody's in [`Chain`].
pub(crate) const OTHER: usize = 6;

/// A chain with the contract, an accredited radiologist and a patient.
pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) radiologist: Actor,
    pub(crate) patient: Actor,
    pub(crate) dir: TempDir,
}

/// A block on disk: its length, its inode, and when it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockFile {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    inode: u64,
    written: SystemTime,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// A world whose patient brings a key of his own, armored and locked with [`PASSPHRASE`].
    pub(crate) async fn start_with(patient_key: Option<&[u8]>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let chain = Chain::start_2().await;
        let (radiologist, patient) = tokio::join!(
            actor(&chain, dir.path(), "radiologist", RADIOLOGIST, None),
            actor(&chain, dir.path(), "patient", PATIENT, patient_key),
        );
        Self {
            chain,
            radiologist,
            patient,
            dir,
        }
    }

    /// Another actor, with the `account`th prefunded account.
    pub(crate) async fn actor(&self, name: &str, account: usize) -> Actor {
        actor(&self.chain, self.dir.path(), name, account, None).await
    }

    /// Another actor, who brings a key of his own, armored and locked with [`PASSPHRASE`].
    pub(crate) async fn actor_with(&self, name: &str, account: usize, key: &[u8]) -> Actor {
        actor(&self.chain, self.dir.path(), name, account, Some(key)).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn target(&self, name: &str) -> Target {
        Target {
            path: self.path(name),
            overwrite: false,
        }
    }

    /// Writes a file that an actor will read.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// The radiologist seals an image to the patient.
    pub(crate) async fn seal(&self, content: &[u8], deidentify: bool) -> SealedImage {
        let file = self.file("original.dcm", content);
        let options = SealOptions {
            deidentify,
            ..SealOptions::default()
        };
        let to = card(&self.patient).await;
        let sealed = self
            .radiologist
            .radiologist()
            .seal(vec![file], &to, &options)
            .await;
        sealed.unwrap()
    }

    /// The radiologist seals an image as it is, and the patient registers it.
    pub(crate) async fn registered(&mut self, content: &[u8]) -> (SealedImage, Registered) {
        let sealed = self.seal(content, false).await;
        let registered = self
            .patient
            .patient()
            .register(&sealed.handover, None)
            .await
            .unwrap()
            .mined()
            .unwrap();
        assert_eq!(registered.image, sealed.image);
        (sealed, registered)
    }

    /// A requestor asks the patient for an image.
    pub(crate) async fn ask(&self, requestor: &mut Actor, image: ImageDigest) -> Requested {
        let request = AccessRequest {
            image,
            purpose: Purpose::Treat,
            name: Some("Dr. Ada".to_owned()),
            note: None,
            delegates: Vec::new(),
        };
        let patient = card(&self.patient).await;
        requestor
            .requestor()
            .request(&patient, request)
            .await
            .unwrap()
            .mined()
            .unwrap()
    }

    /// A requestor fetches an image; what was opened, and its bytes.
    pub(crate) async fn fetched(
        &self,
        requestor: &Actor,
        image: &ImageDigest,
        name: &str,
    ) -> (OpenedFile, Vec<u8>) {
        let opened = requestor
            .requestor()
            .fetch(image, &self.target(name))
            .await
            .unwrap();
        let bytes = std::fs::read(&opened.path).unwrap();
        (opened, bytes)
    }
}

async fn actor(chain: &Chain, dir: &Path, name: &str, account: usize, key: Option<&[u8]>) -> Actor {
    let account = &chain.devnet.accounts()[account].private_key.0;
    let account = Account::from_private_key(account).unwrap();
    let config = Config {
        name: Some(name.to_owned()),
        rpc_url: Some(chain.devnet.url()),
        chain_id: Some(chain.devnet.chain_id()),
        contract: Some(chain.contract),
        ..Config::default()
    };
    let dir = dir.join(name);
    let key = key.map(<[u8]>::to_vec);
    let home = tokio::task::spawn_blocking(move || {
        let new = NewHome {
            config,
            passphrase: &passphrase(),
            cost: LockCost::LIGHT,
            openpgp: KeyKind::default(),
            user_id: None,
            account: Some(account),
        };
        let home = Home::init(&dir, new).unwrap();
        if let Some(key) = key {
            std::fs::write(dir.join("openpgp.asc"), key).unwrap();
        }
        home
    });
    let client = Actor::open(home.await.unwrap(), passphrase()).await;
    client.unwrap().with_limits(limits(WAIT))
}

fn passphrase() -> Passphrase {
    Passphrase::new(PASSPHRASE.to_owned())
}

pub(crate) fn limits(fetch: Duration) -> Limits {
    Limits {
        fetch,
        ..Limits::default()
    }
}

/// An actor's contact card, through its JSON.
pub(crate) async fn card(of: &Actor) -> Card {
    let json = serde_json::to_vec(&of.unlocked().card().await.unwrap()).unwrap();
    Card::read(&json).unwrap()
}

/// The bytes of a sealed root through an actor's node.
pub(crate) async fn cat(of: &Actor, root: &ImageDigest) -> Vec<u8> {
    let stream = of.node().await.unwrap().cat(root, WAIT).await.unwrap();
    let collected = stream.try_fold(Vec::new(), |mut all, bytes| async move {
        all.extend_from_slice(&bytes);
        Ok(all)
    });
    collected.await.unwrap()
}

/// The blocks in an actor's repository, by CID, as the disk has them.
pub(crate) fn blocks(of: &Session) -> BTreeMap<String, BlockFile> {
    // A node that never ran has none.
    let shards = std::fs::read_dir(of.home().repo_dir().join("blockstore"));
    let shards = shards.into_iter().flatten();
    let files = shards
        .map(|shard| shard.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|shard| std::fs::read_dir(shard).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "data"));
    let described = files.map(|path| {
        let cid = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let meta = std::fs::metadata(&path).unwrap();
        let file = BlockFile {
            path,
            len: meta.len(),
            inode: meta.ino(),
            written: meta.modified().unwrap(),
        };
        (cid, file)
    });
    described.collect()
}

/// Where the value, or the long value's length, of an attribute of the demo's image stands.
fn after(tag: [u8; 8]) -> usize {
    DEMO.windows(8).position(|at| at == tag).unwrap() + 8
}

/// The demo's picture: 128 × 128 pixels of 16 bits.
pub(crate) fn demo_picture() -> &'static [u8] {
    &DEMO[after(PIXELS) + 4..][..128 * 128 * 2]
}

/// The demo's image with another picture: `side` × `side` pixels of 16 bits.
pub(crate) fn image_of(side: u16) -> Vec<u8> {
    const ROWS: [u8; 8] = [0x28, 0, 0x10, 0, b'U', b'S', 2, 0];
    const COLUMNS: [u8; 8] = [0x28, 0, 0x11, 0, b'U', b'S', 2, 0];
    let mut file = DEMO[..after(PIXELS)].to_vec();
    for tag in [ROWS, COLUMNS] {
        let value = after(tag);
        file[value..value + 2].copy_from_slice(&side.to_le_bytes());
    }
    let pixels = usize::from(side) * usize::from(side);
    file.extend(u32::try_from(2 * pixels).unwrap().to_le_bytes());
    // Xorshift: no two leaves are the same.
    let mut state = u32::from(side) | 1;
    file.extend((0..pixels).flat_map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as u16).to_le_bytes()
    }));
    file
}

/// A version 4 key that knows SEIPDv1 only, as older software makes them, armored and locked.
pub(crate) fn v4_key() -> Vec<u8> {
    let (key, _) = CertBuilder::general_purpose(Some("Old Reader <old@example.org>"))
        .set_profile(Profile::RFC4880)
        .unwrap()
        .set_features(Features::empty().set_seipdv1())
        .unwrap()
        .set_password(Some(PASSPHRASE.into()))
        .generate()
        .unwrap();
    key.as_tsk().armored().to_vec().unwrap()
}

/// An error with all its sources, in one line.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
