//! Images of a recovered account: their keys come back from a reader or from custodians, sealed to the key that acts now.

use std::io;

use crate::actor::patient::Patient;
use crate::error::Result;
use crate::flow::opening::check_seal;
use crate::operation::deed::Deed;
use crate::operation::journal::KnownImage;
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::write::{Outcome, Wanted};
use crate::papers::card::Card;
use crate::papers::emergency::{Error as Paper, HeaderDocument};
use crate::papers::letter;
use crate::unlocked::Unlocked;
use pcim_core::{Address, B256, BodyRef, ImageDigest};
use pcim_ledger::Call;
use pcim_seal::SessionKey;

/// Where the key of an image comes from.
#[derive(Clone, Copy, Debug)]
pub enum Rescue<'a> {
    /// A letter of a reader ([`give_back`](Unlocked::give_back)).
    Reader(&'a [u8]),
    /// Letters of custodians ([`consent`](Unlocked::consent)).
    Custodians(&'a [Vec<u8>]),
}

impl Unlocked<'_> {
    /// Seals the key of an image that the chain lets this home open to the card of its patient's new key, which must act since
    /// seven days; `words`, read over the telephone, must be the card's.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`], [`Error::NotActing`], [`Error::TooSoonAfter`], [`Error::WrongWords`]; those of the node.
    pub async fn give_back(
        &self,
        image: &ImageDigest,
        to: &Card,
        words: Option<&str>,
    ) -> Result<Vec<u8>> {
        let (root, patient) = self.root_to_open(image).await?;
        self.check_successor(patient, to, words).await?;
        let root = self.node().await?.get_root(&root, self.limits.fetch);
        let root = root.await?;
        let keys = self.keys;
        let (key, version) = pcim_seal::unwrap_header(&root.header, &keys.openpgp)?;
        let header = pcim_seal::header_for(&key, version, &to.certificate)?;
        let card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        let document = HeaderDocument::new(patient, *image, root.body, &header, card);
        let sealed = letter::seal(&document, &keys.openpgp, &to.certificate);
        Ok(sealed.map_err(Paper::from)?)
    }
}

impl Patient<'_> {
    /// Takes an image of the recovered account back: opens and verifies all of it, keeps it here under a header for this home's key,
    /// and tells the chain. `None` if this home can open it already.
    ///
    /// # Errors
    /// [`Error::Emergency`] for letters that are too few, or of another image; [`Error::SealMismatch`] for a key that opens something
    /// else; those of the chain and of the node.
    pub async fn recover_image(
        &self,
        image: &ImageDigest,
        rescue: Rescue<'_>,
    ) -> Result<Option<Outcome>> {
        self.needs_version_2("reseal_image").await?;
        let record = self.own_record(image).await?;
        let patient = record.patient;
        let earlier = self.finish_announcements(image).await?;
        let root = self.own_root(image).await?;
        if let Some(body) = self.opens_root(&root).await? {
            self.remember_recovered(image, &root, &body, patient)?;
            return Ok(earlier);
        }
        let (key, body) = match rescue {
            Rescue::Custodians(letters) => self.joined(image, patient, letters).await?,
            Rescue::Reader(sealed) => self.read_reader(image, patient, sealed)?,
        };
        let attested = self.attested(image).await?;
        let (opened, _) = self.open_body(key.clone(), &body, io::sink()).await?;
        check_seal(attested.seal, &opened)?;

        let own = self.keys.openpgp.certificate();
        let header = pcim_seal::header_for(&key, key.version(), &own)?;
        let root = pcim_node::root_digest(&header, &body)?;
        let custodians = self.custodians()?;
        let deed = Deed::Announce {
            image: *image,
            root,
        };
        let call = async |operation| {
            for piece in [Piece::Body(body.clone()), Piece::Root(root)] {
                self.journal.note(operation, Verdict::Failed, &piece)?;
            }
            let node = self.node().await?;
            node.pin_body(&body).await?;
            node.put_root(header, &body).await?;
            let emergency = match &custodians {
                None => B256::ZERO,
                Some(named) => {
                    self.store_object(operation, image, &body, &key, named)
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
        let done = self.sending().start_noting(deed, Wanted::Any, call).await?;
        self.remember_recovered(image, &root, &body, patient)?;
        Ok(done)
    }

    /// Sees through what an earlier attempt signed about an image's root.
    async fn finish_announcements(&self, image: &ImageDigest) -> Result<Option<Outcome>> {
        let mut done = None;
        for operation in self.journal.unfinished()? {
            if let Some(deed @ Deed::Announce { image: of, .. }) = operation.deed()
                && of == *image
            {
                done = self.resume(deed).await?.map(Outcome::Mined).or(done);
            }
        }
        Ok(done)
    }

    fn remember_recovered(
        &self,
        image: &ImageDigest,
        root: &ImageDigest,
        body: &BodyRef,
        patient: Address,
    ) -> Result<()> {
        let known = self.journal.images()?;
        if !known.iter().any(|it| it.image == *image) {
            self.journal.remember_image(&KnownImage {
                image: *image,
                body: body.cid.clone(),
                body_size: body.file_size,
                dag_size: body.dag_size,
                description: String::new(),
                patient: patient.to_string(),
                role: "registered".to_owned(),
            })?;
        }
        Ok(self.journal.set_root(image, root, body)?)
    }

    /// The body of a root that is here, if this home's key opens its header.
    async fn opens_root(&self, root: &ImageDigest) -> Result<Option<BodyRef>> {
        let node = self.node().await?;
        let Ok(root) = node.get_root(root, std::time::Duration::ZERO).await else {
            return Ok(None);
        };
        let opens = pcim_seal::unwrap_header(&root.header, &self.keys.openpgp).is_ok();
        Ok(opens.then_some(root.body))
    }

    /// The session key out of a reader's letter.
    fn read_reader(
        &self,
        image: &ImageDigest,
        patient: Address,
        sealed: &[u8],
    ) -> Result<(SessionKey, BodyRef)> {
        let key = &self.keys.openpgp;
        let opened = letter::open::<HeaderDocument>(sealed, key).map_err(Paper::from);
        let (document, _) = opened?;
        let what = match () {
            () if document.patient != patient => Some("patient"),
            () if document.image != *image => Some("image"),
            () => None,
        };
        if let Some(what) = what {
            return Err(Paper::Other { what }.into());
        }
        let (session, _) = pcim_seal::unwrap_header(&document.header()?, key)?;
        Ok((session, document.body))
    }
}
