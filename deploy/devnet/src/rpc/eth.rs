//! The `eth_` methods that read the chain, call it and send to it.

use std::{collections::HashMap, sync::Arc};

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Serialize;

use super::{
    error::RpcError,
    node::Node,
    results::{WireBlock, WireReceipt, WireTransaction},
    types::{AccessListItem, Args, StateOverrides, WireBlockOverride, WireCall},
};
use crate::{
    chain::{
        self, BlockId, Call,
        block::{BASE_FEE, Block},
        overrides::{AccountOverride, BlockOverride},
        state::Account,
    },
    evm::Status,
};

/// The most blocks one fee history covers.
const MAX_HISTORY: u64 = 1_024;
/// The most percentiles a fee history computes.
const MAX_PERCENTILES: usize = 100;

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    chain_methods(module)?;
    state_methods(module)?;
    block_methods(module)?;
    transaction_methods(module)?;
    execution_methods(module)
}

fn chain_methods(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::method(module, "eth_chainId", |node, _| {
        Ok(U64::from(node.chain.chain_id))
    })?;
    Node::method(module, "eth_blockNumber", |node, _| {
        Ok(U64::from(node.block(BlockId::Latest)?.number()))
    })?;
    Node::method(module, "eth_gasPrice", |node, _| {
        Ok(U64::from(node.chain.next_base_fee()))
    })?;
    // Tips are not paid here.
    Node::method(module, "eth_maxPriorityFeePerGas", |_, _| Ok(U64::ZERO))?;
    Node::method(module, "eth_feeHistory", fee_history)?;
    Node::method(module, "eth_syncing", |_, _| Ok(false))?;
    // The node holds no keys; the prefunded accounts are the client's to sign for.
    Node::method(module, "eth_accounts", |_, _| Ok(Vec::<Address>::new()))
}

fn state_methods(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::method(module, "eth_getBalance", |node, args| {
        Ok(node.account(args)?.balance)
    })?;
    Node::method(module, "eth_getTransactionCount", |node, args| {
        let address: Address = args.need()?;
        let at = args.opt()?;
        if at == Some(BlockId::Pending) {
            return Ok(U64::from(node.chain.pending_nonce(address)));
        }
        let (_, version) = node.resolve(at)?;
        let account = node.chain.read().state.account(address, version);
        Ok(U64::from(account.unwrap_or_default().nonce))
    })?;
    Node::method(module, "eth_getCode", |node, args| {
        let account = node.account(args)?;
        let ledger = node.chain.read();
        let code = ledger.state.code(account.code_hash);
        Ok(code.map_or_else(Bytes::new, |code| code.original_bytes()))
    })?;
    Node::method(module, "eth_getStorageAt", |node, args| {
        let (address, slot): (Address, U256) = (args.need()?, args.need()?);
        let (_, version) = node.resolve(args.opt()?)?;
        let value = node.chain.read().state.storage(address, slot, version);
        Ok(B256::from(value))
    })
}

fn block_methods(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    for name in ["eth_getBlockByNumber", "eth_getBlockByHash"] {
        Node::method(module, name, |node, args| {
            let block = node.find(args.need()?);
            let full = args.opt()?.unwrap_or(false);
            Ok(block.map(|block| WireBlock::new(&block, full)))
        })?;
    }
    for name in [
        "eth_getBlockTransactionCountByNumber",
        "eth_getBlockTransactionCountByHash",
    ] {
        Node::method(module, name, |node, args| {
            let block = node.find(args.need()?);
            Ok(block.map(|block| U64::from(block.mined.len())))
        })?;
    }
    for name in [
        "eth_getUncleCountByBlockNumber",
        "eth_getUncleCountByBlockHash",
    ] {
        Node::method(module, name, |node, args| {
            Ok(node.find(args.need()?).map(|_| U64::ZERO))
        })?;
    }
    Node::method(module, "eth_getBlockReceipts", |node, args| {
        let block = node.find(args.need()?);
        Ok(block.map(|block| {
            let places = 0..block.mined.len();
            places
                .filter_map(|index| WireReceipt::new(&block, index))
                .collect::<Vec<_>>()
        }))
    })
}

fn transaction_methods(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    for name in [
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionByBlockHashAndIndex",
    ] {
        Node::method(module, name, |node, args| {
            let block = node.find(args.need()?);
            let index: U64 = args.need()?;
            let index = usize::try_from(index.to::<u64>()).unwrap_or(usize::MAX);
            Ok(block.and_then(|block| {
                let mined = block.mined.get(index)?;
                Some(WireTransaction::new(&mined.tx, Some((&block, index))))
            }))
        })?;
    }
    Node::method(module, "eth_getTransactionByHash", |node, args| {
        let hash: B256 = args.need()?;
        let ledger = node.chain.read();
        if let Some(held) = ledger.pool.get(&hash) {
            return Ok(Some(WireTransaction::new(held, None)));
        }
        Ok(ledger.find_tx(&hash).and_then(|(block, index)| {
            let mined = block.mined.get(index)?;
            Some(WireTransaction::new(&mined.tx, Some((block, index))))
        }))
    })?;
    Node::method(module, "eth_getTransactionReceipt", |node, args| {
        let hash: B256 = args.need()?;
        let ledger = node.chain.read();
        let place = ledger.find_tx(&hash);
        Ok(place.and_then(|(block, index)| WireReceipt::new(block, index)))
    })?;
    Node::blocking(module, "eth_sendRawTransaction", |node, args| {
        Ok(node.chain.submit(args.need()?)?)
    })?;
    Node::blocking(module, "eth_sendTransaction", |node, args| {
        let request: WireCall = args.need()?;
        match node.chain.send_unsigned(request.try_into()?) {
            Err(chain::Error::Failing(outcome)) => Err(RpcError::failure(*outcome)),
            sent => Ok(sent?),
        }
    })
}

