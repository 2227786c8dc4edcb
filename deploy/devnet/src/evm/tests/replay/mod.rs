//! Blocks of public chains, transaction by transaction, from the folder that `STYLUS_DEVNET_REPLAYS` names.
//!
//! Status, gas, logs, nonces, code, storage and balances must come out as they did there. The following are not this machine's:
//!
//! * the module hash of an activation is its own, in the log and in storage;
//! * a block begins with a transaction of ArbOS, which keeps prices and hashes of the parent chain; its slots are left out,
//!   and so are the tickets' of retryable transactions, which are not executed but for the attempts to redeem them;
//! * posting to the parent chain is charged beforehand in gas, at the price in the state: for each packed byte of the
//!   signed transaction. The packer here is not the node's to the byte, so the packed size may be off by [`slack`]; it is
//!   what the gas of everything else leaves.
//! * who gets which part of the fees; their sum must be right.

mod format;
mod own;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use alloy_primitives::{Address, B256, TxKind, U256, address, b256, keccak256};
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode};
use revm::{DatabaseCommit, DatabaseRef};

use self::format::{Fixture, Receipt, Retry, Sent};
use crate::arbos::{self, recent::RecentPrograms, storage::ROOT};
use crate::chain::tx::Transaction;
use crate::evm::*;

const ARB_WASM: Address = Address::with_last_byte(0x71);
/// `ProgramActivated(bytes32,bytes32,address,uint256,uint16)`
const ACTIVATED: B256 = b256!("0xc0e812780707128d9a180db8ee4d1c1f1300b6dd0626d577b5d9ac759b76253c");
/// The ArbOS versions whose rules this machine knows; of those before 40 not all.
const VERSIONS: std::ops::Range<u64> = 20..62;
const UNITS_PER_BYTE: u64 = 16;
/// Who posts to the parent chain, and who is paid for it.
const POSTER: Address = address!("A4b000000000000000000073657175656e636572");
const POSTER_FUND: Address = address!("A4B00000000000000000000000000000000000f6");
/// The block hashes that Ethereum keeps in state; the chain writes them, not a transaction.
const HISTORY: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");

type Db = CacheDB<EmptyDB>;

/// Bytes by which the packed size of a transaction may differ from the node's.
fn slack(packed: u64) -> u64 {
    8 + packed / 50
}

fn packed(raw: &[u8], level: u64) -> u64 {
    let params = brotli::enc::BrotliEncoderParams {
        quality: level as i32,
        lgwin: 22,
        ..Default::default()
    };
    let mut out = Vec::new();
    // All of it at once: the packer works on what it is given at a time.
    brotli::CompressorWriter::with_params(&mut out, 2 * raw.len() + 1024, &params)
        .write_all(raw)
        .unwrap();
    out.len() as u64
}

fn state(fixture: &Fixture) -> Db {
    let mut db = Db::new(EmptyDB::default());
    for account in &fixture.prestate.accounts {
        let hash = account.code_hash.unwrap_or(keccak256([]));
        let contract = fixture
            .prestate
            .contracts
            .iter()
            .find(|c| c.code_hash == hash);
        let code = contract.map_or_else(Bytecode::default, |c| Bytecode::new_raw(c.code.clone()));
        let info = AccountInfo::new(
            account.balance.unwrap_or_default(),
            account.nonce.unwrap_or_default(),
            hash,
            code,
        );
        db.insert_account_info(account.address, info);
        for slot in &account.storage {
            db.insert_account_storage(account.address, slot.slot, slot.value)
                .unwrap();
        }
    }
    for known in &fixture.prestate.block_hashes {
        db.cache
            .block_hashes
            .insert(U256::from(known.number), known.hash);
    }
    db
}

/// A block at work.
struct Replay<'f> {
    fixture: &'f Fixture,
    vm: Vm,
    db: Db,
    before: Db,
    recent: RecentPrograms,
    /// Whether it holds transactions that this machine cannot execute in full.
    partial: bool,
    wrong: Vec<String>,
}

