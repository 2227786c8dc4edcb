//! Secret bytes as types that do not print and are wiped.

use std::fmt;
use std::io;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Thirty-two secret bytes: zeroized on drop, never printed. In JSON 64 hex digits.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Draws a new secret.
    #[must_use]
    pub fn random() -> Self {
        let mut secret = Self([0; 32]);
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut secret.0);
        secret
    }

    /// Takes the bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes, for a cipher or a derivation and nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = Zeroizing::new([0; 64]);
        hex::encode_to_slice(self.0, &mut *digits).map_err(serde::ser::Error::custom)?;
        let text = std::str::from_utf8(&*digits).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("64 hex digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                let mut secret = Secret([0; 32]);
                // The error must not quote what stands there.
                hex::decode_to_slice(text, &mut secret.0)
                    .map_err(|_| E::custom("wanted 64 hex digits"))?;
                Ok(secret)
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

/// Secret bytes of any length: zeroized on drop, never printed. In JSON hex digits.
#[derive(Clone)]
pub struct SecretBytes(pub Zeroizing<Vec<u8>>);

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut digits = Zeroizing::new(vec![0; 2 * self.0.len()]);
        hex::encode_to_slice(&*self.0, &mut digits).map_err(serde::ser::Error::custom)?;
        let text = std::str::from_utf8(&digits).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits;
        impl de::Visitor<'_> for Digits {
            type Value = SecretBytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("hex digits")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretBytes, E> {
                let mut bytes = Zeroizing::new(vec![0; text.len() / 2]);
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| E::custom("wanted hex digits"))?;
                Ok(SecretBytes(bytes))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

/// Memory that is written to and wiped: also what it outgrows.
#[derive(Default)]
pub struct Wiped(Zeroizing<Vec<u8>>);

impl Wiped {
    /// Returns what was written.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl io::Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = self.0.len() + bytes.len();
        if wanted > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(wanted.max(2 * self.0.capacity())));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Public bytes of a fixed length. In JSON, and shown, as hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Hex<N> {
    /// Draws new bytes.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; N];
        rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
        Self(bytes)
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let mut bytes = [0; N];
        hex::decode_to_slice(text.as_bytes(), &mut bytes)
            .map_err(|_| de::Error::custom(format!("wanted {} hex digits", 2 * N)))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn secrets_are_hex_in_json_and_never_shown() {
        let secret = Secret::new([0xa7; 32]);
        let json = serde_json::to_string(&secret).unwrap();
        assert_eq!(json, format!("{:?}", "a7".repeat(32)));
        let read: Secret = serde_json::from_str(&json).unwrap();
        assert_eq!(read.expose(), secret.expose());
        let bytes = SecretBytes(Zeroizing::new(vec![0xa7, 1]));
        let json = serde_json::to_string(&bytes).unwrap();
        assert_eq!(json, "\"a701\"");
        let read: SecretBytes = serde_json::from_str(&json).unwrap();
        assert_eq!(*read.0, [0xa7, 1]);
        assert!(!format!("{secret:?}{bytes:?}").contains("a7"));
        for wrong in ["\"a7\"", "\"\"", "7", "null"] {
            assert!(serde_json::from_str::<Secret>(wrong).is_err(), "{wrong}");
        }
        let quoted = serde_json::from_str::<Secret>("\"hush\"").unwrap_err();
        assert!(!quoted.to_string().contains("hush"));
        assert!(serde_json::from_str::<SecretBytes>("\"a\"").is_err());
        assert!(serde_json::from_str::<Hex<2>>("\"a7\"").is_err());
        assert_eq!(
            serde_json::from_str::<Hex<1>>("\"a7\"").unwrap(),
            Hex([0xa7])
        );
    }

    #[test]
    fn wiped_memory_holds_what_was_written() {
        let mut wiped = Wiped::default();
        for part in 0..100_u8 {
            wiped.write_all(&[part; 33]).unwrap();
        }
        let bytes = wiped.into_bytes();
        assert_eq!(bytes.len(), 3300);
        assert_eq!((bytes[0], bytes[3299]), (0, 99));
    }
}