fn execution_methods(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "eth_call", |node, args| {
        let (call, at, accounts, block) = execution(args, BlockId::Latest)?;
        RpcError::from_outcome(node.chain.call(&call, at, accounts, &block)?)
    })?;
    Node::blocking(module, "eth_estimateGas", |node, args| {
        let (call, at, accounts, block) = execution(args, BlockId::Pending)?;
        match node.chain.estimate(&call, at, accounts, &block)? {
            Ok(gas) => Ok(U64::from(gas)),
            Err((cap, outcome)) => Err(match outcome.status {
                Status::Halt(text) if text.starts_with("out of gas") => {
                    RpcError::Refused(format!("gas required exceeds allowance ({cap})"))
                }
                _ => RpcError::failure(outcome),
            }),
        }
    })?;
    Node::blocking(module, "eth_createAccessList", |node, args| {
        let (call, at, accounts, block) = execution(args, BlockId::Pending)?;
        let found = node.chain.access_list(&call, at, accounts, &block)?;
        let items = found.list.into_iter();
        Ok(AccessListResult {
            access_list: items
                .map(|(address, storage_keys)| AccessListItem {
                    address,
                    storage_keys,
                })
                .collect(),
            gas_used: U64::from(found.gas_used),
            error: found.outcome.error(),
        })
    })
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccessListResult {
    access_list: Vec<AccessListItem>,
    gas_used: U64,
    /// How the call fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

type Execution = (
    Call,
    BlockId,
    HashMap<Address, AccountOverride>,
    BlockOverride,
);

/// Call, block, state overrides, block overrides.
fn execution(args: &mut Args<'_>, default: BlockId) -> Result<Execution, RpcError> {
    let call: WireCall = args.need()?;
    let at: Option<BlockId> = args.opt()?;
    let accounts: Option<StateOverrides> = args.opt()?;
    let block: Option<WireBlockOverride> = args.opt()?;
    Ok((
        call.try_into()?,
        at.unwrap_or(default),
        accounts.unwrap_or_default().try_into()?,
        block.unwrap_or_default().into(),
    ))
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FeeHistory {
    oldest_block: U64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    base_fee_per_gas: Vec<U64>,
    gas_used_ratio: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reward: Option<Vec<Vec<U64>>>,
}

fn fee_history(node: &Node, args: &mut Args<'_>) -> Result<FeeHistory, RpcError> {
    let count: U64 = args.need()?;
    let newest = node.block(args.need()?)?.number();
    let percentiles: Option<Vec<f64>> = args.opt()?;
    if let Some(percentiles) = &percentiles {
        check_percentiles(percentiles)?;
    }
    let count = count.to::<u64>().min(MAX_HISTORY).min(newest + 1);
    if count == 0 {
        return Ok(FeeHistory {
            oldest_block: U64::ZERO,
            base_fee_per_gas: Vec::new(),
            gas_used_ratio: None,
            reward: None,
        });
    }
    let oldest = newest + 1 - count;
    let ledger = node.chain.read();
    let ratio = |number| {
        ledger.block(number).map_or(0.0, |block| {
            block.header.gas_used as f64 / block.header.gas_limit as f64
        })
    };
    let base_fee = |number| {
        let next = ledger.clock.next_base_fee.unwrap_or(BASE_FEE);
        U64::from(ledger.block(number).map_or(next, |block| block.base_fee()))
    };
    Ok(FeeHistory {
        oldest_block: U64::from(oldest),
        base_fee_per_gas: (oldest..=newest + 1).map(base_fee).collect(),
        gas_used_ratio: Some((oldest..=newest).map(ratio).collect()),
        reward: percentiles.map(|p| vec![vec![U64::ZERO; p.len()]; count as usize]),
    })
}

/// Percentiles must lie between 0 and 100 and rise.
fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    let refuse = |reason: String| Err(RpcError::Refused(reason));
    if percentiles.len() > MAX_PERCENTILES {
        return refuse(format!(
            "invalid reward percentile: over the query limit {MAX_PERCENTILES}"
        ));
    }
    if let Some(out) = percentiles.iter().find(|p| !(0.0..=100.0).contains(*p)) {
        return refuse(format!("invalid reward percentile: {out}"));
    }
    for (at, pair) in percentiles.windows(2).enumerate() {
        if pair[0] >= pair[1] {
            return refuse(format!(
                "invalid reward percentile: #{at}:{} >= #{}:{}",
                pair[0],
                at + 1,
                pair[1]
            ));
        }
    }
    Ok(())
}

impl Node {
    fn find(&self, at: BlockId) -> Option<Arc<Block>> {
        self.chain.find(at)
    }

    fn block(&self, at: BlockId) -> Result<Arc<Block>, RpcError> {
        Ok(self.resolve(Some(at))?.0)
    }

    fn resolve(&self, at: Option<BlockId>) -> Result<(Arc<Block>, u64), RpcError> {
        let at = at.unwrap_or(BlockId::Latest);
        Ok(self.chain.resolve(at).ok_or(chain::Error::NoBlock)?)
    }

    /// The account that the parameters (address, block) name.
    fn account(&self, args: &mut Args<'_>) -> Result<Account, RpcError> {
        let address: Address = args.need()?;
        let (_, version) = self.resolve(args.opt()?)?;
        let account = self.chain.read().state.account(address, version);
        Ok(account.unwrap_or_default())
    }
}
