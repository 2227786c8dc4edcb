//! Why a deployment did not happen.

use std::path::PathBuf;

use alloy_primitives::{Address, B256, U256};

/// Why a deployment did not happen, or cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The predecessor is no contract of this kind.
    #[error("the predecessor {contract} does not answer `version()`")]
    NoPredecessor {
        /// where it should be
        contract: Address,
    },
    /// The chain was not read or written.
    #[error(transparent)]
    Chain(#[from] pcim_ledger::Error),
    /// The consortium must be named.
    #[error("the consortium is the zero address")]
    NoConsortium,
    /// Not a WASM module.
    #[error("not a WASM module")]
    NotWasm,
    /// The compressed module does not fit an account (EIP-170).
    #[error("the code has {size} bytes, at most {max} can be deployed")]
    TooLarge {
        /// Bytes, prefix included.
        size: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// `ArbWasm` does not answer.
    #[error("this chain does not run Stylus programs")]
    NoStylus,
    /// The factory is missing.
    #[error("there is no StylusDeployer at {address}")]
    NoDeployer {
        /// Where it should be.
        address: Address,
    },
    /// The chain would not activate the program.
    #[error("the chain refuses to activate the program: {reason}")]
    Activation {
        /// In its words.
        reason: String,
    },
    /// Not enough ether.
    #[error(
        "{address} has {have} wei, needs about {need} wei ({data_fee} wei of it to activate the program)"
    )]
    Funds {
        /// The account that pays.
        address: Address,
        /// Balance in wei.
        have: U256,
        /// Most that the deployment can cost, in wei; activation included.
        need: U256,
        /// What is sent along to activate the program, in wei; what is left over comes back.
        data_fee: U256,
    },
    /// The deployment would fail; nothing was sent.
    #[error("the deployment would fail: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
    /// Mined, and the factory tells of no contract.
    #[error("transaction {tx} was mined, but StylusDeployer tells of no contract")]
    NotDeployed {
        /// The transaction.
        tx: B256,
    },
    /// The contract's code is not what was sent.
    #[error("the code at {contract} has hash {found}, wanted {wanted}")]
    WrongCode {
        /// The contract.
        contract: Address,
        /// Hash of the code that was sent.
        wanted: B256,
        /// Hash of the code that is there.
        found: B256,
    },
    /// The contract is there and cannot run.
    #[error("the contract at {contract} is not activated")]
    NotActive {
        /// The contract.
        contract: Address,
    },
    /// The contract belongs to another consortium.
    #[error("the consortium of {contract} is {}, wanted {wanted}", found.map_or("not reported".into(), |a| a.to_string()))]
    WrongConsortium {
        /// The contract.
        contract: Address,
        /// Who was named.
        wanted: Address,
        /// Whom the contract names, if it does.
        found: Option<Address>,
    },
    /// There is no code.
    #[error("there is no contract at {contract}")]
    NoContract {
        /// Where.
        contract: Address,
    },
    /// A program that was activated or kept alive a short while ago.
    #[error("the program was activated or kept alive {} days ago: too soon to be kept alive again", age / 86_400)]
    TooYoung {
        /// Seconds since then.
        age: u64,
    },
    /// Nobody sells places in the cache.
    #[error("this chain has no cache manager")]
    NoCacheManager,
    /// The contract that sells places in the cache has no code.
    #[error("the cache manager {manager} that this chain names has no code")]
    EmptyCacheManager {
        /// The address that the chain names.
        manager: Address,
    },
    /// The chain names another cache manager than the one that is known of it.
    #[error("this chain names {found} as its cache manager; the one known of it is {wanted}")]
    OtherCacheManager {
        /// The address that is known.
        wanted: Address,
        /// The address that the chain names.
        found: Address,
    },
    /// A place in the cache costs more than is bid without being asked for.
    #[error(
        "the least bid that wins is {least} wei; at most {max} wei are bid unless an amount is given"
    )]
    HighBid {
        /// The least that wins, in wei.
        least: U256,
        /// The most that is bid, in wei.
        max: U256,
    },
    /// A bid that wins no place.
    #[error("a bid of {bid} wei, the least that wins is {least} wei")]
    LowBid {
        /// As offered.
        bid: U256,
        /// As wanted.
        least: U256,
    },
    /// A contract on this chain is on record already.
    #[error("{} already records a contract on this chain", path.display())]
    Recorded {
        /// The record.
        path: PathBuf,
    },
    /// Another deployment was begun and its end is not known.
    #[error("{} records another deployment that was sent, or perhaps sent: transaction {tx}", path.display())]
    Unfinished {
        /// Its record.
        path: PathBuf,
        /// Its transaction.
        tx: B256,
    },
    /// A record cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The record cannot be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
