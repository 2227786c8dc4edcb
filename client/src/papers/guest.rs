//! Links for guests, who open one image without a home (format.md §13.19).
//!
//! A guest's keys are sealed under a secret that is made of two halves: one stands in the link, the other is with the host, who gives it for
//! the PIN, a few tries long, and only while the chain authorizes the guest. The link names the host's node; everything else the host tells.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hkdf::Hkdf;
use rand::RngCore;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::home::Keys;
use crate::papers::network::{NetworkFile, is_node};
use pcim_core::ImageDigest;
use pcim_core::date::time;
use pcim_core::hint::{Hint, Hints};

/// Bytes of a half, and of what a link is known by.
pub const HALF: usize = 32;
/// Bytes of a link's name.
pub const NAME: usize = 16;
/// Digits of a PIN.
pub const PIN: usize = 6;
/// Most bytes of a link.
pub const MAX_LINK: usize = 4096;
/// Most bytes of a question.
pub const MAX_QUESTION: usize = 1024;
/// Most bytes of an answer: sealed keys and a network file.
pub const MAX_ANSWER: usize = 256 * 1024;
/// Most nodes that a link names.
const MAX_AT: usize = 4;
/// The beginning of every link.
const SCHEME: &str = "pcim-guest:";
/// Bytes of a nonce.
const NONCE: usize = 24;
/// What sealed keys are bound to.
const CONTEXT: &[u8] = b"pcim guest 1";

/// Why an image was not shared with a guest, or not opened by one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that is no link.
    #[error("not a link for a guest")]
    Link,
    /// A PIN that is none.
    #[error("a PIN has {PIN} digits")]
    Pin,
    /// The home is set up without a network file, which a guest needs.
    #[error("this home has joined no network, and a guest needs its file")]
    NoNetwork,
    /// The host's node did not answer.
    #[error("the host's node does not answer: {}", reasons.join("; "))]
    Silent {
        /// Of each of its addresses, why.
        reasons: Vec<String>,
    },
    /// The host refuses.
    #[error("{0}")]
    Refused(GuestRefusal),
    /// Keys that do not open with this link.
    #[error("the host's answer does not belong to this link")]
    Strange,
    /// The relay refused the guest's request.
    #[error("the guest's request was not relayed: {reason}")]
    NotRelayed {
        /// The relay's reason.
        reason: String,
    },
}

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Link => "copy the whole link, in quotation marks; it begins with `pcim-guest:`",
            Self::Pin => {
                "ask the one who shared the image for the PIN, by another channel than the link's"
            }
            Self::NoNetwork => "pcim network join FILE",
            Self::Silent { .. } => {
                "ask the one who shared the image to let `pcim node` run, at an address that you can reach"
            }
            Self::Refused(GuestRefusal::Pin { .. }) => "ask for the PIN again",
            Self::Refused(GuestRefusal::Later) | Self::NotRelayed { .. } => "try again later",
            Self::Refused(_) | Self::Strange => "ask the one who shared the image for another link",
        };
        vec![hint.into()]
    }
}

/// A link; its half of the secret is never printed but by [`Link::text`].
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Link {
    /// Its name at the host.
    #[zeroize(skip)]
    pub name: [u8; NAME],
    /// Multiaddrs of the host's node.
    #[zeroize(skip)]
    pub at: Vec<String>,
    half: [u8; HALF],
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link(…)")
    }
}

/// A guest's question.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestQuestion {
    #[serde(rename = "pcim-guest-question")]
    version: u32,
    /// The link's name, hex.
    #[serde(with = "alloy_primitives::hex::serde")]
    pub name: [u8; NAME],
    /// The PIN.
    pub pin: String,
}

/// The host's answer.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", deny_unknown_fields)]
pub enum GuestAnswer {
    /// Here is the rest.
    Given(Box<GivenToGuest>),
    /// No.
    Refused(GuestRefusal),
}

/// The rest of what opens the image.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenToGuest {
    /// The host's half.
    #[serde(with = "alloy_primitives::hex::serde")]
    pub half: [u8; HALF],
    /// The guest's keys, sealed.
    #[serde(with = "alloy_primitives::hex::serde")]
    pub keys: Vec<u8>,
    /// The image.
    pub image: ImageDigest,
    /// The network.
    pub network: NetworkFile,
}

