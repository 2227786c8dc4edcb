//! The `eth_` methods that read the chain, call it and send to it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use alloy_primitives::{Address, B256, Bytes, U64};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Serialize;
use serde_json::{Value, json};

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
        ledger::Ledger,
        overrides::{AccountOverride, BlockOverride},
        state::Account,
    },
    evm::{Status, is_precompile},
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
    Node::method(module, "eth_baseFee", |node, _| {
        Ok(U64::from(node.chain.next_base_fee()))
    })?;
    // No block has room for blobs here, so their price stays at its least.
    Node::method(module, "eth_blobBaseFee", |_, _| Ok(U64::from(1)))?;
    Node::method(module, "eth_config", |node, _| Ok(config(node)))?;
    Node::method(module, "eth_capabilities", |node, _| {
        Ok(capabilities(&node.chain.read()))
    })
}

/// What of the past is kept, and from which block on.
fn capabilities(ledger: &Ledger) -> Value {
    let (first_block, first_state) = ledger.first_kept();
    let kept = |first: u64, window: Option<u64>| {
        let mut kept = json!({ "disabled": false, "oldestBlock": U64::from(first) });
        if let Some(blocks) = window {
            kept["deleteStrategy"] =
                json!({ "type": "window", "retentionBlocks": U64::from(blocks) });
        }
        kept
    };
    let (blocks, states) = ledger.kept();
    let block = kept(first_block, blocks);
    let state = kept(first_state, Some(states));
    json!({
        "head": ledger.head().map(|head| json!({ "number": U64::from(head.number()), "hash": head.hash })),
        "state": state,
        "tx": block,
        "logs": block,
        "receipts": block,
        "blocks": block,
        "stateproofs": state,
    })
}

/// The rules in force (EIP-7910). There are no blobs and no system contracts of Ethereum's.
fn config(node: &Node) -> Value {
    let arbos = node
        .chain
        .find(BlockId::Latest)
        .map_or(0, |block| block.arbos());
    let precompiles: serde_json::Map<_, _> = NAMES
        .iter()
        .filter(|(_, address)| is_precompile(at(*address), arbos))
        .map(|(name, address)| ((*name).to_owned(), json!(at(*address))))
        .collect();
    json!({
        "current": {
            "activationTime": 0,
            "blobSchedule": null,
            "chainId": U64::from(node.chain.chain_id),
            "forkId": "0x00000000",
            "precompiles": precompiles,
            "systemContracts": {},
        },
        "next": null,
        "last": null,
    })
}

fn at(number: u16) -> Address {
    Address::left_padding_from(&number.to_be_bytes())
}

/// The names that EIP-7910 has for precompiles, and Arbitrum's own.
const NAMES: [(&str, u16); 34] = [
    ("ECREC", 0x01),
    ("SHA256", 0x02),
    ("RIPEMD160", 0x03),
    ("ID", 0x04),
    ("MODEXP", 0x05),
    ("BN254_ADD", 0x06),
    ("BN254_MUL", 0x07),
    ("BN254_PAIRING", 0x08),
    ("BLAKE2F", 0x09),
    ("KZG_POINT_EVALUATION", 0x0a),
    ("BLS12_G1ADD", 0x0b),
    ("BLS12_G1MSM", 0x0c),
    ("BLS12_G2ADD", 0x0d),
    ("BLS12_G2MSM", 0x0e),
    ("BLS12_PAIRING_CHECK", 0x0f),
    ("BLS12_MAP_FP_TO_G1", 0x10),
    ("BLS12_MAP_FP2_TO_G2", 0x11),
    ("P256VERIFY", 0x100),
    ("ARB_SYS", 0x64),
    ("ARB_INFO", 0x65),
    ("ARB_ADDRESS_TABLE", 0x66),
    ("ARB_BLS", 0x67),
    ("ARB_FUNCTION_TABLE", 0x68),
    ("ARBOS_TEST", 0x69),
    ("ARB_OWNER_PUBLIC", 0x6b),
    ("ARB_GAS_INFO", 0x6c),
    ("ARB_AGGREGATOR", 0x6d),
    ("ARB_RETRYABLE_TX", 0x6e),
    ("ARB_STATISTICS", 0x6f),
    ("ARB_OWNER", 0x70),
    ("ARB_WASM", 0x71),
    ("ARB_WASM_CACHE", 0x72),
    ("ARB_FILTERED_TRANSACTIONS_MANAGER", 0x74),
    ("ARB_DEBUG", 0xff),
];

fn state_methods(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::reading(module, "eth_getBalance", |node, args| {
        Ok(node.account(args)?.balance)
    })?;
    Node::reading(module, "eth_getTransactionCount", |node, args| {
        let address: Address = args.need()?;
        let at = args.opt()?;
        if at == Some(BlockId::Pending) {
            return Ok(U64::from(node.chain.pending_nonce(address)));
        }
        let (_, version) = node.resolve(at)?;
        let account = node.chain.read().state.account(address, version);
        Ok(U64::from(account.unwrap_or_default().nonce))
    })?;
    Node::reading(module, "eth_getCode", |node, args| {
        let account = node.account(args)?;
        let ledger = node.chain.read();
        let code = ledger.state.code(account.code_hash);
        Ok(code.map_or_else(Bytes::new, |code| code.original_bytes()))
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
    module.register_async_method("eth_sendRawTransactionSync", |params, node, _| async move {
        send_and_wait(&node, &mut Args::new(&params)).await
    })?;
    Ok(())
}

/// Seconds that a transaction is waited for, if nothing else is asked for, and at most.
const WAIT: (u64, u64) = (2, 20);

/// Sends a transaction and waits for its receipt (EIP-7966).
async fn send_and_wait(node: &Arc<Node>, args: &mut Args<'_>) -> Result<WireReceipt, RpcError> {
    let (raw, wait): (Bytes, Option<U64>) = (args.need()?, args.opt()?);
    let most = Duration::from_secs(WAIT.1);
    let wait = wait.map_or(Duration::from_secs(WAIT.0), |wait| {
        Duration::from_millis(wait.to()).min(most)
    });
    let mut events = node.chain.events();
    let chain = node.chain.clone();
    let sent = tokio::task::spawn_blocking(move || chain.submit(raw)).await;
    let hash = sent.map_err(|_| RpcError::Internal)??;
    let receipt = || {
        let ledger = node.chain.read();
        let place = ledger.find_tx(&hash);
        place.and_then(|(block, index)| WireReceipt::new(block, index))
    };
    let mined = async {
        loop {
            if let Some(receipt) = receipt() {
                return Some(receipt);
            }
            events.changed().await.ok()?;
        }
    };
    let mined = tokio::time::timeout(wait, mined).await;
    mined.ok().flatten().ok_or(RpcError::Waiting(hash))
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
    pub(super) fn find(&self, at: BlockId) -> Option<Arc<Block>> {
        self.chain.find(at)
    }

    pub(super) fn block(&self, at: BlockId) -> Result<Arc<Block>, RpcError> {
        Ok(self.resolve(Some(at))?.0)
    }

    pub(super) fn resolve(&self, at: Option<BlockId>) -> Result<(Arc<Block>, u64), RpcError> {
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
