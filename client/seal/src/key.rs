//! Keys: made, locked with a passphrase, unlocked for use.

use std::fmt;

use sequoia_openpgp as openpgp;

use openpgp::cert::prelude::*;
use openpgp::crypto::{KeyPair, Password, S2K};
use openpgp::packet::Key;
use openpgp::packet::key::{
    Key4, Key6, PublicParts, SecretKeyMaterial, SecretParts, SubordinateRole, UnspecifiedRole,
};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::parse::Parse;
use openpgp::serialize::MarshalInto;
use openpgp::types::{
    AEADAlgorithm, Features, KeyFlags, PublicKeyAlgorithmSpecification, SignatureType,
    SymmetricAlgorithm,
};
use openpgp::{Cert, Packet, Profile};

use super::cert::{unusable, usable};
use super::{Certificate, Error, Result, Unusable};
use pcim_core::{LockCost, Passphrase};
use zeroize::Zeroizing;

/// The most bytes that are read of a key file: armor of a key whose certificate has 256 KiB.
pub const KEY_MAX: usize = 384 * 1024;

/// Argon2id of the keys of the first homes: passes, lanes, binary logarithm of KiB.
const FIRST_ARGON2: (u8, u8, u8) = (1, 4, 16);
/// A foreign key may ask for 1 GiB at most, as the binary logarithm of KiB.
const ARGON2_MEMORY_MAX: u8 = 20;

/// The version and the algorithms of a new key. All but [`V4`](Self::V4) are of version 6 (RFC 9580), accept SEIPDv2 and are
/// locked by Argon2id and AES-256-OCB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    /// RFC 4880, as GnuPG reads it: Ed25519 and Cv25519, SEIPDv1, locked by iterated SHA-256 and AES-256-CFB.
    V4,
    /// RFC 9580: Ed25519 and X25519.
    Classic,
    /// Signs with Ed25519, decrypts with ML-KEM-768+X25519 (RFC 9980).
    #[default]
    Hybrid,
    /// Signs with ML-DSA-65+Ed25519, decrypts with ML-KEM-768+X25519 (RFC 9980).
    PostQuantum,
}

/// The User ID of a version 4 key that is given none: GnuPG takes no certificate without one.
const NOBODY: &str = "pcim";

/// An OpenPGP key as it lies on disk: its secrets locked with a passphrase.
pub struct LockedKey(Cert);

/// An OpenPGP key whose secrets are usable; dropped, they are zeroized.
pub struct UnlockedKey(pub(super) Cert);

impl LockedKey {
    /// Makes a key as [`UnlockedKey::generate`] does, and locks it.
    ///
    /// # Errors
    /// [`Error::OpenPgp`] when the library cannot make or lock keys.
    pub fn generate(
        kind: KeyKind,
        name: Option<&str>,
        passphrase: &Passphrase,
        cost: LockCost,
    ) -> Result<Self> {
        UnlockedKey::generate(kind, name)?.lock(passphrase, cost)
    }

    /// Reads one key, binary or armored, of at most 384 KiB, all of whose secrets are locked.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotALockedKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refuse = |reason: &str| Error::NotALockedKey {
            reason: reason.to_owned(),
        };
        check_size(bytes)?;
        // The library's own words may quote what it read, which could be a secret: only say what was wanted.
        let cert = Cert::from_bytes(bytes).map_err(|_| refuse("not an OpenPGP key"))?;
        if !cert.is_tsk() {
            return Err(refuse("holds no secret"));
        }
        if cert.keys().unencrypted_secret().next().is_some() {
            return Err(refuse(
                "holds a secret that is not locked with a passphrase",
            ));
        }
        for ka in cert.keys().secret() {
            // GnuPG writes such a stub for a part that is on a card, or was exported without it.
            if let SecretKeyMaterial::Encrypted(secret) = ka.key().secret()
                && let S2K::Private { .. } | S2K::Unknown { .. } = secret.s2k()
            {
                let part = ka.key().fingerprint();
                return Err(refuse(&format!(
                    "the secret of its part {part} is not in the file but a stub: export it whole"
                )));
            }
            if let SecretKeyMaterial::Encrypted(secret) = ka.key().secret()
                && let S2K::Argon2 { m, .. } = secret.s2k()
                && *m > ARGON2_MEMORY_MAX
            {
                return Err(refuse("unlocking it would take more than 1 GiB"));
            }
        }
        Ok(Self(cert))
    }

    /// Writes the key in ASCII armor, its secrets locked.
    pub fn to_armored(&self) -> Vec<u8> {
        self.0
            .as_tsk()
            .armored()
            .to_vec()
            .expect("a parsed key serializes into memory")
    }

    /// Returns the public half, whole.
    pub fn certificate(&self) -> Certificate {
        Certificate(self.0.clone().strip_secret_key_material())
    }

    /// Says whether a secret costs as little to guess at as those of the first homes (Argon2id with one pass).
    pub fn is_lightly_locked(&self) -> bool {
        self.0.keys().secret().any(|ka| match ka.key().secret() {
            SecretKeyMaterial::Encrypted(secret) => {
                matches!(*secret.s2k(), S2K::Argon2 { t, p, m, .. } if (t, p, m) == FIRST_ARGON2)
            }
            SecretKeyMaterial::Unencrypted(_) => false,
        })
    }

    /// Unlocks every secret.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`].
    pub fn unlock(&self, passphrase: &Passphrase) -> Result<UnlockedKey> {
        let password = Password::from(passphrase.expose());
        let cert = change_secrets(self.0.clone(), |key, secret| {
            secret
                .decrypt_in_place(key, &password)
                .map_err(|_| Error::WrongPassphrase {
                    fingerprint: self.0.fingerprint().to_hex(),
                })
        })?;
        Ok(UnlockedKey(cert))
    }
}

