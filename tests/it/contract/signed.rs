//! Signed calls as typed data (EIP-712), hashed here from the names and types of their fields.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::eip712_domain;

use crate::chain::{Actor, Chain, IPcac::IPcacCalls as Function};

fn number(value: impl Into<u64>) -> B256 {
    B256::from(U256::from(value.into()))
}

/// The fields of a function's struct, but for those that each ends with, and their words.
fn fields(function: &Function) -> (&'static str, Vec<B256>) {
    let text = |text: &str| keccak256(text.as_bytes());
    match function {
        Function::create_contract(c) => (
            "create_contract(bytes32 image,address patient,bytes32 seal,address radiologist,bytes attestation,string description",
            vec![
                c.image,
                c.patient.into_word(),
                c.seal,
                c.radiologist.into_word(),
                keccak256(&c.attestation),
                text(&c.description),
            ],
        ),
        Function::requesting_access(c) => (
            "requesting_access(address patient,bytes32 image,bytes32 publicKey,string notes",
            vec![c.patient.into_word(), c.image, c.publicKey, text(&c.notes)],
        ),
        Function::approve_IRs(c) => (
            "approve_IRs(address requester,bytes32 image,bytes32 publicKey,bytes32 sharedImage,uint64 expiresAt,string notes",
            vec![
                c.requester.into_word(),
                c.image,
                c.publicKey,
                c.sharedImage,
                number(c.expiresAt),
                text(&c.notes),
            ],
        ),
        Function::deny_IRs(c) => (
            "deny_IRs(address requester,bytes32 image,string reason",
            vec![c.requester.into_word(), c.image, text(&c.reason)],
        ),
        Function::trace_authorization(c) => (
            "trace_authorization(address patient,address requester,bytes32 image",
            vec![c.patient.into_word(), c.requester.into_word(), c.image],
        ),
        Function::remove_IRs(c) => (
            "remove_IRs(address requester,bytes32 image",
            vec![c.requester.into_word(), c.image],
        ),
        Function::reshare_IRs(c) => (
            "reshare_IRs(address requester,bytes32 image,bytes32 sharedImage,uint64 expiresAt",
            vec![
                c.requester.into_word(),
                c.image,
                c.sharedImage,
                number(c.expiresAt),
            ],
        ),
        Function::reseal_image(c) => (
            "reseal_image(bytes32 image,bytes32 root",
            vec![c.image, c.root],
        ),
        Function::set_approval_limit(c) => (
            "set_approval_limit(bytes32 image,uint32 approvals,uint32 windowSeconds",
            vec![c.image, number(c.approvals), number(c.windowSeconds)],
        ),
        Function::accredit_radiologist(c) => (
            "accredit_radiologist(address radiologist,bool accredited",
            vec![c.radiologist.into_word(), number(u64::from(c.accredited))],
        ),
        Function::transfer_consortium(c) => {
            ("transfer_consortium(address to", vec![c.to.into_word()])
        }
        other => panic!("not a function that is signed: {other:?}"),
    }
}

/// The struct hash of a call.
pub(super) fn message(function: &Function, signer: Address, nonce: u64, deadline: u64) -> B256 {
    let (fields, words) = fields(function);
    let mut all = vec![keccak256(format!(
        "{fields},address signer,uint64 nonce,uint64 deadline)"
    ))];
    all.extend(words);
    all.extend([signer.into_word(), number(nonce), number(deadline)]);
    keccak256(all.concat())
}

/// The struct hash of an attestation.
pub(super) fn attestation(image: B256, patient: Address, seal: B256) -> B256 {
    let kind = keccak256("ImageAttestation(bytes32 image,address patient,bytes32 seal)");
    keccak256([kind, image, patient.into_word(), seal].concat())
}

/// What is signed for a message in the domain of a contract.
pub(super) fn digest(chain_id: u64, contract: Address, message: B256) -> B256 {
    let domain = eip712_domain! { name: "Pcac", version: "1", chain_id: chain_id, verifying_contract: contract, };
    let domain = domain.separator();
    let bytes = [&[0x19, 0x01][..], domain.as_slice(), message.as_slice()];
    keccak256(bytes.concat())
}

/// The curve's order: of s and order − s the lower one is taken.
const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

/// How many ways there are for a signature to be wrong; see [`wrong`].
pub(super) const FAULTS: u8 = 6;

/// A signature of a message that is not `who`'s for this contract, wrong in the way of number `fault`.
pub(super) fn wrong(
    chain: &Chain,
    contract: Address,
    who: &Actor,
    message: B256,
    fault: u8,
) -> Bytes {
    let id = chain.devnet.chain_id();
    let right = who.sign(digest(id, contract, message)).to_vec();
    let (r, s, v) = (&right[..32], U256::from_be_slice(&right[32..64]), right[64]);
    match fault % FAULTS {
        // somebody else's
        0 => {
            let other = if who.address == chain.stranger.address {
                &chain.doctor
            } else {
                &chain.stranger
            };
            other.sign(digest(id, contract, message))
        }
        // cut short
        1 => right[..64].to_vec().into(),
        // malleable: s flipped
        2 => {
            let order: U256 = ORDER.parse().unwrap();
            let flipped = (order - s).to_be_bytes::<32>();
            [r, &flipped, &[55 - v]].concat().into()
        }
        // compact (EIP-2098)
        3 => {
            let parity: U256 = U256::from(v - 27) << 255;
            [r, &U256::to_be_bytes::<32>(&(s | parity))].concat().into()
        }
        // for another contract
        4 => who.sign(digest(id, Address::repeat_byte(7), message)),
        // on another chain
        _ => who.sign(digest(id + 1, contract, message)),
    }
}
