//! Custodians: each image's session key in shares, which they give to a requestor whom an emergency let in, or to a patient whose
//! account was recovered.
//!
//! ```text
//! entrust: session key → shares → emergency object → its digest on the chain        patient
//! consent: the chain says that it is open → own share, sealed to one card            custodian
//! open:    enough shares → session key → the image                                    requestor, or the patient again
//! ```

use std::io;

use alloy_primitives::B256;
use serde::Serialize;

use crate::actor::patient::Patient;
use crate::actor::requestor::Requestor;
use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::OpenedFile;
use crate::operation::deed::Deed;
use crate::operation::journal::OperationId;
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::write::{Outcome, Wanted};
use crate::papers::card::Card;
use crate::papers::emergency::{
    Custodians, EmergencyFacts, EmergencyObject, Error as Paper, MAX_EMERGENCY_BYTES,
};
use crate::papers::letter;
use crate::papers::share::ShareDocument;
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::{Address, BlockDigest, BodyRef, Event, GrantStatus, ImageDigest, private};
use pcim_ledger::{Call, EventFilter};
use pcim_node::block_digest;
use pcim_seal::SessionKey;

/// Days after a finished recovery in which custodians and readers give nothing to the key that acts.
const RECOVERED_FOR: u64 = 7;

/// Most bytes of the home's file of custodians: fifteen cards.
const MAX_CUSTODIANS: usize = 12 * 1024 * 1024;

/// A custodian's consent, not written yet.
#[derive(Debug, Serialize)]
pub struct Consent {
    /// The patient.
    pub patient: Address,
    /// The image.
    pub image: ImageDigest,
    /// Whom it is sealed to.
    pub to: Address,
    /// Why.
    pub reason: ConsentReason,
    /// The number of the share.
    pub share: u8,
    /// How many consents open the image.
    pub threshold: u8,
    /// The letter.
    #[serde(skip)]
    pub letter: Vec<u8>,
}

/// Why a custodian's share is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentReason {
    /// The patient's desk opened the image to a requestor.
    Emergency,
    /// The patient's account was recovered.
    Recovery,
}

