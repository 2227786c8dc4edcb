//! Blocks of calls, one on top of the other, on a state that is forgotten afterwards.

use std::collections::HashMap;

use alloy_primitives::Address;

use super::{
    BlockId, CALL_GAS_CAP, Call, Chain, Error,
    block::{self, Block, Mined, Receipt},
    overrides::{AccountOverride, BlockOverride, Overlay},
    simulate::call_params,
    state::Changes,
    tx::{Transaction, TxError},
};
use crate::evm::{Mode, Outcome, Status};

/// The most blocks that one request simulates, those without calls included.
const MAX_BLOCKS: usize = 256;
/// The most calls in them.
const MAX_CALLS: usize = 1_000;

/// A block to simulate.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    pub(crate) accounts: HashMap<Address, AccountOverride>,
    pub(crate) block: BlockOverride,
    pub(crate) calls: Vec<Call>,
}

impl Chain {
    /// Simulates blocks after `at`. With `validate`, calls are checked and pay as transactions do. All calls together
    /// have the gas of one. The blocks state the root of the state that they begin from.
    pub(crate) fn simulate(
        &self,
        blocks: Vec<Simulated>,
        at: BlockId,
        validate: bool,
    ) -> Result<Vec<(Block, Vec<Outcome>)>, Error> {
        let refuse = |reason: String| Err(Error::Simulation(reason));
        let calls: usize = blocks.iter().map(|block| block.calls.len()).sum();
        if calls > MAX_CALLS {
            return refuse(format!("{calls} calls, but {MAX_CALLS} is the limit"));
        }
        let (base, version) = self.resolve(at).ok_or(Error::NoBlock)?;
        let mut db = Overlay::new(self.view(version), HashMap::new());
        let mut gas_left = CALL_GAS_CAP;
        let mut done: Vec<(Block, Vec<Outcome>)> = Vec::new();
        for wanted in filled(base.number(), blocks)? {
            let parent = done.last().map_or(&*base, |(block, _)| block);
            let Some(time) = parent.timestamp().checked_add(1) else {
                return refuse("no time is left after the parent block".into());
            };
            let mut params = block::block_params(parent.number() + 1, time, parent.l1_number());
            if !validate {
                params.base_fee = 0;
            }
            wanted.block.apply(&mut params);
            if params.timestamp < time {
                let (have, at_least) = (params.timestamp, time);
                return refuse(format!(
                    "block time {have} is not after its parent's, want {at_least}"
                ));
            }
            db.pretend(wanted.accounts);
            let (mut mined, mut outcomes) = (Vec::new(), Vec::new());
            for call in &wanted.calls {
                let gas = call.gas.unwrap_or(gas_left).min(gas_left);
                let tx = call_params(&db, call, gas);
                let mode = match validate {
                    true => Mode::Transaction,
                    false => Mode::Call,
                };
                let outcome = self.vm.transact(&db, &params, &tx, mode);
                let outcome = outcome.map_err(TxError::from)?;
                gas_left -= outcome.gas_used.min(gas_left);
                db.absorb(&Changes::from_evm(outcome.state.clone()));
                let tx = Transaction::unsigned(self.chain_id, call, tx.nonce, gas);
                let receipt = Receipt {
                    success: outcome.status == Status::Success,
                    gas_used: outcome.gas_used,
                    gas_used_for_l1: 0,
                    contract: tx.creates(),
                    logs: outcome.logs.clone(),
                };
                mined.push(Mined { tx, receipt });
                outcomes.push(outcome);
            }
            let (root, sends) = (base.header.state_root, base.sends());
            let header = block::header(parent.hash, &params, root, sends, &mined);
            let block = Block {
                hash: header.hash_slow(),
                header,
                mined,
                serial: 0,
            };
            done.push((block, outcomes));
        }
        Ok(done)
    }
}

/// The blocks with those between them that have no calls.
fn filled(base: u64, blocks: Vec<Simulated>) -> Result<Vec<Simulated>, Error> {
    let mut all: Vec<Simulated> = Vec::new();
    for wanted in blocks {
        let next = base + 1 + all.len() as u64;
        let number = wanted.block.number.unwrap_or(next);
        let Some(gap) = number.checked_sub(next) else {
            let reason = format!("block number {number} is not after its parent's, want {next}");
            return Err(Error::Simulation(reason));
        };
        let gap = usize::try_from(gap).unwrap_or(usize::MAX);
        if gap.saturating_add(all.len()) >= MAX_BLOCKS {
            let reason = format!("more than {MAX_BLOCKS} blocks");
            return Err(Error::Simulation(reason));
        }
        all.extend((0..gap).map(|_| Simulated::default()));
        all.push(wanted);
    }
    Ok(all)
}
