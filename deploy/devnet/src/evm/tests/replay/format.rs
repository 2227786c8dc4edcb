//! The format `arb-revm-replay-v1`: a block of an Arbitrum chain with the state it touches and what came of it.
//!
//! Objects that the format itself defines have no fields but these; transactions are as JSON-RPC gives them.

use std::path::Path;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U64, U256};
use serde::Deserialize;
use serde_json::Value;

use crate::chain::tx::{Envelope, Transaction};

const SCHEMA: &str = "arb-revm-replay-v1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fixture {
    schema: String,
    pub(super) chain_id: u64,
    pub(super) block: Header,
    pub(super) prestate: Prestate,
    transactions: Vec<Value>,
    pub(super) expected: Vec<Receipt>,
    pub(super) expected_state: Vec<Account>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) number: u64,
    pub(super) l1_block_number: u64,
    pub(super) timestamp: u64,
    pub(super) basefee: u64,
    pub(super) gas_limit: u64,
    pub(super) beneficiary: Address,
    /// 1 on every Arbitrum chain.
    #[serde(rename = "difficulty")]
    _difficulty: U256,
    /// The header's mix hash; the opcode sees 1.
    #[serde(rename = "prevrandao")]
    _mix_hash: Option<B256>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prestate {
    pub(super) accounts: Vec<Account>,
    #[serde(default)]
    pub(super) contracts: Vec<Contract>,
    #[serde(default)]
    pub(super) block_hashes: Vec<BlockHash>,
}

