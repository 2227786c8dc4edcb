//! Signed calls as typed data (EIP-712), hashed here from what the interface's text says about each function.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolInterface, eip712_domain};

use super::chain::{Actor, Chain, IPcac::IPcacCalls as Function};

const INTERFACE: &str = include_str!("../../contract/abi/IPcac.sol");

fn number(value: u64) -> B256 {
    B256::from(U256::from(value))
}

/// The names and types of a function's arguments.
fn fields(name: &str) -> Vec<String> {
    let (_, rest) = INTERFACE
        .split_once(&format!("function {name}("))
        .unwrap_or_else(|| panic!("no function {name}"));
    let (arguments, _) = rest.split_once(')').unwrap();
    let fields = arguments.split(',').map(str::trim);
    let fields = fields.filter(|field| !field.is_empty());
    fields.map(|field| field.replace(" calldata", "")).collect()
}

/// The struct hash of a call.
pub(super) fn message(function: &Function, signer: Address, nonce: U256, deadline: u64) -> B256 {
    let name = Function::name_by_selector(function.selector()).unwrap();
    let fields = fields(name);
    let kind = format!(
        "{name}({},address signer,uint256 nonce,uint64 deadline)",
        fields.join(",")
    );
    let mut words = vec![keccak256(kind)];
    let data = &function.abi_encode()[4..];
    for (i, field) in fields.iter().enumerate() {
        let word = B256::from_slice(&data[32 * i..32 * i + 32]);
        if field.starts_with("bytes ") || field.starts_with("string ") {
            let at = U256::from_be_bytes(word.0).to::<usize>();
            let len = U256::from_be_slice(&data[at..at + 32]).to::<usize>();
            words.push(keccak256(&data[at + 32..at + 32 + len]));
        } else {
            words.push(word);
        }
    }
    words.extend([signer.into_word(), nonce.into(), number(deadline)]);
    keccak256(words.concat())
}

/// The struct hash of an attestation.
pub(super) fn attestation(image: B256, patient: Address, seal: B256, replaces: u64) -> B256 {
    let kind =
        keccak256("ImageAttestation(bytes32 image,address patient,bytes32 seal,uint64 replaces)");
    keccak256([kind, image, patient.into_word(), seal, number(replaces)].concat())
}

/// The struct hash of what guardians sign.
pub(super) fn recovery(
    patient: Address,
    successor: Address,
    lock: bool,
    recovery: u16,
    deadline: u64,
) -> B256 {
    let kind = keccak256(
        "Recovery(address patient,address successor,bool lock,uint16 recovery,uint64 deadline)",
    );
    let words = [
        kind,
        patient.into_word(),
        successor.into_word(),
        number(lock.into()),
        number(recovery.into()),
        number(deadline),
    ];
    keccak256(words.concat())
}

/// The digest that is signed for a message in the domain of a contract.
pub(super) fn digest(chain_id: u64, contract: Address, message: B256) -> B256 {
    let domain = eip712_domain! { name: "Pcac", version: "2", chain_id: chain_id, verifying_contract: contract, };
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
        // of another
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
