//! Blocks of calls, one on top of the other, on a state that is forgotten afterwards.

use std::collections::HashMap;

use alloy_primitives::{Address, Log, address, keccak256};

use super::{
    block::{self, Block, Mined, Receipt},
    call::{BlockId, Call},
    core::Chain,
    error::Error,
    limits::CALL_GAS_CAP,
    overrides::{AccountOverride, BlockOverride, Overlay, moves},
    simulate::call_params,
    state::Changes,
    tx::Transaction,
};
use crate::evm::{
    Mode, Outcome, Status,
    trace::{Detail, FrameKind, TracedFrame},
};

/// The most blocks that one request simulates, those without calls included.
const MAX_BLOCKS: usize = 256;
/// The most calls in them.
const MAX_CALLS: usize = 1_000;

/// The codes that the specification of `eth_simulateV1` gives to errors.
mod code {
    pub(super) const NONCE_TOO_LOW: i32 = -38_010;
    pub(super) const NONCE_TOO_HIGH: i32 = -38_011;
    pub(super) const FEE_TOO_LOW: i32 = -38_012;
    pub(super) const INTRINSIC: i32 = -38_013;
    pub(super) const FUNDS: i32 = -38_014;
    pub(super) const BLOCK_GAS: i32 = -38_015;
    pub(super) const NUMBER: i32 = -38_020;
    pub(super) const TIME: i32 = -38_021;
    pub(super) const NO_EOA: i32 = -38_024;
    pub(super) const INIT_CODE: i32 = -38_025;
    pub(super) const TOO_MANY: i32 = -38_026;
    pub(super) const INVALID: i32 = -32_602;
    pub(super) const OTHER: i32 = -32_000;
}

/// The code of a call that no block can include, by how that is worded.
fn code_of(reason: &str) -> i32 {
    let known = [
        ("nonce too low", code::NONCE_TOO_LOW),
        ("nonce too high", code::NONCE_TOO_HIGH),
        ("max fee per gas less", code::FEE_TOO_LOW),
        ("intrinsic gas too low", code::INTRINSIC),
        ("insufficient funds", code::FUNDS),
        ("sender not an eoa", code::NO_EOA),
        ("max initcode size", code::INIT_CODE),
    ];
    let found = known.iter().find(|(begin, _)| reason.starts_with(begin));
    found.map_or(code::OTHER, |(_, code)| *code)
}

/// A block to simulate.
#[derive(Debug, Default)]
pub(crate) struct Simulated {
    pub(crate) accounts: HashMap<Address, AccountOverride>,
    pub(crate) block: BlockOverride,
    pub(crate) calls: Vec<Call>,
}

