//! The host's side: sharing an image with a guest, and what the host's node answers.

use std::time::Duration;

use rand::RngCore;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use super::store::{Guest, GuestRow, GuestStore, TRIES, Tried};
use crate::actor::patient::Decision;
use crate::actor::relayer::Relayed;
use crate::error::{Error, Result};
use crate::home::Keys;
use crate::papers::guest::{
    self, GivenToGuest, GuestAnswer, GuestQuestion, GuestRefusal, HALF, Link, random_pin,
};
use crate::papers::network::NetworkFile;
use crate::papers::request::{Notes, Purpose};
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::date::now;
use pcim_core::{Address, GrantStatus, ImageDigest, U256};
use pcim_ledger::{Account, Call, Deployment, Ledger, Mined, Nonce, RelayAnswer};
use pcim_node::{Mailbox, Serving};
use pcim_seal::{KeyKind, UnlockedKey};

/// Seconds in which a guest's request can be sent.
const REQUEST_FOR: u64 = 3600;
/// How long the chain has to answer before a guest is told to come later.
const CHAIN: Duration = Duration::from_secs(20);

/// An image that was shared with a guest.
pub struct SharedWithGuest {
    /// The link; who has it and the PIN opens the image.
    pub link: Zeroizing<String>,
    /// The PIN, for another channel.
    pub pin: Zeroizing<String>,
    /// The guest's account.
    pub account: Address,
    /// The transaction of the guest's request.
    pub request: Mined,
    /// The approval.
    pub approval: Decision,
}

impl Session {
    /// Lists the guests of this home, the one whose link ends last first.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn guests(&self) -> Result<Vec<GuestRow>> {
        match self.home.guests_path().exists() {
            true => Ok(GuestStore::open(&self.home.guests_path())?.guests()?),
            false => Ok(Vec::new()),
        }
    }

    /// Has this home's node answer guests until the result is dropped; `None` if the home has joined no network. It must have
    /// been announced with [`expect_guests`](Self::expect_guests) before the node began.
    ///
    /// # Errors
    /// [`Error::Journal`], [`Error::Node`]
    pub async fn receive_guests(&self) -> Result<Option<Serving>> {
        let Some(network) = self.network()? else {
            return Ok(None);
        };
        let desk = GuestDesk {
            store: GuestStore::open(&self.home.guests_path())?,
            deployments: self.deployments()?,
            network,
            runtime: Handle::current(),
        };
        let desk = std::sync::Arc::new(desk);
        Ok(Some(self.node().await?.receive_guests(desk).await?))
    }
}

impl Unlocked<'_> {
    /// Shares an image with a guest until `expires_at` (unix seconds): makes the guest's keys, has the guest's request sent
    /// and approves it. `called` is what the host calls the guest; it stays here.
    ///
    /// # Errors
    /// [`guest::Error::NoNetwork`], [`guest::Error::NotRelayed`], and those of approving.
    pub async fn share_with_guest(
        &self,
        image: &ImageDigest,
        called: &str,
        purpose: Purpose,
        expires_at: u64,
    ) -> Result<SharedWithGuest> {
        self.own_record(image).await?;
        self.needs_version_2("relay").await?;
        self.network()?.ok_or(guest::Error::NoNetwork)?;
        let node = self.node().await?;
        let mut at = node.addresses().await?;
        at.retain(|at| at.contains("/p2p/"));
        let link = Link::random(&at);
        let keys = Keys {
            account: Account::generate(),
            openpgp: UnlockedKey::generate(KeyKind::default(), None)?.into(),
        };
        let account = keys.account.address();
        let (mut half, pin) = ([0; HALF], random_pin());
        rand::rng().fill_bytes(&mut half);
        let sealed = link.seal(&half, &keys.expose()?)?;
        let store = GuestStore::open(&self.home.guests_path())?;
        let guest = Guest {
            name: link.name,
            half,
            pin: pin.to_string(),
            keys: sealed,
            about: GuestRow {
                called: called.to_owned(),
                image: *image,
                account,
                until: expires_at,
                tries: TRIES,
                opened: 0,
                latest: None,
            },
        };
        // Before the chain knows of the guest: what is approved can be opened.
        store.add(&guest, now())?;
        let shared = async {
            let certificate = keys.openpgp.certificate().to_published_bytes();
            let public_key = node.put_raw(certificate).await?;
            let notes = Notes {
                purpose: purpose.to_string(),
                document: None,
            };
            let call = Call::RequestingAccess {
                patient: self.patient_address(),
                image: *image,
                public_key,
                notes: notes.to_string(),
            };
            let request = self.send_for(&keys.account, &call).await?;
            let patient = self.sending().patient();
            let approved =
                patient.approve_certificate(image, account, Some(public_key), expires_at);
            let approved = approved.await?.mined();
            let missing = Error::AlreadyAuthorized {
                requestor: account,
                image: *image,
            };
            Ok((request, approved.ok_or(missing)?))
        };
        match shared.await {
            Ok((request, approval)) => Ok(SharedWithGuest {
                link: link.text(),
                pin,
                account,
                request,
                approval,
            }),
            Err(error) => {
                store.remove(&link.name)?;
                Err(error)
            }
        }
    }

    /// Has another account's call sent: by the network's relay, or from here.
    async fn send_for(&self, account: &Account, call: &Call) -> Result<Mined> {
        let ledger = self.ledger().await?;
        let mut nonce = [0; 32];
        rand::rng().fill_bytes(&mut nonce);
        let nonce = Nonce::Free(U256::from_be_bytes(nonce));
        let deadline = ledger.now().await?.saturating_add(REQUEST_FOR);
        let signed = account.sign_call(&self.deployment()?, call, nonce, deadline)?;
        let refused = |reason: String| guest::Error::NotRelayed { reason };
        let Some(relay) = self.relay()? else {
            return match self.sending().relayer().relay(&signed).await? {
                Relayed::Sent(written) => Ok(written.mined),
                Relayed::Found(mined) => Ok(*mined),
                Relayed::Used { .. } => Err(refused("its number is used".to_owned()).into()),
            };
        };
        match relay.send(&signed).await? {
            RelayAnswer::Done { tx } => self.wait_for_relayed(&tx, &signed).await,
            RelayAnswer::Refused { reason, .. } => Err(refused(reason).into()),
        }
    }
}

