//! The EVM half against the reference node `anvil`: random transactions, sent to both as signed bytes.
//!
//! Compared per transaction: whether it is taken; the receipt's status, gas, logs, bloom and created address; the whole
//! call tree with the gas, input and output of every frame; then balance, nonce, code and slots of every account in it.
//! In between, calls that no transaction makes. In the end, every account the run ever met.
//!
//! Anvil runs Osaka's rules with the devnet's chain id, base fee (set again before every block), block gas limit, coinbase
//! and times, so CHAINID, BASEFEE, GASLIMIT, COINBASE and TIMESTAMP are compared too. Arbitrum's differences are
//! masked as follows, and `arbitrums_differences_are_these` shows each:
//!
//! | difference | how it is masked |
//! |---|---|
//! | NUMBER, BLOCKHASH (parent chain), PREVRANDAO (1), GASPRICE (no tips), BLOBBASEFEE | not in the random code |
//! | EIP-7623's floor is off | anvil's gas must be exactly max(devnet's gas, floor); the fee's difference is given back |
//! | no tips | anvil's price must be exactly what was offered; its sender is lent the difference, and balances must agree to the wei |
//! | fees go to the coinbase account | it is the one account not compared; random code never reads its balance |
//! | gas above 32,000,000 is held back | random transactions offer less |
//! | code beginning `0xEFF000` may be deployed | random code never begins so |
//! | anvil traces no accounts of a self-destruct in favour of oneself | of such a frame, only its kind is compared |
//! | Arbitrum's precompiles at 0x64 to 0xff, blob transactions | not called, not sent |
//!
//! Wanted: anvil, by the variable `STYLUS_DEVNET_ANVIL` or in the search path; without it the tests say so and pass.
//! `STYLUS_DEVNET_ANVIL_RUNS` and `STYLUS_DEVNET_ANVIL_SEED` set how many transactions and which.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod pair;
mod program;

use std::{collections::HashMap, env};

use alloy_primitives::{Address, Bytes, U256, address};
use common::{
    node::Anvil,
    sign::{Type, Unsigned, authorize},
};
use k256::ecdsa::SigningKey;
use pair::{ANVIL, BASE_FEE, COINBASE, Fate, Pair, floor, intrinsic, number, slot};
use program::{Author, Random, SLOTS};
use serde_json::{Value, json};

const CHAIN: u64 = 412_346;
/// The most contracts that are called again; older ones are forgotten.
const KNOWN: usize = 60;

/// An account that signs.
#[derive(Clone)]
struct Signer {
    key: SigningKey,
    address: Address,
}

fn signers(devnet: &stylus_devnet::Handle) -> Vec<Signer> {
    let accounts = devnet.accounts().iter();
    accounts
        .map(|account| Signer {
            key: SigningKey::from_slice(account.private_key.as_slice()).unwrap(),
            address: account.address,
        })
        .collect()
}

/// Makes transactions that fit the state they will meet.
struct Sender {
    random: Random,
    signers: Vec<Signer>,
    /// Addresses that code may refer to: signers, precompiles, contracts.
    known: Vec<Address>,
    /// How much of it is not contracts.
    fixed: usize,
}

impl Sender {
    fn new(seed: u64, signers: Vec<Signer>) -> Self {
        let mut known: Vec<_> = signers.iter().map(|signer| signer.address).collect();
        known.extend((1..=0x11).map(Address::with_last_byte));
        known.extend([
            address!("0000000000000000000000000000000000000100"),
            address!("00000000000000000000000000000000000b0b00"),
        ]);
        Self {
            random: Random(seed),
            fixed: known.len(),
            signers,
            known,
        }
    }

    fn contract(&mut self) -> Option<Address> {
        let contracts = &self.known[self.fixed..];
        (!contracts.is_empty()).then(|| self.random.one_of(contracts))
    }