impl Chain {
    /// Simulates blocks after `at`. With `validate`, calls are checked and pay as transactions do. All calls together
    /// have the gas of one. The blocks state the root of the state that they begin from. With `transfers`, each payment
    /// is logged too, as a token's transfer (ERC-7528).
    pub(crate) fn simulate(
        &self,
        blocks: Vec<Simulated>,
        at: BlockId,
        validate: bool,
        transfers: bool,
    ) -> Result<Vec<(Block, Vec<Outcome>)>, Error> {
        let refuse = |code, reason: String| Err(Error::Simulation { code, reason });
        if blocks.is_empty() {
            return refuse(code::INVALID, "empty input".into());
        }
        let calls: usize = blocks.iter().map(|block| block.calls.len()).sum();
        if calls > MAX_CALLS {
            let reason = format!("{calls} calls, but {MAX_CALLS} is the limit");
            return refuse(code::TOO_MANY, reason);
        }
        let (base, version) = self.resolve(at).ok_or(Error::NoBlock)?;
        let mut db = Overlay::new(self.view(version), HashMap::new());
        let mut gas_left = CALL_GAS_CAP;
        let mut done: Vec<(Block, Vec<Outcome>)> = Vec::new();
        for wanted in filled(base.number(), blocks)? {
            let parent = done.last().map_or(&*base, |(block, _)| block);
            let Some(time) = parent.timestamp().checked_add(1) else {
                let reason = "no time is left after the parent block";
                return refuse(code::TIME, reason.into());
            };
            let mut params = block::block_params(parent.number() + 1, time, parent.l1_number());
            params.gas_limit = parent.header.gas_limit;
            params.coinbase = parent.header.beneficiary;
            if !validate {
                params.base_fee = 0;
            }
            wanted.block.apply(&mut params);
            if params.timestamp < time {
                let (have, at_least) = (params.timestamp, time);
                let reason =
                    format!("block timestamps must be in order: {have}, want at least {at_least}");
                return refuse(code::TIME, reason);
            }
            params.precompiles = moves(&wanted.accounts, base.arbos())?;
            db.pretend(wanted.accounts);
            let (mut mined, mut outcomes) = (Vec::new(), Vec::new());
            let mut block_gas = params.gas_limit;
            for call in &wanted.calls {
                if let Some(gas) = call.gas.filter(|gas| *gas > block_gas) {
                    let reason =
                        format!("block gas limit reached: remaining {block_gas}, required {gas}");
                    return refuse(code::BLOCK_GAS, reason);
                }
                let gas = call.gas.unwrap_or(block_gas).min(gas_left);
                let tx = call_params(&db, call, gas);
                let mode = match validate {
                    true => Mode::Transaction,
                    false => Mode::Call,
                };
                let outcome = match transfers {
                    false => self.vm.transact(&db, &params, &tx, mode),
                    true => {
                        let traced = self.vm.trace(&db, &params, &tx, mode, Detail::Frames);
                        traced.map(|(mut outcome, traced)| {
                            outcome.logs = with_transfers(&traced.frame);
                            outcome
                        })
                    }
                };
                let outcome = outcome.map_err(|error| Error::Simulation {
                    code: code_of(&error.0),
                    reason: format!("err: {error} (supplied gas {gas})"),
                })?;
                gas_left -= outcome.gas_used.min(gas_left);
                block_gas -= outcome.gas_used.min(block_gas);
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
            let (root, info) = (base.header.state_root, base.info());
            let header = block::header(parent.hash, &params, root, info, &mined);
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

/// The address that stands for the chain's own coin (ERC-7528).
const COIN: Address = address!("0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE");

/// The logs of a frame and of those that it opened, in order, with its payment before them; none of a failed one.
fn with_transfers(frame: &TracedFrame) -> Vec<Log> {
    let mut logs = Vec::new();
    if frame.error.is_some() {
        return logs;
    }
    let pays = matches!(
        frame.kind,
        FrameKind::Call | FrameKind::Create | FrameKind::Create2 | FrameKind::SelfDestruct
    );
    if let Some(to) = frame.to.filter(|_| pays && !frame.value.is_zero()) {
        let topics = vec![
            keccak256("Transfer(address,address,uint256)"),
            frame.from.into_word(),
            to.into_word(),
        ];
        let value = frame.value.to_be_bytes::<32>().into();
        logs.push(Log::new_unchecked(COIN, topics, value));
    }
    let mut own = frame.logs.iter().peekable();
    for (nth, inner) in frame.calls().enumerate() {
        while let Some((log, _)) = own.next_if(|(_, before)| *before <= nth) {
            logs.push(log.clone());
        }
        logs.extend(with_transfers(inner));
    }
    logs.extend(own.map(|(log, _)| log.clone()));
    logs
}

/// The blocks with those between them that have no calls.
fn filled(base: u64, blocks: Vec<Simulated>) -> Result<Vec<Simulated>, Error> {
    let mut all: Vec<Simulated> = Vec::new();
    for wanted in blocks {
        let next = base + 1 + all.len() as u64;
        let number = wanted.block.number.unwrap_or(next);
        let Some(gap) = number.checked_sub(next) else {
            let reason = format!("block numbers must be in order: {number}, want at least {next}");
            let code = code::NUMBER;
            return Err(Error::Simulation { code, reason });
        };
        let gap = usize::try_from(gap).unwrap_or(usize::MAX);
        if gap.saturating_add(all.len()) >= MAX_BLOCKS {
            let reason = format!("too many blocks, {MAX_BLOCKS} is the limit");
            let code = code::TOO_MANY;
            return Err(Error::Simulation { code, reason });
        }
        all.extend((0..gap).map(|_| Simulated::default()));
        all.push(wanted);
    }
    Ok(all)
}
