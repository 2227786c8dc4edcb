//! The radiologist: de-identify, sign, seal to the patient, store, attest.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::payload::Payload;
use super::settle::note;
use super::{Client, Error, Result, Target, pipeline};
use crate::card::Card;
use crate::deid::{self, Profile, Report};
use crate::domain::{ImageDigest, Seal};
use crate::handover::{Addressee, Facts, Handover};
use crate::journal::{KnownImage, Outcome, Piece};
use crate::node;
use crate::seal::{self, BodyVersion, Certificate};

/// How to seal.
#[derive(Clone, Debug)]
pub struct SealOptions {
    /// Whether the files are de-identified first (PS3.15 Annex E).
    pub deidentify: bool,
    /// How they are de-identified.
    pub profile: Profile,
    /// Modality and body part codes for the chain; taken from the files if none are given.
    pub description: Option<String>,
    /// The image that this one replaces; stands in the signature, for readers only.
    pub replaces: Option<ImageDigest>,
}

impl Default for SealOptions {
    fn default() -> Self {
        Self {
            deidentify: true,
            profile: Profile::default(),
            description: None,
            replaces: None,
        }
    }
}

/// A sealed image and the handover for its patient.
#[derive(Clone, Debug, Serialize)]
pub struct SealedImage {
    /// The sealed root for the patient.
    pub image: ImageDigest,
    /// What the radiologist attested.
    #[serde(serialize_with = "as_text")]
    pub seal: Seal,
    /// The handover, encrypted to the patient.
    #[serde(skip)]
    pub handover: Vec<u8>,
    /// What the chain will say of the image.
    pub description: String,
    /// What de-identification did, if it was wanted.
    pub deidentified: Option<Report>,
    /// SHA-256 (hex) of the file as it was given, or of the tar of the files as they were given.
    pub original_sha256: String,
    /// SHA-256 (hex) of what a reader will open.
    pub payload_sha256: String,
    /// Bytes that a reader will open.
    pub payload_bytes: u64,
    /// Bytes of the encrypted body, which all readers share.
    pub body_bytes: u64,
}

fn as_text<S: serde::Serializer>(
    seal: &Seal,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(seal)
}

impl Client {
    /// Seals files to a patient: one file as it is, several as one tar.
    ///
    /// # Errors
    /// [`Error::Dicom`] names the file that is not DICOM or cannot be de-identified safely;
    /// [`Error::Description`]. Then nothing is stored.
    pub async fn seal(
        &self,
        files: Vec<PathBuf>,
        patient: &Card,
        options: &SealOptions,
    ) -> Result<SealedImage> {
        let operation = self.begin_once("seal")?;
        let sealed = self.seal_as(operation, files, patient, options).await;
        match &sealed {
            Ok(_) => self.journal.finish(operation)?,
            // Why it was not sealed is the error to tell; what is left is dropped when it is resumed.
            Err(_) => drop(self.settle(operation, Outcome::Failed).await),
        }
        sealed
    }

    /// [`seal`](Self::seal), and the handover into a file: whoever is killed meanwhile finds both after
    /// [`resume_all`](Self::resume_all), or nothing of either.
    ///
    /// # Errors
    /// Those of [`seal`](Self::seal), and [`Error::FileExists`].
    pub async fn seal_into(
        &self,
        files: Vec<PathBuf>,
        patient: &Card,
        options: &SealOptions,
        target: &Target,
    ) -> Result<SealedImage> {
        if !target.overwrite && target.path.exists() {
            return Err(Error::FileExists {
                path: target.path.clone(),
            });
        }
        let operation = self.begin_once("seal")?;
        let sealed = self.seal_as(operation, files, patient, options).await;
        let delivered = match &sealed {
            Ok(sealed) => self.deliver(operation, &sealed.handover, target).await,
            Err(_) => Ok(()),
        };
        if sealed.is_err() || delivered.is_err() {
            drop(self.settle(operation, Outcome::Failed).await);
        }
        delivered.and(sealed)
    }

    /// Seals under an operation, which notes what is stored.
    async fn seal_as(
        &self,
        operation: i64,
        files: Vec<PathBuf>,
        patient: &Card,
        options: &SealOptions,
    ) -> Result<SealedImage> {
        let keys = Arc::clone(self.keys()?);
        let deployment = self.deployment()?;
        let version = version_for(&patient.certificate)?;
        let deid = match options.deidentify {
            true => Some(deid::Options {
                key: *self.home.deid_key()?,
                profile: options.profile.clone(),
            }),
            false => None,
        };
        let told = options.description.as_deref().unwrap_or_default();
        if !told.is_empty() && !deid::is_public_description(told) {
            return Err(Error::Description);
        }
        let payload = Payload::new(files, deid)?;
        let node = self.node().await?;
        let progress = self.progress("sealed", None);
        let failed = Outcome::Failed;
        let mut noted = |body: &node::BodyRef| {
            note(&self.journal, operation, failed, &Piece::Body(body.into()))
        };
        let (body, sealed, summary) = pipeline::seal_noted(
            node,
            payload,
            &keys.openpgp,
            options.replaces,
            version,
            progress,
            &mut noted,
        )
        .await?;

        let header = seal::header_for(&sealed.session_key, version, &patient.certificate)?;
        let root = node::root_digest(&header, &body)?;
        self.journal.note(operation, failed, &Piece::Root(root))?;
        let stored = node.put_root(header, &body).await?;
        let description = match &options.description {
            Some(text) => text.clone(),
            None => describe(summary.report.as_ref()),
        };
        let facts = Facts {
            to: Addressee {
                patient: patient.address,
                chain_id: deployment.chain_id,
                contract: deployment.contract,
            },
            reader: &patient.certificate,
            image: stored.image,
            seal: sealed.seal,
            description: &description,
            predecessor: options.replaces,
        };
        let card = self.card().await?;
        let handover = Handover::issue(facts, card, &keys.account, &keys.openpgp)?;
        self.journal.remember_image(&KnownImage {
            image: stored.image,
            body: body.cid.clone(),
            body_size: body.file_size,
            dag_size: body.dag_size,
            description: description.clone(),
            patient: patient.address.to_string(),
            role: "sealed".to_owned(),
        })?;
        Ok(SealedImage {
            image: stored.image,
            seal: sealed.seal,
            handover,
            description,
            deidentified: summary.report.filter(|_| options.deidentify),
            original_sha256: hex::encode(summary.original_sha256.unwrap_or(sealed.payload_sha256)),
            payload_sha256: hex::encode(sealed.payload_sha256),
            payload_bytes: sealed.payload_len,
            body_bytes: body.file_size,
        })
    }
}

/// The newest container that the patient's certificate reads.
fn version_for(reader: &Certificate) -> Result<BodyVersion> {
    reader.check_reader()?;
    Ok(match reader.accepts_v2() {
        true => BodyVersion::V2,
        false => BodyVersion::V1,
    })
}

/// Codes for the chain: those of the standard's lists, which alone the report tells.
fn describe(report: Option<&Report>) -> String {
    let codes = report.map(|report| [&report.modality, &report.body_part]);
    let codes: Vec<_> = codes.into_iter().flatten().flatten().cloned().collect();
    codes.join(" ")
}
