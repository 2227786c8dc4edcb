//! Invitations by code: eight words by which two people who know nothing of each other exchange cards (format.md §13.16).
//!
//! From the words come two mailboxes, which nobody finds without them, and a key for what lies in each: the inviter's offer, with
//! card and network file, and the answers of those who have the words. Followers see addresses and ciphertext.

use bip39::Language;
use chacha20poly1305::aead::Aead;
use chacha20poly1305::aead::Payload;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use rand::RngCore;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::papers::card::{Card, CardDocument};
use crate::papers::mail::SIZES;
use crate::papers::network::{NetworkFile, is_node};
use pcim_core::Address;
use pcim_ledger::Account;

/// How many words.
pub const WORDS: usize = 8;
/// Bytes of what the words stand for: 88 bits.
const ENTROPY: usize = 11;
/// Bits of a word.
const BITS: usize = 11;
/// The beginning of every sealed part of an invitation.
pub const MAGIC: &[u8; 18] = b"pcim invitation 1\n";
/// Bytes of a nonce.
const NONCE: usize = 24;
/// The beginning of an invitation's text.
const SCHEME: &str = "pcim:";
/// Most followers that a text names.
const MAX_AT: usize = 2;
/// Most bytes of a text that is read.
const MAX_TEXT: usize = 4096;

/// Why an invitation is not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another number of words.
    #[error("{found} words; an invitation has {WORDS}")]
    Count {
        /// How many.
        found: usize,
    },
    /// A word that is not on the list.
    #[error("word {number} is not on the list")]
    Unknown {
        /// Which one, from 1.
        number: usize,
    },
    /// A text that names something else than followers, or too many.
    #[error("the invitation's text names what is no follower's address")]
    Place,
    /// It was not sealed with these words.
    #[error("it was not made with these words")]
    Words,
    /// Not the JSON that was wanted.
    #[error("not an invitation: {0}")]
    Format(#[from] serde_json::Error),
    /// A later format.
    #[error("an invitation of version {found}; this program reads version 1")]
    Version {
        /// Its version.
        found: u32,
    },
    /// The card in it.
    #[error("the invitation's card: {0}")]
    Card(#[from] crate::papers::card::Error),
    /// Card and network file together have no room.
    #[error("{found} bytes of card and network file; an invitation has room for {max}")]
    TooLarge {
        /// Their length in bytes.
        found: usize,
        /// The most.
        max: usize,
    },
}

/// The bits that the words stand for. Never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; ENTROPY]);

/// The two parts of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The inviter's.
    Offer,
    /// The other side's.
    Answer,
}

/// The inviter's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    #[serde(rename = "pcim-offer")]
    version: u32,
    /// When it was made, unix seconds.
    pub issued_at: u64,
    /// Until when it is answered, unix seconds.
    pub expires_at: u64,
    /// The inviter's card; `None` once it was answered.
    pub card: Option<CardDocument>,
    /// The inviter's network.
    pub network: Option<NetworkFile>,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    #[serde(rename = "pcim-answer")]
    version: u32,
    /// The card of who answers.
    pub card: CardDocument,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

impl Offer {
    /// Makes an offer that ends at `expires_at`.
    pub fn new(
        (issued_at, expires_at): (u64, u64),
        card: CardDocument,
        network: Option<NetworkFile>,
    ) -> Self {
        Self {
            version: 1,
            issued_at,
            expires_at,
            card: Some(card),
            network,
        }
    }

    /// Makes what stands in the offer's place once it was answered.
    pub fn answered(issued_at: u64, expires_at: u64) -> Self {
        Self {
            version: 1,
            issued_at,
            expires_at,
            card: None,
            network: None,
        }
    }
}

impl Answer {
    /// Makes an answer.
    pub fn new(card: CardDocument) -> Self {
        Self { version: 1, card }
    }
}

/// A part, in its version.
pub trait Sealed: Serialize + DeserializeOwned {
    /// Which it is.
    const PART: Part;

    /// Returns the version that it says.
    fn version(&self) -> u32;
}

impl Sealed for Offer {
    const PART: Part = Part::Offer;

    fn version(&self) -> u32 {
        self.version
    }
}

impl Sealed for Answer {
    const PART: Part = Part::Answer;

    fn version(&self) -> u32 {
        self.version
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Answer => "answer",
        }
    }
}

