//! Handovers: what a radiologist gives a patient so that she can register a sealed image.
//!
//! A handover is a JSON document, encrypted to the patient's certificate and signed by the radiologist's.
//! It carries the radiologist's contact card and the attestation that the contract asks for. A radiologist may attest as a
//! contract account (ERC-1271): then the handover names it, and the chain must be asked whether it takes the signature.

use serde::{Deserialize, Serialize};

use crate::papers::card::{self, Card, CardDocument};
use pcim_core::{Address, ImageDigest, Seal};
use pcim_ledger::{Account, Attestation, Version};
use pcim_seal::{Certificate, UnlockedKey};

/// Most bytes of a handover file.
pub const MAX_HANDOVER_BYTES: usize = 896 * 1024;
/// Most bytes of a description, as the contract has it.
const MAX_DESCRIPTION_BYTES: usize = 256;

/// A handover, opened and verified but for the image itself.
#[derive(Clone)]
pub struct Handover {
    /// The version of the contract that the attestation is for.
    pub version: Version,
    /// When the retracted registration was made that this one replaces, unix seconds; 0 for none.
    pub replaces: u64,
    /// The chain the attestation is for.
    pub chain_id: u64,
    /// The contract the attestation is for.
    pub contract: Address,
    /// The sealed root for the patient.
    pub image: ImageDigest,
    /// The image's patient.
    pub patient: Address,
    /// The SHA-256 of the radiologist's signature packet inside the image.
    pub seal: Seal,
    /// The radiologist's EIP-712 signature over image, patient and seal.
    pub attestation: Vec<u8>,
    /// The attester: the radiologist's address, or the contract account that the handover names.
    pub attester: Address,
    /// True if the signature is by the attester's own key. Otherwise the attester is a contract account, which must be
    /// asked (`Ledger::accepts_attestation`) before anything here is believed.
    pub proven: bool,
    /// Modality and body part codes; goes on the chain in clear.
    pub description: String,
    /// The image that this one replaces, as the radiologist says.
    pub predecessor: Option<ImageDigest>,
    /// The sealed document of what the image's pseudonyms stand for, if there is one. It has a handover of its own.
    pub identity: Option<ImageDigest>,
    /// The radiologist's card, with the addresses of the radiologist's node.
    pub radiologist: Card,
}

/// Where a handover has to be for: a home's own address, chain and contract.
#[derive(Clone, Copy, Debug)]
pub struct Addressee {
    /// The patient.
    pub patient: Address,
    /// The chain's id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "pcim-handover")]
    version: u32,
    chain_id: u64,
    contract: Address,
    image: ImageDigest,
    patient: Address,
    /// Hex.
    seal: String,
    /// Hex.
    attestation: String,
    /// At version 2 alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    replaces: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Address>,
    description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    predecessor: Option<ImageDigest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<ImageDigest>,
    radiologist: CardDocument,
}

/// Why a handover is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than [`MAX_HANDOVER_BYTES`].
    #[error("a handover of {found} bytes; at most {MAX_HANDOVER_BYTES} are read")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// It was not encrypted to this key.
    #[error("the handover is for someone else: this home's key does not open it")]
    NotForThisKey(#[source] pcim_seal::Error),
    /// It does not decrypt or verify.
    #[error("the handover does not open: {0}")]
    OpenPgp(#[source] pcim_seal::Error),
    /// Not the JSON of a handover.
    #[error("not a handover: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("a handover of version {found}; this program reads versions 1 and 2")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A field is not what it should be.
    #[error("not a handover: `{field}` is malformed")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// The radiologist's card is not good.
    #[error("the handover's contact card: {0}")]
    Card(#[from] card::Error),
    /// It names another patient.
    #[error("the handover is for someone else: for {found}, and this home is {wanted}")]
    NotForYou {
        /// This home's address.
        wanted: Address,
        /// The patient it names.
        found: Address,
    },
    /// It is for another chain.
    #[error("the handover is for chain {found}, and this home is set up for chain {wanted}")]
    WrongChain {
        /// This home's chain.
        wanted: u64,
        /// The chain it names.
        found: u64,
    },
    /// Its attestation is for a contract of another version.
    #[error(
        "the handover is for a contract of version {found}, and this one is of version {wanted}"
    )]
    WrongVersion {
        /// The contract's version.
        wanted: Version,
        /// The version it names.
        found: Version,
    },
    /// It is for another contract.
    #[error("the handover is for contract {found}, and this home is set up for {wanted}")]
    WrongContract {
        /// This home's contract.
        wanted: Address,
        /// The contract it names.
        found: Address,
    },
    /// Another's signature, or one over something else.
    #[error("the attestation is forged: signed by {found}, and the radiologist is {wanted}")]
    ForgedAttestation {
        /// The radiologist's address.
        wanted: Address,
        /// The account that signed.
        found: Address,
    },
    /// The contract account that the handover names does not take the signature.
    #[error(
        "the attestation is forged: the contract account {account} does not accept it (ERC-1271)"
    )]
    NotAccepted {
        /// The account.
        account: Address,
    },
    /// Not a signature at all.
    #[error("the attestation is forged: {0}")]
    BadAttestation(#[source] pcim_ledger::Error),
}

