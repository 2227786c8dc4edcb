//! Contact cards: an Ethereum address and an OpenPGP certificate that vouch for each other, and where
//! the owner's node is found.
//!
//! A card is a JSON document. Both keys sign the same statement, which names the address, the
//! certificate (fingerprint and SHA-256) and the addresses of the node: the OpenPGP key with a detached
//! signature, the Ethereum key with a personal message (EIP-191). It names no person.
//!
//! A card of version 2 also says when it was issued and until when it is meant to be used, and carries a token with which
//! documents are left in its owner's mailbox. Cards of version 1 are read as well.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use pcim_core::Address;
use pcim_core::date::now;
use pcim_ledger::Account;
use pcim_seal::{Certificate, UnlockedKey};

/// Most bytes of a card: hex of a certificate of 256 KiB and of a signature of 64 KiB, and the rest.
pub const MAX_CARD_BYTES: usize = 704 * 1024;
/// Most addresses of a node in a card.
const MAX_PEERS: usize = 32;
/// Most bytes of one address.
const MAX_PEER_BYTES: usize = 256;
/// Seconds for which a card is meant to be used: two years.
const LIFE: u64 = 730 * 86_400;

/// A contact card whose signatures were verified.
#[derive(Clone, Debug)]
pub struct Card {
    /// The owner's Ethereum address.
    pub address: Address,
    /// The owner's OpenPGP certificate, stripped of names.
    pub certificate: Certificate,
    /// Multiaddrs of the owner's IPFS node.
    pub peers: Vec<String>,
    /// When it was issued and until when it is meant to be used, unix seconds; `None` at version 1.
    pub dates: Option<CardDates>,
    /// The token that documents for its owner's mailbox come with.
    pub token: Option<PushToken>,
}

/// The time of a card, unix seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardDates {
    /// When it was issued.
    pub issued_at: u64,
    /// Until when it is meant to be used.
    pub expires_at: u64,
}

/// A random token, which its owner renews: what came with it counts as from one who has the card. In JSON 32 hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushToken(pub [u8; 16]);

impl PushToken {
    /// Draws a token.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::random())
    }
}

impl Serialize for PushToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for PushToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut token = [0; 16];
        let read = hex::decode_to_slice(text, &mut token);
        read.map_err(|_| de::Error::custom("wanted 32 hex digits"))?;
        Ok(Self(token))
    }
}

/// The contents of a new card, beside its owner's keys.
#[derive(Clone, Debug)]
pub struct CardTerms {
    /// Multiaddrs of the owner's IPFS node.
    pub peers: Vec<String>,
    /// When it is issued and until when it is meant to be used.
    pub dates: CardDates,
    /// The owner's token.
    pub token: Option<PushToken>,
}

impl From<Vec<String>> for CardTerms {
    fn from(peers: Vec<String>) -> Self {
        let issued_at = now();
        Self {
            peers,
            dates: CardDates {
                issued_at,
                expires_at: issued_at.saturating_add(LIFE),
            },
            token: None,
        }
    }
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
    /// At version 2 alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issued_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<PushToken>,
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
    #[error("a contact card of version {found}; this program reads versions 1 and 2")]
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
    /// Issues a card, signed by both keys; of a node's addresses alone, it is issued now.
    pub fn issue(
        account: &Account,
        key: &UnlockedKey,
        terms: impl Into<CardTerms>,
    ) -> Result<CardDocument, Error> {
        let CardTerms {
            peers,
            dates,
            token,
        } = terms.into();
        check_peers(&peers)?;
        let address = account.address();
        let certificate = key.certificate().to_published_bytes();
        let fingerprint = key.certificate().fingerprint();
        let who = (address, &fingerprint[..], &certificate[..]);
        let statement = statement(who, &peers, Some(dates), token);
        let openpgp = pcim_seal::sign_detached(&statement, key).map_err(Error::OpenPgp)?;
        let ethereum = account.sign_message(&statement).map_err(Error::Ethereum)?;
        Ok(CardDocument {
            version: 2,
            address,
            certificate: hex::encode(certificate),
            peers,
            issued_at: Some(dates.issued_at),
            expires_at: Some(dates.expires_at),
            token,
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
        let field = |field| Err(Error::Field { field });
        let dates = card.issued_at.zip(card.expires_at);
        let dates = dates.map(|(issued_at, expires_at)| CardDates {
            issued_at,
            expires_at,
        });
        if dates.is_none() && (card.issued_at.is_some() || card.expires_at.is_some()) {
            return field("issued_at, expires_at");
        }
        match (card.version, dates, card.token) {
            (1, None, None) => {}
            (2, Some(dates), _) if dates.issued_at <= dates.expires_at => {}
            (1, _, Some(_)) => return field("token"),
            (1 | 2, ..) => return field("issued_at, expires_at"),
            (found, ..) => return Err(Error::Version { found }),
        }
        check_peers(&card.peers)?;
        let bytes = unhex(&card.certificate, "certificate")?;
        let certificate = Certificate::from_bytes(&bytes).map_err(Error::OpenPgp)?;
        let fingerprint = certificate.fingerprint();
        let who = (card.address, &fingerprint[..], &bytes[..]);
        let statement = statement(who, &card.peers, dates, card.token);
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
            dates,
            token: card.token,
        })
    }

