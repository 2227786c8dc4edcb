//! The EVM half: revm with Arbitrum's instructions, precompiles and Stylus frames.
//! `Vm::transact` is the one door; the chain above it applies the state it returns.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use alloy_primitives::{Address, B256, Bytes, U256};
use revm::context::result::ExecutionResult;
use revm::context::transaction::{AccessList, AccessListItem};
use revm::context::{BlockEnv, CfgEnv, Context, Journal, TxEnv};
use revm::context_interface::JournalTr;
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::either::Either;
use revm::handler::Handler;
use revm::primitives::hardfork::SpecId;
use revm::state::EvmState;

use self::context::TxScratch;
use self::db::{ChainDb, Erased};
use self::handler::ArbHandler;
use self::machine::Machine;
use self::trace::{Detail, Trace, Traced};
use self::types::MAX_CODE_SIZE;
pub(crate) use self::types::{BlockParams, InvalidTx, Mode, Outcome, Status, TxParams};
use crate::arbos::precompiles::ArbPrecompiles;
use crate::arbos::{self, recent::RecentPrograms, version::FRAGMENTS};
use crate::engine::Engine;

mod calls;
pub(crate) mod context;
pub(crate) mod db;
mod handler;
mod instructions;
mod machine;
pub(crate) mod opcodes;
mod stylus;
#[cfg(test)]
mod tests;
mod texts;
pub(crate) mod trace;
mod types;
mod watch;

/// The Ethereum rules that an ArbOS version runs on.
fn spec(arbos: u64) -> SpecId {
    match arbos {
        ..20 => SpecId::SHANGHAI,
        20..40 => SpecId::CANCUN,
        40..50 => SpecId::PRAGUE,
        50.. => SpecId::OSAKA,
    }
}

/// Says whether a precompile answers at an address under an ArbOS version.
pub(crate) fn is_precompile(address: Address, arbos: u64) -> bool {
    ArbPrecompiles::new(spec(arbos), arbos, HashMap::new()).contains(&address)
}

/// Executes transactions; holds the compiled programs. Cheap to clone and share.
#[derive(Clone)]
pub(crate) struct Vm {
    chain_id: u64,
    engine: Arc<Engine>,
}

impl Vm {
    /// A machine for the chain `chain_id`. Programs may use `console` on the local development chain.
    pub(crate) fn new(chain_id: u64) -> Self {
        Self {
            chain_id,
            engine: Arc::new(Engine::new(chain_id == arbos::LOCAL_CHAIN_ID)),
        }
    }

    /// Runs one transaction on `db`. Blocks the thread; programs run on threads of their own.
    ///
    /// `db` answers `block_hash_ref` for this chain's own block numbers; the changed accounts come
    /// back in [`Outcome::state`] and nothing is written.
    pub(crate) fn transact<DB: revm::DatabaseRef + Send + Sync>(
        &self,
        db: &DB,
        block: &BlockParams,
        tx: &TxParams,
        mode: Mode,
    ) -> Result<Outcome, InvalidTx>
    where
        DB::Error: std::fmt::Display,
    {
        Ok(self.run(db, block, tx, mode, None)?.0)
    }

    /// [`Vm::transact`], and what happened on the way.
    pub(crate) fn trace<DB: revm::DatabaseRef + Send + Sync>(
        &self,
        db: &DB,
        block: &BlockParams,
        tx: &TxParams,
        mode: Mode,
        detail: Detail,
    ) -> Result<(Outcome, Traced), InvalidTx>
    where
        DB::Error: std::fmt::Display,
    {
        let trace = Some(Box::new(Trace::new(detail)));
        let (outcome, trace) = self.run(db, block, tx, mode, trace)?;
        let mut traced = trace.map(|trace| trace.finish()).unwrap_or_default();
        let frame = &mut traced.frame;
        frame.gas = tx.gas_limit;
        frame.gas_used = outcome.gas_used;
        if let Status::Halt(text) = &outcome.status {
            frame.error = Some(text.clone());
        }
        Ok((outcome, traced))
    }

