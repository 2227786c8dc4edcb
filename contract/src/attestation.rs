//! A radiologist's attestation that an image is a patient's: EIP-712, signed by a key (ecrecover) or by a
//! contract (ERC-1271).

use alloc::vec::Vec;

use alloy_primitives::{address, hex, keccak256, Address, B256, U256};
use stylus_sdk::{
    call::static_call,
    keccak_const::Keccak256,
    prelude::{Call, Host},
};

use crate::interface::MAX_ATTESTATION;

const fn keccak(text: &str) -> B256 {
    B256::new(Keccak256::new().update(text.as_bytes()).finalize())
}

const DOMAIN_TYPE: B256 =
    keccak("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
const NAME: B256 = keccak("Pcac");
const VERSION: B256 = keccak("1");
const TYPE: B256 = keccak("ImageAttestation(bytes32 image,address patient,bytes32 seal)");

/// The precompile that recovers a signer from a digest and a signature.
const ECRECOVER: Address = address!("0000000000000000000000000000000000000001");

/// Half the order of secp256k1, rounded down: of the two signatures s and order − s only the lower one is taken (EIP-2).
const HALF_ORDER: [u8; 32] =
    hex!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

/// `isValidSignature(bytes32,bytes)`: its selector, and what it returns for a valid signature (ERC-1271).
const ERC1271: [u8; 4] = hex!("1626ba7e");

/// The EIP-712 digest that a radiologist signs.
pub(crate) fn digest(
    chain_id: u64,
    contract: Address,
    image: B256,
    patient: Address,
    seal: B256,
) -> B256 {
    let chain_id = B256::from(U256::from(chain_id));
    let domain = hash(&[DOMAIN_TYPE, NAME, VERSION, chain_id, contract.into_word()]);
    let message = hash(&[TYPE, image, patient.into_word(), seal]);
    let mut bytes = Vec::with_capacity(66);
    bytes.extend_from_slice(&[0x19, 0x01]);
    bytes.extend_from_slice(domain.as_slice());
    bytes.extend_from_slice(message.as_slice());
    keccak256(bytes)
}

fn hash(words: &[B256]) -> B256 {
    let mut bytes = Vec::with_capacity(32 * words.len());
    for word in words {
        bytes.extend_from_slice(word.as_slice());
    }
    keccak256(bytes)
}

/// Whether the radiologist signed the digest. Calls other contracts, statically.
pub(crate) fn holds(
    vm: &impl Host,
    radiologist: Address,
    digest: B256,
    attestation: &[u8],
) -> bool {
    if attestation.len() > MAX_ATTESTATION {
        return false;
    }
    if let Some(input) = recovery_input(digest, attestation) {
        let signer = static_call(vm, Call::new(), ECRECOVER, &input);
        if signer.is_ok_and(|signer| signer == radiologist.into_word().as_slice()) {
            return true;
        }
    }
    let answer = static_call(
        vm,
        Call::new(),
        radiologist,
        &contract_input(digest, attestation),
    );
    answer.is_ok_and(|answer| is_magic(&answer))
}

/// What the ecrecover precompile takes (digest, v, r, s), if the attestation is a well-formed signature.
fn recovery_input(digest: B256, attestation: &[u8]) -> Option<Vec<u8>> {
    let (r_s, v) = attestation.split_at_checked(64)?;
    let (_, s) = r_s.split_at_checked(32)?;
    if !matches!(v, [27 | 28]) || s > HALF_ORDER.as_slice() {
        return None;
    }
    let mut input = Vec::with_capacity(128);
    input.extend_from_slice(digest.as_slice());
    input.extend_from_slice(&[0; 31]);
    input.extend_from_slice(v);
    input.extend_from_slice(r_s);
    Some(input)
}

/// The call `isValidSignature(digest, attestation)`.
fn contract_input(digest: B256, attestation: &[u8]) -> Vec<u8> {
    let padded = attestation.len().next_multiple_of(32);
    let mut input = Vec::with_capacity(100 + padded);
    input.extend_from_slice(&ERC1271);
    input.extend_from_slice(digest.as_slice());
    for word in [64, attestation.len()] {
        input.extend_from_slice(B256::from(U256::from(word)).as_slice());
    }
    input.extend_from_slice(attestation);
    input.resize(100 + padded, 0);
    input
}

fn is_magic(answer: &[u8]) -> bool {
    let mut magic = B256::ZERO;
    magic
        .iter_mut()
        .zip(ERC1271)
        .for_each(|(to, from)| *to = from);
    answer.get(..32) == Some(magic.as_slice())
}
