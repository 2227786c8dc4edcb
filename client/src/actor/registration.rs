//! Handovers: what a patient registers, or only opens.

use std::io;

use serde::Serialize;

use crate::actor::notes::Author;
use crate::actor::patient::Patient;
use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::opening::OpenedFile;
use crate::flow::opening::{Attested, check_seal};
use crate::operation::deed::{Deed, Once};
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::journal::{KnownImage, OperationId};
use crate::operation::write::{Outcome, Wanted, Written};
use crate::papers::handover::{self, Addressee, Handover};
use pcim_core::{Address, ImageDigest};
use pcim_ledger::{Call, ImageRecord};

/// A registered image.
#[derive(Clone, Debug, Serialize)]
pub struct Registered {
    /// The image.
    pub image: ImageDigest,
    /// The radiologist who attested it.
    pub radiologist: Address,
    /// Modality and body part codes.
    pub description: String,
    /// SHA-256 (hex) of what the patient can open.
    pub payload_sha256: String,
    /// The image that this one replaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<ImageDigest>,
    /// The sealed document of what the image's pseudonyms stand for, if the handover lists one.
    pub identity: Option<ImageDigest>,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

/// Says whether a handover attests a retracted image of the same patient again.
fn is_attested_again(record: &ImageRecord, handover: &Handover) -> bool {
    record.flags.retracted()
        && record.patient == handover.patient
        && record.registered_at == handover.replaces
}

impl Patient<'_> {
    /// Registers an image: verifies the handover, fetches the image, opens it, verifies the
    /// radiologist's signature, keeps a copy, and only then writes to the chain.
    ///
    /// `description` stands on the chain in the place of the handover's; empty for none.
    ///
    /// # Errors
    /// [`Error::Description`] if the description has words that are not on the standard's lists, before anything is fetched.
    pub async fn register(
        &self,
        handover: &[u8],
        description: Option<&str>,
    ) -> Result<Outcome<Registered>> {
        let me = self.addressee()?;
        let mut handover = self.verified(handover, me).await?;
        if let Some(own) = description {
            handover.description = own.to_owned();
        }
        if !is_public(&handover.description) {
            return Err(Error::Description);
        }
        let (image, radiologist) = (handover.image, handover.attester);
        let deed = Deed::Register { image };
        let ledger = self.ledger().await?;
        // An attempt that was cut off may have registered it already, and then has the image here.
        let (payload_sha256, written) = match self.resume(deed).await? {
            Some(earlier) => (self.take_in(&handover, None).await?, earlier),
            None => {
                let (wanted, found) = (ledger.version(), handover.version);
                if wanted != found {
                    return Err(handover::Error::WrongVersion { wanted, found }.into());
                }
                if let Some(record) = ledger.image_record(&image).await?
                    && !is_attested_again(&record, &handover)
                {
                    return Err(Error::ImageTaken {
                        image,
                        owner: record.patient,
                    });
                }
                if !ledger.is_accredited(radiologist).await? {
                    return Err(Error::NotAccredited { radiologist });
                }
                self.check_predecessor(&image, handover.predecessor).await?;
                // Named before the node starts, it dials them until the image is here.
                self.expect_peers(&handover.radiologist.peers);
                self.dial(&handover.radiologist.peers).await?;
                let mut payload_sha256 = String::new();
                let call = async |operation| {
                    payload_sha256 = self.take_in(&handover, Some(operation)).await?;
                    self.remember_peers(&handover.radiologist.peers)?;
                    Ok(Call::CreateContract {
                        image,
                        patient: me.patient,
                        seal: handover.seal,
                        radiologist,
                        attestation: handover.attestation.clone(),
                        description: handover.description.clone(),
                    })
                };
                let written = self.start_noting(deed, Wanted::Any, call).await?;
                match written.ok_or(Error::UnknownImage { image })? {
                    Outcome::Mined(written) => (payload_sha256, written),
                    Outcome::Signed(call) => return Ok(Outcome::Signed(call)),
                }
            }
        };
        // To be found by what the radiologist says of it; the image is registered whether that is noted or not.
        if !handover.description.is_empty()
            && let Err(error) = self.note(&image, Author::Radiologist, &handover.description)
        {
            tracing::warn!(%error, "the description was not recorded");
        }
        Ok(Outcome::Mined(Registered {
            image,
            radiologist,
            description: handover.description,
            payload_sha256,
            predecessor: handover.predecessor,
            identity: handover.identity,
            written,
        }))
    }