    fn next(&mut self, pair: &mut Pair) -> (Unsigned, Signer, Vec<Address>) {
        let signer = self.signers[self.random.below(6) as usize].clone();
        let tip = match self.random.below(4) {
            0 => u128::from(self.random.below(BASE_FEE)),
            _ => 0,
        };
        let mut tx = Unsigned {
            kind: self.random.one_of(&[
                Type::Legacy,
                Type::AccessList,
                Type::Dynamic,
                Type::Dynamic,
            ]),
            max_fee: u128::from(BASE_FEE) + tip,
            tip,
            gas_limit: 0,
            ..Unsigned::pay(CHAIN, pair.nonce(signer.address), Address::ZERO, 0)
        };
        tx.value = match self.random.below(6) {
            0 => U256::from(self.random.below(1_000_000)),
            _ => U256::ZERO,
        };
        let mut watch = Vec::new();
        match self.random.below(20) {
            0 | 1 => {
                tx.to = Some(match self.random.below(3) {
                    0 => Address::from_word(self.random.word().into()),
                    _ => self.random.one_of(&self.known),
                });
                tx.value = U256::from(self.random.below(1_000_000));
            }
            2..7 => {
                tx.to = None;
                let mut author = Author {
                    random: &mut self.random,
                    known: &self.known,
                };
                tx.input = author.creation(2).into();
                if self.random.once_in(50) {
                    tx.input = vec![0; 49_151 + self.random.below(3) as usize].into();
                }
            }
            7 => {
                tx.to = Some(
                    self.random
                        .one_of(&self.known[self.signers.len()..self.fixed]),
                );
                let len = self.random.below(300);
                tx.input = self.random.bytes(len).into();
                if self.random.once_in(2) {
                    // Lengths and counts that make sense to MODEXP and the curves.
                    let small = self.random.below(40) as u8;
                    let words = (0..8).map(|_| U256::from(self.random.below(1 + u64::from(small))));
                    tx.input = words.flat_map(|word| word.to_be_bytes::<32>()).collect();
                }
            }
            8 => {
                tx.kind = Type::SetCode;
                tx.to = Some(self.contract().unwrap_or_default());
                for _ in 0..self.random.below(4) {
                    let authority = self.signers[self.random.below(8) as usize].clone();
                    watch.push(authority.address);
                    let own = u64::from(authority.address == signer.address);
                    let nonce =
                        pair.nonce(authority.address) + own + u64::from(self.random.once_in(5));
                    let chain = self.random.one_of(&[CHAIN, CHAIN, 0, 1]);
                    let code = match self.random.below(4) {
                        0 => Address::ZERO,
                        1 => self.random.one_of(&self.known),
                        _ => self.contract().unwrap_or_default(),
                    };
                    tx.authorizations
                        .push(authorize(chain, code, nonce, &authority.key));
                }
                // None is refused, by both.
            }
            _ => {
                tx.to = Some(match self.contract() {
                    Some(contract) => contract,
                    None => self.random.one_of(&self.known),
                });
                let len = self.random.one_of(&[0, 4, 32, 68, 200, 1_000]);
                tx.input = self.random.bytes(len).into();
            }
        }
        if tx.kind != Type::Legacy && self.random.once_in(2) {
            for _ in 0..self.random.below(4) {
                let keys = (0..self.random.below(4))
                    .map(|_| slot(self.random.below(SLOTS)))
                    .collect();
                tx.access_list.push((self.random.one_of(&self.known), keys));
            }
        }
        let extra = match self.random.below(8) {
            0 => self.random.below(3_000),
            1 | 2 => self.random.below(100_000),
            3..7 => self.random.below(1_500_000),
            _ => 1_000_000 + self.random.below(6_000_000),
        };
        tx.gas_limit = intrinsic(&tx).max(floor(&tx.input)) + extra;
        if self.random.once_in(25) {
            match self.random.below(6) {
                0 => tx.nonce = tx.nonce.saturating_sub(1),
                1 => tx.gas_limit = intrinsic(&tx) - 1,
                2 => tx.value = U256::from(10).pow(U256::from(22)),
                3 => tx.chain_id += 1,
                4 => (tx.max_fee, tx.tip) = (u128::from(BASE_FEE) - 1, 0),
                _ => tx.tip = tx.max_fee + 1,
            }
        }
        (tx, signer, watch)
    }

    fn forget(&mut self) {
        let surplus = (self.known.len() - self.fixed).saturating_sub(KNOWN);
        self.known.drain(self.fixed..self.fixed + surplus);
    }
}

