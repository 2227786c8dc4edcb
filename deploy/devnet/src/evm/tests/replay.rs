//! A block of Arbitrum One, transaction by transaction: a program deployed and activated through StylusDeployer, a
//! delegated account at work, a transfer. Everything but what L1 posting adds must come out as it did there.

use alloy_primitives::{Address, B256, Bytes, TxKind, U64, U256, address, uint};
use revm::DatabaseCommit;
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode};
use serde::Deserialize;

use crate::arbos;
use crate::evm::*;

const BLOCK: &str = "tests/data/arb1_arbos51_stylus_activation_485279792.json";
const ARB_WASM: Address = Address::with_last_byte(0x71);
/// ArbOS's L1 price per unit of data in that block, in wei.
const L1_PRICE: u64 = 0xf_0d3a;
const UNITS_PER_BYTE: u64 = 16;
/// Bytes of each signed transaction, packed by the reference brotli at level 1.
const PACKED: [u64; 3] = [22_737, 353, 119];
/// The block hashes that Ethereum keeps in state; the chain writes them, not a transaction.
const HISTORY: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");

/// Slots of ArbOS that activation writes: the data pricer's demand and time, the program's record.
const PROGRAM_SLOTS: [U256; 3] = [
    uint!(0x32f3a25635b90f501d25f654cd2ff8f009d6c539bf8691682a31ded63f25ed00_U256),
    uint!(0x32f3a25635b90f501d25f654cd2ff8f009d6c539bf8691682a31ded63f25ed02_U256),
    uint!(0x8a0e9c1669743829bf3659d9f929924049ac37de68c0f2b531d4f3e86bd36c55_U256),
];

#[derive(Deserialize)]
struct Fixture {
    block: Header,
    prestate: Prestate,
    transactions: Vec<serde_json::Value>,
    expected: Vec<Receipt>,
    expected_state: Vec<Account>,
    chain_id: u64,
}

#[derive(Deserialize)]
struct Header {
    number: u64,
    l1_block_number: u64,
    timestamp: u64,
    basefee: u64,
    gas_limit: u64,
    beneficiary: Address,
}

#[derive(Deserialize)]
struct Prestate {
    accounts: Vec<Account>,
    contracts: Vec<Contract>,
}

#[derive(Deserialize)]
struct Account {
    address: Address,
    #[serde(default)]
    balance: U256,
    #[serde(default)]
    nonce: u64,
    code_hash: Option<B256>,
    #[serde(default)]
    storage: Vec<Slot>,
}

#[derive(Deserialize)]
struct Slot {
    slot: U256,
    value: U256,
}

#[derive(Deserialize)]
struct Contract {
    code_hash: B256,
    code: Bytes,
}

#[derive(Deserialize)]
struct Transaction {
    nonce: U64,
    gas: U64,
    #[serde(rename = "maxFeePerGas")]
    max_fee: U256,
    to: Address,
    value: U256,
    input: Bytes,
    from: Address,
}

#[derive(Deserialize)]
struct Receipt {
    success: bool,
    gas_used: u64,
    #[serde(default)]
    logs: Vec<ExpectedLog>,
}

#[derive(Deserialize)]
struct ExpectedLog {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

impl Fixture {
    fn load() -> Self {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(BLOCK);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn state(&self) -> CacheDB<EmptyDB> {
        let mut db = CacheDB::new(EmptyDB::default());
        for account in &self.prestate.accounts {
            let hash = account.code_hash.unwrap();
            let contract = self.prestate.contracts.iter().find(|c| c.code_hash == hash);
            let code = contract.map_or_else(Bytecode::default, |contract| {
                Bytecode::new_raw(contract.code.clone())
            });
            let info = AccountInfo::new(account.balance, account.nonce, hash, code);
            db.insert_account_info(account.address, info);
            for Slot { slot, value } in &account.storage {
                db.insert_account_storage(account.address, *slot, *value)
                    .unwrap();
            }
        }
        db
    }

    fn block(&self) -> BlockParams {
        BlockParams {
            number: self.block.number,
            l1_number: self.block.l1_block_number,
            timestamp: self.block.timestamp,
            base_fee: self.block.basefee,
            gas_limit: self.block.gas_limit,
            coinbase: self.block.beneficiary,
        }
    }
}

impl Transaction {
    fn params(&self) -> TxParams {
        TxParams {
            from: self.from,
            to: TxKind::Call(self.to),
            value: self.value,
            input: self.input.clone(),
            gas_limit: self.gas.to(),
            gas_price: self.max_fee.to(),
            nonce: self.nonce.to(),
            access_list: Vec::new(),
            authorizations: Vec::new(),
            poster_gas: 0,
            impersonated: false,
        }
    }
}

fn check_logs(outcome: &Outcome, receipt: &Receipt) {
    assert_eq!(outcome.logs.len(), receipt.logs.len());
    for (log, expected) in outcome.logs.iter().zip(&receipt.logs) {
        assert_eq!(log.address, expected.address);
        assert_eq!(log.topics(), expected.topics);
        // The module's hash is this machine's own.
        let skip = if log.address == ARB_WASM { 32 } else { 0 };
        assert_eq!(log.data.data[skip..], expected.data[skip..]);
    }
}

/// Nonces, code and storage; balances differ by what L1 posting costs.
fn check_state(db: &CacheDB<EmptyDB>, expected: &[Account]) {
    for account in expected.iter().filter(|account| account.address != HISTORY) {
        if let Some(hash) = account.code_hash {
            let info = revm::DatabaseRef::basic_ref(db, account.address)
                .unwrap()
                .unwrap_or_default();
            assert_eq!(info.nonce, account.nonce, "{}", account.address);
            assert_eq!(info.code_hash, hash, "{}", account.address);
        }
        let known = |slot: &U256| account.address != arbos::ARBOS || PROGRAM_SLOTS.contains(slot);
        for Slot { slot, value } in account.storage.iter().filter(|slot| known(&slot.slot)) {
            let stored = revm::DatabaseRef::storage_ref(db, account.address, *slot).unwrap();
            assert_eq!(stored, *value, "{} {slot:#x}", account.address);
        }
    }
}

#[test]
fn a_block_of_arbitrum_one_comes_out_the_same() {
    let fixture = Fixture::load();
    let mut db = fixture.state();
    let vm = Vm::new(fixture.chain_id);
    // The first transaction is ArbOS's own.
    let users = fixture.transactions.iter().zip(&fixture.expected).skip(1);
    for ((tx, receipt), packed) in users.zip(PACKED) {
        let tx = Transaction::deserialize(tx).unwrap();
        let outcome = vm
            .transact(&db, &fixture.block(), &tx.params(), Mode::Transaction)
            .unwrap();
        let success = outcome.status == Status::Success;
        assert_eq!(success, receipt.success, "{outcome:?}");
        check_logs(&outcome, receipt);
        let posting = L1_PRICE * UNITS_PER_BYTE * packed / fixture.block.basefee;
        assert_eq!(outcome.gas_used + posting, receipt.gas_used);
        db.commit(outcome.state);
    }
    check_state(&db, &fixture.expected_state);
}