impl Handover {
    /// Attests and writes a handover: encrypted to the patient, signed by the radiologist.
    ///
    /// `card` is the radiologist's own, issued by the same two keys.
    pub fn issue(
        facts: HandoverFacts<'_>,
        card: CardDocument,
        account: &Account,
        key: &UnlockedKey,
    ) -> Result<Vec<u8>, Error> {
        if facts.description.len() > MAX_DESCRIPTION_BYTES {
            return Err(Error::Field {
                field: "description",
            });
        }
        let attestation = account
            .attest(&facts.attestation())
            .map_err(Error::BadAttestation)?;
        let document = Document {
            version: match facts.version {
                Version::V1 => 1,
                Version::V2 => 2,
            },
            chain_id: facts.to.chain_id,
            contract: facts.to.contract,
            image: facts.image,
            patient: facts.to.patient,
            seal: hex::encode(facts.seal.0),
            attestation: hex::encode(attestation),
            replaces: facts.replaces,
            account: facts.account,
            description: facts.description.to_owned(),
            predecessor: facts.predecessor,
            identity: facts.identity,
            radiologist: card,
        };
        let plain = serde_json::to_vec(&document)?;
        pcim_seal::encrypt_document(&plain, key, &[facts.reader]).map_err(Error::OpenPgp)
    }

    /// Opens a handover and verifies whom it is for, who signed it, and the attestation.
    ///
    /// # Errors
    /// [`Error::NotForThisKey`] and [`Error::NotForYou`] for another's, [`Error::ForgedAttestation`].
    pub fn open(bytes: &[u8], key: &UnlockedKey, me: Addressee) -> Result<Self, Error> {
        if bytes.len() > MAX_HANDOVER_BYTES {
            return Err(Error::TooLarge { found: bytes.len() });
        }
        let sealed = pcim_seal::open_document(bytes, key).map_err(|error| match error {
            pcim_seal::Error::NotForReader { .. } => Error::NotForThisKey(error),
            other => Error::OpenPgp(other),
        })?;
        // The document names its signer; nothing in it is believed before that signer's signature is verified.
        let signer = read(sealed.peek())?.radiologist.certificate;
        let plain = sealed.verify(&signer).map_err(Error::OpenPgp)?;
        let mut handover = read(&plain)?;
        handover.check(me)?;
        Ok(handover)
    }

    fn check(&mut self, me: Addressee) -> Result<(), Error> {
        if self.patient != me.patient {
            return Err(Error::NotForYou {
                wanted: me.patient,
                found: self.patient,
            });
        }
        if self.chain_id != me.chain_id {
            return Err(Error::WrongChain {
                wanted: me.chain_id,
                found: self.chain_id,
            });
        }
        if self.contract != me.contract {
            return Err(Error::WrongContract {
                wanted: me.contract,
                found: self.contract,
            });
        }
        let found = self.attested().signer(&self.attestation);
        self.proven = matches!(found, Ok(found) if found == self.attester);
        // A contract account may take what no key has signed.
        if self.proven || self.attester != self.radiologist.address {
            return Ok(());
        }
        Err(Error::ForgedAttestation {
            wanted: self.attester,
            found: found.map_err(Error::BadAttestation)?,
        })
    }
}