    /// Opens and verifies a handover, and tells the description that registering it would write on the chain.
    ///
    /// # Errors
    /// Those of verifying.
    pub async fn description_of(&self, handover: &[u8]) -> Result<String> {
        let me = self.addressee()?;
        Ok(self.verified(handover, me).await?.description)
    }

    /// Opens and verifies a handover. A contract account that attests is asked whether it does.
    async fn verified(&self, handover: &[u8], me: Addressee) -> Result<Handover> {
        let handover = Handover::open(handover, &self.keys.openpgp, me)?;
        if !handover.proven {
            let attested = handover.attested();
            self.attested_by(handover.attester, &attested, &handover.attestation)
                .await?;
        }
        Ok(handover)
    }

    /// Fetches and verifies the image of a handover, and pins it here; notes that, unless the image was here before.
    /// Returns the payload's SHA-256.
    async fn take_in(&self, handover: &Handover, operation: Option<OperationId>) -> Result<String> {
        let image = handover.image;
        let node = self.node().await?;
        let root = node.get_root(&image, self.limits.fetch).await?;
        let (header, body) = (root.header.clone(), root.body.clone());
        let (opened, _) = self.open_root(root, io::sink()).await?;
        check_seal(handover.seal, &opened)?;
        let wanted = handover.radiologist.certificate.fingerprint();
        let found = opened.signer.fingerprint();
        if found != wanted {
            return Err(Error::SignerMismatch { wanted, found });
        }
        if opened.predecessor != handover.predecessor {
            return Err(Error::PredecessorMismatch {
                image,
                wanted: handover.predecessor,
                found: opened.predecessor,
            });
        }
        let known = self.journal.images()?;
        if let Some(operation) = operation
            && !known.iter().any(|known| known.image == image)
        {
            for piece in [Piece::Body(body.clone()), Piece::Root(image)] {
                self.journal.note(operation, Verdict::Failed, &piece)?;
            }
        }
        node.pin_body(&body).await?;
        node.put_root(header, &body).await?;
        self.journal.remember_image(&KnownImage {
            image,
            body: body.cid,
            body_size: body.file_size,
            dag_size: body.dag_size,
            description: handover.description.clone(),
            patient: handover.patient.to_string(),
            role: "registered".to_owned(),
        })?;
        Ok(hex::encode(opened.payload_sha256))
    }

    /// Opens what a handover names, registered or not, after the same verification as at registering, and keeps the
    /// sealed image here. Nothing is written to the chain. The radiologist must be accredited, unless that is not asked
    /// for.
    ///
    /// # Errors
    /// [`Error::NotAccredited`], before anything is fetched; those of verifying, fetching and opening.
    pub async fn open_handover(
        &self,
        handover: &[u8],
        accredited: bool,
        target: &Target,
    ) -> Result<OpenedFile> {
        let me = self.addressee()?;
        let handover = self.verified(handover, me).await?;
        let radiologist = handover.attester;
        if accredited && !self.ledger().await?.is_accredited(radiologist).await? {
            return Err(Error::NotAccredited { radiologist });
        }
        self.expect_peers(&handover.radiologist.peers);
        self.dial(&handover.radiologist.peers).await?;
        let operation = self.begin_once(Deed::Keep(Once::draw()))?;
        let taken = self.take_in(&handover, Some(operation)).await;
        match &taken {
            Ok(_) => self.settle(operation, Verdict::Done).await?,
            // Why it was not kept is the error to tell; what is left is dropped when it is resumed.
            Err(_) => drop(self.settle(operation, Verdict::Failed).await),
        }
        taken?;
        let attested = Attested {
            radiologist: handover.attester,
            seal: handover.seal,
            description: handover.description.clone(),
        };
        let image = handover.image;
        let opened = self.open_attested(&image, me.patient, &attested, target);
        let opened = opened.await?;
        self.remember_peers(&handover.radiologist.peers)?;
        self.note_opened(&image, &opened).await;
        Ok(opened)
    }
}

/// Says whether a description may stand on the chain: codes of the standard's lists, or nothing.
fn is_public(description: &str) -> bool {
    description.is_empty() || pcim_dicom::deid::is_public_description(description)
}