impl UnlockedKey {
    /// Makes a key, one half to certify and sign and one to encrypt; `name` is an optional
    /// User ID. It does not expire.
    ///
    /// # Errors
    /// [`Error::OpenPgp`] when the library cannot make keys.
    pub fn generate(kind: KeyKind, name: Option<&str>) -> Result<Self> {
        let (profile, features, name) = match kind {
            KeyKind::V4 => (
                Profile::RFC4880,
                Features::empty().set_seipdv1(),
                Some(name.unwrap_or(NOBODY)),
            ),
            _ => (Profile::RFC9580, Features::sequoia(), name),
        };
        let (suite, encryption) = match kind {
            KeyKind::V4 | KeyKind::Classic => (CipherSuite::Cv25519, None),
            KeyKind::Hybrid => (
                CipherSuite::Cv25519,
                Some(PublicKeyAlgorithmSpecification::mlkem768_x25519()),
            ),
            KeyKind::PostQuantum => (CipherSuite::MLDSA65_Ed25519, None),
        };
        let mut builder = CertBuilder::new()
            .set_profile(profile)
            .and_then(|builder| builder.set_features(features))
            .map_err(Error::openpgp)?
            .set_cipher_suite(suite)
            .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
            .add_subkey(
                KeyFlags::empty()
                    .set_transport_encryption()
                    .set_storage_encryption(),
                None,
                None,
            );
        if let Some(encryption) = encryption {
            builder = builder.set_encryption_algorithm(encryption);
        }
        if let Some(name) = name {
            builder = builder.add_userid(name);
        }
        let (cert, _revocation) = builder.generate().map_err(Error::openpgp)?;
        Ok(Self(cert))
    }

    /// Locks every secret with the passphrase: one of version 6 by Argon2id of this cost, one of version 4 as GnuPG reads it.
    ///
    /// # Errors
    /// [`Error::OpenPgp`] when the library cannot lock keys.
    pub fn lock(&self, passphrase: &Passphrase, cost: LockCost) -> Result<LockedKey> {
        let password = Password::from(passphrase.expose());
        let locked = change_secrets(self.0.clone(), |key, secret| {
            let (s2k, mode) = match key.version() {
                4 => (S2K::default(), None),
                _ => {
                    let mut salt = [0; 16];
                    openpgp::crypto::random(&mut salt).map_err(Error::openpgp)?;
                    let (t, p, m) = (cost.argon2_passes, cost.argon2_lanes, cost.argon2_log_kib);
                    (S2K::Argon2 { salt, t, p, m }, Some(AEADAlgorithm::OCB))
                }
            };
            secret
                .encrypt_in_place_with(key, s2k, SymmetricAlgorithm::AES256, mode, &password)
                .map_err(Error::openpgp)
        })?;
        Ok(LockedKey(locked))
    }

