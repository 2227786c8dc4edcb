//! `eth_simulateV1`: blocks of calls that are executed one after the other and forgotten.

use std::collections::HashMap;

use alloy_primitives::{Bytes, U64};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::{Deserialize, Serialize};

use super::{
    error::RpcError,
    node::Node,
    results::{WireBlock, WireLog},
    types::{Args, StateOverrides, WireBlockOverride, WireCall},
};
use crate::{
    chain::{BlockId, block::Block, simulation::Simulated},
    evm::{Outcome, Status},
};

/// The codes of a call that reverted, and of one that failed otherwise.
const REVERTED: i32 = 3;
const FAILED: i32 = -32015;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    block_state_calls: Vec<BlockRequest>,
    #[serde(default)]
    trace_transfers: bool,
    #[serde(default)]
    validation: bool,
    #[serde(default)]
    return_full_transactions: bool,
}
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BlockRequest {
    block_overrides: Option<WireBlockOverride>,
    state_overrides: Option<StateOverrides>,
    calls: Vec<WireCall>,
}
impl TryFrom<BlockRequest> for Simulated {
    type Error = RpcError;

    fn try_from(wire: BlockRequest) -> Result<Self, RpcError> {
        let calls = wire.calls.into_iter().map(TryInto::try_into);
        Ok(Self {
            accounts: match wire.state_overrides {
                Some(accounts) => accounts.try_into()?,
                None => HashMap::default(),
            },
            block: wire.block_overrides.unwrap_or_default().into(),
            calls: calls.collect::<Result<_, _>>()?,
        })
    }
}

#[derive(Clone, Debug, Serialize)]
struct BlockResult {
    #[serde(flatten)]
    block: WireBlock,
    calls: Vec<CallResult>,
}
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CallResult {
    status: U64,
    return_data: Bytes,
    gas_used: U64,
    /// Before refunds.
    max_used_gas: U64,
    logs: Vec<WireLog>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<CallError>,
}
#[derive(Clone, Debug, Serialize)]
struct CallError {
    code: i32,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Bytes>,
}
impl CallResult {
    fn new(block: &Block, index: usize, outcome: &Outcome) -> Self {
        let reverted = outcome.status == Status::Revert;
        let logs = outcome.logs.iter().zip(block.logs_before(index)..);
        Self {
            status: U64::from(outcome.status == Status::Success),
            return_data: outcome.output.clone(),
            gas_used: U64::from(outcome.gas_used),
            max_used_gas: U64::from(outcome.max_gas_used),
            logs: logs
                .map(|(log, nth)| WireLog::new(block, index, log, nth))
                .collect(),
            error: outcome.error().map(|message| CallError {
                code: if reverted { REVERTED } else { FAILED },
                message,
                data: reverted.then(|| outcome.output.clone()),
            }),
        }
    }
}

/// Adds the method of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "eth_simulateV1", |node, args: &mut Args<'_>| {
        let request: Request = args.need()?;
        let at = args.opt()?.unwrap_or(BlockId::Latest);
        let blocks = request.block_state_calls.into_iter();
        let blocks = blocks.map(TryInto::try_into).collect::<Result<_, _>>()?;
        let simulated =
            node.chain
                .simulate(blocks, at, request.validation, request.trace_transfers)?;
        let shown = simulated.iter().map(|(block, outcomes)| BlockResult {
            block: WireBlock::new(block, request.return_full_transactions),
            calls: outcomes
                .iter()
                .enumerate()
                .map(|(index, outcome)| CallResult::new(block, index, outcome))
                .collect(),
        });
        Ok(shown.collect::<Vec<_>>())
    })
}
