//! A chain and five homes in the middle of the story, made once and copied for every test.
//!
//! The consortium has accredited the radiologist. The patient has registered one image, has approved the
//! clinic's request for it, and has yet to decide about the doctor's. Another image is sealed to her and
//! its handover written; she has not registered it. Every copy has a chain of its own: tests do not see
//! each other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use pcim_client::home::{self, Home, Keys, NewHome};
use pcim_client::papers::card::Card;
use pcim_client::papers::handover::{Addressee, Handover, HandoverFacts};
use pcim_core::{Address, B256, LockCost, Passphrase};
use pcim_ledger::Account;
use pcim_seal::KeyKind;
use serde_json::{Value, json};
use stylus_devnet::{Config, DevAccount, Handle, spawn};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub(crate) use pcim_tests::program::{PASSPHRASE, PATIENT_NAME};

use crate::program::{Actor, Run, pcim, write_secret};
use crate::rpc::{self, ask};

/// The image, the program's own.
pub(crate) const IMAGE: &[u8] = include_bytes!("../../assets/demo.dcm");
/// The chain's id.
pub(crate) const CHAIN_ID: u64 = 412_346;

/// A description that does not belong on the chain.
pub(crate) const WORDY: &str = "Anna Meier, carcinoma of the lung";

/// Who has a home: the chain's second account, its third, and so on.
const ACTORS: [&str; 5] = ["consortium", "radiologist", "patient", "doctor", "clinic"];

/// A development chain in this process, which ends when it is dropped.
pub(crate) struct Chain {
    said: Value,
    handle: Option<Handle>,
}

impl Chain {
    /// Starts a chain whose state is kept in `state`.
    pub(crate) fn start(state: &Path) -> Self {
        Self::numbered(state, CHAIN_ID)
    }

    /// Starts a chain of another id.
    pub(crate) fn numbered(state: &Path, chain_id: u64) -> Self {
        let config = Config {
            port: 0,
            chain_id,
            state_dir: Some(state.to_owned()),
            ..Config::default()
        };
        let handle = runtime().block_on(spawn(config)).unwrap();
        let account =
            |it: &DevAccount| json!({ "address": it.address, "private_key": it.private_key });
        let accounts: Vec<_> = handle.accounts().iter().map(account).collect();
        Self {
            said: json!({
                "rpc_url": handle.url(),
                "ws_url": handle.ws_url(),
                "chain_id": handle.chain_id(),
                "accounts": accounts,
            }),
            handle: Some(handle),
        }
    }

    /// What it told at its start.
    pub(crate) fn told(&self, what: &str) -> &Value {
        &self.said[what]
    }

    pub(crate) fn url(&self) -> &str {
        self.said["rpc_url"].as_str().unwrap()
    }

    /// The `address` or `private_key` of a funded account.
    pub(crate) fn account(&self, number: usize, what: &str) -> &str {
        self.said["accounts"][number][what].as_str().unwrap()
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            runtime().block_on(handle.shutdown());
        }
    }
}

/// Runs every chain.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// What is the same in every copy.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) contract: String,
    /// Registered; the clinic is approved, the doctor waits.
    pub(crate) image: String,
    /// Sealed to the patient, and not registered.
    pub(crate) fresh: String,
}

/// A test's own copy.
pub(crate) struct Stage {
    pub(crate) known: Known,
    pub(crate) chain: Chain,
    dir: PathBuf,
    _own: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let (template, known) = template();
        let own = tempfile::Builder::new().tempdir_in(room()).unwrap();
        let dir = own.path().to_owned();
        copy(template, &dir);
        Self {
            known: known.clone(),
            chain: Chain::start(&dir.join("chain")),
            dir,
            _own: own,
        }
    }

    pub(crate) fn actor(&self, name: &str) -> Actor {
        actor(&self.dir, &self.chain, name)
    }

    /// A file of the stage, or a name for a new one.
    pub(crate) fn file(&self, name: &str) -> String {
        file(&self.dir, name)
    }

    /// A directory for results, empty at first.
    pub(crate) fn results(&self) -> PathBuf {
        let dir = self.dir.join("results");
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// The folder of the homes.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Has every home know this stage's chain, so that commands need not name it.
    pub(crate) fn settle(&self) {
        for name in ACTORS {
            let path = self.dir.join(name).join("config.toml");
            let config = fs::read_to_string(&path).unwrap();
            assert!(config.contains("rpc_url = "), "{config}");
            let lines = config
                .lines()
                .map(|line| match line.starts_with("rpc_url = ") {
                    true => format!("rpc_url = {:?}\n", self.chain.url()),
                    false => format!("{line}\n"),
                });
            fs::write(&path, lines.collect::<String>()).unwrap();
        }
    }

    pub(crate) fn nonce(&self, actor: &Actor) -> u64 {
        rpc::nonce(self.chain.url(), &actor.address)
    }

    /// A home that is not in the story yet, of one of the chain's further accounts.
    pub(crate) fn newcomer(&self, name: &str, number: usize, args: &[&str]) -> Actor {
        let actor = Actor {
            home: self.dir.join(name),
            address: self.chain.account(number, "address").to_owned(),
            passphrase: self.dir.join("passphrase"),
            rpc_url: self.chain.url().to_owned(),
        };
        let key = self.chain.account(number, "private_key");
        match args.is_empty() {
            true => make_home(&actor, key, &self.known.contract),
            false => init(&actor, key, &self.known.contract, args),
        }
        actor
    }

    /// Moves the chain's clock and mines a block that shows it.
    pub(crate) fn pass(&self, seconds: u64) {
        ask(self.chain.url(), "evm_increaseTime", json!([seconds]));
        ask(self.chain.url(), "evm_mine", json!([]));
    }
}

