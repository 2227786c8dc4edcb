//! Drills of an emergency: whether custodians still open their shares, and whether the desk answers (format.md §13.18). No share is in
//! them, and nothing is joined.

use serde::{Deserialize, Serialize};

use super::Error;
use crate::papers::card::{Card, CardDocument};
use crate::papers::letter::Letter;
use pcim_core::{Address, Hex, ImageDigest};

/// Most bytes of a drill: a card, and what else it says.
pub const MAX_DRILL_BYTES: usize = 896 * 1024;
/// Most images of one drill.
pub const MAX_DRILLED: usize = 1_000;

/// A drill: the patient asks her custodians to open their shares, and her desk to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyDrill {
    #[serde(rename = "pcim-emergency-drill")]
    version: u32,
    /// Names the drill.
    pub nonce: Hex<32>,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The patient.
    pub patient: Address,
    /// The images.
    pub images: Vec<ImageDigest>,
    /// The card that answers are sealed to: that of the key that acts for her.
    pub card: CardDocument,
}

/// An answer to a drill, as a letter by the custodian's or the desk's card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmergencyAnswer {
    #[serde(rename = "pcim-emergency-answer")]
    version: u32,
    /// The drill's name.
    pub nonce: Hex<32>,
    /// The shares that opened and are what the objects say.
    pub opened: Vec<DrilledShare>,
    card: CardDocument,
}

/// A share that its custodian opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrilledShare {
    /// The image.
    pub image: ImageDigest,
    /// Names the set of its shares.
    pub set: Hex<16>,
    /// The share's number.
    pub index: u8,
}

impl EmergencyDrill {
    /// Makes a drill.
    #[must_use]
    pub fn new(
        (chain_id, contract): (u64, Address),
        patient: Address,
        images: Vec<ImageDigest>,
        card: CardDocument,
    ) -> Self {
        Self {
            version: 1,
            nonce: Hex::random(),
            chain_id,
            contract,
            patient,
            images,
            card,
        }
    }

    /// Reads a drill; tells also whose card is in it.
    ///
    /// # Errors
    /// [`Error::Drill`], [`Error::Card`]
    pub fn parse(json: &[u8]) -> Result<(Self, Card), Error> {
        let bad = |reason: String| Error::Drill { reason };
        if json.len() > MAX_DRILL_BYTES {
            let found = json.len();
            let text = format!("{found} bytes; at most {MAX_DRILL_BYTES} are read");
            return Err(bad(text));
        }
        let read: Self = serde_json::from_slice(json).map_err(|error| bad(error.to_string()))?;
        if read.version != 1 {
            let found = read.version;
            return Err(bad(format!(
                "version {found}; this program reads version 1"
            )));
        }
        if read.images.len() > MAX_DRILLED {
            let found = read.images.len();
            return Err(bad(format!("{found} images; at most {MAX_DRILLED}")));
        }
        let card = Card::verify(&read.card)?;
        Ok((read, card))
    }
}

impl EmergencyAnswer {
    /// Answers a drill.
    #[must_use]
    pub fn new(drill: &EmergencyDrill, opened: Vec<DrilledShare>, card: CardDocument) -> Self {
        Self {
            version: 1,
            nonce: drill.nonce,
            opened,
            card,
        }
    }
}

impl Letter for EmergencyAnswer {
    fn version(&self) -> u32 {
        self.version
    }

    fn card(&self) -> &CardDocument {
        &self.card
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pcim_core::chance::{Numbers, mutations};

    use super::*;
    use crate::papers::card::tests::actor;

    fn drill() -> EmergencyDrill {
        let (account, key) = actor();
        let card = Card::issue(&account, &key, Vec::new()).unwrap();
        let place = (412_346, Address::repeat_byte(0xc0));
        let images = vec![ImageDigest([7; 32]), ImageDigest([8; 32])];
        EmergencyDrill::new(place, account.address(), images, card)
    }

    #[test]
    fn a_drill_is_read_as_it_was_written_and_no_longer_than_it_may_be() {
        let good = drill();
        let json = |drill: &EmergencyDrill| serde_json::to_vec(drill).unwrap();
        let (read, card) = EmergencyDrill::parse(&json(&good)).unwrap();
        assert_eq!((&read, card.address), (&good, good.patient));
        let refused = |drill: &EmergencyDrill| EmergencyDrill::parse(&json(drill)).unwrap_err();
        let mut bad = good.clone();
        bad.version = 2;
        assert!(refused(&bad).to_string().contains("version 2"));
        let mut bad = good.clone();
        bad.images = vec![ImageDigest([7; 32]); MAX_DRILLED + 1];
        assert!(refused(&bad).to_string().contains("1001 images"));
        let mut bad = good;
        bad.card = drill().card;
        let (_, card) = EmergencyDrill::parse(&json(&bad)).unwrap();
        assert_ne!(card.address, bad.patient, "the chain says who acts for her");
        let long = vec![b' '; MAX_DRILL_BYTES + 1];
        let long = EmergencyDrill::parse(&long).unwrap_err();
        assert!(long.to_string().contains("at most"), "{long}");
    }

    #[test]
    fn mutated_drills_are_refused_or_read_as_they_are() {
        let json = serde_json::to_vec(&drill()).unwrap();
        let mut numbers = Numbers(0x5eed_0162);
        for round in 0..mutations() {
            if let Ok((read, _)) = EmergencyDrill::parse(&numbers.mutated(&json)) {
                let again = serde_json::to_vec(&read).unwrap();
                assert_eq!(EmergencyDrill::parse(&again).unwrap().0, read, "{round}");
            }
        }
    }
}
