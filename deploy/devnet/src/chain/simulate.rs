//! Executions that leave nothing behind: calls, traces, estimates, access lists.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy_primitives::{Address, B256, TxKind};

use super::{
    block::Block,
    call::{BlockId, Call},
    core::Chain,
    error::Error,
    estimate,
    limits::CALL_GAS_CAP,
    mine::upgrade,
    overrides::{AccountOverride, BlockOverride, Overlay, moves},
    state::Changes,
    touched::{Touched, touched},
    tx::{Transaction, TxError},
    view::StateView,
};
use crate::{
    arbos::{self, l1, version},
    evm::{
        BlockParams, Mode, Outcome, Status, TxParams,
        trace::{Detail, Traced},
    },
};

/// The most runs that look for further accesses.
const MAX_ROUNDS: usize = 8;

/// Says whether an account has no code.
fn is_bare<D: revm::DatabaseRef>(db: &D, address: Address) -> bool {
    let account = db.basic_ref(address).ok().flatten();
    account.is_none_or(|account| account.is_empty_code_hash())
}

/// The accounts and slots that a call touches.
#[derive(Clone, Debug)]
pub(crate) struct Accesses {
    pub(crate) list: Vec<(Address, Vec<B256>)>,
    /// Gas that the call uses with that list.
    pub(crate) gas_used: u64,
    /// How it ends with that list.
    pub(crate) outcome: Outcome,
}

/// An execution and what happened on the way.
#[derive(Debug)]
pub(crate) struct Execution {
    pub(crate) outcome: Outcome,
    pub(crate) traced: Traced,
    pub(crate) touched: Vec<Touched>,
}

impl Execution {
    fn new<D: revm::DatabaseRef>(db: &D, outcome: Outcome, traced: Traced) -> Self {
        Self {
            touched: touched(db, &outcome.state),
            outcome,
            traced,
        }
    }
}

impl Chain {
    /// Executes a call on the state of `at` and forgets what it wrote.
    pub(crate) fn call(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
    ) -> Result<Outcome, Error> {
        let (params, db) = self.pretend(call, at, accounts, block)?;
        let tx = call_params(&db, call, capped(call));
        let outcome = self.vm.transact(&db, &params, &tx, Mode::Call);
        Ok(outcome.map_err(TxError::from)?)
    }

    /// [`Chain::call`], and what happened on the way.
    pub(crate) fn trace(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
        detail: Detail,
    ) -> Result<Execution, Error> {
        let (params, db) = self.pretend(call, at, accounts, block)?;
        let tx = call_params(&db, call, capped(call));
        let traced = self.vm.trace(&db, &params, &tx, Mode::Call, detail);
        let (outcome, traced) = traced.map_err(TxError::from)?;
        Ok(Execution::new(&db, outcome, traced))
    }

    /// Executes a mined transaction again, on the state before it; `None` if there is none.
    pub(crate) fn retrace(&self, hash: &B256, detail: Detail) -> Result<Option<Execution>, Error> {
        let (block, index) = {
            let ledger = self.read();
            let Some((block, index)) = ledger.find_tx(hash) else {
                return Ok(None);
            };
            (block.clone(), index)
        };
        let (params, mut db) = self.before(&block)?;
        for mined in &block.mined[..index] {
            let tx = mined_params(mined);
            let outcome = self.vm.transact(&db, &params, &tx, Mode::Transaction);
            db.absorb(&Changes::from_evm(outcome.map_err(TxError::from)?.state));
        }
        let tx = mined_params(&block.mined[index]);
        let traced = self.vm.trace(&db, &params, &tx, Mode::Transaction, detail);
        let (outcome, traced) = traced.map_err(TxError::from)?;
        Ok(Some(Execution::new(&db, outcome, traced)))
    }

    /// Executes all transactions of a block again.
    pub(crate) fn retrace_block(
        &self,
        block: &Block,
        detail: Detail,
    ) -> Result<Vec<Execution>, Error> {
        let (params, mut db) = self.before(block)?;
        let mut all = Vec::new();
        for mined in &block.mined {
            let tx = mined_params(mined);
            let traced = self.vm.trace(&db, &params, &tx, Mode::Transaction, detail);
            let (outcome, traced) = traced.map_err(TxError::from)?;
            let state = outcome.state.clone();
            all.push(Execution::new(&db, outcome, traced));
            db.absorb(&Changes::from_evm(state));
        }
        Ok(all)
    }

    /// The surroundings of a block's transactions, and the state before them.
    fn before(&self, block: &Block) -> Result<(BlockParams, Overlay<StateView>), Error> {
        let before = block.number().saturating_sub(1);
        let version = self.read().version_at(before).ok_or(Error::NoBlock)?;
        let mut db = Overlay::new(self.view(version), HashMap::new());
        upgrade(&mut db, block.timestamp());
        Ok((block.params(), db))
    }

