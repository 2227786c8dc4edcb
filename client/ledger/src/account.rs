//! Accounts: keys that sign, and who signed.

use std::fmt;

use ethers::core::k256::ecdsa::SigningKey;
use ethers::core::rand::thread_rng;
use ethers::signers::{LocalWallet, Signer};
use ethers::types::transaction::eip2718::TypedTransaction;
use ethers::types::{H256, RecoveryMessage, Signature, U256 as EthersU256};
use ethers::utils::hash_message;
use zeroize::Zeroizing;

use super::{Error, Result, keystore};
use pcim_core::{Address, B256, LockCost, Passphrase};

/// An Ethereum account, unlocked; its key is zeroized on drop and never printed.
pub struct Account {
    /// The key inside zeroizes itself on drop.
    wallet: LocalWallet,
}

impl Account {
    /// Makes a new account from the operating system's randomness.
    pub fn generate() -> Self {
        Self {
            wallet: LocalWallet::new(&mut thread_rng()),
        }
    }

    /// Takes a secp256k1 private key, big-endian.
    ///
    /// # Errors
    /// [`Error::Key`] if it is zero or not below the curve's order.
    pub fn from_private_key(key: &[u8; 32]) -> Result<Self> {
        let key = SigningKey::from_slice(key).map_err(|_| Error::Key)?;
        Ok(Self { wallet: key.into() })
    }

    /// Opens a Web3 Secret Storage v3 JSON document.
    ///
    /// # Errors
    /// [`Error::Passphrase`] if it does not open, [`Error::Keystore`] if it is no keystore or asks for more
    /// work than 1 GiB or ten million rounds.
    pub fn from_keystore(json: &[u8], passphrase: &Passphrase) -> Result<Self> {
        let (key, named) = keystore::open(json, passphrase)?;
        let account = Self::from_private_key(&key)?;
        match named {
            Some(wanted) if wanted != account.address() => Err(Error::KeystoreAddress {
                wanted,
                found: account.address(),
            }),
            _ => Ok(account),
        }
    }

    /// Locks the key into a Web3 Secret Storage v3 JSON document (scrypt, AES-128-CTR).
    ///
    /// # Errors
    /// [`Error::Keystore`] if the derivation fails, for want of memory.
    pub fn to_keystore(&self, passphrase: &Passphrase, cost: LockCost) -> Result<Vec<u8>> {
        let (key, log_n) = (self.expose_key(), cost.scrypt_log_n);
        keystore::lock(&key, self.address(), passphrase, log_n)
    }

    /// Says whether a keystore costs as little to guess at as those of the first homes (scrypt with n = 8192).
    pub fn is_lightly_locked(json: &[u8]) -> bool {
        keystore::is_lightly_locked(json)
    }

    /// Returns the private key, for a signer that is not this one (deploying) and nothing else.
    pub fn expose_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.wallet.signer().to_bytes().into())
    }

    /// Returns the account's address.
    pub fn address(&self) -> Address {
        Address::from(self.wallet.address().0)
    }

    /// Signs an EIP-191 personal message (contact cards): 65 bytes r‖s‖v, low s, v 27 or 28.
    ///
    /// # Errors
    /// [`Error::Signing`]
    pub fn sign_message(&self, message: &[u8]) -> Result<[u8; 65]> {
        self.sign_digest(B256::from(hash_message(message).0))
    }

    /// Signs a digest: 65 bytes r‖s‖v, low s, v 27 or 28.
    pub(super) fn sign_digest(&self, digest: B256) -> Result<[u8; 65]> {
        let signature = self
            .wallet
            .sign_hash(H256(digest.0))
            .map_err(|e| Error::Signing {
                reason: e.to_string(),
            })?;
        Ok(signature.into())
    }

    /// Signs a transaction that names its chain: the raw bytes to send.
    pub(super) fn sign_transaction(&self, tx: &TypedTransaction) -> Result<Vec<u8>> {
        let signature = self
            .wallet
            .sign_transaction_sync(tx)
            .map_err(|e| Error::Signing {
                reason: e.to_string(),
            })?;
        Ok(tx.rlp_signed(&signature).to_vec())
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.address())
    }
}