impl Handover {
    /// Returns what the radiologist attested.
    pub fn attested(&self) -> Attestation {
        Attestation {
            version: self.version,
            chain_id: self.chain_id,
            contract: self.contract,
            image: self.image,
            patient: self.patient,
            seal: self.seal,
            replaces: self.replaces,
        }
    }
}

impl HandoverFacts<'_> {
    /// Returns what is attested.
    pub(crate) fn attestation(&self) -> Attestation {
        Attestation {
            version: self.version,
            chain_id: self.to.chain_id,
            contract: self.to.contract,
            image: self.image,
            patient: self.to.patient,
            seal: self.seal,
            replaces: self.replaces,
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The contents of a new handover.
#[derive(Clone, Copy)]
pub struct HandoverFacts<'a> {
    /// The contract's version.
    pub version: Version,
    /// When the retracted registration was made that this one replaces, unix seconds; 0 for none.
    pub replaces: u64,
    /// Whom it is for.
    pub to: Addressee,
    /// The patient's certificate.
    pub reader: &'a Certificate,
    /// The contract account that attests, if it is not the radiologist's own address.
    pub account: Option<Address>,
    /// The sealed root.
    pub image: ImageDigest,
    /// Its seal.
    pub seal: Seal,
    /// Modality and body part codes.
    pub description: &'a str,
    /// The image that this one replaces.
    pub predecessor: Option<ImageDigest>,
    /// The sealed document of what the image's pseudonyms stand for.
    pub identity: Option<ImageDigest>,
}

fn read(plain: &[u8]) -> Result<Handover, Error> {
    let document: Document = serde_json::from_slice(plain)?;
    let field = |field| Error::Field { field };
    let version = match document.version {
        1 if document.replaces != 0 => return Err(field("replaces")),
        1 => Version::V1,
        2 => Version::V2,
        found => return Err(Error::Version { found }),
    };
    let seal = hex::decode(&document.seal)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| field("seal"))?;
    let attestation = hex::decode(&document.attestation).map_err(|_| field("attestation"))?;
    if attestation.len() > version.max_signature_bytes() {
        return Err(field("attestation"));
    }
    if document.description.len() > MAX_DESCRIPTION_BYTES {
        return Err(field("description"));
    }
    let radiologist = Card::verify(&document.radiologist)?;
    Ok(Handover {
        version,
        replaces: document.replaces,
        attester: document.account.unwrap_or(radiologist.address),
        proven: false,
        chain_id: document.chain_id,
        contract: document.contract,
        image: document.image,
        patient: document.patient,
        seal: Seal(seal),
        attestation,
        description: document.description,
        predecessor: document.predecessor,
        identity: document.identity,
        radiologist,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::papers::card::tests::actor;
    use pcim_core::chance::{Numbers, mutations};

    struct Scene {
        radiologist: (Account, UnlockedKey),
        patient: (Account, UnlockedKey),
        to: Addressee,
    }

    fn scene() -> Scene {
        let patient = actor();
        let to = Addressee {
            patient: patient.0.address(),
            chain_id: 412_346,
            contract: Address::repeat_byte(5),
        };
        Scene {
            radiologist: actor(),
            patient,
            to,
        }
    }

    fn issue(scene: &Scene, attester: &Account) -> Vec<u8> {
        let (account, key) = &scene.radiologist;
        let facts = HandoverFacts {
            to: scene.to,
            reader: &scene.patient.1.certificate(),
            account: None,
            version: Version::V2,
            replaces: 0,
            image: ImageDigest([1; 32]),
            seal: Seal([2; 32]),
            description: "CT CHEST",
            predecessor: Some(ImageDigest([3; 32])),
            identity: Some(ImageDigest([4; 32])),
        };
        let card = Card::issue(account, key, Vec::new()).unwrap();
        Handover::issue(facts, card, attester, key).unwrap()
    }

    #[test]
    fn the_patient_opens_it() {
        let scene = scene();
        let bytes = issue(&scene, &scene.radiologist.0);
        let handover = Handover::open(&bytes, &scene.patient.1, scene.to).unwrap();
        assert_eq!(handover.image, ImageDigest([1; 32]));
        assert_eq!(handover.seal, Seal([2; 32]));
        assert_eq!(handover.description, "CT CHEST");
        assert_eq!(handover.predecessor, Some(ImageDigest([3; 32])));
        assert_eq!(handover.identity, Some(ImageDigest([4; 32])));
        assert_eq!(handover.radiologist.address, scene.radiologist.0.address());
    }

    #[test]
    fn someone_elses_and_a_forged_one_are_told_apart() {
        let scene = scene();
        let bytes = issue(&scene, &scene.radiologist.0);
        let stranger = actor();
        assert!(matches!(
            Handover::open(&bytes, &stranger.1, scene.to),
            Err(Error::NotForThisKey(_))
        ));
        let other = Addressee {
            patient: stranger.0.address(),
            ..scene.to
        };
        assert!(matches!(
            Handover::open(&bytes, &scene.patient.1, other),
            Err(Error::NotForYou { .. })
        ));
        let other = Addressee {
            chain_id: 1,
            ..scene.to
        };
        assert!(matches!(
            Handover::open(&bytes, &scene.patient.1, other),
            Err(Error::WrongChain { wanted: 1, .. })
        ));
        let forged = issue(&scene, &stranger.0);
        assert!(matches!(
            Handover::open(&forged, &scene.patient.1, scene.to),
            Err(Error::ForgedAttestation { found, .. }) if found == stranger.0.address()
        ));
    }

    #[test]
    fn a_signature_by_another_key_than_the_cards_is_refused() {
        let scene = scene();
        let (account, key) = &scene.radiologist;
        let stranger = actor();
        let facts = HandoverFacts {
            to: scene.to,
            reader: &scene.patient.1.certificate(),
            account: None,
            version: Version::V2,
            replaces: 0,
            image: ImageDigest([1; 32]),
            seal: Seal([2; 32]),
            description: "",
            predecessor: None,
            identity: None,
        };
        let card = Card::issue(account, key, Vec::new()).unwrap();
        let bytes = Handover::issue(facts, card, account, &stranger.1).unwrap();
        assert!(matches!(
            Handover::open(&bytes, &scene.patient.1, scene.to),
            Err(Error::OpenPgp(_))
        ));
        assert!(Handover::open(b"not OpenPGP", &scene.patient.1, scene.to).is_err());
    }

    /// A signature by no key of the radiologist's: the account that is named must be asked for it, and nobody else.
    #[test]
    fn a_contract_account_is_left_to_the_chain() {
        let scene = scene();
        let (account, key) = &scene.radiologist;
        let named = Address::repeat_byte(7);
        let issue = |named, attester: &Account| {
            let facts = HandoverFacts {
                to: scene.to,
                reader: &scene.patient.1.certificate(),
                account: named,
                version: Version::V2,
                replaces: 0,
                image: ImageDigest([1; 32]),
                seal: Seal([2; 32]),
                description: "CT CHEST",
                predecessor: None,
                identity: None,
            };
            let card = Card::issue(account, key, Vec::new()).unwrap();
            Handover::issue(facts, card, attester, key).unwrap()
        };
        let open = |bytes: Vec<u8>| Handover::open(&bytes, &scene.patient.1, scene.to);
        let handover = open(issue(Some(named), account)).unwrap();
        assert_eq!((handover.attester, handover.proven), (named, false));
        let own = open(issue(None, account)).unwrap();
        assert_eq!((own.attester, own.proven), (account.address(), true));
        let stranger = Account::generate();
        let other = open(issue(Some(stranger.address()), &stranger)).unwrap();
        assert_eq!((other.attester, other.proven), (stranger.address(), true));
        let forged = open(issue(Some(account.address()), &stranger));
        assert!(matches!(forged, Err(Error::ForgedAttestation { .. })));
    }

    #[test]
    fn mutated_handovers_are_refused_or_read_as_they_were() {
        let scene = scene();
        let good = issue(&scene, &scene.radiologist.0);
        let (mut numbers, mut read) = (Numbers(0x5eed_2027), 0);
        for round in 0..mutations() {
            let handover = numbers.mutated(&good);
            if let Ok(handover) = Handover::open(&handover, &scene.patient.1, scene.to) {
                let said = (handover.image, handover.seal, handover.proven);
                assert_eq!(said, (ImageDigest([1; 32]), Seal([2; 32]), true), "{round}");
                read += 1;
            }
        }
        println!("{read} of {} mutated handovers were read", mutations());
        // Only what is not signed can be missed.
        assert!(read < mutations() / 20);
    }
}
