//! Pseudonyms of UIDs, identifiers and dates under a secret key.
//!
//! Everything of a patient follows from the pseudonym of the Patient ID. UIDs and identifiers carry a tag of the key, by
//! which they are known again: a file that went through once does not change when it goes through again.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The root of every UID that the standard itself defines: SOP classes, transfer syntaxes, well-known frames of reference.
const STANDARD_ROOT: &str = "1.2.840.10008.";
/// RFC 4648 base 32: capital letters and digits, valid in every text VR.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Bytes of a Patient ID's pseudonym, 26 characters: 80 bits stand for the ID, 48 are the tag.
const PATIENT_BYTES: usize = 16;
const PATIENT_TAG: usize = 6;
/// Bytes of another identifier's, 16 characters, the most that an SH holds: 56 bits and 24.
const SHORT_BYTES: usize = 10;
const SHORT_TAG: usize = 3;
/// Bytes of the tag in a UID; 82 bits stand for the UID.
const UID_TAG: usize = 5;

/// Dates move back by at least this many days …
const SHIFT_MIN: u64 = 31;
/// … and by fewer than this many more: some twenty years.
const SHIFT_SPAN: u64 = 7300;

/// The pseudonyms of one patient.
pub(super) struct Pseudonyms {
    key: Zeroizing<[u8; 32]>,
    patient: Option<String>,
    /// Whether the Patient ID is a pseudonym of this key already.
    again: bool,
}

impl Pseudonyms {
    /// Those of the patient with this ID; an issuer sets the same ID of two hospitals apart.
    pub(super) fn new(master: &[u8; 32], patient_id: Option<&[u8]>, issuer: &[u8]) -> Self {
        let again = patient_id.is_some_and(|id| verifies::<PATIENT_TAG>(master, id, PATIENT_BYTES));
        let patient = patient_id.map(|id| match again {
            true => String::from_utf8_lossy(id).into_owned(),
            false => {
                let length = (id.len() as u64).to_be_bytes();
                let input = [b"patient id".as_slice(), &length, id, issuer].concat();
                pseudonym::<PATIENT_TAG>(master, &input, PATIENT_BYTES)
            }
        });
        let whose = match &patient {
            Some(pseudonym) => ["patient ", pseudonym].concat(),
            None => "no patient".to_owned(),
        };
        Self {
            key: Zeroizing::new(hmac_sha256(master, whose.as_bytes())),
            patient,
            again,
        }
    }

    /// The pseudonym of the Patient ID.
    pub(super) fn patient(&self) -> Option<&str> {
        self.patient.as_deref()
    }

    /// Checks whether the file was de-identified with this key before.
    pub(super) fn again(&self) -> bool {
        self.again
    }

    /// The days by which the patient's dates move; none if it is not known whose they are.
    pub(super) fn shift_days(&self) -> Option<i64> {
        self.patient.as_ref()?;
        let mac = hmac_sha256(&self.key, b"days");
        let number = mac
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        Some(-((SHIFT_MIN + number % SHIFT_SPAN) as i64))
    }

    /// The pseudonym of an identifier: 16 capital letters and digits.
    pub(super) fn identifier(&self, kind: &str, value: &[u8]) -> String {
        if verifies::<SHORT_TAG>(&self.key, value, SHORT_BYTES) {
            return String::from_utf8_lossy(value).into_owned();
        }
        let input = [kind.as_bytes(), b" ", value].concat();
        pseudonym::<SHORT_TAG>(&self.key, &input, SHORT_BYTES)
    }

    /// The pseudonym of a UID: `2.25.` and a UUID in decimal (PS3.5 Annex B.2, UUID version 8). Standard UIDs stay.
    pub(super) fn uid(&self, uid: &str) -> String {
        if uid.starts_with(STANDARD_ROOT) || self.knows(uid) {
            return uid.to_owned();
        }
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&hmac_sha256(&self.key, &[b"uid ", uid.as_bytes()].concat())[..16]);
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        let tag = self.uid_tag(&uuid);
        uuid[16 - UID_TAG..].copy_from_slice(&tag);
        format!("2.25.{}", u128::from_be_bytes(uuid))
    }

    fn knows(&self, uid: &str) -> bool {
        let number = uid.strip_prefix("2.25.").filter(|n| !n.starts_with('0'));
        let Some(uuid) = number.and_then(|n| n.parse::<u128>().ok()) else {
            return false;
        };
        let uuid = uuid.to_be_bytes();
        uuid[6] >> 4 == 8 && uuid[8] >> 6 == 2 && uuid[16 - UID_TAG..] == self.uid_tag(&uuid)
    }

    fn uid_tag(&self, uuid: &[u8; 16]) -> [u8; UID_TAG] {
        tag(&self.key, &uuid[..16 - UID_TAG])
    }
}

