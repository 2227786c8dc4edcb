//! The guest's side: from a link and a PIN to the opened image, without a home of one's own.

use std::path::Path;
use std::time::Duration;

use crate::error::{Result, file_error};
use crate::flow::landing::Target;
use crate::flow::opening::OpenedFile;
use crate::home::{Config, Home, Keys, NewHome};
use crate::limits::Limits;
use crate::network;
use crate::papers::guest::{self, GivenToGuest, GuestAnswer, Link};
use crate::session::Session;
use pcim_core::date::now;
use pcim_core::{LockCost, Passphrase};
use pcim_node::{DEFAULT_CHUNK, Node, NodeConfig};
use pcim_seal::KeyKind;

/// How long a host has to answer.
const LIMIT: Duration = Duration::from_secs(40);

/// Opens the image of a link. The keys are in memory alone; what is fetched lies, encrypted, in a temporary folder meanwhile.
///
/// # Errors
/// [`guest::Error`], and those of joining the network and of fetching.
pub async fn visit(link: &Link, pin: &str, target: &Target, limits: Limits) -> Result<OpenedFile> {
    let question = link.question(pin)?.to_bytes();
    let temp = std::env::temp_dir();
    let dir = tempfile::Builder::new()
        .prefix("pcim-guest-")
        .tempdir_in(&temp)
        .map_err(|source| file_error(&temp, source))?;
    let given = ask(link, question, &dir.path().join("asking")).await?;
    let keys = link.open(&given)?;
    network::verify(&given.network, now()).await?;
    let session = session(&dir.path().join("home"), &keys, &given)?;
    session.expect_peers(&link.at);
    let actor = session.with_limits(limits).with_keys(keys);
    let opened = actor.requestor().fetch(&given.image, target).await;
    actor.shutdown().await;
    opened
}

/// Asks the host at each of its addresses.
async fn ask(link: &Link, question: Vec<u8>, repo: &Path) -> Result<GivenToGuest> {
    let node = Node::start(NodeConfig {
        repo: repo.to_owned(),
        listen: Vec::new(),
        bootstrap: Vec::new(),
        chunk_size: DEFAULT_CHUNK,
    })
    .await?;
    let asked = link.at.iter().map(async |at| {
        let answer = node.ask_host(at, question.clone(), LIMIT).await;
        answer.map_err(|error| error.to_string())
    });
    // One after another: each wrong PIN counts.
    let mut reasons = Vec::new();
    let mut found = None;
    for asked in asked {
        match asked.await {
            Ok(answer) => {
                found = Some(answer);
                break;
            }
            Err(reason) => reasons.push(reason),
        }
    }
    node.shutdown().await;
    let answer = found.ok_or(guest::Error::Silent { reasons })?;
    match GuestAnswer::read(&answer).ok_or(guest::Error::Strange)? {
        GuestAnswer::Given(given) => Ok(*given),
        GuestAnswer::Refused(refusal) => Err(guest::Error::Refused(refusal).into()),
    }
}

/// A home for this visit, whose own OpenPGP key is not used.
fn session(dir: &Path, keys: &Keys, given: &GivenToGuest) -> Result<Session> {
    let passphrase = Passphrase::new(hex::encode(rand::random::<[u8; 32]>()));
    let account = pcim_ledger::Account::from_private_key(&keys.account.expose_key())?;
    let home = Home::init(
        dir,
        NewHome {
            config: Config {
                listen: Vec::new(),
                ..Config::default()
            },
            passphrase: &passphrase,
            cost: LockCost::LIGHT,
            openpgp: KeyKind::Classic,
            user_id: None,
            account: Some(account),
        },
    )?;
    home.join_network(&given.network)?;
    Session::open(home)
}