fn actor(dir: &Path, chain: &Chain, name: &str) -> Actor {
    let number = ACTORS.iter().position(|it| *it == name).unwrap();
    Actor {
        home: dir.join(name),
        address: chain.account(number + 1, "address").to_owned(),
        passphrase: dir.join("passphrase"),
        rpc_url: chain.url().to_owned(),
    }
}

fn file(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

/// This process's directory for everything; those of processes that have ended are cleared away.
fn room() -> &'static Path {
    static ROOM: OnceLock<(PathBuf, File)> = OnceLock::new();
    let (dir, _lock) = ROOM.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pcim-cli");
        fs::create_dir_all(&all).unwrap();
        for entry in fs::read_dir(&all).unwrap().flatten() {
            let lock = File::open(entry.path().join("lock"));
            if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        let dir = tempfile::Builder::new().tempdir_in(&all).unwrap().keep();
        let lock = File::create(dir.join("lock")).unwrap();
        lock.try_lock().unwrap();
        (dir, lock)
    });
    dir
}

fn template() -> (&'static Path, &'static Known) {
    static MADE: OnceLock<(PathBuf, Known)> = OnceLock::new();
    let (dir, known) = MADE.get_or_init(|| {
        let dir = room().join("template");
        fs::create_dir(&dir).unwrap();
        let known = make(&dir);
        (dir, known)
    });
    (dir, known)
}

fn make(dir: &Path) -> Known {
    write_secret(dir.join("passphrase"), format!("{PASSPHRASE}\n"));
    fs::write(dir.join("image.dcm"), IMAGE).unwrap();
    let chain = Chain::start(&dir.join("chain"));
    let contract = deploy(dir, &chain);
    let actors = ACTORS.map(|name| actor(dir, &chain, name));
    thread::scope(|scope| {
        for (actor, number) in actors.iter().zip(1..) {
            let (chain, contract) = (&chain, &contract);
            scope.spawn(move || make_home(actor, chain.account(number, "private_key"), contract));
        }
    });
    let [consortium, radiologist, patient, doctor, clinic] = &actors;
    let card = |actor: &Actor, name| actor.run(["card", "--out", &file(dir, name)]).json();
    thread::scope(|scope| {
        scope.spawn(|| {
            consortium
                .run(["consortium", "accredit", &radiologist.address])
                .json()
        });
        scope.spawn(|| card(patient, "patient.card"));
        scope.spawn(|| card(doctor, "doctor.card"));
    });
    let seal = |to: &str, out: &str| {
        let mut command = radiologist.command();
        command.args(["radiologist", "seal", &file(dir, "image.dcm"), "--no-deid"]);
        command.args(["--to", &file(dir, to), "--out", &file(dir, out)]);
        Run::of(&mut command).json()
    };
    let sealed = seal("patient.card", "taken.handover");
    let fresh = seal("patient.card", "fresh.handover");
    seal("doctor.card", "other.handover");
    forge(dir, radiologist, &doctor.address, &contract, &fresh);

    let served = radiologist.serve();
    patient.knows(&served.address);
    patient
        .run(["patient", "register", &file(dir, "taken.handover")])
        .json();
    drop(served);
    let image = sealed["image"].as_str().unwrap();
    let to = file(dir, "patient.card");
    thread::scope(|scope| {
        for actor in [doctor, clinic] {
            let request = [
                "requestor",
                "request",
                "--patient",
                &to,
                "--image",
                image,
                "--purpose",
                "TREAT",
            ];
            scope.spawn(move || actor.run(request).json());
        }
    });
    let served = [doctor.serve(), clinic.serve()];
    patient.knows_all(&[&served[0].address, &served[1].address]);
    // Whoever has listed the requests has their documents.
    let requests = patient.run(["patient", "requests"]).json();
    assert_eq!(requests.as_array().unwrap().len(), 2);
    assert!(!requests.to_string().contains("not arrive"), "{requests}");
    patient
        .run(["patient", "approve", image, &clinic.address])
        .json();
    Known {
        contract,
        image: image.to_owned(),
        fresh: fresh["image"].as_str().unwrap().to_owned(),
    }
}

