//! Papers of guardians: the acceptance, by which a patient can name one, and the drill, by which she finds out whether those whom
//! she named could help her (format.md §10.2, §10.3). Public: they hold addresses, signatures and hashes, no key and no share.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::papers::card::{self, Card, CardDocument};
use crate::papers::recovery::{self, Agreement};
use crate::papers::share::{Share, ShareDocument};
use pcim_core::{Address, Hex};
use pcim_ledger::{Account, RecoveryTerms};
use pcim_seal::UnlockedKey;

/// Most bytes of an acceptance: a card, and what else it says.
pub const MAX_ACCEPTANCE_BYTES: usize = 896 * 1024;
/// Most bytes of a drill or its answer.
pub const MAX_DRILL_BYTES: usize = 32 * 1024;

/// Why a guardian's paper is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than its limit.
    #[error("{what} of {found} bytes; at most {max} are read")]
    TooLarge {
        /// The paper.
        what: &'static str,
        /// Its length in bytes.
        found: usize,
        /// Most bytes.
        max: usize,
    },
    /// Not its JSON.
    #[error("not {what}: {source}")]
    Format {
        /// The paper.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// A later format.
    #[error("{what} of version {found}; this program reads version 1")]
    Version {
        /// The paper.
        what: &'static str,
        /// Its version.
        found: u32,
    },
    /// A field is not what it should be.
    #[error("not an acceptance: `{field}` is malformed")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// The card in it.
    #[error("the guardian's card: {0}")]
    Card(#[from] card::Error),
    /// The signature by the card's certificate.
    #[error("the acceptance is not signed by the card in it: {0}")]
    OpenPgp(#[source] pcim_seal::Error),
    /// The signature by the guardian's key does not read.
    #[error(transparent)]
    Ethereum(#[from] pcim_ledger::Error),
    /// Signed by another key.
    #[error("the acceptance names guardian {wanted}, and {found} signed it")]
    Forged {
        /// The guardian named.
        wanted: Address,
        /// The account that signed.
        found: Address,
    },
    /// The agreement in an answer.
    #[error(transparent)]
    Agreement(#[from] recovery::Error),
    /// An answer to another drill.
    #[error("the answer of {guardian} is to another drill")]
    OtherDrill {
        /// The guardian.
        guardian: Address,
    },
}

/// A guardian's acceptance: a key that is for one patient alone, vouched for by the guardian's card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    #[serde(rename = "pcim-guardian")]
    version: u32,
    /// The patient.
    pub patient: Address,
    /// The guardian's key for her.
    pub guardian: Address,
    /// The guardian's card.
    pub card: CardDocument,
    /// Hex of a detached signature over the statement, by the card's certificate.
    openpgp_signature: String,
    /// Hex of an EIP-191 signature over the statement, by the guardian's key.
    ethereum_signature: String,
}

impl Acceptance {
    /// Accepts with a key that is for this patient alone.
    ///
    /// # Errors
    /// [`Error::OpenPgp`], [`Error::Ethereum`] if a key cannot sign.
    pub fn sign(
        patient: Address,
        guardian: &Account,
        openpgp: &UnlockedKey,
        card: CardDocument,
    ) -> Result<Self, Error> {
        let author = Card::verify(&card)?;
        let statement = statement(patient, guardian.address(), author.address);
        let signature = pcim_seal::sign_detached(&statement, openpgp).map_err(Error::OpenPgp)?;
        Ok(Self {
            version: 1,
            patient,
            guardian: guardian.address(),
            card,
            openpgp_signature: hex::encode(signature),
            ethereum_signature: hex::encode(guardian.sign_message(&statement)?),
        })
    }

    /// Reads an acceptance and verifies its signatures; tells also whose card it is.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(json: &[u8]) -> Result<(Self, Card), Error> {
        let what = "an acceptance";
        let read: Self = read(json, what, MAX_ACCEPTANCE_BYTES)?;
        known(what, read.version)?;
        let author = Card::verify(&read.card)?;
        let statement = statement(read.patient, read.guardian, author.address);
        let field = |field| Error::Field { field };
        let openpgp = hex::decode(&read.openpgp_signature);
        let openpgp = openpgp.map_err(|_| field("openpgp_signature"))?;
        pcim_seal::verify_detached(&statement, &openpgp, &author.certificate)
            .map_err(Error::OpenPgp)?;
        let ethereum = hex::decode(&read.ethereum_signature).ok();
        let ethereum = ethereum.and_then(|it| <[u8; 65]>::try_from(it).ok());
        let ethereum = ethereum.ok_or(field("ethereum_signature"))?;
        let found = pcim_ledger::recover_message(&statement, &ethereum)?;
        match found == read.guardian {
            true => Ok((read, author)),
            false => Err(Error::Forged {
                wanted: read.guardian,
                found,
            }),
        }
    }
}

/// The text that both keys sign.
fn statement(patient: Address, guardian: Address, card: Address) -> Vec<u8> {
    format!("pcim guardian 1\npatient {patient:#x}\nguardian {guardian:#x}\ncard {card:#x}\n")
        .into_bytes()
}

/// A drill: terms that change nothing, and a number that is used once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    #[serde(rename = "pcim-drill")]
    version: u32,
    /// Hashed into what the guardians answer about their shares.
    pub nonce: Hex<32>,
    /// Terms of a recovery to the key that acts already, without a lock.
    pub terms: RecoveryTerms,
}

/// A guardian's answer to a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillAnswer {
    #[serde(rename = "pcim-drill-answer")]
    version: u32,
    /// The drill's number.
    pub nonce: Hex<32>,
    /// The agreement to the drill's terms.
    pub agreement: Agreement,
    /// The hash that shows that the guardian has the share, if one was given to him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<ShareProof>,
}