impl<'f> Replay<'f> {
    fn new(fixture: &'f Fixture) -> Self {
        let before = state(fixture);
        Self {
            fixture,
            vm: Vm::new(fixture.chain_id),
            db: before.clone(),
            before,
            recent: RecentPrograms::default(),
            partial: false,
            wrong: Vec::new(),
        }
    }

    fn arbos(&self, slot: U256) -> U256 {
        self.db.storage_ref(arbos::ARBOS, slot).unwrap()
    }

    fn pay(&mut self, address: Address, change: impl FnOnce(U256) -> U256) {
        let mut info = account(&self.db, address);
        info.balance = change(info.balance);
        self.db.insert_account_info(address, info);
    }

    fn block(&self) -> BlockParams {
        let block = &self.fixture.block;
        BlockParams {
            number: block.number,
            l1_number: block.l1_block_number,
            timestamp: block.timestamp,
            base_fee: block.basefee,
            gas_limit: block.gas_limit,
            coinbase: block.beneficiary,
            recent: self.recent.clone(),
            precompiles: Default::default(),
        }
    }

    /// Executes all transactions and says what is wrong.
    fn run(mut self) -> Vec<String> {
        let version = self.arbos(ROOT.field(0));
        if !VERSIONS.contains(&version.saturating_to()) {
            return vec![format!("ArbOS {version}, want one of {VERSIONS:?}")];
        }
        for (index, entry) in self.fixture.transactions().enumerate() {
            match entry {
                Ok((sent, receipt)) => {
                    for wrong in self.transaction(sent, receipt) {
                        self.wrong.push(format!("transaction {index}: {wrong}"));
                    }
                }
                Err(error) => self.wrong.push(format!("transaction {index}: {error}")),
            }
        }
        self.check_state();
        self.wrong
    }

    fn transaction(&mut self, sent: Sent, receipt: &Receipt) -> Vec<String> {
        match sent {
            Sent::Internal => gas_is(receipt, 0),
            Sent::Deposit { to, value } => {
                self.pay(to, |balance| balance + value);
                gas_is(receipt, 0)
            }
            Sent::Submission { gas } => {
                self.partial = true;
                gas_is(receipt, gas)
            }
            Sent::Retry(retry) => self.retry(&retry, receipt),
            Sent::Signed(tx) => self.signed(&tx, receipt),
        }
    }

    fn retry(&mut self, retry: &Retry, receipt: &Receipt) -> Vec<String> {
        let gas_limit = retry.gas_limit.to::<u64>();
        let escrow = retry.value + retry.gas_fee_cap * U256::from(gas_limit);
        self.pay(retry.from, |balance| balance + escrow);
        let tx = TxParams {
            from: retry.from,
            to: retry.to.map_or(TxKind::Create, TxKind::Call),
            value: retry.value,
            input: retry.input.clone(),
            gas_limit,
            gas_price: retry.gas_fee_cap.to(),
            tip: 0,
            hash: B256::ZERO,
            nonce: account(&self.db, retry.from).nonce,
            access_list: Vec::new(),
            authorizations: Vec::new(),
            poster_gas: 0,
            impersonated: false,
        };
        match self
            .vm
            .transact(&self.db, &self.block(), &tx, Mode::Transaction)
        {
            Ok(outcome) => {
                let wrong = compare(&outcome, 0, receipt);
                self.db.commit(outcome.state);
                wrong
            }
            Err(error) => vec![error.to_string()],
        }
    }

