//! The chain's signatures, as far as contact cards and handovers ask for them: secp256k1 and recovery are the real ones;
//! what an attestation is hashed of is put together more simply.

use alloy_primitives::{Signature, eip191_hash_message, keccak256};
use k256::ecdsa::SigningKey;

use crate::domain::{Address, B256, ImageDigest, Seal};

#[derive(Debug, thiserror::Error)]
#[error("not a signature")]
pub struct Error;

pub type Result<T> = std::result::Result<T, Error>;

pub struct Account(SigningKey);

impl Account {
    /// Of a key that is 32 times this byte.
    pub fn of(byte: u8) -> Self {
        Self(SigningKey::from_slice(&[byte; 32]).expect("a small number is a key"))
    }

    pub fn address(&self) -> Address {
        Address::from_public_key(self.0.verifying_key())
    }

    pub fn sign_message(&self, message: &[u8]) -> Result<[u8; 65]> {
        self.sign(eip191_hash_message(message))
    }

    pub fn attest(
        &self,
        chain_id: u64,
        contract: Address,
        image: &ImageDigest,
        patient: Address,
        seal: &Seal,
    ) -> Result<[u8; 65]> {
        self.sign(digest(chain_id, contract, image, patient, seal))
    }

    fn sign(&self, hash: B256) -> Result<[u8; 65]> {
        let signed = self.0.sign_prehash_recoverable(&hash.0);
        Ok(Signature::from(signed.map_err(|_| Error)?).as_bytes())
    }
}

pub fn recover_message(message: &[u8], signature: &[u8; 65]) -> Result<Address> {
    recover(eip191_hash_message(message), signature)
}

pub fn recover_attestation(
    chain_id: u64,
    contract: Address,
    image: &ImageDigest,
    patient: Address,
    seal: &Seal,
    signature: &[u8],
) -> Result<Address> {
    recover(digest(chain_id, contract, image, patient, seal), signature)
}

fn recover(hash: B256, signature: &[u8]) -> Result<Address> {
    let signature = Signature::from_raw(signature).map_err(|_| Error)?;
    signature
        .recover_address_from_prehash(&hash)
        .map_err(|_| Error)
}

fn digest(
    chain: u64,
    contract: Address,
    image: &ImageDigest,
    patient: Address,
    seal: &Seal,
) -> B256 {
    let chain = chain.to_be_bytes();
    keccak256([&chain[..], &contract[..], &image.0, &patient[..], &seal.0].concat())
}
