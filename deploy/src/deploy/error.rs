//! Why a deployment did not happen.

use std::path::PathBuf;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};

/// Why a deployment did not happen, or cannot be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The consortium must be named.
    #[error("the consortium is the zero address")]
    NoConsortium,
    /// Not a private key of the curve.
    #[error("not a secp256k1 private key")]
    Key,
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
    /// The RPC URL cannot be used.
    #[error("`{url}` is not an RPC address: {reason}")]
    BadUrl {
        /// As shown, without credentials.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The RPC does not answer.
    #[error("the RPC at {url} does not answer")]
    Rpc {
        /// As shown, without credentials.
        url: String,
        /// What the transport said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The RPC took too long.
    #[error("the RPC at {url} did not answer {method} within {limit:?}")]
    Timeout {
        /// As shown, without credentials.
        url: String,
        /// The JSON-RPC method.
        method: &'static str,
        /// How long was waited.
        limit: Duration,
    },
    /// The RPC answers something that is no answer.
    #[error("the RPC at {url} answers {method} with nonsense: {detail}")]
    Nonsense {
        /// As shown, without credentials.
        url: String,
        /// The JSON-RPC method.
        method: &'static str,
        /// What was wanted and what was found.
        detail: String,
    },
    /// The RPC refused a request for a reason of its own.
    #[error("the RPC at {url} refused {method}: {message} (code {code})")]
    Node {
        /// As shown, without credentials.
        url: String,
        /// The JSON-RPC method.
        method: &'static str,
        /// The JSON-RPC error code.
        code: i64,
        /// The node's words, shortened and made printable.
        message: String,
    },
    /// Another chain than the one wanted.
    #[error("this is chain {found}, wanted chain {wanted}")]
    WrongChain {
        /// What was asked for.
        wanted: u64,
        /// What the RPC says.
        found: u64,
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
    /// The node would not take the transaction.
    #[error("the node rejected transaction {tx}: {message}")]
    Rejected {
        /// The transaction.
        tx: B256,
        /// The node's words, shortened and made printable.
        message: String,
    },
    /// Sent, or perhaps sent, and not mined in time.
    #[error("transaction {tx} was not mined within {waited:?}; it may still be")]
    NotMined {
        /// The transaction.
        tx: B256,
        /// How long was waited.
        waited: Duration,
    },
    /// Mined, and failed.
    #[error("transaction {tx} was mined and reverted")]
    Reverted {
        /// The transaction.
        tx: B256,
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
    #[error("the consortium of {contract} is {}, wanted {wanted}", found.map_or("not told".into(), |a| a.to_string()))]
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
    /// A bid that wins no place.
    #[error("a bid of {bid} wei, the least that wins is {least} wei")]
    LowBid {
        /// As offered.
        bid: U256,
        /// As wanted.
        least: U256,
    },
    /// Signing failed.
    #[error("signing failed: {reason}")]
    Signing {
        /// What the signer said.
        reason: String,
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
