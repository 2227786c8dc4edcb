//! A radiologist's attestation: the EIP-712 signature that lets a patient register an image.

#[cfg(test)]
mod tests;

use alloy_sol_types::{SolCall, SolStruct};

use super::account::recover_digest;
use super::relay::domain;
use super::rpc::Outcome;
use super::{Account, Ledger, Result, Version, abi};
use pcim_core::{Address, B256, ImageDigest, Seal};

/// The content of an attestation, and the contract that it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The contract's version.
    pub version: Version,
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The sealed root.
    pub image: ImageDigest,
    /// The patient.
    pub patient: Address,
    /// The seal.
    pub seal: Seal,
    /// When the retracted registration was made that this one replaces, Unix seconds; 0 for none, and at version 1.
    pub replaces: u64,
}

impl Attestation {
    /// Computes what is signed (EIP-712, domain `Pcac` / version / chain / contract).
    fn digest(&self) -> B256 {
        let domain = domain(self.version, self.chain_id, self.contract);
        let (image, patient, seal) = (self.image.0.into(), self.patient, self.seal.0.into());
        match self.version {
            Version::V1 => abi::attested_v1::ImageAttestation {
                image,
                patient,
                seal,
            }
            .eip712_signing_hash(&domain),
            Version::V2 => abi::attested_v2::ImageAttestation {
                image,
                patient,
                seal,
                replaces: self.replaces,
            }
            .eip712_signing_hash(&domain),
        }
    }

    /// Tells who signed it, if it is a key's signature (a contract's, ERC-1271, is not looked at).
    ///
    /// # Errors
    /// [`super::Error::Signature`] if it is not a canonical signature of 65 bytes.
    pub fn signer(&self, signature: &[u8]) -> Result<Address> {
        recover_digest(self.digest(), signature)
    }
}

impl Account {
    /// Signs an attestation: 65 bytes r‖s‖v, low s, v 27 or 28.
    ///
    /// # Errors
    /// [`super::Error::Signing`]
    pub fn attest(&self, attestation: &Attestation) -> Result<[u8; 65]> {
        self.sign_digest(attestation.digest())
    }
}

impl Ledger {
    /// Returns true if a contract account takes a signature for its own attestation (ERC-1271, `isValidSignature`), as the contract
    /// will ask it when the image is registered. False where no contract is.
    ///
    /// # Errors
    /// As every view.
    pub async fn accepts_attestation(
        &self,
        account: Address,
        attestation: &Attestation,
        signature: &[u8],
    ) -> Result<bool> {
        let data = abi::IERC1271::isValidSignatureCall {
            hash: attestation.digest(),
            signature: signature.to_vec().into(),
        }
        .abi_encode();
        let asked = self.rpc.call(Some(attestation.contract), account, &data);
        let outcome = asked
            .await
            .map_err(|fault| self.rpc.explain("eth_call", fault))?;
        let mut magic = [0; 32];
        magic[..4].copy_from_slice(&abi::IERC1271::isValidSignatureCall::SELECTOR);
        Ok(matches!(outcome, Outcome::Returned(answer) if answer.get(..32) == Some(&magic[..])))
    }
}