    /// The least gas, to within 1.5 %, with which a call succeeds. `Ok(Err(_))` is how it fails.
    pub(crate) fn estimate(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
    ) -> Result<Result<u64, (u64, Outcome)>, Error> {
        let (params, db) = self.pretend(call, at, accounts, block)?;
        let cap = estimate::gas_cap(&db, call)?;
        let poster_gas = match arbos::l1_price(&db) {
            price if price.is_zero() => 0,
            price => {
                let likely = Transaction::likely(self.chain_id, call);
                l1::padded_poster_gas(price, &likely.raw, params.base_fee)
            }
        };
        let run = |gas| {
            let tx = TxParams {
                poster_gas,
                ..call_params(&db, call, gas)
            };
            self.vm.transact(&db, &params, &tx, Mode::Call)
        };
        // A plain transfer costs what it costs.
        let plain = call.input.is_empty() && call.to.is_some_and(|to| is_bare(&db, to));
        let least = estimate::MIN_GAS.saturating_add(poster_gas);
        if plain && least <= cap && run(least).is_ok_and(|it| it.status == Status::Success) {
            return Ok(Ok(least));
        }
        Ok(estimate::bisect(cap, run).map_err(TxError::from)?)
    }

    /// [`Chain::estimate`] for a transaction to be sent now.
    pub(super) fn gas_for(&self, call: &Call) -> Result<u64, Error> {
        let block = BlockOverride::default();
        match self.estimate(call, BlockId::Pending, HashMap::new(), &block)? {
            Ok(gas) => Ok(gas),
            Err((_, outcome)) => Err(Error::Failing(Box::new(outcome))),
        }
    }

    /// The accounts and slots that a call touches beyond those every transaction does (EIP-2930).
    pub(crate) fn access_list(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
    ) -> Result<Accesses, Error> {
        let (params, db) = self.pretend(call, at, accounts, block)?;
        let mut tx = call_params(&db, call, capped(call));
        let own = match tx.to {
            TxKind::Call(to) => to,
            TxKind::Create => tx.from.create(tx.nonce),
        };
        let implied = |address: &Address| *address == tx.from || *address == own;
        let mut list: BTreeMap<Address, BTreeSet<B256>> = BTreeMap::new();
        for (address, keys) in &tx.access_list {
            list.entry(*address).or_default().extend(keys);
        }
        let mut rounds = 0;
        loop {
            rounds += 1;
            let outcome = self.vm.transact(&db, &params, &tx, Mode::Call);
            let outcome = outcome.map_err(TxError::from)?;
            let known = list.clone();
            for (address, account) in &outcome.state {
                let free = implied(address) || arbos::is_always_warm(*address);
                if *address == arbos::ARBOS || (free && account.storage.is_empty()) {
                    continue;
                }
                let keys = account.storage.keys().map(|key| B256::from(*key));
                list.entry(*address).or_default().extend(keys);
            }
            tx.access_list = list
                .iter()
                .map(|(address, keys)| (*address, keys.iter().copied().collect()))
                .collect();
            if list == known || rounds == MAX_ROUNDS {
                return Ok(Accesses {
                    list: tx.access_list,
                    gas_used: outcome.gas_used,
                    outcome,
                });
            }
        }
    }

    /// The surroundings and state of `at`, overridden. A call that offers to pay must offer enough.
    pub(super) fn pretend(
        &self,
        call: &Call,
        at: BlockId,
        accounts: HashMap<Address, AccountOverride>,
        block: &BlockOverride,
    ) -> Result<(BlockParams, Overlay<StateView>), Error> {
        let (mut params, view) = self.surroundings(at)?;
        block.apply(&mut params);
        let (fee, base_fee) = (call.gas_price, params.base_fee);
        if fee != 0 && fee < u128::from(base_fee) {
            let address = call.from;
            return Err(TxError::FeeTooLow {
                address,
                fee,
                base_fee,
            }
            .into());
        }
        let mut db = Overlay::new(view, HashMap::new());
        if at == BlockId::Pending {
            upgrade(&mut db, params.timestamp);
        }
        params.precompiles = moves(&accounts, arbos_of(&db))?;
        db.pretend(accounts);
        Ok((params, db))
    }
}

/// The ArbOS version in force.
fn arbos_of<D: revm::DatabaseRef>(db: &D) -> u64 {
    let version = db.storage_ref(arbos::ARBOS, version::version_slot());
    version.unwrap_or_default().saturating_to()
}

fn capped(call: &Call) -> u64 {
    call.gas.unwrap_or(CALL_GAS_CAP).min(CALL_GAS_CAP)
}

/// How a mined transaction ran.
fn mined_params(mined: &super::block::Mined) -> TxParams {
    TxParams {
        poster_gas: mined.receipt.gas_used_for_l1,
        ..mined.tx.params()
    }
}

/// How a call runs with so much gas.
pub(super) fn call_params<D: revm::DatabaseRef>(db: &D, call: &Call, gas: u64) -> TxParams {
    let nonce = call.nonce.unwrap_or_else(|| {
        let sender = db.basic_ref(call.from).ok().flatten();
        sender.map_or(0, |info| info.nonce)
    });
    TxParams {
        from: call.from,
        to: call.to.map_or(TxKind::Create, Into::into),
        value: call.value,
        input: call.input.clone(),
        gas_limit: gas,
        gas_price: call.gas_price,
        tip: 0,
        hash: B256::ZERO,
        nonce,
        access_list: call.access_list.clone(),
        authorizations: call.authorizations.clone(),
        poster_gas: 0,
        impersonated: false,
    }
}

impl Outcome {
    /// Why it failed, in a node's words; `None` for a success.
    pub(crate) fn error(&self) -> Option<String> {
        match &self.status {
            Status::Success => None,
            Status::Revert => Some("execution reverted".into()),
            Status::Halt(text) => Some(text.clone()),
        }
    }
}
