//! The inbox: the studies that wait, and a person's word about them.

use std::path::PathBuf;

use pcim_client::papers::card::{Card, CardDocument};
use serde::{Deserialize, Serialize};

use crate::current::Reloaded;
use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::spool::Study;
use crate::spool::record::{State, StudyRecord};

/// A request to the inbox.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Lists the studies; with `all` those too that are sealed or rejected.
    List {
        /// True for all of them.
        all: bool,
    },
    /// Shows one study.
    Show {
        /// Its number.
        study: u64,
    },
    /// Assigns a study to a patient.
    Assign {
        /// Its number.
        study: u64,
        /// The patient's card.
        card: Box<CardDocument>,
    },
    /// Seals a study now, whatever holds it.
    Seal {
        /// Its number.
        study: u64,
    },
    /// Rejects a study: its objects are deleted.
    Reject {
        /// Its number.
        study: u64,
        /// Why.
        reason: String,
    },
    /// Reads the settings, the rules and the certificates again.
    Reload {},
}

/// The answer to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The studies.
    Studies(Vec<Entry>),
    /// One study, as it is afterwards.
    Study(Box<Entry>),
    /// The settings were read again.
    Reloaded(Reloaded),
    /// It was refused: why, and what can be done.
    Refused {
        /// Why.
        why: String,
        /// What can be done.
        hints: Vec<String>,
    },
}

/// A study as a person of the department sees it: it says who the patient is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Its number, by which the other requests call it.
    pub study: u64,
    /// How it stands: `arriving`, `waiting`, `ready`, `sealing`, `sealed`, `rejected`.
    pub state: String,
    /// Why it waits, was rejected, or could not be sealed.
    pub reason: Option<String>,
    /// Its first sender.
    pub sender: String,
    /// Patient's Name.
    pub patient_name: String,
    /// Patient ID, and its issuer behind a slash if there is one.
    pub patient_id: String,
    /// Patient's Birth Date.
    pub birth_date: String,
    /// Study Date.
    pub study_date: String,
    /// Study Description.
    pub description: String,
    /// Accession Number.
    pub accession: String,
    /// Study Instance UID.
    pub study_uid: String,
    /// The modalities of its objects.
    pub modalities: Vec<String>,
    /// Objects in the spool; of a sealed study those that were sealed.
    pub objects: usize,
    /// Bytes of their data sets; 0 of a study that an earlier program sealed.
    pub bytes: u64,
    /// When its first object came, in seconds, unix.
    pub first: u64,
    /// When its newest object came, in seconds, unix.
    pub newest: u64,
    /// The rule that fits.
    pub rule: Option<String>,
    /// The address of the patient that it is sealed to.
    pub patient: Option<String>,
    /// Instances that came a second time with other content.
    pub conflicts: Vec<String>,
    /// The sealed image.
    pub image: Option<String>,
    /// The handover's file.
    pub handover: Option<PathBuf>,
}

impl Gateway {
    /// Does what a person asks of the inbox.
    pub async fn inbox(&self, request: Request) -> Reply {
        match self.obey(request).await {
            Ok(reply) => reply,
            Err(error) => {
                use pcim_core::hint::Hint;
                Reply::Refused {
                    why: error.to_string(),
                    hints: error
                        .hints()
                        .into_iter()
                        .map(|it| it.into_owned())
                        .collect(),
                }
            }
        }
    }

    async fn obey(&self, request: Request) -> Result<Reply> {
        let number = match request {
            Request::List { all } => {
                let wanted = |study: &Study| all || !study.record.is_settled();
                let numbers = self.spool.numbers_of(wanted).into_iter();
                let entries = numbers.filter_map(|number| {
                    let study = self.spool.study(number)?;
                    Some(self.entry(number, &study))
                });
                return Ok(Reply::Studies(entries.collect()));
            }
            Request::Reload {} => return self.reload().map(Reply::Reloaded),
            Request::Show { study } => study,
            Request::Assign { study, card } => {
                Card::verify(&card).map_err(|error| Error::Client(Box::new(error.into())))?;
                let card = hex::encode(serde_json::to_vec(&card)?);
                self.check_waits(study)?;
                let assign = |record: &mut StudyRecord| {
                    record.card = Some(card);
                    record.failure = None;
                };
                self.spool.change(study, assign).await?;
                study
            }
            Request::Seal { study } => {
                self.seal(study).await?;
                study
            }
            Request::Reject { study, reason } => {
                self.reject(study, reason).await?;
                study
            }
        };
        let study = self
            .spool
            .study(number)
            .ok_or(Error::NoSuchStudy { number })?;
        Ok(Reply::Study(Box::new(self.entry(number, &study))))
    }

    /// Checks that a study waits.
    fn check_waits(&self, number: u64) -> Result<()> {
        let study = self
            .spool
            .study(number)
            .ok_or(Error::NoSuchStudy { number })?;
        let state = match study.record.state {
            State::Waiting => return Ok(()),
            State::Sealing { .. } => "is being sealed",
            State::Sealed { .. } => "was sealed before",
            State::Rejected { .. } => "was rejected",
        };
        Err(Error::NotNow { number, state })
    }

    fn entry(&self, number: u64, study: &Study) -> Entry {
        let verdict = self.verdict(study);
        let record = &study.record;
        let arrival = &study.arrival;
        let complete = self.is_complete(study);
        let (mut image, mut handover) = (None, None);
        let (mut objects, mut bytes) = (study.objects.len(), study.bytes);
        let (state, reason) = match &record.state {
            State::Sealing { .. } => ("sealing", None),
            State::Rejected { reason, .. } => ("rejected", Some(reason.clone())),
            State::Sealed {
                image: sealed,
                handover: file,
                instances,
                bytes: sealed_bytes,
                ..
            } => {
                bytes = *sealed_bytes;
                image = sealed.clone();
                handover = Some(self.handover(file));
                objects = instances.len();
                ("sealed", None)
            }
            State::Waiting => match (&verdict.waits, complete) {
                (Some(why), _) => ("waiting", Some(why.clone())),
                (None, false) => ("arriving", None),
                (None, true) => ("ready", None),
            },
        };
        let patient_id = match arrival.issuer.as_str() {
            "" => arrival.patient_id.clone(),
            issuer => format!("{}/{issuer}", arrival.patient_id),
        };
        Entry {
            study: number,
            state: state.to_owned(),
            reason,
            sender: study.sender.clone(),
            patient_name: arrival.patient_name.clone(),
            patient_id,
            birth_date: arrival.birth_date.clone(),
            study_date: arrival.study_date.clone(),
            description: arrival.study_description.clone(),
            accession: arrival.accession.clone(),
            study_uid: arrival.study.clone(),
            modalities: study.modalities.clone(),
            objects,
            bytes,
            first: study.first,
            newest: study.newest,
            rule: verdict.rule,
            patient: verdict.card.map(|card| card.address.to_string()),
            conflicts: record.conflicts.clone(),
            image,
            handover,
        }
    }
}
