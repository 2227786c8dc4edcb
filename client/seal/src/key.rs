//! Keys: made, locked with a passphrase, unlocked for use.

use std::fmt;

use sequoia_openpgp as openpgp;

use openpgp::cert::prelude::*;
use openpgp::crypto::{KeyPair, Password, S2K};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, SecretKeyMaterial, UnspecifiedRole};
use openpgp::parse::Parse;
use openpgp::serialize::MarshalInto;
use openpgp::types::{AEADAlgorithm, Features, KeyFlags, SymmetricAlgorithm};
use openpgp::{Cert, Packet, Profile};

use super::cert::{unusable, usable};
use super::{Certificate, Error, Result, Unusable};
use pcim_core::{LockCost, Passphrase};
use zeroize::Zeroizing;

/// The most bytes that are read of a key file.
const KEY_MAX: usize = 64 * 1024;

/// Argon2id of the keys of the first homes: passes, lanes, binary logarithm of KiB.
const FIRST_ARGON2: (u8, u8, u8) = (1, 4, 16);
/// A foreign key may ask for 1 GiB at most, as the binary logarithm of KiB.
const ARGON2_MEMORY_MAX: u8 = 20;

/// The version of OpenPGP that a new key is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyVersion {
    /// RFC 4880, as GnuPG reads it: Ed25519 and Cv25519, SEIPDv1, locked by iterated SHA-256 and AES-256-CFB.
    V4,
    /// RFC 9580: Ed25519 and X25519, SEIPDv2, locked by Argon2id and AES-256-OCB.
    #[default]
    V6,
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
        version: KeyVersion,
        name: Option<&str>,
        passphrase: &Passphrase,
        cost: LockCost,
    ) -> Result<Self> {
        UnlockedKey::generate(version, name)?.lock(passphrase, cost)
    }

    /// Reads one key, binary or armored, of at most 64 KiB, all of whose secrets are locked.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotALockedKey`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let refuse = |reason: &str| Error::NotALockedKey {
            reason: reason.to_owned(),
        };
        if bytes.len() > KEY_MAX {
            return Err(Error::TooLarge {
                what: "key",
                found: bytes.len(),
                max: KEY_MAX,
            });
        }
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
    pub fn generate(version: KeyVersion, name: Option<&str>) -> Result<Self> {
        let (profile, features, name) = match version {
            KeyVersion::V4 => (
                Profile::RFC4880,
                Features::empty().set_seipdv1(),
                Some(name.unwrap_or(NOBODY)),
            ),
            KeyVersion::V6 => (Profile::RFC9580, Features::sequoia(), name),
        };
        let mut builder = CertBuilder::new()
            .set_profile(profile)
            .and_then(|builder| builder.set_features(features))
            .map_err(Error::openpgp)?
            .set_cipher_suite(CipherSuite::Cv25519)
            .set_primary_key_flags(KeyFlags::empty().set_certification().set_signing())
            .add_subkey(
                KeyFlags::empty()
                    .set_transport_encryption()
                    .set_storage_encryption(),
                None,
                None,
            );
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

    /// Writes the key with its secrets as they are, for memory that is locked and wiped and nothing else.
    ///
    /// # Errors
    /// [`Error::OpenPgp`] when the library cannot write keys.
    pub fn expose(&self) -> Result<Zeroizing<Vec<u8>>> {
        let bytes = self.0.as_tsk().to_vec().map_err(Error::openpgp)?;
        Ok(Zeroizing::new(bytes))
    }

    /// Reads what [`UnlockedKey::expose`] wrote.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::NotALockedKey`] if there is no secret, or a locked one.
    pub fn from_exposed(bytes: &[u8]) -> Result<Self> {
        let refuse = |reason: &str| Error::NotALockedKey {
            reason: reason.to_owned(),
        };
        if bytes.len() > KEY_MAX {
            return Err(Error::TooLarge {
                what: "key",
                found: bytes.len(),
                max: KEY_MAX,
            });
        }
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