impl Code {
    /// Draws a code.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; ENTROPY];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Returns the eight words, joined by spaces.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        let list = Language::English.word_list();
        let mut text = Zeroizing::new(String::with_capacity(9 * WORDS));
        for at in 0..WORDS {
            let bits = (at * BITS..(at + 1) * BITS).fold(0, |index, bit| {
                index << 1 | usize::from(self.0[bit / 8] >> (7 - bit % 8) & 1)
            });
            if at > 0 {
                text.push(' ');
            }
            text.push_str(list[bits]);
        }
        text
    }

    /// Returns the text that a QR code holds: the words, and where the followers are.
    #[must_use]
    pub fn text(&self, followers: &[String]) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT));
        text.push_str(SCHEME);
        text.push_str(&self.words().replace(' ', "-"));
        for at in followers.iter().take(MAX_AT) {
            text.push('@');
            text.push_str(at);
        }
        text
    }

    /// Reads eight words, in any case, divided by white space or `-`, or an invitation's text; tells also the followers that
    /// it names.
    ///
    /// # Errors
    /// [`Error::Count`], [`Error::Unknown`], [`Error::Place`]; none quotes the words.
    pub fn read(text: &str) -> Result<(Self, Vec<String>), Error> {
        if text.len() > MAX_TEXT {
            return Err(Error::Place);
        }
        let text = text.trim();
        let text = text.strip_prefix(SCHEME).unwrap_or(text);
        let mut parts = text.split('@');
        let words = Zeroizing::new(parts.next().unwrap_or_default().to_ascii_lowercase());
        let followers: Vec<String> = parts.map(str::to_owned).collect();
        if followers.len() > MAX_AT || !followers.iter().all(|at| is_node(at)) {
            return Err(Error::Place);
        }
        let words = words
            .split(|c: char| c.is_ascii_whitespace() || c == '-')
            .filter(|word| !word.is_empty());
        let found = words.clone().count();
        if found != WORDS {
            return Err(Error::Count { found });
        }
        let list = Language::English.word_list();
        let mut code = Self([0; ENTROPY]);
        for (at, word) in words.enumerate() {
            let index = list.iter().position(|listed| *listed == word);
            let index = index.ok_or(Error::Unknown { number: at + 1 })?;
            for bit in 0..BITS {
                let place = at * BITS + bit;
                let set = (index >> (BITS - 1 - bit) & 1) as u8;
                code.0[place / 8] |= set << (7 - place % 8);
            }
        }
        Ok((code, followers))
    }

    /// Returns the account whose mailbox holds a part.
    ///
    /// # Errors
    /// [`pcim_ledger::Error::Key`] for one code in 2^128.
    pub fn account(&self, part: Part) -> pcim_ledger::Result<Account> {
        Account::from_private_key(&self.derive("box", part))
    }

    /// Seals a part; filled up to one of a few sizes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Format`]
    pub fn seal<S: Sealed>(&self, part: &S) -> Result<Vec<u8>, Error> {
        let mut plain = serde_json::to_vec(part)?;
        let [.., max] = SIZES;
        let size = SIZES.into_iter().find(|size| *size >= plain.len());
        let found = plain.len();
        // White space at the end is JSON's.
        plain.resize(size.ok_or(Error::TooLarge { found, max })?, b' ');
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: &plain,
            aad: MAGIC,
        };
        let sealed = self.cipher(S::PART).encrypt(&nonce.into(), payload);
        let sealed = sealed.map_err(|_| Error::TooLarge { found, max })?;
        Ok([&MAGIC[..], &nonce, &sealed].concat())
    }

    /// Opens a part.
    ///
    /// # Errors
    /// [`Error::Words`] if it was sealed with other words or changed, [`Error::Format`], [`Error::Version`]
    pub fn open<S: Sealed>(&self, sealed: &[u8]) -> Result<S, Error> {
        let rest = sealed.strip_prefix(&MAGIC[..]).ok_or(Error::Words)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or(Error::Words)?;
        let payload = Payload {
            msg: rest,
            aad: MAGIC,
        };
        let plain = self.cipher(S::PART).decrypt(&(*nonce).into(), payload);
        let part: S = serde_json::from_slice(&plain.map_err(|_| Error::Words)?)?;
        match part.version() {
            1 => Ok(part),
            found => Err(Error::Version { found }),
        }
    }

    fn cipher(&self, part: Part) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.derive("key", part)).into())
    }

    fn derive(&self, use_of: &str, part: Part) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        let info = format!("pcim invitation 1 {} {use_of}", part.name());
        Hkdf::<Sha256>::new(None, &self.0)
            .expand(info.as_bytes(), out.as_mut())
            .expect("32 bytes are few");
        out
    }

    /// Returns the bytes, to be kept encrypted.
    #[must_use]
    pub fn expose(&self) -> &[u8; ENTROPY] {
        &self.0
    }

    /// Takes bytes that were kept.
    #[must_use]
    pub fn new(bytes: [u8; ENTROPY]) -> Self {
        Self(bytes)
    }
}