/// Deploys, for the consortium.
fn deploy(dir: &Path, chain: &Chain) -> String {
    let key = file(dir, "key");
    write_secret(&key, chain.account(0, "private_key"));
    let mut deploy = pcim();
    deploy.args([
        "--json",
        "--network",
        "devnet",
        "--rpc-url",
        chain.url(),
        "deploy",
    ]);
    deploy.args([
        "--consortium",
        chain.account(1, "address"),
        "--key-file",
        &key,
    ]);
    deploy.args(["--record-dir", &file(dir, "deployments")]);
    let record = Run::of(&mut deploy).json();
    record["contract"].as_str().unwrap().to_owned()
}

/// Makes a home as `pcim init` does, but with locks that cost little.
fn make_home(actor: &Actor, key: &str, contract: &str) {
    let key: B256 = key.parse().unwrap();
    let new = NewHome {
        config: home::Config {
            network: Some("devnet".to_owned()),
            rpc_url: Some(actor.rpc_url.clone()),
            chain_id: Some(CHAIN_ID),
            contract: Some(contract.parse().unwrap()),
            ..home::Config::default()
        },
        passphrase: &Passphrase::new(PASSPHRASE.to_owned()),
        cost: LockCost::LIGHT,
        openpgp: KeyKind::default(),
        user_id: None,
        account: Some(Account::from_private_key(&key.0).unwrap()),
    };
    let home = Home::init(&actor.home, new).unwrap();
    assert_eq!(home.address(), actor.address.parse::<Address>().unwrap());
}

/// Makes a home by `pcim init`, whose locks cost what they should.
fn init(actor: &Actor, key: &str, contract: &str, args: &[&str]) {
    let path = actor.home.with_extension("key");
    write_secret(&path, key);
    let mut init = actor.command();
    init.args(["init", "--network", "devnet", "--contract", contract]);
    init.args(["--listen", "/ip4/127.0.0.1/tcp/0", "--import-key"])
        .arg(&path)
        .args(args);
    let made = Run::of(&mut init).json();
    assert_eq!(made["address"], *actor.address);
}

/// Writes handovers of the fresh image that the program would not write: one whose attestation is another's,
/// one that names another patient, and one whose description is words about her.
fn forge(dir: &Path, radiologist: &Actor, doctor: &str, contract: &str, fresh: &Value) {
    let home = Home::open(&radiologist.home).unwrap();
    let Keys { account, openpgp } = home
        .unlock(&Passphrase::new(PASSPHRASE.to_owned()))
        .unwrap();
    let patient = Card::read(&fs::read(dir.join("patient.card")).unwrap()).unwrap();
    let handover = |to: Address, attester: &Account, description: &str| {
        let facts = HandoverFacts {
            version: pcim_ledger::Version::V2,
            replaces: 0,
            to: Addressee {
                patient: to,
                chain_id: CHAIN_ID,
                contract: contract.parse().unwrap(),
            },
            reader: &patient.certificate,
            account: None,
            image: fresh["image"].as_str().unwrap().parse().unwrap(),
            seal: fresh["seal"].as_str().unwrap().parse().unwrap(),
            description,
            predecessor: None,
            identity: None,
        };
        let card = Card::issue(&account, &openpgp, Vec::new()).unwrap();
        Handover::issue(facts, card, attester, &openpgp).unwrap()
    };
    let forged = handover(patient.address, &Account::generate(), "CT");
    fs::write(dir.join("forged.handover"), forged).unwrap();
    let misaddressed = handover(doctor.parse().unwrap(), &account, "CT");
    fs::write(dir.join("misaddressed.handover"), misaddressed).unwrap();
    let wordy = handover(patient.address, &account, WORDY);
    fs::write(dir.join("wordy.handover"), wordy).unwrap();
}

/// Copies a directory and all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            // A node that was killed leaves its socket.
            false if !entry.file_type().unwrap().is_file() => {}
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The files of the blocks in a home's repository.
pub(crate) fn block_files(home: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for shard in fs::read_dir(home.join("ipfs/blockstore")).unwrap() {
        let shard = shard.unwrap().path();
        if shard.is_dir() {
            found.extend(
                fs::read_dir(shard)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
    }
    found
}