/// The host as guests meet it.
struct GuestDesk {
    store: GuestStore,
    deployments: Vec<Deployment>,
    network: NetworkFile,
    runtime: Handle,
}

impl GuestDesk {
    fn decide(&self, question: &GuestQuestion) -> std::result::Result<GivenToGuest, GuestRefusal> {
        let failed = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "a guest was not answered");
            GuestRefusal::Later
        };
        let tried = self.store.try_pin(&question.name, &question.pin);
        let guest = match tried.map_err(|error| failed(&error))? {
            Tried::Unknown => return Err(GuestRefusal::Unknown),
            Tried::Locked => return Err(GuestRefusal::Locked),
            Tried::Wrong(left) => return Err(GuestRefusal::Pin { left }),
            Tried::Right(guest) => guest,
        };
        let now = now();
        let about = &guest.about;
        if about.until <= now {
            return Err(GuestRefusal::Expired { at: about.until });
        }
        let standing = async { tokio::time::timeout(CHAIN, self.standing(about)).await };
        match self.runtime.block_on(standing) {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(refusal))) => return Err(refusal),
            Ok(Err(error)) => return Err(failed(&error)),
            Err(late) => return Err(failed(&late)),
        }
        let counted = self.store.gave(&guest.name, now);
        counted.map_err(|error| failed(&error))?;
        Ok(GivenToGuest {
            half: guest.half,
            keys: guest.keys,
            image: guest.about.image,
            network: self.network.clone(),
        })
    }

    /// Asks the first endpoint that answers whether the guest is authorized now.
    async fn standing(
        &self,
        about: &GuestRow,
    ) -> pcim_ledger::Result<std::result::Result<(), GuestRefusal>> {
        let mut first = None;
        for deployment in &self.deployments {
            match Ledger::connect(deployment.clone()).await {
                Ok(ledger) => {
                    let grant = ledger.grant(&about.image, about.account).await?;
                    let now = ledger.now().await?;
                    return Ok(match grant.status {
                        GrantStatus::Approved
                            if grant.expires_at != 0 && grant.expires_at <= now =>
                        {
                            let at = grant.expires_at;
                            Err(GuestRefusal::Expired { at })
                        }
                        GrantStatus::Approved => Ok(()),
                        _ => Err(GuestRefusal::Revoked),
                    });
                }
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        match first {
            Some(error) => Err(error),
            None => Ok(Err(GuestRefusal::Later)),
        }
    }
}

impl Mailbox for GuestDesk {
    fn answer(&self, _me: &str, _peer: &str, question: &[u8]) -> Vec<u8> {
        let answer = match GuestQuestion::read(question).map(|asked| self.decide(&asked)) {
            Some(Ok(given)) => GuestAnswer::Given(Box::new(given)),
            Some(Err(refusal)) => GuestAnswer::Refused(refusal),
            None => GuestAnswer::Refused(GuestRefusal::Unknown),
        };
        answer.to_bytes()
    }

    fn refuse(&self) -> Vec<u8> {
        GuestAnswer::Refused(GuestRefusal::Later).to_bytes()
    }
}
