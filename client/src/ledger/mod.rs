//! The chain: the `Pcac` contract through its ABI. The only place in the client that names `ethers`.

use std::time::Duration;

use crate::domain::{
    Address, B256, BlockDigest, GrantStatus, ImageDigest, LoggedEvent, Passphrase, Seal, U256,
};
use serde::{Deserialize, Serialize};

/// An Ethereum account, unlocked; zeroized on drop, never printed.
pub struct Account(());
/// A connection to one `Pcac` deployment on one chain.
pub struct Ledger(());

/// Where a contract lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    pub rpc_url: String,
    pub chain_id: u64,
    pub contract: Address,
}

/// A transaction signed and ready: recorded before it is sent, so that a retry sends the same one.
#[derive(Clone, Serialize, Deserialize)]
pub struct SignedCall {
    pub tx: B256,
    pub nonce: u64,
    pub raw: Vec<u8>,
    /** what an eth_call of the same call returned */
    pub returns: Option<bool>,
}
/// A mined call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mined {
    pub tx: B256,
    pub block: u64,
    pub gas_used: u64,
    /** wei per gas */
    pub gas_price: u128,
    pub returns: Option<bool>,
    pub events: Vec<LoggedEvent>,
}

/// One call of the contract's state-changing functions (protocol §3).
#[derive(Clone, Debug)]
pub enum Call {
    CreateContract {
        image: ImageDigest,
        patient: Address,
        seal: Seal,
        radiologist: Address,
        attestation: Vec<u8>,
        description: String,
    },
    RequestingAccess {
        patient: Address,
        image: ImageDigest,
        public_key: BlockDigest,
        notes: String,
    },
    ApproveIrs {
        requester: Address,
        image: ImageDigest,
        public_key: BlockDigest,
        shared_image: ImageDigest,
        expires_at: u64,
        notes: String,
    },
    DenyIrs {
        requester: Address,
        image: ImageDigest,
        reason: String,
    },
    TraceAuthorization {
        patient: Address,
        requester: Address,
        image: ImageDigest,
    },
    RemoveIrs {
        requester: Address,
        image: ImageDigest,
    },
    ReshareIrs {
        requester: Address,
        image: ImageDigest,
        shared_image: ImageDigest,
        expires_at: u64,
    },
    ResealImage {
        image: ImageDigest,
        root: ImageDigest,
    },
    SetApprovalLimit {
        image: ImageDigest,
        approvals: u32,
        window_seconds: u32,
    },
    AccreditRadiologist {
        radiologist: Address,
        accredited: bool,
    },
    TransferConsortium {
        to: Address,
    },
}

/// `image_record`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRecord {
    pub patient: Address,
    pub registered_at: u64,
    pub approval_limit: u32,
    pub window_seconds: u32,
}
/// `grant`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub status: GrantStatus,
    pub requested_at: u64,
    pub decided_at: u64,
    pub expires_at: u64,
    pub public_key_prefix: [u8; 16],
    pub shared_image: Option<ImageDigest>,
}

/// Which events to read.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    pub image: Option<ImageDigest>,
    pub patient: Option<Address>,
    pub requester: Option<Address>,
    pub from_block: u64,
    pub to_block: Option<u64>,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("placeholder")]
    Placeholder,
    // one variant `Refused(Revert)` for the contract's own typed errors; others: Rpc, WrongChain{wanted,found}, NoContract{address}, NotActivated{address}, Nonsense, Funds, Timeout, Keystore, …
}
pub type Result<T> = std::result::Result<T, Error>;

impl Account {
    pub fn generate() -> Self {
        todo!()
    }
    pub fn from_private_key(_key: &[u8; 32]) -> Result<Self> {
        todo!()
    }
    /// Web3 Secret Storage v3 JSON.
    pub fn from_keystore(_json: &[u8], _passphrase: &Passphrase) -> Result<Self> {
        todo!()
    }
    pub fn to_keystore(&self, _passphrase: &Passphrase) -> Result<Vec<u8>> {
        todo!()
    }
    pub fn address(&self) -> Address {
        todo!()
    }
    /// The EIP-712 `ImageAttestation(bytes32 image, address patient, bytes32 seal)` signature, 65 bytes r‖s‖v.
    pub fn attest(
        &self,
        _chain_id: u64,
        _contract: Address,
        _image: &ImageDigest,
        _patient: Address,
        _seal: &Seal,
    ) -> Result<[u8; 65]> {
        todo!()
    }
    /// EIP-191 personal message signature (contact cards), 65 bytes.
    pub fn sign_message(&self, _message: &[u8]) -> Result<[u8; 65]> {
        todo!()
    }
}
/// Who signed an EIP-191 message.
pub fn recover_message(_message: &[u8], _signature: &[u8; 65]) -> Result<Address> {
    todo!()
}
/// Who signed an attestation, if it is a key's signature (not ERC-1271).
pub fn recover_attestation(
    _chain_id: u64,
    _contract: Address,
    _image: &ImageDigest,
    _patient: Address,
    _seal: &Seal,
    _signature: &[u8],
) -> Result<Address> {
    todo!()
}

impl Ledger {
    /// Connects and checks: the RPC answers, the chain id is the one wanted, the contract has code and is activated.
    pub async fn connect(_deployment: Deployment) -> Result<Self> {
        todo!()
    }
    pub fn deployment(&self) -> &Deployment {
        todo!()
    }
    /// Simulates the call (typed error if the contract refuses), then signs it with the next nonce; sends nothing.
    pub async fn prepare(&self, _from: &Account, _call: &Call) -> Result<SignedCall> {
        todo!()
    }
    /// Sends a prepared call and waits; sending again one that is already known or mined is not an error.
    pub async fn submit(&self, _call: &SignedCall, _timeout: Duration) -> Result<Mined> {
        todo!()
    }
    /// The receipt of a transaction, if it is mined.
    pub async fn mined(&self, _tx: &B256) -> Result<Option<Mined>> {
        todo!()
    }
    pub async fn is_authorized(
        &self,
        _patient: Address,
        _requester: Address,
        _image: &ImageDigest,
    ) -> Result<bool> {
        todo!()
    }
    pub async fn image_record(&self, _image: &ImageDigest) -> Result<Option<ImageRecord>> {
        todo!()
    }
    pub async fn grant(&self, _image: &ImageDigest, _requester: Address) -> Result<Grant> {
        todo!()
    }
    pub async fn consortium(&self) -> Result<Address> {
        todo!()
    }
    pub async fn is_accredited(&self, _radiologist: Address) -> Result<bool> {
        todo!()
    }
    pub async fn events(&self, _filter: &EventFilter) -> Result<Vec<LoggedEvent>> {
        todo!()
    }
    pub async fn block_number(&self) -> Result<u64> {
        todo!()
    }
    pub async fn balance(&self, _address: Address) -> Result<U256> {
        todo!()
    }
    /// Unix seconds of the latest block.
    pub async fn now(&self) -> Result<u64> {
        todo!()
    }
    /// Sends ether (funding the demo's actors).
    pub async fn transfer(&self, _from: &Account, _to: Address, _wei: U256) -> Result<Mined> {
        todo!()
    }
}