    fn run<DB: revm::DatabaseRef + Send + Sync>(
        &self,
        db: &DB,
        block: &BlockParams,
        tx: &TxParams,
        mode: Mode,
        trace: Option<Box<Trace>>,
    ) -> Result<(Outcome, Option<Box<Trace>>), InvalidTx>
    where
        DB::Error: std::fmt::Display,
    {
        let erased = Erased(db);
        let db = ChainDb(&erased);
        let network_fee_account = arbos::network_fee_account(&db).map_err(texts::broken)?;
        let arbos = arbos::version(&db).map_err(texts::broken)?;
        let tips = arbos >= FRAGMENTS && arbos::tips(&db).map_err(texts::broken)?;
        let filtered = arbos >= FRAGMENTS
            && mode == Mode::Transaction
            && arbos::is_filtered(&db, tx.hash).map_err(texts::broken)?;
        let spec = spec(arbos);
        let mut journal = Journal::new(db);
        journal.set_spec_id(spec);
        let ctx = Context {
            block: block_env(block, tx, mode),
            tx: tx_env(self.chain_id, tx, tips),
            cfg: cfg_env(self.chain_id, spec, mode),
            journaled_state: journal,
            chain: TxScratch {
                l2_block: block.number,
                arbos,
                network_fee_account,
                poster_gas: tx.poster_gas,
                recent: match mode {
                    Mode::Transaction => block.recent.clone(),
                    Mode::Call => RecentPrograms::default(),
                },
                trace,
                debug: self.chain_id == arbos::LOCAL_CHAIN_ID,
                ..TxScratch::default()
            },
            local: Default::default(),
            error: Ok(()),
        };
        let mut machine = Machine::new(ctx, &self.engine, spec, block.precompiles.clone());
        let mut handler = ArbHandler {
            mode,
            poster_gas: tx.poster_gas,
            impersonated: tx.impersonated,
            filtered,
            _state: PhantomData,
        };
        let result = handler
            .run(&mut machine)
            .map_err(|error| texts::invalid(error, block, tx))?;
        let mut ctx = machine.into_context();
        let halt_text = ctx.chain.halt_text.take();
        let outcome = outcome(result, halt_text, ctx.journaled_state.finalize());
        Ok((outcome, ctx.chain.trace))
    }
}

fn block_env(block: &BlockParams, tx: &TxParams, mode: Mode) -> BlockEnv {
    let free = mode == Mode::Call && tx.gas_price == 0;
    BlockEnv {
        number: U256::from(block.l1_number),
        beneficiary: block.coinbase,
        timestamp: U256::from(block.timestamp),
        gas_limit: block.gas_limit,
        basefee: if free { 0 } else { block.base_fee },
        difficulty: U256::ONE,
        prevrandao: Some(B256::with_last_byte(1)),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: 0,
        }),
        slot_num: 0,
    }
}

/// Every transaction pays the base fee and no tip, whatever its type says, unless the chain collects `tips`.
fn tx_env(chain_id: u64, tx: &TxParams, tips: bool) -> TxEnv {
    TxEnv {
        tx_type: if tx.authorizations.is_empty() { 2 } else { 4 },
        caller: tx.from,
        gas_limit: tx.gas_limit,
        gas_price: tx.gas_price,
        kind: tx.to,
        value: tx.value,
        data: tx.input.clone(),
        nonce: tx.nonce,
        chain_id: Some(chain_id),
        access_list: AccessList(
            tx.access_list
                .iter()
                .map(|(address, keys)| AccessListItem {
                    address: *address,
                    storage_keys: keys.clone(),
                })
                .collect(),
        ),
        gas_priority_fee: Some(if tips { tx.tip.min(tx.gas_price) } else { 0 }),
        blob_hashes: Vec::new(),
        max_fee_per_blob_gas: 0,
        authorization_list: tx
            .authorizations
            .iter()
            .cloned()
            .map(Either::Left)
            .collect(),
    }
}

fn cfg_env(chain_id: u64, spec: SpecId, mode: Mode) -> CfgEnv {
    let mut cfg = CfgEnv::new_with_spec(spec).with_chain_id(chain_id);
    cfg.limit_contract_code_size = Some(MAX_CODE_SIZE);
    cfg.tx_gas_limit_cap = Some(u64::MAX);
    cfg.disable_eip3541 = true;
    if mode == Mode::Call {
        cfg.disable_nonce_check = true;
        cfg.disable_base_fee = true;
        cfg.disable_block_gas_limit = true;
    }
    cfg
}

fn outcome(result: ExecutionResult, halt_text: Option<String>, state: EvmState) -> Outcome {
    let gas = *result.gas();
    let (status, output, logs) = match result {
        ExecutionResult::Success { logs, output, .. } => {
            (Status::Success, output.into_data(), logs)
        }
        ExecutionResult::Revert { output, .. } => (Status::Revert, output, Vec::new()),
        ExecutionResult::Halt { reason, .. } => {
            let text = halt_text.unwrap_or_else(|| texts::halt(&reason));
            (Status::Halt(text), Bytes::new(), Vec::new())
        }
    };
    Outcome {
        status,
        gas_used: gas.tx_gas_used(),
        max_gas_used: gas.total_gas_spent(),
        output,
        logs,
        state,
    }
}
