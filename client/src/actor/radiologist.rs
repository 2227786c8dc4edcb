//! The radiologist: de-identify, sign, seal to the patient, store, attest.

use crate::unlocked::{Actor, Unlocked};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::flow::landing::Target;
use crate::flow::payload::Payload;
use crate::flow::pipeline::Meter;
use crate::flow::pipeline::{self, Progress};
use crate::operation::deed::{Deed, Once};
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::journal::{KnownImage, OperationId};
use crate::operation::settle::note;
use crate::operation::write::{Outcome, Wanted};
use crate::papers::card::Card;
use crate::papers::handover::{Addressee, Handover, HandoverFacts};
use crate::study;
use crate::study::identity::IdentityDocument;
use crate::study::input::Inputs;
use crate::study::parts::Study;
use crate::study::scan::{FileOutcome, ScanOptions};
use pcim_core::{Address, ImageDigest, Seal};
use pcim_dicom::deid::{self, Profile, Report};
use pcim_ledger::Call;
use pcim_node::BodyRef;
use pcim_seal::{BodyVersion, Certificate, Sealed};

/// How to seal.
#[derive(Clone, Debug)]
pub struct SealOptions {
    /// True if the files are de-identified first (PS3.15 Annex E).
    pub deidentify: bool,
    /// How they are de-identified.
    pub profile: Profile,
    /// Modality and body part codes for the chain; taken from the files if none are given.
    pub description: Option<String>,
    /// The image that this one replaces; stands in the signature, for readers only.
    pub replaces: Option<ImageDigest>,
    /// True if files that are refused are left out; otherwise the first stops everything.
    pub leave_out: bool,
    /// True if a document of what the pseudonyms stand for is sealed beside the image, to the patient alone.
    pub with_identity: bool,
    /// The contract account that attests (ERC-1271), if it is not this home's own address.
    pub attest_as: Option<Address>,
}

/// Callback: called with what became of each file of an input.
pub type OutcomeSink = Arc<dyn Fn(FileOutcome<'_>) + Send + Sync>;

impl Default for SealOptions {
    fn default() -> Self {
        Self {
            deidentify: true,
            profile: Profile::default(),
            description: None,
            replaces: None,
            leave_out: false,
            with_identity: false,
            attest_as: None,
        }
    }
}

/// A sealed image and the handover for its patient.
#[derive(Clone, Debug, Serialize)]
pub struct SealedImage {
    /// The sealed root for the patient.
    pub image: ImageDigest,
    /// The seal that the radiologist attested.
    #[serde(serialize_with = "as_text")]
    pub seal: Seal,
    /// The handover, encrypted to the patient.
    #[serde(skip)]
    pub handover: Vec<u8>,
    /// The description that the chain will have of the image.
    pub description: String,
    /// The report of de-identification, if that was wanted.
    pub deidentified: Option<Report>,
    /// Files of the patient's: 1, or the instances of a study, which are sealed as a tar.
    pub instances: usize,
    /// The document of what the pseudonyms stand for, if it was wanted.
    pub identity: Option<SealedIdentity>,
    /// SHA-256 (hex) of the file as it was given, or of the files of a study one after the other.
    pub original_sha256: String,
    /// SHA-256 (hex) of what a reader will open.
    pub payload_sha256: String,
    /// Bytes that a reader will open.
    pub payload_bytes: u64,
    /// Bytes of the encrypted body, which all readers share.
    pub body_bytes: u64,
}

/// A sealed identity document and the handover for its patient. It is registered as an image is, or only kept.
#[derive(Clone, Debug, Serialize)]
pub struct SealedIdentity {
    /// The sealed root for the patient.
    pub image: ImageDigest,
    /// The seal that the radiologist attested.
    #[serde(serialize_with = "as_text")]
    pub seal: Seal,
    /// The handover, encrypted to the patient.
    #[serde(skip)]
    pub handover: Vec<u8>,
}

/// The end under which pieces are dropped if sealing fails.
const FAILED: Verdict = Verdict::Failed;

/// The parts of a handover that differ from image to image.
#[derive(Default)]
struct Told<'a> {
    description: &'a str,
    predecessor: Option<ImageDigest>,
    identity: Option<ImageDigest>,
    account: Option<Address>,
    replaces: u64,
}