fn from_env(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn random_transactions_end_as_on_anvil() {
    let Some(anvil) = Anvil::start(&ANVIL) else {
        return;
    };
    let devnet = common::devnet().await;
    let runs = from_env("STYLUS_DEVNET_ANVIL_RUNS", 1_000);
    let seed = from_env("STYLUS_DEVNET_ANVIL_SEED", 1);
    let mut pair = Pair::new(&devnet, &anvil);
    let mut sender = Sender::new(seed, signers(&devnet));
    let mut fates: HashMap<(&str, Fate), u64> = HashMap::new();
    let mut met = Vec::new();
    for run in 0..runs {
        let (tx, signer, watch) = sender.next(&mut pair);
        let raw = tx.clone().sign(&signer.key);
        let before = sender.known.len();
        let fate = pair
            .send(&tx, signer.address, &raw, &watch, &mut sender.known)
            .unwrap_or_else(|what| panic!("seed {seed}, transaction {run}: {what}\n{tx:?}"));
        let kind = match tx.kind {
            Type::SetCode => "7702",
            _ if tx.to.is_none() => "creation",
            _ if tx.input.is_empty() => "payment",
            _ => "call",
        };
        *fates.entry((kind, fate)).or_default() += 1;
        met.extend_from_slice(&sender.known[before..]);
        sender.forget();
        if let Some(contract) = sender.contract() {
            let input = sender.random.bytes(36).into();
            pair.call(signer.address, contract, &input)
                .unwrap_or_else(|what| panic!("seed {seed}, after transaction {run}: {what}"));
        }
    }
    met.extend_from_slice(&sender.known);
    pair.state(met.iter().copied().collect())
        .unwrap_or_else(|what| panic!("seed {seed}, in the end: {what}"));

    let total = |wanted: Fate| -> u64 {
        let of = fates.iter().filter(|((_, fate), _)| *fate == wanted);
        of.map(|(_, count)| count).sum()
    };
    let mut lines: Vec<_> = fates
        .iter()
        .map(|((kind, fate), n)| format!("{kind} {fate:?}: {n}"))
        .collect();
    lines.sort();
    println!(
        "seed {seed}: {runs} transactions, {} accounts, {} inner frames, {} too deep, {} logs, {} at the floor, {} with a tip\n{}",
        met.len(),
        pair.frames,
        pair.deep,
        pair.logs,
        pair.floors,
        pair.tips,
        lines.join("\n")
    );
    // A run that met too little proves too little.
    for (fate, share) in [
        (Fate::Success, 3),
        (Fate::Revert, 40),
        (Fate::Halt, 12),
        (Fate::Refused, 60),
    ] {
        assert!(total(fate) >= runs / share, "{fate:?}: {}", total(fate));
    }
    assert!(
        pair.frames > runs / 4 && pair.logs > runs / 20,
        "too few calls or logs"
    );
}

/// Deploys `code` on both nodes; its address.
fn deploy(pair: &mut Pair, signer: &Signer, code: &[u8]) -> Address {
    let mut init = vec![
        0x60,
        code.len() as u8,
        0x80,
        0x60,
        9,
        0x5f,
        0x39,
        0x5f,
        0xf3,
    ];
    init.extend_from_slice(code);
    let nonce = pair.nonce(signer.address);
    let tx = Unsigned {
        to: None,
        value: U256::ZERO,
        input: init.into(),
        gas_limit: 1_000_000,
        ..Unsigned::pay(CHAIN, nonce, Address::ZERO, BASE_FEE.into())
    };
    let raw = tx.clone().sign(&signer.key);
    let fate = pair
        .send(&tx, signer.address, &raw, &[], &mut Vec::new())
        .unwrap();
    assert_eq!(fate, Fate::Success);
    signer.address.create(nonce)
}

#[tokio::test(flavor = "multi_thread")]
async fn arbitrums_differences_are_these() {
    let Some(anvil) = Anvil::start(&ANVIL) else {
        return;
    };
    let devnet = common::devnet().await;
    let mut pair = Pair::new(&devnet, &anvil);
    let signer = signers(&devnet).remove(0);

    // The answers of NUMBER, PREVRANDAO and GASPRICE to a transaction that offers twice the base fee, and the gas it is given.
    let code = [
        0x43, 0x5f, 0x55, 0x44, 0x60, 1, 0x55, 0x3a, 0x60, 2, 0x55, 0x5a, 0x60, 3, 0x55,
    ];
    let contract = deploy(&mut pair, &signer, &code);
    let gas_limit = 40_000_000;
    let tx = Unsigned {
        gas_limit,
        tip: BASE_FEE.into(),
        value: U256::ZERO,
        nonce: pair.nonce(signer.address),
        ..Unsigned::pay(CHAIN, 0, contract, u128::from(2 * BASE_FEE))
    };
    let raw = tx.sign(&signer.key);
    pair.ours.must("eth_sendRawTransaction", json!([raw]));
    pair.anvil.must(
        "anvil_setNextBlockBaseFeePerGas",
        json!([format!("{BASE_FEE:#x}")]),
    );
    pair.anvil.must("eth_sendRawTransaction", json!([raw]));
    pair.anvil.must("evm_mine", json!([]));
    let answers = |wire: &mut common::wire::Wire| -> Vec<U256> {
        let slots =
            (0..4).map(|at| wire.must("eth_getStorageAt", json!([contract, slot(at), "latest"])));
        slots
            .map(|value| serde_json::from_value(value).unwrap())
            .collect()
    };
    let (ours, theirs) = (answers(&mut pair.ours), answers(&mut pair.anvil));
    let block = pair
        .ours
        .must("eth_getBlockByNumber", json!(["latest", false]));
    assert_eq!(ours[0], U256::from(number(&block["l1BlockNumber"])));
    assert_eq!(theirs[0], U256::from(2), "anvil's own block number");
    assert_eq!(ours[1], U256::ONE);
    assert!(theirs[1] > U256::from(u64::MAX), "anvil's randomness");
    assert_eq!(
        [ours[2], theirs[2]],
        [U256::from(BASE_FEE), U256::from(2 * BASE_FEE)]
    );
    // Three slots are written before: both paid the same, from 32 and from 40 million.
    assert_eq!(theirs[3] - ours[3], U256::from(gas_limit - 32_000_000));

    // A tip is paid on anvil only.
    let tipped = pair
        .anvil
        .must("eth_getBalance", json!([COINBASE, "latest"]));
    assert_ne!(tipped, json!("0x0"));

    // Calldata has no floor.
    let input = Bytes::from(vec![0xff; 1_000]);
    let tx = Unsigned {
        gas_limit: floor(&input),
        nonce: pair.nonce(signer.address),
        input: input.clone(),
        ..Unsigned::pay(CHAIN, 0, Address::repeat_byte(0xb0), BASE_FEE.into())
    };
    let raw = tx.sign(&signer.key);
    pair.anvil.must("eth_sendRawTransaction", json!([raw]));
    pair.anvil.must("evm_mine", json!([]));
    let gas = |wire: &mut common::wire::Wire| -> u64 {
        let hash: Value = json!([alloy_primitives::keccak256(&raw)]);
        number(&wire.must("eth_getTransactionReceipt", hash)["gasUsed"])
    };
    assert_eq!(gas(&mut pair.anvil), 21_000 + 10 * 4 * 1_000);
    pair.ours.must("eth_sendRawTransaction", json!([raw]));
    assert_eq!(gas(&mut pair.ours), 21_000 + 16 * 1_000);

    // A program's code may be deployed.
    let prefixed = [
        0x63, 0xef, 0xf0, 0x00, 0x00, 0x5f, 0x52, 0x60, 4, 0x60, 28, 0xf3,
    ];
    let tx = Unsigned {
        to: None,
        value: U256::ZERO,
        gas_limit: 200_000,
        nonce: pair.nonce(signer.address),
        input: Bytes::copy_from_slice(&prefixed),
        ..Unsigned::pay(CHAIN, 0, Address::ZERO, BASE_FEE.into())
    };
    let raw = tx.sign(&signer.key);
    for wire in [&mut pair.ours, &mut pair.anvil] {
        wire.must("eth_sendRawTransaction", json!([raw]));
    }
    pair.anvil.must("evm_mine", json!([]));
    let hash = json!([alloy_primitives::keccak256(&raw)]);
    let status = |wire: &mut common::wire::Wire| {
        wire.must("eth_getTransactionReceipt", hash.clone())["status"].clone()
    };
    assert_eq!(
        [status(&mut pair.ours), status(&mut pair.anvil)],
        [json!("0x1"), json!("0x0")]
    );
}