/// Checks whether a UID is one of the standard's own.
pub(super) fn is_standard(uid: &str) -> bool {
    uid.starts_with(STANDARD_ROOT)
}

fn pseudonym<const TAG: usize>(key: &[u8; 32], input: &[u8], bytes: usize) -> String {
    let mut out = hmac_sha256(key, input)[..bytes - TAG].to_vec();
    out.extend(tag::<TAG>(key, &out));
    base32(&out)
}

fn verifies<const TAG: usize>(key: &[u8; 32], text: &[u8], bytes: usize) -> bool {
    let Some(value) = from_base32(text).filter(|value| value.len() == bytes) else {
        return false;
    };
    let (name, mark) = value.split_at(bytes - TAG);
    mark == tag::<TAG>(key, name)
}

fn tag<const N: usize>(key: &[u8; 32], name: &[u8]) -> [u8; N] {
    let mac = hmac_sha256(key, &[b"tag ", name].concat());
    let mut tag = [0; N];
    tag.copy_from_slice(&mac[..N]);
    tag
}

fn base32(bytes: &[u8]) -> String {
    let digit = |position: usize| {
        let bit = |n: usize| bytes.get(n / 8).map_or(0, |byte| byte >> (7 - n % 8) & 1);
        let value = (0..5).fold(0, |value, n| value << 1 | bit(5 * position + n));
        char::from(ALPHABET[usize::from(value)])
    };
    (0..(bytes.len() * 8).div_ceil(5)).map(digit).collect()
}

/// None if it is not what [`base32`] makes.
fn from_base32(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() > 64 {
        return None;
    }
    let mut bits = Vec::new();
    for c in text {
        let value = ALPHABET.iter().position(|digit| digit == c)?;
        bits.extend((0..5).rev().map(|n| (value >> n & 1) as u8));
    }
    let bytes: Vec<u8> = bits
        .chunks_exact(8)
        .map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit))
        .collect();
    (base32(&bytes).as_bytes() == text).then_some(bytes)
}

/// HMAC (RFC 2104) for a key shorter than a block.
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let pad = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block
    };
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner);
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn of(key: u8, id: &str) -> Pseudonyms {
        Pseudonyms::new(&[key; 32], Some(id.as_bytes()), b"")
    }

    #[test]
    fn hmac_is_the_standard_one() {
        // RFC 4231 test case 2 has a key of 4 bytes; zeros pad it to 32 without a change of meaning.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(hmac_sha256(&key, b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn pseudonyms_follow_patient_and_key_alone() {
        let (a, b, c) = (of(1, "P1"), of(1, "P2"), of(2, "P1"));
        assert_eq!(a.patient(), of(1, "P1").patient());
        assert_eq!(a.uid("1.2.3"), of(1, "P1").uid("1.2.3"));
        assert_eq!(a.shift_days(), of(1, "P1").shift_days());
        for other in [&b, &c] {
            assert_ne!(a.patient(), other.patient());
            assert_ne!(a.uid("1.2.3"), other.uid("1.2.3"));
            assert_ne!(a.identifier("x", b"1"), other.identifier("x", b"1"));
        }
        assert_ne!(a.identifier("x", b"1"), a.identifier("y", b"1"));
        let issued = Pseudonyms::new(&[1; 32], Some(b"P1"), b"Hospital");
        assert_ne!(a.patient(), issued.patient());
        let nobody = Pseudonyms::new(&[1; 32], None, b"");
        assert_eq!((nobody.patient(), nobody.shift_days()), (None, None));
    }

    #[test]
    fn pseudonyms_are_known_again() {
        let first = of(1, "P1");
        let id = first.patient().unwrap();
        assert_eq!(id.len(), 26);
        let second = of(1, id);
        assert!(second.again() && !first.again());
        assert_eq!(second.patient(), Some(id));
        for n in 0..200 {
            let uid = first.uid(&format!("1.2.{n}"));
            assert!(uid.len() <= 44 && !uid["2.25.".len()..].starts_with('0'));
            assert_eq!(second.uid(&uid), uid);
            assert_ne!(of(2, id).uid(&uid), uid);
            let short = first.identifier("x", format!("{n}").as_bytes());
            assert_eq!(short.len(), 16);
            assert_eq!(second.identifier("y", short.as_bytes()), short);
        }
        assert_eq!(first.uid("1.2.840.10008.1.2.1"), "1.2.840.10008.1.2.1");
        assert!(!of(2, id).again());
        assert!(!of(1, &id.to_lowercase()).again());
    }

    #[test]
    fn shifts_lie_in_their_range() {
        for n in 0..500 {
            let days = of(1, &n.to_string()).shift_days().unwrap();
            assert!((-7331..=-31).contains(&days), "{days}");
        }
    }
}
