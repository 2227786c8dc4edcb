//! Contact cards: an Ethereum address and an OpenPGP certificate that vouch for each other, and where
//! the owner's node is found.
//!
//! A card is a JSON document. Both keys sign the same statement, which names the address, the
//! certificate (fingerprint and SHA-256) and the addresses of the node: the OpenPGP key with a detached
//! signature, the Ethereum key with a personal message (EIP-191). It names no person.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use pcim_core::Address;
use pcim_ledger::Account;
use pcim_seal::{Certificate, UnlockedKey};

/// Most bytes of a card: hex of a certificate of 256 KiB and of a signature of 64 KiB, and the rest.
pub const MAX_CARD_BYTES: usize = 704 * 1024;
/// Most addresses of a node in a card.
const MAX_PEERS: usize = 32;
/// Most bytes of one address.
const MAX_PEER_BYTES: usize = 256;

/// A contact card whose signatures were verified.
#[derive(Clone, Debug)]
pub struct Card {
    /// The owner's Ethereum address.
    pub address: Address,
    /// The owner's OpenPGP certificate, stripped of names.
    pub certificate: Certificate,
    /// Multiaddrs of the owner's IPFS node.
    pub peers: Vec<String>,
}

/// The JSON form of a card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardDocument {
    /// The version of the format.
    #[serde(rename = "pcim-card")]
    version: u32,
    address: Address,
    /// Hex of the binary certificate.
    certificate: String,
    peers: Vec<String>,
    /// Hex of the detached OpenPGP signature over the statement.
    openpgp_signature: String,
    /// Hex of the EIP-191 signature over the statement, 65 bytes.
    ethereum_signature: String,
}

