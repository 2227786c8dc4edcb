//! A radiologist's attestation: the EIP-712 signature that lets a patient register an image.

use alloy_sol_types::{SolCall, SolStruct};

use super::account::recover_digest;
use super::relay::domain;
use super::rpc::Outcome;
use super::{Account, Ledger, Result, abi};
use pcim_core::{Address, B256, ImageDigest, Seal};

impl Account {
    /// Signs `ImageAttestation(bytes32 image, address patient, bytes32 seal)` (EIP-712, domain `Pcac` / `1` /
    /// chain / contract): 65 bytes r‖s‖v, low s, v 27 or 28.
    ///
    /// # Errors
    /// [`super::Error::Signing`]
    pub fn attest(
        &self,
        chain_id: u64,
        contract: Address,
        image: &ImageDigest,
        patient: Address,
        seal: &Seal,
    ) -> Result<[u8; 65]> {
        self.sign_digest(digest(chain_id, contract, image, patient, seal))
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
        image: &ImageDigest,
        patient: Address,
        seal: &Seal,
        signature: &[u8],
    ) -> Result<bool> {
        let (chain_id, contract) = (self.deployment.chain_id, self.deployment.contract);
        let data = abi::IERC1271::isValidSignatureCall {
            hash: digest(chain_id, contract, image, patient, seal),
            signature: signature.to_vec().into(),
        }
        .abi_encode();
        let asked = self.rpc.call(Some(contract), account, &data);
        let outcome = asked
            .await
            .map_err(|fault| self.rpc.explain("eth_call", fault))?;
        let mut magic = [0; 32];
        magic[..4].copy_from_slice(&abi::IERC1271::isValidSignatureCall::SELECTOR);
        Ok(matches!(outcome, Outcome::Returned(answer) if answer.get(..32) == Some(&magic[..])))
    }
}

/// Tells who signed an attestation, if it is a key's signature (a contract's, ERC-1271, is not looked at).
///
/// # Errors
/// [`super::Error::Signature`] if it is not a canonical signature of 65 bytes.
pub fn recover_attestation(
    chain_id: u64,
    contract: Address,
    image: &ImageDigest,
    patient: Address,
    seal: &Seal,
    signature: &[u8],
) -> Result<Address> {
    recover_digest(digest(chain_id, contract, image, patient, seal), signature)
}

fn digest(
    chain_id: u64,
    contract: Address,
    image: &ImageDigest,
    patient: Address,
    seal: &Seal,
) -> B256 {
    let attestation = abi::ImageAttestation {
        image: image.0.into(),
        patient,
        seal: seal.0.into(),
    };
    attestation.eip712_signing_hash(&domain(chain_id, contract))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use alloy_primitives::{U256, address, keccak256};

    use super::*;

    const CONTRACT: Address = address!("00000000000000000000000000000000000000c0");
    const PATIENT: Address = address!("00000000000000000000000000000000000000b0");
    const IMAGE: ImageDigest = ImageDigest([0x11; 32]);
    const SEAL: Seal = Seal([0x22; 32]);

    /// The digest put together by hand from EIP-712's definition.
    fn by_hand(chain_id: u64) -> B256 {
        let word = |address: Address| address.into_word().0;
        let domain = keccak256(
            [
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)").0,
                keccak256("Pcac").0,
                keccak256("1").0,
                U256::from(chain_id).to_be_bytes(),
                word(CONTRACT),
            ]
            .concat(),
        );
        let message = keccak256(
            [
                keccak256("ImageAttestation(bytes32 image,address patient,bytes32 seal)").0,
                IMAGE.0,
                word(PATIENT),
                SEAL.0,
            ]
            .concat(),
        );
        keccak256([&[0x19, 0x01][..], domain.as_slice(), message.as_slice()].concat())
    }

    #[test]
    fn the_digest_is_that_of_the_standard() {
        for chain_id in [1, 412_346, u64::MAX] {
            assert_eq!(
                digest(chain_id, CONTRACT, &IMAGE, PATIENT, &SEAL),
                by_hand(chain_id)
            );
        }
    }

    #[test]
    fn an_attestation_is_for_one_chain_contract_image_patient_and_seal() {
        let radiologist = Account::generate();
        let signature = radiologist
            .attest(1, CONTRACT, &IMAGE, PATIENT, &SEAL)
            .unwrap();
        let signer = |chain, contract, image: &ImageDigest, patient, seal: &Seal| {
            recover_attestation(chain, contract, image, patient, seal, &signature).ok()
        };
        let who = Some(radiologist.address());
        assert_eq!(signer(1, CONTRACT, &IMAGE, PATIENT, &SEAL), who);
        assert_ne!(signer(2, CONTRACT, &IMAGE, PATIENT, &SEAL), who);
        assert_ne!(signer(1, PATIENT, &IMAGE, PATIENT, &SEAL), who);
        assert_ne!(
            signer(1, CONTRACT, &ImageDigest([0; 32]), PATIENT, &SEAL),
            who
        );
        assert_ne!(signer(1, CONTRACT, &IMAGE, CONTRACT, &SEAL), who);
        assert_ne!(signer(1, CONTRACT, &IMAGE, PATIENT, &Seal([0; 32])), who);
    }
}