    fn signed(&mut self, tx: &Transaction, receipt: &Receipt) -> Vec<String> {
        let base_fee = self.fixture.block.basefee;
        let l1_price: u64 = self.arbos(ROOT.child(0).field(7)).to();
        let carried = self.fixture.block.beneficiary == POSTER;
        let price = if carried { l1_price } else { 0 };
        let gas_of = |bytes: u64| price * UNITS_PER_BYTE * bytes / base_fee;
        let bytes = packed(&tx.raw, self.arbos(ROOT.field(7)).to());
        let run = |poster_gas: u64| {
            let tx = TxParams {
                poster_gas,
                ..tx.params()
            };
            self.vm
                .transact(&self.db, &self.block(), &tx, Mode::Transaction)
        };
        let mut posting = gas_of(bytes);
        let mut outcome = match run(posting) {
            Ok(outcome) => outcome,
            Err(error) => return vec![error.to_string()],
        };
        // The packed size that the receipt speaks of.
        let near = bytes.saturating_sub(slack(bytes))..=bytes + slack(bytes);
        if let Some(left) = (receipt.gas_used + posting).checked_sub(outcome.gas_used)
            && left != posting
            && let Some(size) = near.clone().find(|size| gas_of(*size) == left)
            && let Ok(again) = run(left)
        {
            println!(
                "{}: packed into {bytes} bytes here, {size} there",
                tx.hash()
            );
            (posting, outcome) = (left, again);
        }
        let wrong = compare(&outcome, posting, receipt);
        self.db.commit(outcome.state);
        wrong
    }

    /// What the block must have changed, and nothing else.
    fn check_state(&mut self) {
        let expected: BTreeMap<_, _> = (self.fixture.expected_state.iter())
            .map(|account| (account.address, account))
            .collect();
        let fees: BTreeSet<Address> = [arbos::network_fee_slot(), arbos::infra_fee_slot()]
            .map(|slot| Address::from_word(self.arbos(slot).into()))
            .into_iter()
            .chain([POSTER, POSTER_FUND])
            .collect();
        let not_ours = NotOurs::new(self.fixture, &self.db);
        let mut wrong = Vec::new();
        let (mut fees_here, mut fees_there) = (U256::ZERO, U256::ZERO);
        let addresses: BTreeSet<Address> = (self.db.cache.accounts.keys().copied())
            .chain(expected.keys().copied())
            .filter(|address| *address != HISTORY)
            .collect();
        for address in addresses {
            let (old, new) = (account(&self.before, address), account(&self.db, address));
            let change = expected.get(&address);
            let balance = change
                .and_then(|change| change.balance)
                .unwrap_or(old.balance);
            if fees.contains(&address) {
                fees_here += new.balance - old.balance;
                fees_there += balance - old.balance;
            } else if new.balance != balance && !self.partial && address != arbos::ARBOS {
                wrong.push(format!(
                    "{address}: balance {}, want {balance}",
                    new.balance
                ));
            }
            let nonce = change.and_then(|change| change.nonce).unwrap_or(old.nonce);
            if new.nonce != nonce {
                wrong.push(format!("{address}: nonce {}, want {nonce}", new.nonce));
            }
            let hash = change
                .and_then(|change| change.code_hash)
                .unwrap_or(old.code_hash);
            if new.code_hash != hash && !(new.is_empty_code_hash() && hash.is_zero()) {
                wrong.push(format!("{address}: code {}, want {hash}", new.code_hash));
            }
            let stored = |db: &Db, slot| db.storage_ref(address, slot).unwrap();
            let touched = self.db.cache.accounts.get(&address);
            let touched = touched
                .into_iter()
                .flat_map(|touched| touched.storage.keys().copied());
            let listed: BTreeMap<U256, U256> = change
                .into_iter()
                .flat_map(|change| change.storage.iter().map(|slot| (slot.slot, slot.value)))
                .collect();
            for slot in touched
                .chain(listed.keys().copied())
                .collect::<BTreeSet<_>>()
            {
                let old = stored(&self.before, slot);
                let want = listed.get(&slot).copied().unwrap_or(old);
                let found = stored(&self.db, slot);
                let elsewhere = address == arbos::ARBOS && (self.partial || not_ours.holds(slot));
                if found != want && !elsewhere {
                    wrong.push(format!(
                        "{address}: slot {slot:#x} is {found:#x}, want {want:#x}"
                    ));
                }
            }
        }
        if fees_here != fees_there && !self.partial {
            wrong.push(format!("fees of {fees_here}, want {fees_there}"));
        }
        self.wrong.extend(wrong);
    }
}

/// Slots of ArbOS that are not compared.
struct NotOurs {
    pages: BTreeSet<B256>,
    slots: BTreeSet<U256>,
}