/// Why a host refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "why", deny_unknown_fields)]
pub enum GuestRefusal {
    /// No such link.
    #[error("the host knows no such link, or no longer")]
    Unknown,
    /// Another PIN.
    #[error("the PIN is wrong; {left} tries are left")]
    Pin {
        /// How many more wrong ones are taken.
        left: u32,
    },
    /// Too many wrong ones.
    #[error("the PIN was wrong too often: the link opens nothing any more")]
    Locked,
    /// Its time is over.
    #[error("the link expired at {}", time(*at))]
    Expired {
        /// Unix seconds.
        at: u64,
    },
    /// The access was taken back.
    #[error("the access was revoked")]
    Revoked,
    /// The host cannot ask the chain now.
    #[error("the host cannot look at the chain now")]
    Later,
}

impl Link {
    /// Draws a link to a node.
    #[must_use]
    pub fn random(at: &[String]) -> Self {
        let (mut name, mut half) = ([0; NAME], [0; HALF]);
        rand::rng().fill_bytes(&mut name);
        rand::rng().fill_bytes(&mut half);
        Self {
            name,
            at: at.iter().take(MAX_AT).cloned().collect(),
            half,
        }
    }

    /// Writes the link: who has it and the PIN opens the image.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(MAX_LINK));
        text.push_str(SCHEME);
        text.push_str(&hex::encode(self.name));
        for at in &self.at {
            text.push('@');
            text.push_str(at);
        }
        text.push('#');
        text.push_str(&Zeroizing::new(hex::encode(self.half)));
        text
    }

    /// Reads a link.
    ///
    /// # Errors
    /// [`Error::Link`], which quotes nothing.
    pub fn read(text: &str) -> Result<Self, Error> {
        let parse = || {
            let text = text
                .trim()
                .strip_prefix(SCHEME)
                .filter(|_| text.len() <= MAX_LINK)?;
            let (open, half) = text.split_once('#')?;
            let mut parts = open.split('@');
            let mut link = Self {
                name: [0; NAME],
                at: Vec::new(),
                half: [0; HALF],
            };
            hex::decode_to_slice(parts.next()?, &mut link.name).ok()?;
            hex::decode_to_slice(half, &mut link.half).ok()?;
            link.at = parts.map(str::to_owned).collect();
            let good =
                (1..=MAX_AT).contains(&link.at.len()) && link.at.iter().all(|at| is_node(at));
            good.then_some(link)
        };
        parse().ok_or(Error::Link)
    }

    /// Makes the question with a PIN.
    ///
    /// # Errors
    /// [`Error::Pin`]
    pub fn question(&self, pin: &str) -> Result<GuestQuestion, Error> {
        match is_pin(pin) {
            true => Ok(GuestQuestion {
                version: 1,
                name: self.name,
                pin: pin.to_owned(),
            }),
            false => Err(Error::Pin),
        }
    }

    /// Seals a guest's keys under both halves.
    ///
    /// # Errors
    /// [`Error::Strange`] if the cipher fails, which it does not.
    pub fn seal(&self, host: &[u8; HALF], keys: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: keys,
            aad: CONTEXT,
        };
        let sealed = self.cipher(host).encrypt(&nonce.into(), payload);
        let sealed = sealed.map_err(|_| Error::Strange)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// Opens the keys that a host gave.
    ///
    /// # Errors
    /// [`Error::Strange`]
    pub fn open(&self, given: &GivenToGuest) -> Result<Keys, Error> {
        let parts = given.keys.split_first_chunk::<NONCE>();
        let (nonce, sealed) = parts.ok_or(Error::Strange)?;
        let payload = Payload {
            msg: sealed,
            aad: CONTEXT,
        };
        let opened = self.cipher(&given.half).decrypt(nonce.into(), payload);
        let opened = Zeroizing::new(opened.map_err(|_| Error::Strange)?);
        Keys::from_exposed(&opened).ok_or(Error::Strange)
    }

    fn cipher(&self, host: &[u8; HALF]) -> XChaCha20Poly1305 {
        let mut halves = Zeroizing::new([0; 2 * HALF]);
        halves[..HALF].copy_from_slice(&self.half);
        halves[HALF..].copy_from_slice(host);
        let mut key = Zeroizing::new([0; 32]);
        let derived = Hkdf::<Sha256>::new(None, halves.as_ref()).expand(CONTEXT, key.as_mut());
        derived.expect("32 bytes are a length of HKDF");
        XChaCha20Poly1305::new((&*key).into())
    }
}