/// Says whether bytes have the form of a part of an invitation.
pub fn is_part(bytes: &[u8]) -> bool {
    let sizes = SIZES.map(|size| MAGIC.len() + NONCE + size + 16);
    bytes.starts_with(MAGIC) && sizes.contains(&bytes.len())
}

/// Verifies the card of a part.
///
/// # Errors
/// [`Error::Card`]
pub fn card_of(document: &CardDocument) -> Result<Card, Error> {
    Ok(Card::verify(document)?)
}

/// Tells the owner of the mailbox that holds a part.
///
/// # Errors
/// Those of [`Code::account`].
pub fn mailbox(code: &Code, part: Part) -> pcim_ledger::Result<Address> {
    Ok(code.account(part)?.address())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::papers::card::tests::actor;
    use pcim_core::chance::{Numbers, mutations};

    const AT: &str = "/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest";

    fn answer() -> Answer {
        let (account, key) = actor();
        Answer::new(Card::issue(&account, &key, Vec::new()).unwrap())
    }

    #[test]
    fn eight_words_are_88_bits_and_read_back() {
        let zero = Code::new([0; ENTROPY]);
        assert_eq!(*zero.words(), ["abandon"; 8].join(" "));
        let ones = Code::new([0xff; ENTROPY]);
        assert_eq!(*ones.words(), ["zoo"; 8].join(" "));
        for _ in 0..50 {
            let code = Code::random();
            let words = code.words();
            for text in [
                words.to_uppercase(),
                words.replace(' ', "-"),
                words.replace(' ', "\n "),
            ] {
                let (read, followers) = Code::read(&text).unwrap();
                assert_eq!((read.expose(), followers.len()), (code.expose(), 0));
            }
            let text = code.text(&[AT.to_owned(), AT.to_owned()]);
            let (read, followers) = Code::read(&text).unwrap();
            assert_eq!(
                (read.expose(), &followers[..]),
                (code.expose(), &[AT, AT].map(str::to_owned)[..])
            );
        }
    }

    #[test]
    fn a_wrong_text_is_refused_and_not_quoted() {
        let refused = |text: &str| Code::read(text).unwrap_err().to_string();
        assert_eq!(refused("abandon zoo"), "2 words; an invitation has 8");
        let eighth = format!("{} zooo", ["zoo"; 7].join(" "));
        assert_eq!(refused(&eighth), "word 8 is not on the list");
        let good = ["zoo"; 8].join("-");
        for at in ["http://x.example", "", "/ip4/192.0.2.1/tcp/1"] {
            assert!(
                matches!(Code::read(&format!("{good}@{at}")), Err(Error::Place)),
                "{at}"
            );
        }
        let many = format!("{good}{}", format!("@{AT}").repeat(3));
        assert!(matches!(Code::read(&many), Err(Error::Place)));
        assert!(matches!(
            Code::read(&"x".repeat(MAX_TEXT + 1)),
            Err(Error::Place)
        ));
    }

    #[test]
    fn a_part_opens_with_its_words_alone_and_as_what_it_is() {
        let (code, other) = (Code::random(), Code::random());
        let answer = answer();
        let sealed = code.seal(&answer).unwrap();
        assert!(is_part(&sealed) && !is_part(&sealed[1..]) && !is_part(MAGIC));
        let opened: Answer = code.open(&sealed).unwrap();
        assert_eq!(opened.card, answer.card);
        assert!(matches!(other.open::<Answer>(&sealed), Err(Error::Words)));
        assert!(matches!(code.open::<Offer>(&sealed), Err(Error::Words)));
        assert_ne!(
            mailbox(&code, Part::Offer).unwrap(),
            mailbox(&code, Part::Answer).unwrap()
        );
        let over: Offer = code
            .open(&code.seal(&Offer::answered(1, 2)).unwrap())
            .unwrap();
        assert!(over.card.is_none());
        let hex = hex::encode(&sealed);
        assert!(!hex.contains(&hex::encode(b"pcim-answer")));
    }

    #[test]
    fn mutated_parts_and_words_are_refused() {
        let code = Code::random();
        let good = code.seal(&answer()).unwrap();
        let mut numbers = Numbers(0x5eed_2063);
        for _ in 0..mutations() {
            let bytes = numbers.mutated(&good);
            assert!(bytes == good || code.open::<Answer>(&bytes).is_err());
            let text = numbers.mutated(code.text(&[AT.to_owned()]).as_bytes());
            if let Ok((read, followers)) = Code::read(&String::from_utf8_lossy(&text)) {
                assert!(followers.iter().all(|at| is_node(at)));
                assert_eq!(Code::read(&read.words()).unwrap().0.expose(), read.expose());
            }
        }
    }
}
