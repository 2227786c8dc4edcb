//! The fate of handovers: written, left with followers, fetched, registered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::actor::mail::LeftMail;
use crate::actor::radiologist::{Radiologist, SealedImage};
use crate::error::{Error, Result, file_error};
use crate::flow::landing::Target;
use crate::mail::Error as MailError;
use crate::mail::wire::MailState;
use crate::operation::journal::HandedRow;
use crate::papers::card::Card;
use crate::papers::handover::MAX_HANDOVER_BYTES;
use crate::papers::mail::MailKind;
use pcim_core::date::now;
use pcim_core::{ImageDigest, private};

/// The followers' word about a handover that was left with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "at")]
pub enum Fetched {
    /// It waits.
    Waits,
    /// Its receiver's home fetched it, unix seconds.
    Yes(u64),
    /// No follower that answers knows of it.
    Unknown,
}

/// An image that was sealed, and how far its handover came.
#[derive(Clone, Debug, Serialize)]
pub struct HandedOver {
    /// The image.
    pub image: ImageDigest,
    /// Hex address of the patient.
    pub patient: String,
    /// Modality and body part codes.
    pub description: String,
    /// When it was sealed, unix seconds; `None` if an earlier program sealed it.
    pub sealed_at: Option<u64>,
    /// The handover's file.
    #[serde(serialize_with = "pcim_core::text::path_if_any")]
    pub handover: Option<PathBuf>,
    /// When the handover was left with followers, unix seconds.
    pub left_at: Option<u64>,
    /// Their word about it.
    pub fetched: Option<Fetched>,
    /// When the patient registered the image, unix seconds.
    pub registered_at: Option<u64>,
}

impl Radiologist<'_> {
    /// Lists the images that this home sealed, the oldest first. Anything that followers and chain do not tell now is missing; the second
    /// value says why, if it was the chain.
    ///
    /// # Errors
    /// [`Error::Journal`], [`Error::Network`]
    pub async fn handed_over(&self) -> Result<(Vec<HandedOver>, Option<Error>)> {
        let rows = self.journal.handovers()?.into_iter();
        let rows: BTreeMap<_, _> = rows.map(|row| (row.image, row)).collect();
        let left = rows
            .values()
            .filter_map(|row| Some((row.image, row.left?.0)));
        let (images, ids): (Vec<_>, Vec<_>) = left.unzip();
        let states = match ids.is_empty() {
            true => Vec::new(),
            false => self.mail_states(&ids).await?,
        };
        let states: BTreeMap<_, _> = images.into_iter().zip(states).collect();
        let (mut all, mut silent) = (Vec::new(), None);
        for known in self.journal.images()? {
            if known.role != "sealed" {
                continue;
            }
            let row = rows.get(&known.image);
            let registered_at = match &silent {
                None => match self.registered_at(&known.image).await {
                    Ok(registered_at) => registered_at,
                    Err(error) => {
                        silent = Some(error);
                        None
                    }
                },
                Some(_) => None,
            };
            let path = row.map(|row| row.path.clone());
            all.push(HandedOver {
                image: known.image,
                patient: known.patient,
                description: known.description,
                sealed_at: row.map(|row| row.sealed_at),
                handover: path.filter(|path| !path.as_os_str().is_empty()),
                left_at: row.and_then(|row| Some(row.left?.1)),
                fetched: states.get(&known.image).map(|state| match state {
                    MailState::Waiting(_) => Fetched::Waits,
                    MailState::Fetched(at) => Fetched::Yes(*at),
                    MailState::Unknown => Fetched::Unknown,
                }),
                registered_at,
            });
        }
        Ok((all, silent))
    }

    async fn registered_at(&self, image: &ImageDigest) -> Result<Option<u64>> {
        let record = self.ledger().await?.image_record(image).await?;
        Ok(record.map(|record| record.registered_at))
    }

    /// Leaves an image's handover with the followers for the owner of a card: the file that sealing wrote, or another one.
    ///
    /// # Errors
    /// [`MailError::NoHandover`], [`MailError::OtherPatient`], [`Error::File`], those of [`leave_mail`](crate::Unlocked::leave_mail)
    pub async fn leave_handover(
        &self,
        image: &ImageDigest,
        file: Option<&Path>,
        to: &Card,
    ) -> Result<LeftMail> {
        let none = || MailError::NoHandover { image: *image };
        let images = self.journal.images()?;
        let sealed =
            |known: &&crate::journal::KnownImage| known.image == *image && known.role == "sealed";
        let known = images.iter().find(sealed).ok_or_else(none)?;
        if known.patient != to.address.to_string() {
            return Err(MailError::OtherPatient {
                image: *image,
                wanted: known.patient.clone(),
                found: to.address,
            }
            .into());
        }
        let path = match file {
            Some(path) => path.to_owned(),
            None => {
                let rows = self.journal.handovers()?;
                let row = rows.into_iter().find(|row| row.image == *image);
                let path = row
                    .map(|row| row.path)
                    .filter(|it| !it.as_os_str().is_empty());
                path.ok_or_else(none)?
            }
        };
        let handover = private::read_limited(&path, MAX_HANDOVER_BYTES);
        let handover = handover.map_err(|source| file_error(&path, source))?;
        let left = self.leave_mail(MailKind::Handover, &handover, to).await?;
        self.journal.record_left(image, &left.id, now())?;
        Ok(left)
    }

    /// Records the handovers that sealing wrote.
    pub(crate) fn record_handed(
        &self,
        sealed: &SealedImage,
        target: &Target,
        identity: &Target,
    ) -> Result<()> {
        let sealed_at = now();
        let second = sealed.identity.as_ref().map(|it| (it.image, identity));
        for (image, target) in [(sealed.image, target)].into_iter().chain(second) {
            let path = std::path::absolute(&target.path);
            self.journal.record_handover(&HandedRow {
                image,
                sealed_at,
                path: path.map_err(|source| file_error(&target.path, source))?,
                left: None,
            })?;
        }
        Ok(())
    }
}
