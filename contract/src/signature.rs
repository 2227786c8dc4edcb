//! Signatures: EIP-712, by a key (ecrecover) or by a contract (ERC-1271).

use alloc::vec::Vec;

use alloy_primitives::{hex, keccak256, Address};
use stylus_sdk::{
    call::static_call,
    keccak_const::Keccak256,
    prelude::{Call, Host},
};

use crate::{
    interface::MAX_SIGNATURE,
    word::{answer, constant, hash, put, put_bytes, Word},
};

/// The hash of a text that is known when the contract is compiled.
pub(crate) const fn keccak(text: &str) -> [u8; 32] {
    Keccak256::new().update(text.as_bytes()).finalize()
}

/// The name of the signing domain.
pub(crate) const NAME: &str = "Pcac";
/// The version of the signing domain, which is the contract's.
pub(crate) const VERSION: &str = "2";

const DOMAIN_TYPE: [u8; 32] =
    keccak("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

/// The precompile that recovers a signer from a digest and a signature.
const ECRECOVER: u8 = 1;

/// Half the order of secp256k1, rounded down: of the two signatures s and order − s only the lower one is taken (EIP-2).
const HALF_ORDER: [u8; 32] =
    hex!("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

/// `isValidSignature(bytes32,bytes)`: its selector, and what it returns for a valid signature (ERC-1271).
const ERC1271: u32 = 0x1626_ba7e;

/// Returns true if the signer signed a message, given by its EIP-712 struct hash. Calls other contracts, statically.
#[inline(never)]
pub(crate) fn holds(vm: &impl Host, signer: Word, message: Word, signature: &[u8]) -> bool {
    if signature.len() > MAX_SIGNATURE {
        return false;
    }
    let digest = digest(vm, message);
    if let Some(input) = recovery_input(digest, signature) {
        let recovered = static_call(vm, Call::new(), Address::with_last_byte(ECRECOVER), &input);
        if recovered.is_ok_and(|word| word.len() == 32 && Word::read(&word) == Some(signer)) {
            return true;
        }
    }
    let input = contract_input(digest, signature);
    let answer = static_call(vm, Call::new(), signer.address(), &input);
    answer.is_ok_and(|answer| Word::read(&answer) == Some(Word::front(ERC1271)))
}

/// Computes what is signed for a message.
pub(crate) fn digest(vm: &impl Host, message: Word) -> Word {
    let domain = hash(&[
        constant!(DOMAIN_TYPE),
        constant!(keccak(NAME)),
        constant!(keccak(VERSION)),
        Word::number(vm.chain_id()),
        vm.contract_address().into(),
    ]);
    let mut bytes = Vec::with_capacity(66);
    bytes.extend_from_slice(&[0x19, 0x01]);
    put(&mut bytes, &[domain, message]);
    keccak256(bytes).into()
}

/// Returns what the ecrecover precompile takes (digest, v, r, s), if the signature is a well-formed one.
fn recovery_input(digest: Word, signature: &[u8]) -> Option<Vec<u8>> {
    let (r_s, &[v @ (27 | 28)]) = signature.split_at_checked(64)? else {
        return None;
    };
    let (r, s) = (Word::read(r_s)?, Word::read(r_s.get(32..)?)?);
    if s.limbs() > constant!(HALF_ORDER).limbs() {
        return None;
    }
    Some(answer![digest, u64::from(v), r, s])
}

/// The call `isValidSignature(digest, signature)`.
fn contract_input(digest: Word, signature: &[u8]) -> Vec<u8> {
    let mut input = Vec::with_capacity(132 + signature.len());
    input.extend_from_slice(&ERC1271.to_be_bytes());
    put(&mut input, &[digest, Word::number(64)]);
    put_bytes(&mut input, signature);
    input
}