/// A payload in the node, sealed to the patient.
struct Stored {
    image: ImageDigest,
    body: BodyRef,
    sealed: Sealed,
    summary: crate::flow::payload::Summary,
}

fn as_text<S: serde::Serializer>(
    seal: &Seal,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(seal)
}

/// The radiologist's work.
#[derive(Clone, Copy)]
pub struct Radiologist<'s>(Unlocked<'s>);

impl<'s> Unlocked<'s> {
    /// Opens the radiologist's work.
    pub fn radiologist(self) -> Radiologist<'s> {
        Radiologist(self)
    }
}

impl Actor {
    /// Opens the radiologist's work.
    pub fn radiologist(&self) -> Radiologist<'_> {
        self.unlocked().radiologist()
    }
}

impl<'s> Deref for Radiologist<'s> {
    type Target = Unlocked<'s>;

    fn deref(&self) -> &Unlocked<'s> {
        &self.0
    }
}

impl Radiologist<'_> {
    /// Seals files to a patient: one file as it is, the files of a study as one tar. Paths as [`Inputs::gather`] takes them.
    ///
    /// # Errors
    /// As [`studies`](Self::studies) and [`seal_study`](Self::seal_study); [`study::Error::SeveralStudies`]. Then nothing is
    /// stored.
    pub async fn seal(
        &self,
        paths: Vec<PathBuf>,
        patient: &Card,
        options: &SealOptions,
    ) -> Result<SealedImage> {
        let inputs = Inputs::gather(&paths, options.leave_out)?;
        let mut studies = self.studies(inputs, options, Arc::new(|_| {})).await?;
        match (studies.pop(), studies.len()) {
            (Some(study), 0) => self.seal_study(study, patient, options).await,
            (_, more) => Err(study::Error::SeveralStudies { found: more + 1 }.into()),
        }
    }

    /// Looks into every file of an input, which must be of one patient, and groups them into studies. Nothing is stored.
    ///
    /// # Errors
    /// [`Error::Dicom`] names the file that is not DICOM or cannot be de-identified safely; [`Error::Study`].
    pub async fn studies(
        &self,
        inputs: Inputs,
        options: &SealOptions,
        tell: OutcomeSink,
    ) -> Result<Vec<Study>> {
        let deid = self.deid_options(options)?;
        let (leave_out, identity) = (options.leave_out, options.with_identity);
        let sink = self.progress.clone();
        let scanning = tokio::task::spawn_blocking(move || {
            let wanted = ScanOptions {
                deid: deid.as_ref(),
                one_patient: true,
                leave_out,
                identity,
                stage: None,
            };
            let mut bytes = 0;
            study::scan(inputs, wanted, &mut |outcome| {
                bytes += outcome.bytes;
                if let Some(sink) = &sink {
                    let (done, of) = outcome.number;
                    sink(Progress {
                        what: "looked at",
                        bytes,
                        total: None,
                        files: Some((done as u64, of as u64)),
                    });
                }
                tell(outcome);
            })
        });
        scanning.await?
    }

    /// Seals a study to a patient.
    ///
    /// # Errors
    /// [`Error::Description`]; [`Error::Dicom`] for a single file that cannot be de-identified safely. Then nothing is
    /// stored.
    pub async fn seal_study(
        &self,
        study: Study,
        patient: &Card,
        options: &SealOptions,
    ) -> Result<SealedImage> {
        let operation = self.begin_once(Deed::Seal(Once::draw()))?;
        let sealed = self.seal_as(operation, study, patient, options).await;
        match &sealed {
            Ok(_) => self.journal.finish(operation)?,
            // Why it was not sealed is the error to tell; what is left is dropped when it is resumed.
            Err(_) => drop(self.settle(operation, FAILED).await),
        }
        sealed
    }

    /// Seals as [`seal_study`](Self::seal_study), and writes the handovers into files, that of the identity document, if
    /// it is wanted, into `identity`. After a kill meanwhile, [`resume_all`](crate::unlocked::Unlocked::resume_all) makes
    /// all of it, or nothing.
    ///
    /// # Errors
    /// Those of [`seal_study`](Self::seal_study), and [`Error::FileExists`].
    pub async fn seal_into(
        &self,
        study: Study,
        patient: &Card,
        options: &SealOptions,
        target: &Target,
        identity: &Target,
    ) -> Result<SealedImage> {
        let wanted = [Some(target), options.with_identity.then_some(identity)];
        for target in wanted.into_iter().flatten() {
            if !target.overwrite && target.path.exists() {
                return Err(Error::FileExists {
                    path: target.path.clone(),
                });
            }
        }
        let operation = self.begin_once(Deed::Seal(Once::draw()))?;
        let sealed = self.seal_as(operation, study, patient, options).await;
        let delivered = match &sealed {
            Ok(sealed) => {
                let mut handovers = vec![(&sealed.handover[..], target)];
                if let Some(sealed) = &sealed.identity {
                    handovers.push((&sealed.handover, identity));
                }
                let delivered = self.deliver(operation, &handovers).await;
                if delivered.is_ok() {
                    self.record_handed(sealed, target, identity)?;
                }
                delivered
            }
            Err(_) => Ok(()),
        };
        if sealed.is_err() || delivered.is_err() {
            drop(self.settle(operation, FAILED).await);
        }
        delivered.and(sealed)
    }

    /// Seals under an operation, which notes what is stored.
    async fn seal_as(
        &self,
        operation: OperationId,
        study: Study,
        patient: &Card,
        options: &SealOptions,
    ) -> Result<SealedImage> {
        let told = options.description.as_deref().unwrap_or_default();
        if !told.is_empty() && !deid::is_public_description(told) {
            return Err(Error::Description);
        }
        let payload = Payload::of(&study, self.deid_options(options)?)?;
        let meter = self.study_progress(&payload, study.len());
        let stored = self
            .store(operation, payload, options.replaces, patient, meter)
            .await?;
        let Stored {
            image,
            body,
            sealed,
            summary,
        } = stored;
        let description = match &options.description {
            Some(text) => text.clone(),
            None => study.description(summary.report.as_ref()),
        };
        let identity = match IdentityDocument::of(&study, image) {
            Some(document) => {
                let account = options.attest_as;
                let sealed = self.seal_identity(operation, &document, patient, account);
                Some(sealed.await?)
            }
            None => None,
        };
        let own = identity.as_ref().map(|identity| identity.image);
        let told = Told {
            description: &description,
            predecessor: options.replaces,
            identity: own,
            account: options.attest_as,
            replaces: 0,
        };
        let handover = self.hand_over(image, sealed.seal, told, patient).await?;
        self.remember_sealed(image, &body, &description, patient)?;
        Ok(SealedImage {
            image,
            seal: sealed.seal,
            handover,
            description,
            deidentified: summary.report.filter(|_| options.deidentify),
            instances: study.len(),
            identity,
            original_sha256: hex::encode(summary.original_sha256.unwrap_or(sealed.payload_sha256)),
            payload_sha256: hex::encode(sealed.payload_sha256),
            payload_bytes: sealed.payload_len,
            body_bytes: body.file_size,
        })
    }

    async fn seal_identity(
        &self,
        operation: OperationId,
        document: &IdentityDocument,
        patient: &Card,
        account: Option<Address>,
    ) -> Result<SealedIdentity> {
        let payload = Payload::of_bytes(serde_json::to_vec(document)?);
        let stored = self
            .store(operation, payload, None, patient, Meter::silent())
            .await?;
        let Stored {
            image,
            body,
            sealed,
            ..
        } = stored;
        let told = Told {
            account,
            ..Told::default()
        };
        let handover = self.hand_over(image, sealed.seal, told, patient).await?;
        self.remember_sealed(image, &body, "", patient)?;
        Ok(SealedIdentity {
            image,
            seal: sealed.seal,
            handover,
        })
    }

    fn deid_options(&self, options: &SealOptions) -> Result<Option<deid::Options>> {
        Ok(match options.deidentify {
            true => Some(deid::Options {
                key: *self.home.deid_key(self.keys)?,
                profile: options.profile.clone(),
            }),
            false => None,
        })
    }

    /// Encrypts a payload to the patient, signed, into the node; notes what it stores.
    async fn store(
        &self,
        operation: OperationId,
        payload: Payload,
        predecessor: Option<ImageDigest>,
        patient: &Card,
        meter: Meter,
    ) -> Result<Stored> {
        let keys = self.keys;
        let version = version_for(&patient.certificate)?;
        let node = self.node().await?;
        let mut noted =
            |body: &BodyRef| note(&self.journal, operation, FAILED, &Piece::Body(body.clone()));
        let (body, sealed, summary) = pipeline::seal_noted(
            node,
            payload,
            &keys.openpgp,
            predecessor,
            version,
            meter,
            &mut noted,
        )
        .await?;
        let header = pcim_seal::header_for(&sealed.session_key, version, &patient.certificate)?;
        let root = pcim_node::root_digest(&header, &body)?;
        self.journal.note(operation, FAILED, &Piece::Root(root))?;
        let root = node.put_root(header, &body).await?;
        Ok(Stored {
            image: root.image,
            body,
            sealed,
            summary,
        })
    }

    /// Takes the attestation of an image back: nobody but its patient has access until it is attested again. `reason` is a
    /// code of the radiologist's.
    ///
    /// # Errors
    /// [`Error::AlreadyFlagged`]; those of the chain; a contract of version 1 has no retraction.
    pub async fn retract(&self, image: &ImageDigest, reason: u8) -> Result<Outcome> {
        self.needs_version_2("retract_image").await?;
        let image = *image;
        let deed = Deed::Retract { image };
        let call = async || Ok(Call::RetractImage { image, reason });
        let written = self.write(deed, Wanted::True, call).await?;
        written.ok_or(Error::AlreadyFlagged {
            image,
            how: "retracted",
        })
    }

    /// Attests a retracted image again, and writes a handover with which its patient registers it; its readers keep their
    /// approvals. `predecessor` is the image that its signature says it replaces.
    ///
    /// # Errors
    /// [`Error::NotRetracted`], [`Error::NotMine`] if the image is another patient's.
    pub async fn reattest(
        &self,
        image: &ImageDigest,
        patient: &Card,
        predecessor: Option<ImageDigest>,
    ) -> Result<Vec<u8>> {
        self.needs_version_2("create_contract").await?;
        let record = self.record(image).await?;
        if !record.flags.retracted() {
            return Err(Error::NotRetracted { image: *image });
        }
        if record.patient != patient.address {
            return Err(Error::NotMine {
                image: *image,
                owner: record.patient,
                me: patient.address,
            });
        }
        let attested = self.attested(image).await?;
        let facts = Told {
            description: &attested.description,
            predecessor,
            replaces: record.registered_at,
            ..Told::default()
        };
        self.hand_over(*image, attested.seal, facts, patient).await
    }

    /// Attests an image and writes its handover.
    async fn hand_over(
        &self,
        image: ImageDigest,
        seal: Seal,
        told: Told<'_>,
        patient: &Card,
    ) -> Result<Vec<u8>> {
        let deployment = self.deployment()?;
        let facts = HandoverFacts {
            to: Addressee {
                patient: patient.address,
                chain_id: deployment.chain_id,
                contract: deployment.contract,
            },
            reader: &patient.certificate,
            account: told.account,
            version: self.contract_version().await?,
            replaces: told.replaces,
            image,
            seal,
            description: told.description,
            predecessor: told.predecessor,
            identity: told.identity,
        };
        let (card, keys) = (self.card().await?, self.keys);
        if let Some(account) = told.account {
            let attestation = facts.attestation();
            let signature = keys.account.attest(&attestation)?;
            self.attested_by(account, &attestation, &signature).await?;
        }
        Ok(Handover::issue(facts, card, &keys.account, &keys.openpgp)?)
    }

    fn remember_sealed(
        &self,
        image: ImageDigest,
        body: &BodyRef,
        description: &str,
        patient: &Card,
    ) -> Result<()> {
        self.journal.remember_image(&KnownImage {
            image,
            body: body.cid.clone(),
            body_size: body.file_size,
            dag_size: body.dag_size,
            description: description.to_owned(),
            patient: patient.address.to_string(),
            role: "sealed".to_owned(),
        })?;
        Ok(())
    }

    /// The progress of sealing, in bytes and files.
    fn study_progress(&self, payload: &Payload, of: usize) -> Meter {
        let mut meter = self.progress("sealed", None);
        let (read, sink) = (payload.files_read(), meter.sink.take());
        meter.sink = sink.map(|sink| -> crate::flow::pipeline::ProgressSink {
            Arc::new(move |mut progress: Progress| {
                progress.files = Some((read.load(Ordering::Relaxed), of as u64));
                sink(progress);
            })
        });
        meter
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
