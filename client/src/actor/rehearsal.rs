//! Drills of an emergency: nothing is opened, sent or joined. A custodian's word that his share opens is believed, as he is believed in an
//! emergency.

use serde::Serialize;

use crate::actor::guardian::DrillStanding;
use crate::actor::patient::Patient;
use crate::error::{Error, Result};
use crate::papers::card::Card;
use crate::papers::emergency::Error as Paper;
use crate::papers::emergency::drill::{DrilledShare, EmergencyAnswer, EmergencyDrill, MAX_DRILLED};
use crate::papers::letter;
use crate::unlocked::Unlocked;
use pcim_core::{Address, ImageDigest};

/// An answer to a drill, not written yet.
#[derive(Debug, Serialize)]
pub struct EmergencyAnswered {
    /// The patient.
    pub patient: Address,
    /// Images whose share opened.
    pub opened: Vec<ImageDigest>,
    /// Images whose share did not, and why.
    pub failed: Vec<DrillFailure>,
    /// The letter.
    #[serde(skip)]
    pub letter: Vec<u8>,
}

/// An image whose share did not open.
#[derive(Debug, Serialize)]
pub struct DrillFailure {
    /// The image.
    pub image: ImageDigest,
    /// Why.
    pub why: String,
}

/// How a drill of an emergency went.
#[derive(Clone, Debug, Serialize)]
pub struct EmergencyDrilled {
    /// The desk in effect.
    pub desk: Option<Address>,
    /// True if the desk answered.
    pub desk_answered: bool,
    /// Custodians who answered.
    pub answered: Vec<Address>,
    /// Custodians who did not.
    pub absent: Vec<Address>,
    /// How many custodians open an image.
    pub threshold: u8,
    /// How many shares of each image opened.
    pub images: Vec<DrilledImage>,
    /// How it stands.
    pub standing: DrillStanding,
}

/// An image, in a drill.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DrilledImage {
    /// The image.
    pub image: ImageDigest,
    /// How many of its shares opened.
    pub opened: usize,
}

impl Patient<'_> {
    /// Makes a drill about the images whose keys are with custodians, at most 1,000: those that were registered last.
    ///
    /// # Errors
    /// [`Error::Emergency`] if there is no such image; those of the chain.
    pub async fn emergency_drill(&self) -> Result<EmergencyDrill> {
        let mut images = Vec::new();
        for image in self.registered_images()? {
            if self.announced_object(&image).await?.is_some() {
                images.push(image);
            }
        }
        if images.is_empty() {
            return Err(Paper::NothingToDrill.into());
        }
        let images = images.split_off(images.len().saturating_sub(MAX_DRILLED));
        let (place, patient) = (self.contract()?, self.patient_address());
        Ok(EmergencyDrill::new(
            place,
            patient,
            images,
            self.card().await?,
        ))
    }

    /// Tells from the answers whether an emergency access would work. Nothing is sent, and no shares are brought together.
    ///
    /// # Errors
    /// [`Error::Emergency`] for an answer to another drill; those of the chain and of the node.
    pub async fn judge_emergency_drill(
        &self,
        drill: &EmergencyDrill,
        answers: &[Vec<u8>],
    ) -> Result<EmergencyDrilled> {
        let patient = self.patient_address();
        let desk = self.ledger().await?.emergency(patient).await?;
        let desk = desk.map(|(address, _)| address);
        let custodians = self.custodians()?;
        let threshold = custodians.as_ref().map_or(0, |it| it.threshold);
        let mut known = Vec::new();
        for card in custodians.iter().flat_map(|it| &it.cards) {
            known.push(Card::verify(card).map_err(Paper::from)?);
        }
        let (mut desk_answered, mut opened) = (false, vec![None; known.len()]);
        for sealed in answers {
            let read = letter::open::<EmergencyAnswer>(sealed, &self.keys.openpgp);
            let (answer, author) = read.map_err(Paper::from)?;
            if answer.nonce != drill.nonce {
                let address = author.address;
                return Err(Paper::OtherDrill { address }.into());
            }
            desk_answered |= desk == Some(author.address);
            let same =
                |it: &Card| it.address == author.address && it.certificate == author.certificate;
            if let Some(number) = known.iter().position(same) {
                opened[number] = Some(answer.opened);
            }
        }
        let mut images = Vec::new();
        for image in &drill.images {
            let set = self.emergency_object(image, patient).await?.set.name;
            let is_own = |number: usize, it: &DrilledShare| {
                it.image == *image && it.set == set && usize::from(it.index) == number + 1
            };
            let shares = opened.iter().enumerate().filter(|(number, shares)| {
                let mut shares = shares.iter().flatten();
                shares.any(|share| is_own(*number, share))
            });
            images.push(DrilledImage {
                image: *image,
                opened: shares.count(),
            });
        }
        let fewest = images.iter().map(|it| it.opened).min().unwrap_or(0);
        let wanted = usize::from(threshold);
        let standing = match fewest {
            _ if !desk_answered || wanted == 0 => DrillStanding::WouldFail,
            fewest if fewest < wanted => DrillStanding::WouldFail,
            fewest if fewest == wanted => DrillStanding::Close,
            _ => DrillStanding::Good,
        };
        let (mut answered, mut absent) = (Vec::new(), Vec::new());
        for (card, shares) in known.iter().zip(&opened) {
            match shares {
                Some(_) => answered.push(card.address),
                None => absent.push(card.address),
            }
        }
        Ok(EmergencyDrilled {
            desk,
            desk_answered,
            answered,
            absent,
            threshold,
            images,
            standing,
        })
    }
}

impl Unlocked<'_> {
    /// Answers a drill, as a custodian or as the desk: fetches the images' objects, opens this home's shares and checks them. The answer
    /// says which opened, and goes to the key that acts for the patient.
    ///
    /// # Errors
    /// [`Error::NotActing`] for a drill with another card, [`Error::OtherContract`]; those of the chain.
    pub async fn answer_emergency_drill(
        &self,
        drill: &EmergencyDrill,
        to: &Card,
    ) -> Result<EmergencyAnswered> {
        let (wanted, found) = (self.contract()?, (drill.chain_id, drill.contract));
        if wanted != found {
            return Err(Error::OtherContract { wanted, found });
        }
        let patient = drill.patient;
        if self.ledger().await?.account(patient).await?.acting != to.address {
            let address = to.address;
            return Err(Error::NotActing { patient, address });
        }
        self.expect_peers(&to.peers);
        let keys = self.keys;
        let (mut opened, mut failed) = (Vec::new(), Vec::new());
        for &image in &drill.images {
            let share = async {
                let object = self.emergency_object(&image, patient).await?;
                let share = object.own_share(&keys.openpgp)?;
                Ok::<_, Error>(DrilledShare {
                    image,
                    set: object.set.name,
                    index: share.share.index,
                })
            };
            match share.await {
                Ok(share) => opened.push(share),
                Err(error) => failed.push(DrillFailure {
                    image,
                    why: error.to_string(),
                }),
            }
        }
        let images = opened.iter().map(|it| it.image).collect();
        let card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        let answer = EmergencyAnswer::new(drill, opened, card);
        let letter = letter::seal(&answer, &keys.openpgp, &to.certificate);
        Ok(EmergencyAnswered {
            patient,
            opened: images,
            failed,
            letter: letter.map_err(Paper::from)?,
        })
    }
}