/// An account before the block, or what the block changed of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) address: Address,
    pub(super) balance: Option<U256>,
    pub(super) nonce: Option<u64>,
    pub(super) code_hash: Option<B256>,
    #[serde(default)]
    pub(super) storage: Vec<Slot>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    pub(super) slot: U256,
    pub(super) value: U256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contract {
    pub(super) code_hash: B256,
    pub(super) code: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BlockHash {
    pub(super) number: u64,
    pub(super) hash: B256,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Receipt {
    pub(super) tx_hash: B256,
    pub(super) success: bool,
    pub(super) gas_used: u64,
    #[serde(default)]
    pub(super) logs: Vec<ExpectedLog>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectedLog {
    pub(super) address: Address,
    pub(super) topics: Vec<B256>,
    pub(super) data: Bytes,
}

/// A transaction of any type that an Arbitrum block may hold.
pub(super) enum Sent {
    /// Signed by its sender, and posted to the parent chain.
    Signed(Box<Transaction>),
    /// An attempt to redeem a retryable ticket (0x68); its gas and value are held in escrow.
    Retry(Box<Retry>),
    /// Value that comes from the parent chain (0x64).
    Deposit { to: Address, value: U256 },
    /// A retryable ticket is submitted (0x69); its gas limit.
    Submission { gas: u64 },
    /// ArbOS's own (0x6a), which begins every block.
    Internal,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Retry {
    pub(super) from: Address,
    pub(super) to: Option<Address>,
    pub(super) gas_limit: U64,
    pub(super) gas_fee_cap: U256,
    pub(super) value: U256,
    pub(super) input: Bytes,
}

#[derive(Deserialize)]
struct Deposit {
    to: Address,
    value: U256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Submission {
    gas_limit: U64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedTx {
    chain_id: Option<U64>,
    nonce: U64,
    gas: U64,
    gas_price: Option<U256>,
    max_fee_per_gas: Option<U256>,
    max_priority_fee_per_gas: Option<U256>,
    to: Option<Address>,
    value: U256,
    input: Bytes,
    #[serde(default)]
    access_list: Option<Vec<AccessEntry>>,
    #[serde(default)]
    authorization_list: Vec<AuthorizationEntry>,
    from: Address,
    r: U256,
    s: U256,
    v: U64,
    y_parity: Option<U64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccessEntry {
    address: Address,
    storage_keys: Vec<B256>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizationEntry {
    chain_id: U256,
    address: Address,
    nonce: U64,
    y_parity: U64,
    r: U256,
    s: U256,
}

impl Fixture {
    pub(super) fn load(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let fixture: Self = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if fixture.schema != SCHEMA {
            return Err(format!("schema {:?}, want {SCHEMA:?}", fixture.schema));
        }
        if fixture.transactions.len() != fixture.expected.len() {
            return Err("as many results as transactions are needed".into());
        }
        Ok(fixture)
    }

    /// The transactions with their hashes and what they must come to.
    pub(super) fn transactions(&self) -> impl Iterator<Item = Result<(Sent, &Receipt), String>> {
        self.transactions
            .iter()
            .zip(&self.expected)
            .map(|(tx, receipt)| Ok((sent(tx, receipt.tx_hash)?, receipt)))
    }
}

fn sent(tx: &Value, hash: B256) -> Result<Sent, String> {
    let kind: U64 = read(&tx["type"])?;
    Ok(match kind.to::<u64>() {
        0..=2 | 4 => Sent::Signed(Box::new(
            read::<SignedTx>(tx)?.transaction(kind.to(), hash)?,
        )),
        0x64 => {
            let Deposit { to, value } = read(tx)?;
            Sent::Deposit { to, value }
        }
        0x68 => Sent::Retry(Box::new(read(tx)?)),
        0x69 => Sent::Submission {
            gas: read::<Submission>(tx)?.gas_limit.to(),
        },
        0x6a => Sent::Internal,
        other => return Err(format!("unknown transaction type {other:#x}")),
    })
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, String> {
    T::deserialize(value).map_err(|error| error.to_string())
}

impl SignedTx {
    /// As it was signed: its hash says that nothing was lost.
    fn transaction(self, kind: u64, hash: B256) -> Result<Transaction, String> {
        let price = |price: Option<U256>| price.map(|price| price.to::<u128>()).unwrap_or_default();
        let to = self.to.map_or(TxKind::Create, TxKind::Call);
        let (nonce, gas_limit) = (self.nonce.to(), self.gas.to());
        let (value, input) = (self.value, self.input);
        let v = self.v.to::<u64>();
        let odd = match (kind, self.y_parity) {
            (0, _) if v >= 35 => (v - 35) % 2 == 1,
            (0, _) => v == 28,
            (_, Some(parity)) => !parity.is_zero(),
            (_, None) => v == 1,
        };
        let signature = Signature::new(self.r, self.s, odd);
        let chain_id = self.chain_id.map(|id| id.to::<u64>()).unwrap_or_default();
        let access_list = AccessList(
            self.access_list
                .unwrap_or_default()
                .into_iter()
                .map(|entry| AccessListItem {
                    address: entry.address,
                    storage_keys: entry.storage_keys,
                })
                .collect(),
        );
        let (max_fee_per_gas, max_priority_fee_per_gas) = (
            price(self.max_fee_per_gas),
            price(self.max_priority_fee_per_gas),
        );
        let envelope = match kind {
            0 => Envelope::Legacy(
                TxLegacy {
                    chain_id: (v >= 35).then_some(chain_id),
                    nonce,
                    gas_price: price(self.gas_price),
                    gas_limit,
                    to,
                    value,
                    input,
                }
                .into_signed(signature),
            ),
            1 => Envelope::Eip2930(
                TxEip2930 {
                    chain_id,
                    nonce,
                    gas_price: price(self.gas_price),
                    gas_limit,
                    to,
                    value,
                    access_list,
                    input,
                }
                .into_signed(signature),
            ),
            2 => Envelope::Eip1559(
                TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to,
                    value,
                    access_list,
                    input,
                }
                .into_signed(signature),
            ),
            _ => Envelope::Eip7702(
                TxEip7702 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas,
                    max_priority_fee_per_gas,
                    to: self.to.ok_or("a delegation needs a receiver")?,
                    value,
                    access_list,
                    authorization_list: self
                        .authorization_list
                        .into_iter()
                        .map(AuthorizationEntry::signed)
                        .collect(),
                    input,
                }
                .into_signed(signature),
            ),
        };
        if *envelope.tx_hash() != hash {
            return Err(format!("{hash} is not the hash of its transaction"));
        }
        let raw = alloy_eips::eip2718::Encodable2718::encoded_2718(&envelope);
        let sender = alloy_consensus::transaction::SignerRecoverable::recover_signer(&envelope);
        if sender.ok() != Some(self.from) {
            return Err(format!("{hash} was not signed by its sender"));
        }
        Transaction::restore(raw.into(), self.from).map_err(|error| error.to_string())
    }
}

impl AuthorizationEntry {
    fn signed(self) -> SignedAuthorization {
        let inner = Authorization {
            chain_id: self.chain_id,
            address: self.address,
            nonce: self.nonce.to(),
        };
        SignedAuthorization::new_unchecked(inner, self.y_parity.to(), self.r, self.s)
    }
}