impl Session {
    /// Reads the custodians of this home's images; `None` if there are none.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Emergency`] for a file that does not read.
    pub fn custodians(&self) -> Result<Option<Custodians>> {
        let path = self.home.custodians_path();
        match private::read_limited(&path, MAX_CUSTODIANS) {
            Ok(json) => Ok(Some(Custodians::parse(&json)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// The digest of the emergency object that the chain named last for an image.
    pub(crate) async fn announced_object(
        &self,
        image: &ImageDigest,
    ) -> Result<Option<BlockDigest>> {
        Ok(self.objects_of(image).await?.pop().flatten())
    }

    /// The emergency objects that the chain named for an image, the first one first; `None` where it named none.
    pub(crate) async fn objects_of(&self, image: &ImageDigest) -> Result<Vec<Option<BlockDigest>>> {
        let filter = EventFilter {
            image: Some(*image),
            events: &["ImageResealed"],
            ..EventFilter::default()
        };
        let events = self.ledger().await?.events(&filter).await?;
        let named = events.into_iter().filter_map(|it| match it.event {
            Event::ImageResealed { emergency, .. } => {
                let object = emergency.filter(|digest| *digest != B256::ZERO);
                Some(object.map(|digest| BlockDigest(digest.0)))
            }
            _ => None,
        });
        Ok(named.collect())
    }

    /// Fetches the emergency object of an image, which must be about it.
    pub(crate) async fn emergency_object(
        &self,
        image: &ImageDigest,
        patient: Address,
    ) -> Result<EmergencyObject> {
        let digest = self.announced_object(image).await?;
        let digest = digest.ok_or(Error::NoEmergencyObject { image: *image })?;
        let node = self.node().await?;
        let json = node.get_raw(&digest, MAX_EMERGENCY_BYTES, self.limits.fetch);
        let object = EmergencyObject::read(&json.await?)?;
        object.check(self.contract()?, patient, image)?;
        Ok(object)
    }
}

impl Patient<'_> {
    /// Names custodians, or none, for all images of this home; [`entrust`](Self::entrust) gives them their shares.
    ///
    /// # Errors
    /// [`Error::Backup`](crate::Error::Backup) for one who cannot keep a share for decades, or is named twice; [`Error::Emergency`]
    /// for numbers that cannot be.
    pub fn set_custodians(&self, custodians: Option<&Custodians>) -> Result<()> {
        let path = self.home.custodians_path();
        let written = match custodians {
            None => match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Some(custodians) => {
                crate::backup::check_keepers(self.address(), &custodians.cards)?;
                let shares = u8::try_from(custodians.cards.len()).unwrap_or(u8::MAX);
                crate::papers::share::check_numbers(custodians.threshold, shares)
                    .map_err(Paper::from)?;
                private::replace(&path, &serde_json::to_vec(custodians)?)
            }
        };
        written.map_err(|source| Error::File { path, source })
    }

    /// Gives the home's custodians their shares of an image's key: stores the emergency object and tells the chain. `None` if they
    /// have them already, or if there are no custodians and none are named on the chain.
    ///
    /// # Errors
    /// Those of the chain and of the node; [`Error::Emergency`].
    pub async fn entrust(&self, image: &ImageDigest) -> Result<Option<Outcome>> {
        self.needs_version_2("reseal_image").await?;
        let record = self.own_record(image).await?;
        let root = self.own_root(image).await?;
        let deed = Deed::Announce {
            image: *image,
            root,
        };
        let earlier = self.resume(deed).await?.map(Outcome::Mined);
        let custodians = self.custodians()?;
        let node = self.node().await?;
        let header = node.get_root(&root, self.limits.fetch).await?;
        if self
            .is_entrusted(image, &header.body, custodians.as_ref())
            .await?
        {
            self.drop_old_objects(image).await?;
            return Ok(earlier);
        }
        let (key, _) = pcim_seal::unwrap_header(&header.header, &self.keys.openpgp)?;
        let call = async |operation| {
            let emergency = match &custodians {
                None => B256::ZERO,
                Some(named) => {
                    self.store_object(operation, image, &header.body, &key, named)
                        .await?
                }
            };
            Ok(Call::ResealImage {
                image: *image,
                root,
                emergency,
                round: record.round,
            })
        };
        let done = self.start_noting(deed, Wanted::Any, call).await?;
        self.drop_old_objects(image).await?;
        Ok(done)
    }

    /// Drops the emergency objects of an image that the chain names no more.
    pub(crate) async fn drop_old_objects(&self, image: &ImageDigest) -> Result<()> {
        let mut named = self.objects_of(image).await?;
        let newest = named.pop().flatten();
        let node = self.node().await?;
        for object in named.into_iter().flatten() {
            if Some(object) != newest {
                node.drop_raw(&object).await?;
            }
        }
        Ok(())
    }

    /// Says whether the chain names an object of these custodians over this body.
    async fn is_entrusted(
        &self,
        image: &ImageDigest,
        body: &BodyRef,
        custodians: Option<&Custodians>,
    ) -> Result<bool> {
        let announced = self.announced_object(image).await?;
        let (Some(digest), Some(custodians)) = (announced, custodians) else {
            return Ok(announced.is_none() && custodians.is_none());
        };
        // Made here, it is here; one that is not is made again.
        let node = self.node().await?;
        let here = node.get_raw(&digest, MAX_EMERGENCY_BYTES, std::time::Duration::ZERO);
        let Ok(json) = here.await else {
            return Ok(false);
        };
        let object = EmergencyObject::read(&json);
        Ok(object.is_ok_and(|it| it.set.name == custodians.set_of(image, body)))
    }

    /// Makes and stores the emergency object of a body; returns its digest for the chain.
    pub(crate) async fn store_object(
        &self,
        operation: OperationId,
        image: &ImageDigest,
        body: &BodyRef,
        key: &SessionKey,
        custodians: &Custodians,
    ) -> Result<B256> {
        let (chain_id, contract) = self.contract()?;
        let facts = EmergencyFacts {
            chain_id,
            contract,
            patient: self.patient_address(),
            image: *image,
            body: body.clone(),
        };
        let keys = self.keys;
        let card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        let json = EmergencyObject::make(&facts, key, custodians, &keys.openpgp, &card)?;
        let digest = block_digest(&json);
        let piece = Piece::Block(digest);
        self.journal.note(operation, Verdict::Failed, &piece)?;
        self.node().await?.put_raw(json).await?;
        Ok(B256::from(digest.0))
    }
}

impl Unlocked<'_> {
    /// Consents as a custodian: takes this home's share of an image's key and seals it to a card. The chain must say that the
    /// patient's desk opened the image to that requestor; or that the card's key acts for the patient since seven days, and then
    /// `words`, read over the telephone, must be the card's.
    ///
    /// # Errors
    /// [`Error::NoEmergency`], [`Error::OtherCertificate`], [`Error::WrongWords`], [`Error::TooSoonAfter`]; [`Error::Emergency`] for a
    /// share that is not what the chain named.
    pub async fn consent(
        &self,
        image: &ImageDigest,
        to: &Card,
        words: Option<&str>,
    ) -> Result<Consent> {
        let patient = self.record(image).await?.patient;
        let acting = self.confirmed_acting(patient).await?;
        let reason = match acting == to.address {
            true => {
                self.check_successor(patient, to, words).await?;
                ConsentReason::Recovery
            }
            false => {
                self.check_emergency(image, to).await?;
                ConsentReason::Emergency
            }
        };
        self.expect_peers(&to.peers);
        let object = self.emergency_object(image, patient).await?;
        let keys = self.keys;
        let mut document = object.own_share(&keys.openpgp)?;
        document.card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        let letter = letter::seal(&document, &keys.openpgp, &to.certificate);
        Ok(Consent {
            patient,
            image: *image,
            to: to.address,
            reason,
            share: document.share.index,
            threshold: object.set.threshold,
            letter: letter.map_err(Paper::from)?,
        })
    }

    /// The chain must say that an emergency opened the image to the holder of this card, by this certificate.
    async fn check_emergency(&self, image: &ImageDigest, to: &Card) -> Result<()> {
        let requestor = to.address;
        let standing = self.status(image, Some(requestor)).await?;
        if standing.status != GrantStatus::Emergency || !standing.authorized {
            return Err(Error::NoEmergency {
                image: *image,
                requestor,
                status: standing.status,
            });
        }
        let grant = self.ledger().await?.grant(image, requestor).await?;
        self.confirm_grant(image, requestor, &grant).await?;
        let found = block_digest(&to.certificate.to_published_bytes());
        match found.0.starts_with(&grant.public_key_prefix) {
            true => Ok(()),
            false => Err(Error::OtherCertificate { requestor }),
        }
    }

    /// The card's key must act for the patient since some days, and its holder have read the card's words aloud.
    pub(crate) async fn check_successor(
        &self,
        patient: Address,
        to: &Card,
        words: Option<&str>,
    ) -> Result<()> {
        self.check_moved(patient, to.address, RECOVERED_FOR).await?;
        let said = words.unwrap_or_default().split_whitespace();
        let said: Vec<_> = said.map(str::to_lowercase).collect();
        match to.words().split_whitespace().eq(said) {
            true => Ok(()),
            false => Err(Error::WrongWords {
                address: to.address,
            }),
        }
    }

    /// Joins custodians' letters to the session key of an image.
    pub(crate) async fn joined(
        &self,
        image: &ImageDigest,
        patient: Address,
        letters: &[Vec<u8>],
    ) -> Result<(SessionKey, BodyRef)> {
        let mut shares = Vec::new();
        for sealed in letters {
            let opened = letter::open::<ShareDocument>(sealed, &self.keys.openpgp);
            shares.push(opened.map_err(Paper::from)?.0);
        }
        let object = self.emergency_object(image, patient).await?;
        Ok((object.join(&shares)?, object.facts.body))
    }
}

impl Requestor<'_> {
    /// Fetches and opens an image that the patient's desk opened in an emergency, by the consents of enough custodians. The key is
    /// kept nowhere.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`] before anything is fetched, whatever consents there are; [`Error::Emergency`] for consents that are
    /// too few or not for this image.
    pub async fn fetch_in_emergency(
        &self,
        image: &ImageDigest,
        consents: &[Vec<u8>],
        target: &Target,
    ) -> Result<OpenedFile> {
        let standing = self.status(image, None).await?;
        if standing.status != GrantStatus::Emergency || !standing.authorized {
            return Err(Error::NotAuthorized {
                image: *image,
                status: standing.status,
                expires_at: standing.expires_at,
            });
        }
        let patient = standing.patient;
        let (key, body) = self.joined(image, patient, consents).await?;
        let attested = self.attested(image).await?;
        let nothing = async || Ok(());
        let opened = self.open_by_key((key, &body), patient, &attested, target, nothing);
        let (opened, ()) = opened.await?;
        self.note_opened(image, &opened).await;
        Ok(opened)
    }
}
