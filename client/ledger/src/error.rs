//! Errors between here and the chain.

use std::time::Duration;

use super::Revert;
use pcim_core::{Address, B256, U256};

/// The reason why the chain was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The contract refused the call, and said why.
    #[error("the contract refused: {0}")]
    Refused(Revert),
    /// The RPC URL cannot be used.
    #[error("`{url}` is not an RPC address: {reason}")]
    BadUrl {
        /// As shown, without credentials.
        url: String,
        /// The reason.
        reason: String,
    },
    /// The address of a subscription cannot be used.
    #[error("`{url}` is no WebSocket address: {reason}")]
    BadSocketUrl {
        /// As shown, without credentials.
        url: String,
        /// The reason.
        reason: String,
    },
    /// A document was not served.
    #[error("{url} does not serve the document: {reason}")]
    Web {
        /// As shown, without credentials.
        url: String,
        /// The reason.
        reason: String,
    },
    /// A relay does not send a signed call.
    #[error("the relay at {url} does not send the call: {reason}")]
    NotRelayed {
        /// As shown, without credentials.
        url: String,
        /// The relay's reason.
        reason: String,
        /// True if it may take the same call later.
        later: bool,
    },
    /// A relay did not send a signed call in its time.
    #[error("the relay did not send the call until {}, its last second", pcim_core::date::time(*deadline))]
    RelayedTooLate {
        /// Unix seconds.
        deadline: u64,
    },
    /// The RPC does not answer.
    #[error("the RPC at {url} does not answer")]
    Rpc {
        /// As shown, without credentials.
        url: String,
        /// The transport's error.
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
        /// The values that were wanted and found.
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
        /// The chain id that the deployment names.
        wanted: u64,
        /// The chain id of the RPC (or of a recorded transaction).
        found: u64,
    },
    /// Nothing is deployed there.
    #[error("there is no contract at {address}")]
    NoContract {
        /// The contract's address.
        address: Address,
    },
    /// A Stylus program that has not been activated, or whose activation expired.
    #[error("the contract at {address} is not activated (or its activation expired)")]
    NotActivated {
        /// The contract's address.
        address: Address,
    },
    /// Something else lives there.
    #[error("the contract at {address} is not Pcac: `consortium()` {found}")]
    NotPcac {
        /// The contract's address.
        address: Address,
        /// Its behaviour instead of an answer.
        found: String,
    },
    /// A version that this program does not know.
    #[error("the contract at {address} is Pcac of version {found}; this program knows 1 and 2")]
    UnknownVersion {
        /// The contract's address.
        address: Address,
        /// Its version, made printable.
        found: String,
    },
    /// Version 1 has no such function.
    #[error("the contract is of version 1, which has no `{function}`")]
    Lacks {
        /// The function, as version 2 names it.
        function: &'static str,
    },
    /// Guardians that the contract would never match.
    #[error("these guardians cannot be: {reason}")]
    BadGuardians {
        /// Why.
        reason: String,
    },
    /// Not enough ether for the call.
    #[error("{address} has {have} wei, needs {need} wei")]
    Funds {
        /// The sender.
        address: Address,
        /// Balance in wei.
        have: U256,
        /// Most that the call can cost, in wei.
        need: U256,
    },
    /// A fee that no honest node asks for: it is not signed away.
    #[error("the node at {url} asks for up to {found} wei as the fee; at most {max} are paid")]
    Fee {
        /// The endpoint, without credentials.
        url: String,
        /// Most that gas and price together can cost, in wei.
        found: U256,
        /// The limit in wei.
        max: U256,
    },
    /// A call that would take more gas than the caller pays for.
    #[error("the call would take {found} gas; at most {max} is paid for")]
    Gas {
        /// The estimate.
        found: u64,
        /// The limit.
        max: u64,
    },
    /// The transaction was mined and failed.
    #[error("transaction {tx} was mined in block {block} and reverted{}", reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default())]
    Reverted {
        /// The transaction.
        tx: B256,
        /// Its block.
        block: u64,
        /// Why, if the call says so when it is simulated again.
        reason: Option<Revert>,
    },
    /// Another transaction of the same sender took the nonce: this one can never be mined.
    #[error("transaction {tx} was replaced: its nonce {nonce} was used by another one")]
    Replaced {
        /// The transaction that will not be.
        tx: B256,
        /// The nonce that was used.
        nonce: u64,
    },
    /// The node would not take the transaction.
    #[error("the node rejected transaction {tx}: {message}")]
    Rejected {
        /// The transaction.
        tx: B256,
        /// The node's words, shortened and made printable.
        message: String,
    },
    /// Sent, or perhaps sent, and not mined in time. Submit it again to go on waiting.
    #[error("transaction {tx} was not mined within {waited:?}")]
    NotMined {
        /// The transaction.
        tx: B256,
        /// How long was waited.
        waited: Duration,
    },
    /// A recorded call whose bytes are not a transaction, or not the one it names.
    #[error("the recorded transaction {tx} is damaged: {reason}")]
    BadRecord {
        /// The hash on record.
        tx: B256,
        /// The reason.
        reason: String,
    },
    /// Not a call that was signed for others to send.
    #[error("not a signed call: {reason}")]
    BadSignedCall {
        /// The reason.
        reason: String,
    },
    /// Not a private key of the curve.
    #[error("not a secp256k1 private key")]
    Key,
    /// The keystore does not open with this passphrase (or was tampered with).
    #[error("the keystore does not open with this passphrase")]
    Passphrase,
    /// Not a keystore that can be read.
    #[error("not a Web3 keystore (version 3): {reason}")]
    Keystore {
        /// The reason.
        reason: String,
    },
    /// The keystore's key is not that of the address it names.
    #[error("the keystore names {wanted} but holds the key of {found}")]
    KeystoreAddress {
        /// The address in the file.
        wanted: Address,
        /// The key's address.
        found: Address,
    },
    /// Not a 65-byte signature in canonical form (EIP-2: low s; v 27 or 28).
    #[error("not a signature: {reason}")]
    Signature {
        /// The reason.
        reason: String,
    },
    /// Signing failed.
    #[error("signing failed: {reason}")]
    Signing {
        /// The signer's error.
        reason: String,
    },
    /// A file operation on a temporary keystore failed.
    #[error("the keystore could not be written or read")]
    Io(#[from] std::io::Error),
}

/// The result of anything in this module.
pub type Result<T> = std::result::Result<T, Error>;