/// A hash that only a holder of a share can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareProof {
    /// Names the set.
    pub set: Hex<16>,
    /// The share's number.
    pub index: u8,
    /// SHA-256 of the drill's number and the share.
    pub proof: Hex<32>,
}

impl Drill {
    /// Makes a drill.
    #[must_use]
    pub fn new(terms: RecoveryTerms) -> Self {
        Self {
            version: 1,
            nonce: Hex::random(),
            terms,
        }
    }

    /// Reads a drill.
    ///
    /// # Errors
    /// [`Error`]
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let what = "a drill";
        let read: Self = read(json, what, MAX_DRILL_BYTES)?;
        known(what, read.version)?;
        Ok(read)
    }

    /// Returns what a holder of this share answers.
    #[must_use]
    pub fn proof(&self, share: &Share) -> Hex<32> {
        let hash = Sha256::new()
            .chain_update(b"pcim drill 1")
            .chain_update(self.nonce.0)
            .chain_update(share.salt.expose())
            .chain_update([share.index])
            .chain_update(share.share.expose());
        Hex(hash.finalize().into())
    }
}

impl DrillAnswer {
    /// Answers a drill with a guardian's key and the share that was given to him.
    ///
    /// # Errors
    /// [`Error::Agreement`] if the key cannot sign.
    pub fn new(
        drill: &Drill,
        guardian: &Account,
        share: Option<&ShareDocument>,
    ) -> Result<Self, Error> {
        Ok(Self {
            version: 1,
            nonce: drill.nonce,
            agreement: Agreement::sign(drill.terms.clone(), guardian)?,
            share: share.map(|it| ShareProof {
                set: it.set.name,
                index: it.share.index,
                proof: drill.proof(&it.share),
            }),
        })
    }

    /// Reads the answer to a drill.
    ///
    /// # Errors
    /// [`Error`]; [`Error::OtherDrill`]
    pub fn parse(json: &[u8], drill: &Drill) -> Result<Self, Error> {
        let what = "an answer to a drill";
        let read: Self = read(json, what, MAX_DRILL_BYTES)?;
        known(what, read.version)?;
        read.agreement.check()?;
        if read.nonce != drill.nonce || read.agreement.terms != drill.terms {
            let guardian = read.agreement.guardian;
            return Err(Error::OtherDrill { guardian });
        }
        Ok(read)
    }
}

fn read<'a, T: Deserialize<'a>>(
    json: &'a [u8],
    what: &'static str,
    max: usize,
) -> Result<T, Error> {
    if json.len() > max {
        let found = json.len();
        return Err(Error::TooLarge { what, found, max });
    }
    serde_json::from_slice(json).map_err(|source| Error::Format { what, source })
}