    /// Adds a subkey that decrypts with ML-KEM-768+X25519 (RFC 9980): headers from now on are made for it, and old ones open as
    /// before. The fingerprint stays, the published certificate is another.
    ///
    /// # Errors
    /// [`Error::OpenPgp`] when the library cannot make or bind it.
    pub fn with_post_quantum_subkey(&self) -> Result<Self> {
        let primary = self.0.primary_key().key();
        let subkey: Key<SecretParts, SubordinateRole> = match primary.version() {
            4 => Key4::generate_mlkem768_x25519()
                .map_err(Error::openpgp)?
                .into(),
            _ => Key6::generate_mlkem768_x25519()
                .map_err(Error::openpgp)?
                .into(),
        };
        let mut signer = primary
            .clone()
            .parts_into_secret()
            .and_then(|key| key.into_keypair())
            .map_err(Error::openpgp)?;
        let flags = KeyFlags::empty()
            .set_transport_encryption()
            .set_storage_encryption();
        let binding = SignatureBuilder::new(SignatureType::SubkeyBinding)
            .set_key_flags(flags)
            .map_err(Error::openpgp)?;
        let binding = subkey
            .bind(&mut signer, &self.0, binding)
            .map_err(Error::openpgp)?;
        let packets = [Packet::from(subkey), binding.into()];
        let (cert, _) = self
            .0
            .clone()
            .insert_packets(packets)
            .map_err(Error::openpgp)?;
        Ok(Self(cert))
    }

    /// Writes the key with its secrets as they are, for memory that is locked and wiped, or for what is encrypted at once.
    ///
    /// # Errors
    /// [`Error::OpenPgp`] when the library cannot write keys.
    pub fn expose(&self) -> Result<Zeroizing<Vec<u8>>> {
        let tsk = self.0.as_tsk();
        // Room for all of it: what a buffer outgrows stays behind.
        let mut bytes = Zeroizing::new(vec![0; tsk.serialized_len()]);
        let length = tsk.serialize_into(&mut bytes).map_err(Error::openpgp)?;
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Reads what [`UnlockedKey::expose`] wrote.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotALockedKey`] if there is no secret, or a locked one.
    pub fn from_exposed(bytes: &[u8]) -> Result<Self> {
        let refuse = |reason: &str| Error::NotALockedKey {
            reason: reason.to_owned(),
        };
        check_size(bytes)?;
        let cert = Cert::from_bytes(bytes).map_err(|_| refuse("not an OpenPGP key"))?;
        let mut secrets = cert.keys().secret();
        match cert.is_tsk() && secrets.all(|ka| ka.key().has_unencrypted_secret()) {
            true => Ok(Self(cert)),
            false => Err(refuse("holds no secret, or a locked one")),
        }
    }

    /// Returns the public half, whole.
    pub fn certificate(&self) -> Certificate {
        Certificate(self.0.clone().strip_secret_key_material())
    }

    /// The key to sign with, if the certificate is valid, alive and not revoked.
    pub(super) fn signer(&self) -> Result<KeyPair> {
        usable(&self.0)?
            .keys()
            .supported()
            .alive()
            .revoked(false)
            .for_signing()
            .unencrypted_secret()
            .next()
            .ok_or_else(|| unusable(&self.0, Unusable::NoSigningKey))?
            .key()
            .clone()
            .into_keypair()
            .map_err(Error::openpgp)
    }

    /// Every key that may decrypt: expired and revoked ones too, so that old messages stay readable.
    pub(super) fn decryptors(&self) -> impl Iterator<Item = KeyPair> {
        self.0
            .keys()
            .unencrypted_secret()
            .filter(|ka| ka.key().pk_algo().for_encryption())
            .filter_map(|ka| ka.key().clone().into_keypair().ok())
    }
}

impl fmt::Debug for LockedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockedKey({})", self.0.fingerprint().to_hex())
    }
}

impl fmt::Debug for UnlockedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnlockedKey({})", self.0.fingerprint().to_hex())
    }
}

fn check_size(bytes: &[u8]) -> Result<()> {
    match bytes.len() > KEY_MAX {
        true => Err(Error::TooLarge {
            what: "key",
            found: bytes.len(),
            max: KEY_MAX,
        }),
        false => Ok(()),
    }
}

/// Locks or unlocks every secret of a certificate.
fn change_secrets(
    cert: Cert,
    change: impl Fn(&Key<PublicParts, UnspecifiedRole>, &mut SecretKeyMaterial) -> Result<()>,
) -> Result<Cert> {
    let mut changed = Vec::new();
    for ka in cert.keys().secret() {
        let (public, mut secret) = ka.key().clone().take_secret();
        change(&public, &mut secret)?;
        let (key, _) = public.add_secret(secret);
        changed.push(if ka.primary() {
            Packet::from(key.role_into_primary())
        } else {
            Packet::from(key.role_into_subordinate())
        });
    }
    let (cert, _) = cert.insert_packets(changed).map_err(Error::openpgp)?;
    Ok(cert)
}