    /// Says whether the time is over for which the card is meant, at `now`, unix seconds.
    pub fn is_expired(&self, now: u64) -> bool {
        self.dates.is_some_and(|dates| dates.expires_at <= now)
    }
}

/// Makes the text that both keys sign: lines that cannot run into each other, since no field holds a line break.
fn statement(
    (address, fingerprint, certificate): (Address, &str, &[u8]),
    peers: &[String],
    dates: Option<CardDates>,
    token: Option<PushToken>,
) -> Vec<u8> {
    let version = 1 + u8::from(dates.is_some());
    let hash = hex::encode(Sha256::digest(certificate));
    let mut text = format!(
        "pcim contact card {version}\naddress {address:#x}\ncertificate {fingerprint} sha256 {hash}\n"
    );
    if let Some(CardDates {
        issued_at,
        expires_at,
    }) = dates
    {
        text.push_str(&format!("issued {issued_at}\nexpires {expires_at}\n"));
    }
    if let Some(token) = token {
        text.push_str(&format!("token {}\n", hex::encode(token.0)));
    }
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
        let terms = CardTerms {
            token: Some(PushToken::random()),
            ..CardTerms::from(peers)
        };
        Card::issue(&account, &key, terms).unwrap()
    }

    #[test]
    fn a_card_reads_back() {
        let document = document();
        let card = Card::read(&serde_json::to_vec(&document).unwrap()).unwrap();
        assert_eq!(card.address, document.address);
        assert_eq!(card.peers, document.peers);
        let dates = card.dates.unwrap();
        assert_eq!(Some(dates.issued_at), document.issued_at);
        assert_eq!(card.token, document.token);
        assert!(!card.is_expired(dates.expires_at - 1) && card.is_expired(dates.expires_at));
    }

    #[test]
    fn a_card_without_dates_is_of_version_1() {
        let home = include_bytes!("../../../tests/fixtures/home-v1/home.card");
        let card = Card::read(home).unwrap();
        assert!(card.dates.is_none() && card.token.is_none() && !card.is_expired(u64::MAX));
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
        bad.version = 3;
        assert!(matches!(
            Card::verify(&bad),
            Err(Error::Version { found: 3 })
        ));
        let mut bad = good.clone();
        bad.version = 1;
        assert!(matches!(Card::verify(&bad), Err(Error::Field { .. })));
        (bad.issued_at, bad.expires_at, bad.token) = (None, None, None);
        assert!(matches!(Card::verify(&bad), Err(Error::OpenPgp(_))));
        let mut bad = good.clone();
        bad.expires_at = bad.expires_at.map(|it| it + 1);
        assert!(matches!(Card::verify(&bad), Err(Error::OpenPgp(_))));
        let mut bad = good.clone();
        bad.token = None;
        assert!(matches!(Card::verify(&bad), Err(Error::OpenPgp(_))));
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
                let said = (card.dates.map(|it| it.expires_at), card.token);
                assert_eq!(said, (document.expires_at, document.token), "{round}");
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