fn known(what: &'static str, version: u32) -> Result<(), Error> {
    match version {
        1 => Ok(()),
        found => Err(Error::Version { what, found }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use pcim_core::Secret;
    use pcim_core::chance::{Numbers, mutations};

    use super::*;
    use crate::papers::card::tests::actor;
    use crate::papers::share::ShareSet;

    const PATIENT: Address = Address::repeat_byte(0xb0);

    fn accepted() -> (Acceptance, Account) {
        let (account, key) = actor();
        let card = Card::issue(&account, &key, Vec::new()).unwrap();
        let own = Account::generate();
        (Acceptance::sign(PATIENT, &own, &key, card).unwrap(), own)
    }

    fn drill() -> Drill {
        Drill::new(RecoveryTerms {
            chain_id: 412_346,
            contract: Address::repeat_byte(0xc0),
            patient: PATIENT,
            successor: PATIENT,
            lock: false,
            recovery: 0,
            deadline: 1_790_000_000,
        })
    }

    fn answer(drill: &Drill) -> (DrillAnswer, ShareDocument) {
        let (account, key) = actor();
        let card = Card::issue(&account, &key, Vec::new()).unwrap();
        let set = ShareSet {
            name: Hex([9; 16]),
            threshold: 2,
            shares: 3,
        };
        let share = Share {
            index: 2,
            salt: Secret::random(),
            share: Secret::random(),
        };
        let document = ShareDocument::new(PATIENT, set, share, card);
        let answer = DrillAnswer::new(drill, &account, Some(&document)).unwrap();
        (answer, document)
    }

    fn json(value: &impl Serialize) -> Vec<u8> {
        serde_json::to_vec(value).unwrap()
    }

    #[test]
    fn nothing_in_an_acceptance_can_be_changed() {
        let (good, own) = accepted();
        let (read, card) = Acceptance::parse(&json(&good)).unwrap();
        assert_eq!((&read, read.guardian), (&good, own.address()));
        let other = accepted().0;
        let parse = |bad: &Acceptance| Acceptance::parse(&json(bad)).unwrap_err();
        let mut bad = good.clone();
        bad.patient = card.address;
        assert!(matches!(parse(&bad), Error::OpenPgp(_)));
        let mut bad = good.clone();
        bad.guardian = other.guardian;
        assert!(matches!(parse(&bad), Error::OpenPgp(_)));
        let mut bad = good.clone();
        bad.card = other.card.clone();
        assert!(matches!(parse(&bad), Error::OpenPgp(_)));
        let mut bad = good.clone();
        bad.ethereum_signature = other.ethereum_signature.clone();
        assert!(matches!(parse(&bad), Error::Forged { .. }));
        let mut bad = good.clone();
        bad.ethereum_signature = "00".to_owned();
        assert!(matches!(parse(&bad), Error::Field { .. }));
        let mut bad = good;
        bad.version = 2;
        assert!(matches!(parse(&bad), Error::Version { found: 2, .. }));
    }

    #[test]
    fn an_answer_shows_the_share_and_does_not_tell_it() {
        let drill = drill();
        let (answer, document) = answer(&drill);
        let read = DrillAnswer::parse(&json(&answer), &drill).unwrap();
        let proof = read.share.unwrap();
        assert_eq!(proof.proof, drill.proof(&document.share));
        let text = String::from_utf8(json(&answer)).unwrap();
        assert!(!text.contains(&hex::encode(document.share.share.expose())));
        let another = Share {
            share: Secret::random(),
            ..document.share.clone()
        };
        assert_ne!(proof.proof, drill.proof(&another));
        // The same guardian's answer to another drill is another one, and is not taken for this.
        let later = Drill::new(drill.terms.clone());
        assert_ne!(later.proof(&document.share), proof.proof);
        let refused = DrillAnswer::parse(&json(&answer), &later).unwrap_err();
        assert!(matches!(refused, Error::OtherDrill { .. }));
    }

    #[test]
    fn mutated_papers_are_refused_or_read_as_they_were() {
        let (drill, acceptance) = (drill(), accepted().0);
        let answer = answer(&drill).0;
        let (a, b) = (json(&acceptance), json(&answer));
        let mut numbers = Numbers(0x5eed_0061);
        for round in 0..mutations() {
            if let Ok((read, card)) = Acceptance::parse(&numbers.mutated(&a)) {
                assert_eq!(read.guardian, acceptance.guardian, "{round}");
                assert_eq!(read.patient, PATIENT, "{round}");
                drop(card);
            }
            if let Ok(read) = DrillAnswer::parse(&numbers.mutated(&b), &drill) {
                assert_eq!(read.agreement.terms, answer.agreement.terms, "{round}");
            }
        }
    }
}