/// Tells who signed an EIP-191 message.
///
/// # Errors
/// [`Error::Signature`] if the signature is not canonical or recovers no key.
pub fn recover_message(message: &[u8], signature: &[u8; 65]) -> Result<Address> {
    recover_digest(B256::from(hash_message(message).0), signature)
}

/// Tells who signed a digest; only canonical signatures count (EIP-2: s ≤ n/2; v 27 or 28).
pub(super) fn recover_digest(digest: B256, signature: &[u8]) -> Result<Address> {
    const HALF_ORDER: [u64; 4] = [
        0xdfe9_2f46_681b_20a0,
        0x5d57_6e73_57a4_501d,
        0xffff_ffff_ffff_ffff,
        0x7fff_ffff_ffff_ffff,
    ];
    let bad = |reason: String| Error::Signature { reason };
    let bytes: &[u8; 65] = signature
        .try_into()
        .map_err(|_| bad(format!("{} bytes, wanted 65", signature.len())))?;
    let v = bytes[64];
    if !matches!(v, 27 | 28) {
        return Err(bad(format!("v is {v}, wanted 27 or 28")));
    }
    let signature = Signature {
        r: EthersU256::from_big_endian(&bytes[..32]),
        s: EthersU256::from_big_endian(&bytes[32..64]),
        v: v.into(),
    };
    if signature.s > EthersU256(HALF_ORDER) {
        return Err(bad("s is in the upper half of the order".into()));
    }
    signature
        .recover(RecoveryMessage::Hash(H256(digest.0)))
        .map(|address| Address::from(address.0))
        .map_err(|e| bad(e.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use alloy_primitives::{U256, address, uint};

    use super::*;

    /// The private key 1, whose address is widely known.
    fn one() -> Account {
        let mut key = [0; 32];
        key[31] = 1;
        Account::from_private_key(&key).unwrap()
    }

    #[test]
    fn addresses_and_bad_keys() {
        assert_eq!(
            one().address(),
            address!("7e5f4552091a69125d5dfcb7b8c2659029395bdf")
        );
        assert!(matches!(
            Account::from_private_key(&[0; 32]),
            Err(Error::Key)
        ));
        assert!(matches!(
            Account::from_private_key(&[255; 32]),
            Err(Error::Key)
        ));
        assert_ne!(Account::generate().address(), Account::generate().address());
        assert_eq!(one().expose_key()[..], [&[0; 31][..], &[1]].concat());
        assert_eq!(
            format!("{:?}", one()),
            "Account(0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf)"
        );
    }

    #[test]
    fn a_message_tells_its_signer_and_only_in_canonical_form() {
        let signature = one().sign_message(b"card").unwrap();
        assert_eq!(
            recover_message(b"card", &signature).unwrap(),
            one().address()
        );
        assert_ne!(
            recover_message(b"Card", &signature).ok(),
            Some(one().address())
        );

        // The same signature, mirrored to the upper half, verifies in plain ECDSA and is refused here.
        let order = uint!(0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141_U256);
        let s = U256::from_be_slice(&signature[32..64]);
        assert!(s <= order >> 1);
        let mut mirrored = signature;
        mirrored[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
        mirrored[64] = 55 - mirrored[64];
        assert!(matches!(
            recover_message(b"card", &mirrored),
            Err(Error::Signature { .. })
        ));

        for v in [0, 1, 26, 29, 255] {
            let mut other = signature;
            other[64] = v;
            assert!(matches!(
                recover_message(b"card", &other),
                Err(Error::Signature { .. })
            ));
        }
        assert!(matches!(
            recover_digest(B256::ZERO, &signature[..64]),
            Err(Error::Signature { .. })
        ));
        let mut zero = [0; 65];
        zero[64] = 27;
        assert!(matches!(
            recover_message(b"card", &zero),
            Err(Error::Signature { .. })
        ));
    }
}
