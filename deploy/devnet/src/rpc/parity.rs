//! The `trace_` methods of OpenEthereum: frames one after the other.

use alloy_primitives::{Address, B256, Bytes, U64};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    error::RpcError,
    node::Node,
    tracers::{Place, ends, flat},
    types::{Args, StateOverrides, WireBlockOverride, WireCall},
};
use crate::{
    chain::{BlockId, block::Block, simulate::Execution},
    evm::trace::Detail,
};

/// The most blocks that one `trace_filter` looks at.
const MAX_BLOCKS: u64 = 1_000;

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "trace_transaction", |node, args| {
        of_transaction(node, args.need()?)
    })?;
    Node::blocking(module, "trace_get", |node, args| {
        let (hash, place): (B256, Vec<U64>) = (args.need()?, args.need()?);
        let place = json!(place.iter().map(|at| at.to::<u64>()).collect::<Vec<_>>());
        let all = of_transaction(node, hash)?.unwrap_or_default();
        Ok(all.into_iter().find(|one| one["traceAddress"] == place))
    })?;
    Node::blocking(module, "trace_block", |node, args| {
        let block = node.block(args.need()?)?;
        of_block(node, &block)
    })?;
    Node::blocking(module, "trace_filter", filter)?;
    Node::blocking(module, "trace_call", |node, args| {
        let (call, kinds): (WireCall, Vec<String>) = (args.need()?, args.need()?);
        only_traces(&kinds)?;
        let at = args.opt()?.unwrap_or(BlockId::Latest);
        let (none, block) = (StateOverrides::default(), WireBlockOverride::default());
        let (call, none, block) = (call.try_into()?, none.try_into()?, block.into());
        let done = node.chain.trace(&call, at, none, &block, Detail::Frames)?;
        replayed(&done, None)
    })?;
    Node::blocking(module, "trace_replayTransaction", |node, args| {
        let (hash, kinds): (B256, Vec<String>) = (args.need()?, args.need()?);
        only_traces(&kinds)?;
        match node.chain.retrace(&hash, Detail::Frames)? {
            Some(done) => replayed(&done, None),
            None => Err(RpcError::Refused("transaction not found".into())),
        }
    })?;
    Node::blocking(module, "trace_replayBlockTransactions", |node, args| {
        let block = node.block(args.need()?)?;
        only_traces(&args.need::<Vec<String>>()?)?;
        let all = node.chain.retrace_block(&block, Detail::Frames)?;
        let shown = all.iter().zip(&block.mined);
        shown
            .map(|(done, mined)| replayed(done, Some(mined.tx.hash())))
            .collect::<Result<Vec<_>, _>>()
    })
}

fn only_traces(kinds: &[String]) -> Result<(), RpcError> {
    match kinds.iter().find(|kind| *kind != "trace") {
        None => Ok(()),
        Some(other) => Err(RpcError::Refused(format!(
            "this node knows the kind \"trace\" only, not {other:.20}; debug_ methods show state and opcodes"
        ))),
    }
}

fn whole(done: &Execution) -> Result<(), RpcError> {
    match done.traced.cut {
        true => Err(RpcError::Refused(
            "the trace is too long to be shown".into(),
        )),
        false => Ok(()),
    }
}

fn replayed(done: &Execution, hash: Option<B256>) -> Result<Value, RpcError> {
    whole(done)?;
    let mut shown = json!({
        "output": Bytes::clone(&done.outcome.output),
        "stateDiff": null,
        "trace": flat(&done.traced.frame, None),
        "vmTrace": null,
    });
    if let Some(hash) = hash {
        shown["transactionHash"] = json!(hash);
    }
    Ok(shown)
}

fn of_transaction(node: &Node, hash: B256) -> Result<Option<Vec<Value>>, RpcError> {
    let place = {
        let ledger = node.chain.read();
        let Some((block, index)) = ledger.find_tx(&hash) else {
            return Ok(None);
        };
        Place::of(block, index, hash)
    };
    let Some(done) = node.chain.retrace(&hash, Detail::Frames)? else {
        return Ok(None);
    };
    whole(&done)?;
    Ok(Some(flat(&done.traced.frame, Some(place))))
}

fn of_block(node: &Node, block: &Block) -> Result<Vec<Value>, RpcError> {
    let all = node.chain.retrace_block(block, Detail::Frames)?;
    let mut list = Vec::new();
    for (index, (done, mined)) in all.iter().zip(&block.mined).enumerate() {
        whole(done)?;
        let place = Place::of(block, index, mined.tx.hash());
        list.extend(flat(&done.traced.frame, Some(place)));
    }
    Ok(list)
}

/// The object that `trace_filter` takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterRequest {
    from_block: Option<BlockId>,
    to_block: Option<BlockId>,
    from_address: Option<Vec<Address>>,
    to_address: Option<Vec<Address>>,
    after: Option<usize>,
    count: Option<usize>,
}

fn filter(node: &Node, args: &mut Args<'_>) -> Result<Vec<Value>, RpcError> {
    let wanted: FilterRequest = args.need()?;
    let number = |at: Option<BlockId>| -> Result<u64, RpcError> {
        Ok(node.block(at.unwrap_or(BlockId::Latest))?.number())
    };
    let (from, to) = (number(wanted.from_block)?, number(wanted.to_block)?);
    if from > to || to - from >= MAX_BLOCKS {
        let reason = format!("want a range of 1 to {MAX_BLOCKS} blocks, not {from} to {to}");
        return Err(RpcError::Invalid(reason));
    }
    let among = |list: &Option<Vec<Address>>, who: Option<Address>| match list {
        Some(list) if !list.is_empty() => who.is_some_and(|who| list.contains(&who)),
        _ => true,
    };
    let mut found = Vec::new();
    for number in from..=to {
        let Some(block) = node.chain.find(BlockId::Number(number)) else {
            continue;
        };
        if block.mined.is_empty() {
            continue;
        }
        found.extend(of_block(node, &block)?.into_iter().filter(|trace| {
            let (from, to) = ends(trace);
            among(&wanted.from_address, from) && among(&wanted.to_address, to)
        }));
    }
    let (after, count) = (
        wanted.after.unwrap_or(0),
        wanted.count.unwrap_or(usize::MAX),
    );
    Ok(found.into_iter().skip(after).take(count).collect())
}