/// Draws a PIN.
#[must_use]
pub fn random_pin() -> Zeroizing<String> {
    Zeroizing::new(format!("{:06}", rand::random_range(0..1_000_000)))
}

/// Says whether a text is a PIN.
pub fn is_pin(text: &str) -> bool {
    text.len() == PIN && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl GuestQuestion {
    /// Reads a question; `None` if it is none of version 1.
    #[must_use]
    pub fn read(json: &[u8]) -> Option<Self> {
        let within = json.len() <= MAX_QUESTION;
        let question: Self = within.then(|| serde_json::from_slice(json).ok())??;
        (question.version == 1 && is_pin(&question.pin)).then_some(question)
    }

    /// Writes the question.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl GuestAnswer {
    /// Reads an answer; `None` if it is none. The network file is of good form; who signed it is still to be verified.
    #[must_use]
    pub fn read(json: &[u8]) -> Option<Self> {
        let within = json.len() <= MAX_ANSWER;
        let answer: Self = within.then(|| serde_json::from_slice(json).ok())??;
        match &answer {
            Self::Given(given) if given.network.check().is_err() => None,
            _ => Some(answer),
        }
    }

    /// Writes the answer.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pcim_core::chance::{Numbers, mutations};
    use pcim_ledger::Account;
    use pcim_seal::{KeyKind, UnlockedKey};

    use super::*;
    use crate::papers::network::NetworkFile;

    fn at() -> Vec<String> {
        vec!["/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWtest".to_owned()]
    }

    #[test]
    fn both_halves_open_the_keys_and_one_alone_does_not() {
        let keys = Keys {
            account: Account::generate(),
            openpgp: UnlockedKey::generate(KeyKind::default(), None)
                .unwrap()
                .into(),
        };
        let link = Link::random(&at());
        let text = link.text();
        assert_eq!(Link::read(&format!(" {}\n", *text)).unwrap(), link);
        let host = [7; HALF];
        let file = NetworkFile::new(
            "clinic".to_owned(),
            1,
            (Account::generate().address(), [1; 32].into()),
            keys.account.address(),
        );
        let mut given = GivenToGuest {
            half: host,
            keys: link.seal(&host, &keys.expose().unwrap()).unwrap(),
            image: ImageDigest([1; 32]),
            network: file,
        };
        let opened = link.open(&given).unwrap();
        assert_eq!(opened.account.address(), keys.account.address());
        assert!(Link::random(&at()).open(&given).is_err());
        let answer = GuestAnswer::Given(given.clone().into()).to_bytes();
        assert!(matches!(
            GuestAnswer::read(&answer),
            Some(GuestAnswer::Given(_))
        ));
        given.half = [8; HALF];
        assert!(link.open(&given).is_err());

        for bad in ["", "1234567", "12345", "12345a", "１２３４５６"] {
            assert!(link.question(bad).is_err(), "{bad}");
        }
        let pin = random_pin();
        let question = link.question(&pin).unwrap();
        assert!(GuestQuestion::read(&question.to_bytes()) == Some(question));
        let none = Link::random(&[]).text();
        for bad in [
            "pcim-guest:",
            "https://x",
            &text[..text.len() - 1],
            none.as_str(),
        ] {
            assert!(Link::read(bad).is_err(), "{bad}");
        }
    }

    /// Mutated links, questions and answers are read as what they say when they are written again, or not at all.
    #[test]
    fn mutated_papers_of_guests_are_read_or_refused() {
        let link = Link::random(&at());
        let text = link.text();
        let question = link.question("123456").unwrap().to_bytes();
        let answer = GuestAnswer::Refused(GuestRefusal::Pin { left: 4 }).to_bytes();
        let mut numbers = Numbers(19);
        for _ in 0..mutations() {
            let bytes = numbers.mutated(text.as_bytes());
            if let Ok(read) = std::str::from_utf8(&bytes)
                .map_err(|_| Error::Link)
                .and_then(Link::read)
            {
                assert_eq!(Link::read(&read.text()).unwrap(), read);
            }
            if let Some(read) = GuestQuestion::read(&numbers.mutated(&question)) {
                assert!(GuestQuestion::read(&read.to_bytes()) == Some(read));
            }
            if let Some(read) = GuestAnswer::read(&numbers.mutated(&answer)) {
                let again = GuestAnswer::read(&read.to_bytes()).unwrap();
                assert_eq!(again.to_bytes(), read.to_bytes());
            }
        }
    }
}