impl NotOurs {
    /// What ArbOS's own transactions keep: the prices of both chains with what they depend on, tickets, block hashes.
    /// And the module hash of each program in the block.
    fn new(fixture: &Fixture, db: &Db) -> Self {
        const CONSTRAINTS: u8 = 0;
        let constraints = ROOT.child(1).child(CONSTRAINTS);
        let each = (0..64u64).map(|n| constraints.keyed(&n.to_be_bytes()));
        let spaces = [0, 1, 2, 6].map(|id| ROOT.child(id));
        let queue = ROOT.child(2).child(0);
        let spaces = spaces.into_iter().chain([constraints, queue]).chain(each);
        let pages = spaces.flat_map(|space| [page(space.field(0)), page(space.field(256))]);
        let hashes = db
            .cache
            .accounts
            .values()
            .map(|account| account.info.code_hash);
        let known = fixture
            .prestate
            .contracts
            .iter()
            .map(|contract| contract.code_hash);
        let modules = arbos::params::programs_space().child(2);
        Self {
            pages: pages.collect(),
            slots: hashes.chain(known).map(|hash| modules.slot(hash)).collect(),
        }
    }

    fn holds(&self, slot: U256) -> bool {
        self.pages.contains(&page(slot)) || self.slots.contains(&slot)
    }
}

/// The part of a slot that all fields of a space share.
fn page(slot: U256) -> B256 {
    let mut page = B256::from(slot);
    page[31] = 0;
    page
}

fn account(db: &Db, address: Address) -> AccountInfo {
    db.basic_ref(address).unwrap().unwrap_or_default()
}

fn gas_is(receipt: &Receipt, gas: u64) -> Vec<String> {
    let wrong = receipt.gas_used != gas;
    wrong
        .then(|| format!("gas used is {gas}, want {}", receipt.gas_used))
        .into_iter()
        .collect()
}

/// Status, gas with what posting took, and logs.
fn compare(outcome: &Outcome, posting: u64, receipt: &Receipt) -> Vec<String> {
    let mut wrong = Vec::new();
    if (outcome.status == Status::Success) != receipt.success {
        wrong.push(format!(
            "{:?}, want success {}",
            outcome.status, receipt.success
        ));
    }
    let gas = outcome.gas_used;
    if gas != receipt.gas_used {
        let own = gas.saturating_sub(posting);
        wrong.push(format!(
            "gas used is {own} and {posting} for posting, want {} ({:+})",
            receipt.gas_used,
            i128::from(receipt.gas_used) - i128::from(gas)
        ));
    }
    if outcome.logs.len() != receipt.logs.len() {
        wrong.push(format!(
            "{} logs, want {}",
            outcome.logs.len(),
            receipt.logs.len()
        ));
    }
    for (at, (log, want)) in outcome.logs.iter().zip(&receipt.logs).enumerate() {
        let skip = match want.topics.first() {
            Some(topic) if want.address == ARB_WASM && *topic == ACTIVATED => 32,
            _ => 0,
        };
        let same = log.address == want.address
            && log.topics() == want.topics
            && log.data.data.len() == want.data.len()
            && log.data.data.get(skip..) == want.data.get(skip..);
        if !same {
            wrong.push(format!("log {at} is {log:?}"));
        }
    }
    wrong
}

/// All replays in a folder, which must have some, and what is wrong with them.
fn replay_all(folder: &Path) -> (usize, Vec<String>) {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no replays", folder.display());
    let mut all = Vec::new();
    for file in &files {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let wrong = match Fixture::load(file) {
            Ok(fixture) => Replay::new(&fixture).run(),
            Err(error) => vec![error],
        };
        println!("{name}: {} differences", wrong.len());
        all.extend(wrong.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    (files.len(), all)
}

#[test]
fn blocks_of_public_chains_come_out_the_same() {
    const FOLDER: &str = "STYLUS_DEVNET_REPLAYS";
    let Some(folder) = std::env::var_os(FOLDER) else {
        println!("no block is replayed: {FOLDER} names no folder of recorded ones");
        return;
    };
    let (count, wrong) = replay_all(Path::new(&folder));
    assert!(wrong.is_empty(), "{count} files:\n{}", wrong.join("\n"));
}
