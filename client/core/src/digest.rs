//! Digests that name content: how the chain and IPFS name the same thing.

use std::fmt;
use std::str::FromStr;

use alloy_primitives::B256;
use cid::Cid;
use cid::multihash::Multihash;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Multicodec of a dag-pb node.
const DAG_PB: u64 = 0x70;
/// Multicodec of a raw block.
const RAW: u64 = 0x55;
/// Multihash code of sha2-256.
const SHA2_256: u64 = 0x12;
/// No digest's text is longer, whatever the base.
const TEXT_MAX: usize = 128;

/// The reason why a text is not a value of the protocol.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Neither hex, CIDv0 nor CIDv1 of the wanted codec and hash.
    #[error("`{found}` is not {wanted}")]
    Digest {
        /// The forms that would have been accepted.
        wanted: &'static str,
        /// The text that was given, cut to 128 characters.
        found: String,
    },
}

/// The sha2-256 digest of a dag-pb root CID: how the chain names an image (a sealed root).
///
/// Reads `0x` + 64 hex digits, CIDv0 (`Qm…`) or CIDv1 (`bafybei…`, dag-pb, sha2-256); displays as CIDv1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageDigest(pub [u8; 32]);

/// The sha2-256 digest of a raw block's CID: how the chain names a published certificate.
///
/// Reads `0x` + 64 hex digits or CIDv1 (`bafkrei…`, raw, sha2-256); displays as CIDv1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockDigest(pub [u8; 32]);

/// The SHA-256 of the radiologist's OpenPGP signature packet inside a sealed image (format.md §4.6).
///
/// Reads and displays as `0x` + 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seal(pub [u8; 32]);

impl fmt::Display for ImageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Cid::new_v1(DAG_PB, multihash(self.0)).fmt(f)
    }
}

impl fmt::Display for BlockDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Cid::new_v1(RAW, multihash(self.0)).fmt(f)
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl FromStr for ImageDigest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_hex(text)
            .or_else(|| parse_cid(text, DAG_PB))
            .map(Self)
            .ok_or_else(|| {
                refuse(
                    "an image: 0x and 64 hex digits, or a sha2-256 dag-pb CID (Qm…, bafybei…)",
                    text,
                )
            })
    }
}

impl FromStr for BlockDigest {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_hex(text)
            .or_else(|| parse_cid(text, RAW))
            .map(Self)
            .ok_or_else(|| {
                refuse(
                    "a block: 0x and 64 hex digits, or a sha2-256 raw CID (bafkrei…)",
                    text,
                )
            })
    }
}

impl FromStr for Seal {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_hex(text)
            .map(Self)
            .ok_or_else(|| refuse("a seal: 0x and 64 hex digits", text))
    }
}

fn multihash(digest: [u8; 32]) -> Multihash<64> {
    Multihash::wrap(SHA2_256, &digest).expect("32 bytes fit into a multihash of 64")
}

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text.strip_prefix("0x")?, &mut digest).ok()?;
    Some(digest)
}

/// Reads a CID of the wanted codec and hash in its one canonical spelling: no path, scheme, other base or trailing bytes.
fn parse_cid(text: &str, codec: u64) -> Option<[u8; 32]> {
    if text.len() > TEXT_MAX {
        return None;
    }
    let cid = Cid::try_from(text).ok()?;
    let wanted = cid.codec() == codec && cid.hash().code() == SHA2_256 && cid.to_string() == text;
    cid.hash().digest().try_into().ok().filter(|_| wanted)
}

fn refuse(wanted: &'static str, text: &str) -> ParseError {
    ParseError::Digest {
        wanted,
        found: text.chars().take(TEXT_MAX).collect(),
    }
}

macro_rules! digest {
    ($t:ty) => {
        impl $t {
            /// Returns the digest as the chain's `bytes32`.
            pub fn to_b256(&self) -> B256 {
                B256::from(self.0)
            }
        }
        impl From<B256> for $t {
            fn from(word: B256) -> Self {
                Self(word.0)
            }
        }
        impl From<$t> for B256 {
            fn from(digest: $t) -> Self {
                digest.to_b256()
            }
        }
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl Serialize for $t {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(de::Error::custom)
            }
        }
    };
}
digest!(ImageDigest);
digest!(BlockDigest);
digest!(Seal);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // The well-known empty UnixFS directory and the raw block of no bytes.
    const EMPTY_DIR_V0: &str = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
    const EMPTY_DIR_V1: &str = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
    const EMPTY_RAW: &str = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    #[test]
    fn an_image_reads_every_name_of_the_same_root() {
        let image: ImageDigest = EMPTY_DIR_V0.parse().unwrap();
        assert_eq!(image.to_string(), EMPTY_DIR_V1);
        assert_eq!(EMPTY_DIR_V1.parse::<ImageDigest>().unwrap(), image);
        assert_eq!(
            image.to_b256().to_string().parse::<ImageDigest>().unwrap(),
            image
        );
        assert_eq!(ImageDigest::from(image.to_b256()), image);
    }

    #[test]
    fn a_block_is_the_digest_of_its_bytes() {
        let block: BlockDigest = EMPTY_RAW.parse().unwrap();
        assert_eq!(
            hex::encode(block.0),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(block.to_string(), EMPTY_RAW);
    }

    #[test]
    fn the_wrong_codec_hash_length_or_wrapping_is_refused() {
        let hex = format!("0x{}", "ab".repeat(32));
        let sha2_512 = Cid::new_v1(DAG_PB, Multihash::wrap(0x13, &[7; 64]).unwrap()).to_string();
        let short = Cid::new_v1(DAG_PB, Multihash::wrap(SHA2_256, &[7; 20]).unwrap()).to_string();
        for text in [
            EMPTY_RAW,
            &sha2_512,
            &short,
            &hex[2..],
            &hex[..64],
            &format!("{hex}00"),
            &format!("/ipfs/{EMPTY_DIR_V1}"),
            &format!(" {EMPTY_DIR_V1}"),
            &EMPTY_DIR_V1[..40],
            &format!("{EMPTY_DIR_V1}aaaaaaaa"),
            &"b".repeat(100_000),
            "",
        ] {
            let error = text.parse::<ImageDigest>().unwrap_err().to_string();
            assert!(error.len() < 400, "{error}");
        }
        assert!(EMPTY_DIR_V0.parse::<BlockDigest>().is_err());
        assert!(EMPTY_DIR_V1.parse::<BlockDigest>().is_err());
        assert!(EMPTY_DIR_V1.parse::<Seal>().is_err());
        assert_eq!(hex.parse::<Seal>().unwrap().to_string(), hex);
    }

    #[test]
    fn json_holds_the_text() {
        let image: ImageDigest = EMPTY_DIR_V0.parse().unwrap();
        let json = serde_json::to_string(&(image, Seal([1; 32]))).unwrap();
        assert_eq!(
            json,
            format!("[\"{EMPTY_DIR_V1}\",\"0x{}\"]", "01".repeat(32))
        );
        let back: (ImageDigest, Seal) = serde_json::from_str(&json).unwrap();
        assert_eq!(back, (image, Seal([1; 32])));
        assert!(serde_json::from_str::<ImageDigest>(&format!("\"{EMPTY_RAW}\"")).is_err());
    }
}