/// Why a card is not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Larger than [`MAX_CARD_BYTES`].
    #[error("a contact card of {found} bytes; at most {MAX_CARD_BYTES} are read")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// Not the JSON of a card.
    #[error("not a contact card: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("a contact card of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
    /// A field is not what it should be.
    #[error("not a contact card: `{field}` is malformed")]
    Field {
        /// The field.
        field: &'static str,
    },
    /// The certificate does not read, or its signature over the card is wrong.
    #[error("the contact card's OpenPGP certificate or signature is not good: {0}")]
    OpenPgp(#[source] pcim_seal::Error),
    /// The Ethereum signature does not read.
    #[error("the contact card's Ethereum signature is not good: {0}")]
    Ethereum(#[source] pcim_ledger::Error),
    /// The Ethereum signature is another's.
    #[error("the contact card names {wanted}, but {found} signed it")]
    WrongSigner {
        /// The card's address.
        wanted: Address,
        /// The signer.
        found: Address,
    },
}

impl CardDocument {
    /// Lists the addresses of the node that the card names.
    pub fn peers(&self) -> &[String] {
        &self.peers
    }
}

impl Card {
    /// Issues a card, signed by both keys.
    pub fn issue(
        account: &Account,
        key: &UnlockedKey,
        peers: Vec<String>,
    ) -> Result<CardDocument, Error> {
        check_peers(&peers)?;
        let address = account.address();
        let certificate = key.certificate().to_published_bytes();
        let fingerprint = key.certificate().fingerprint();
        let statement = statement(address, &fingerprint, &certificate, &peers);
        let openpgp = pcim_seal::sign_detached(&statement, key).map_err(Error::OpenPgp)?;
        let ethereum = account.sign_message(&statement).map_err(Error::Ethereum)?;
        Ok(CardDocument {
            version: 1,
            address,
            certificate: hex::encode(certificate),
            peers,
            openpgp_signature: hex::encode(openpgp),
            ethereum_signature: hex::encode(ethereum),
        })
    }

    /// Reads a card and verifies both signatures.
    pub fn read(json: &[u8]) -> Result<Self, Error> {
        if json.len() > MAX_CARD_BYTES {
            return Err(Error::TooLarge { found: json.len() });
        }
        Self::verify(&serde_json::from_slice(json)?)
    }

    /// Verifies both signatures of a card.
    pub fn verify(card: &CardDocument) -> Result<Self, Error> {
        if card.version != 1 {
            return Err(Error::Version {
                found: card.version,
            });
        }
        check_peers(&card.peers)?;
        let bytes = unhex(&card.certificate, "certificate")?;
        let certificate = Certificate::from_bytes(&bytes).map_err(Error::OpenPgp)?;
        let statement = statement(
            card.address,
            &certificate.fingerprint(),
            &bytes,
            &card.peers,
        );
        let openpgp = unhex(&card.openpgp_signature, "openpgp_signature")?;
        pcim_seal::verify_detached(&statement, &openpgp, &certificate).map_err(Error::OpenPgp)?;
        let field = "ethereum_signature";
        let ethereum = <[u8; 65]>::try_from(unhex(&card.ethereum_signature, field)?)
            .map_err(|_| Error::Field { field })?;
        let found = pcim_ledger::recover_message(&statement, &ethereum).map_err(Error::Ethereum)?;
        if found != card.address {
            return Err(Error::WrongSigner {
                wanted: card.address,
                found,
            });
        }
        Ok(Self {
            address: card.address,
            certificate,
            peers: card.peers.clone(),
        })
    }
}

/// Makes the text that both keys sign: lines that cannot run into each other, since no field holds a line break.
fn statement(address: Address, fingerprint: &str, certificate: &[u8], peers: &[String]) -> Vec<u8> {
    let hash = hex::encode(Sha256::digest(certificate));
    let mut text = format!(
        "pcim contact card 1\naddress {address:#x}\ncertificate {fingerprint} sha256 {hash}\n"
    );
    for peer in peers {
        text.push_str(&format!("peer {peer}\n"));
    }
    text.into_bytes()
}

fn check_peers(peers: &[String]) -> Result<(), Error> {
    let good = |peer: &String| {
        peer.len() <= MAX_PEER_BYTES
            && peer.starts_with('/')
            && peer.bytes().all(|b| b.is_ascii_graphic())
    };
    if peers.len() > MAX_PEERS || !peers.iter().all(good) {
        return Err(Error::Field { field: "peers" });
    }
    Ok(())
}

fn unhex(text: &str, field: &'static str) -> Result<Vec<u8>, Error> {
    hex::decode(text).map_err(|_| Error::Field { field })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use super::*;
    use pcim_core::chance::{Numbers, mutations};
    use pcim_seal::KeyKind;

    /// Two new keys of one actor.
    pub(crate) fn actor() -> (Account, UnlockedKey) {
        let key = UnlockedKey::generate(KeyKind::Classic, None).unwrap();
        (Account::generate(), key)
    }

    fn document() -> CardDocument {
        let (account, key) = actor();
        let peers = vec!["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest".to_owned()];
        Card::issue(&account, &key, peers).unwrap()
    }

    #[test]
    fn a_card_reads_back() {
        let document = document();
        let card = Card::read(&serde_json::to_vec(&document).unwrap()).unwrap();
        assert_eq!(card.address, document.address);
        assert_eq!(card.peers, document.peers);
    }

    #[test]
    fn nothing_in_a_card_can_be_changed() {
        let good = document();
        let other = document();
        let mut bad = good.clone();
        bad.address = other.address;
        assert!(matches!(Card::verify(&bad), Err(Error::OpenPgp(_))));
        let mut bad = good.clone();
        bad.certificate = other.certificate.clone();
        assert!(matches!(Card::verify(&bad), Err(Error::OpenPgp(_))));
        let mut bad = good.clone();
        bad.peers.push("/ip4/192.0.2.9/tcp/1".to_owned());
        assert!(matches!(Card::verify(&bad), Err(Error::OpenPgp(_))));
        let mut bad = good.clone();
        bad.ethereum_signature = other.ethereum_signature;
        assert!(matches!(Card::verify(&bad), Err(Error::WrongSigner { .. })));
        let mut bad = good.clone();
        bad.version = 2;
        assert!(matches!(
            Card::verify(&bad),
            Err(Error::Version { found: 2 })
        ));
        let mut bad = good;
        bad.peers = vec!["/x\npeer /y".to_owned()];
        assert!(matches!(Card::verify(&bad), Err(Error::Field { .. })));
    }

    #[test]
    fn mutated_cards_are_refused_or_read_as_they_were() {
        let document = document();
        let good = serde_json::to_vec(&document).unwrap();
        let (mut numbers, mut read) = (Numbers(0x5eed_2028), 0);
        for round in 0..mutations() {
            if let Ok(card) = Card::read(&numbers.mutated(&good)) {
                assert_eq!(card.address, document.address, "{round}");
                assert_eq!(card.peers, document.peers, "{round}");
                read += 1;
            }
        }
        println!("{read} of {} mutated cards were read", mutations());
        // Only what is not signed can be missed, such as the case of hex.
        assert!(read < mutations() / 20);
    }

    #[test]
    fn other_files_are_not_cards() {
        assert!(matches!(Card::read(b"{}"), Err(Error::Format(_))));
        let large = vec![b' '; MAX_CARD_BYTES + 1];
        assert!(matches!(Card::read(&large), Err(Error::TooLarge { .. })));
    }
}
