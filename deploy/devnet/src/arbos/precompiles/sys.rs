//! ArbSys (0x64): the chain's own numbers, and messages to the parent chain.

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_sol_types::{SolCall, SolError, SolValue, sol};
use revm::context::{ContextTr, JournalTr};
use revm::context_interface::journaled_state::account::JournaledAccountTr;

use super::{Failure, Invocation, Purity, READ, WRITE};
use crate::arbos::{outbox, storage};

sol! {
    function arbBlockNumber() external view returns (uint256);
    function arbBlockHash(uint256 blockNumber) external view returns (bytes32);
    function arbChainID() external view returns (uint256);
    function arbOSVersion() external view returns (uint256);
    function getStorageGasAvailable() external view returns (uint256);
    function isTopLevelCall() external view returns (bool);
    function mapL1SenderContractAddressToL2Alias(address sender, address unused) external pure returns (address);
    function wasMyCallersAddressAliased() external view returns (bool);
    function sendTxToL1(address destination, bytes data) external payable returns (uint256);
    function withdrawEth(address destination) external payable returns (uint256);
    function sendMerkleTreeState() external view returns (uint256 size, bytes32 root, bytes32[] partials);

    event L2ToL1Tx(address caller, address indexed destination, uint256 indexed hash, uint256 indexed position, uint256 arbBlockNum, uint256 ethBlockNum, uint256 timestamp, uint256 callvalue, bytes data);
    event SendMerkleUpdate(uint256 indexed reserved, bytes32 indexed hash, uint256 indexed position);

    error InvalidBlockNumber(uint256 requested, uint256 current);
}

/// Reported versions count from here.
const VERSION_BASE: u64 = 55;
/// How far back block hashes reach.
const HASHES: u64 = 256;
/// Open frames below which a call counts as made by the transaction itself.
const TOP_LEVEL: usize = 2;
/// Gas of a hash, and of each word hashed.
const KECCAK: u64 = 30;
const KECCAK_WORD: u64 = 6;
/// A node's level stands this many bits above its number.
const LEVEL_BITS: usize = 192;
/// Added to the addresses of the parent chain's contracts.
const ALIAS: Address = address!("1111000000000000000000000000000000001111");

pub(super) fn run(call: &mut Invocation<'_, '_>, selector: [u8; 4]) -> Result<Vec<u8>, Failure> {
    match selector {
        arbBlockNumberCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::from(call.ctx.chain.l2_block).abi_encode())
        }
        arbBlockHashCall::SELECTOR => {
            let (number,): (U256,) = call.open(Purity::View)?;
            block_hash(call, number).map(|hash| hash.abi_encode())
        }
        arbChainIDCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::from(call.ctx.cfg.chain_id).abi_encode())
        }
        arbOSVersionCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::from(VERSION_BASE + call.arbos()).abi_encode())
        }
        getStorageGasAvailableCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(U256::ZERO.abi_encode())
        }
        isTopLevelCallCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            // The journal counts this call too.
            Ok((call.state().depth() <= TOP_LEVEL + 1).abi_encode())
        }
        mapL1SenderContractAddressToL2AliasCall::SELECTOR => {
            let (sender, _unused): (Address, Address) = call.open(Purity::Pure)?;
            Ok(alias(sender).abi_encode())
        }
        // Only transactions that come from a parent chain have their senders aliased.
        wasMyCallersAddressAliasedCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            Ok(false.abi_encode())
        }
        sendTxToL1Call::SELECTOR => {
            let (destination, data): (Address, Bytes) = call.open(Purity::Payable)?;
            send(call, destination, data)
        }
        withdrawEthCall::SELECTOR => {
            let (destination,): (Address,) = call.open(Purity::Payable)?;
            send(call, destination, Bytes::new())
        }
        sendMerkleTreeStateCall::SELECTOR => {
            call.open::<()>(Purity::View)?;
            merkle_state(call)
        }
        _ => Err(Failure::Burn),
    }
}

/// Notes a message for the parent chain; what it carries leaves this one.
fn send(
    call: &mut Invocation<'_, '_>,
    destination: Address,
    data: Bytes,
) -> Result<Vec<u8>, Failure> {
    let (caller, value) = (call.caller, call.value);
    let block = U256::from(call.ctx.chain.l2_block);
    let (l1_block, time) = (call.ctx.block.number, call.ctx.block.timestamp);
    let mut message = [caller.as_slice(), destination.as_slice()].concat();
    for word in [block, l1_block, time, value] {
        message.extend_from_slice(&word.to_be_bytes::<32>());
    }
    message.extend_from_slice(&data);
    call.burn(KECCAK + KECCAK_WORD * message.len().div_ceil(32) as u64)?;
    let hash = keccak256(&message);

    let own = call.own;
    let mut account = call.state().load_account_mut(own)?.data;
    let rest = account.balance().saturating_sub(value);
    account.set_balance(rest);

    let appended = outbox::append(call.state(), hash)?;
    let hashes = 1 + appended.nodes.len() as u64;
    call.burn(appended.reads * READ + appended.writes * WRITE)?;
    call.burn(hashes * (KECCAK + 2 * KECCAK_WORD))?;
    for node in &appended.nodes {
        call.emit(&SendMerkleUpdate {
            reserved: U256::ZERO,
            hash: node.hash,
            position: (U256::from(node.level) << LEVEL_BITS) + U256::from(appended.position),
        })?;
    }
    let position = U256::from(appended.position);
    call.emit(&L2ToL1Tx {
        caller,
        destination,
        hash: hash.into(),
        position,
        arbBlockNum: block,
        ethBlockNum: l1_block,
        timestamp: time,
        callvalue: value,
        data,
    })?;
    Ok(position.abi_encode())
}

/// The accumulator as it stands. Only a call that nobody can sign learns it.
fn merkle_state(call: &mut Invocation<'_, '_>) -> Result<Vec<u8>, Failure> {
    if call.caller != Address::ZERO {
        return Err(Failure::Refused);
    }
    let mut broken = None;
    let state = call.state();
    let mut slot = |slot| {
        storage::read(state, slot).unwrap_or_else(|error| {
            broken = Some(error);
            U256::ZERO
        })
    };
    let count = outbox::count(&mut slot);
    let partials = outbox::partials(count, &mut slot);
    if let Some(error) = broken {
        return Err(error.into());
    }
    call.burn(READ * (1 + partials.len() as u64))?;
    let root = outbox::root(&partials);
    Ok((U256::from(count), root, partials).abi_encode_params())
}

/// The address that a contract of the parent chain acts as here.
fn alias(sender: Address) -> Address {
    let sum =
        U256::from_be_slice(sender.as_slice()).wrapping_add(U256::from_be_slice(ALIAS.as_slice()));
    Address::from_word(sum.into())
}

fn block_hash(call: &mut Invocation<'_, '_>, number: U256) -> Result<B256, Failure> {
    let current = call.ctx.chain.l2_block;
    match u64::try_from(number) {
        Ok(number) if number < current && number + HASHES >= current => {
            Ok(call.ctx.journal().db().block_hash_of(number)?)
        }
        _ => Err(Failure::Solidity(
            InvalidBlockNumber {
                requested: number,
                current: U256::from(current),
            }
            .abi_encode(),
        )),
    }
}
