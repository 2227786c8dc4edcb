//! Transactions of every type, signed.

use alloy_consensus::{
    EthereumTxEnvelope, SignableTransaction, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxLegacy,
};
use alloy_eips::{
    eip2718::Encodable2718 as _,
    eip2930::{AccessList, AccessListItem},
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256};
use k256::ecdsa::SigningKey;

/// How a transaction states what it pays, and what it can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Legacy,
    AccessList,
    Dynamic,
    SetCode,
}

/// A transaction to be signed.
#[derive(Clone, Debug)]
pub(crate) struct Unsigned {
    pub(crate) kind: Type,
    pub(crate) chain_id: u64,
    pub(crate) nonce: u64,
    pub(crate) gas_limit: u64,
    /** wei */
    pub(crate) max_fee: u128,
    /** wei; of the dynamic types only */
    pub(crate) tip: u128,
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) input: Bytes,
    /// Not carried by a legacy transaction.
    pub(crate) access_list: Vec<(Address, Vec<B256>)>,
    pub(crate) authorizations: Vec<SignedAuthorization>,
}

impl Unsigned {
    /// A payment, without anything else.
    pub(crate) fn pay(chain_id: u64, nonce: u64, to: Address, fee: u128) -> Self {
        Self {
            kind: Type::Dynamic,
            chain_id,
            nonce,
            gas_limit: 21_000,
            max_fee: fee,
            tip: 0,
            to: Some(to),
            value: U256::ONE,
            input: Bytes::new(),
            access_list: Vec::new(),
            authorizations: Vec::new(),
        }
    }

    /// Signed and encoded (EIP-2718).
    pub(crate) fn sign(self, key: &SigningKey) -> Bytes {
        let to = self.to.map_or(TxKind::Create, TxKind::Call);
        let list = self.access_list.into_iter();
        let access_list: AccessList = list
            .map(|(address, storage_keys)| AccessListItem {
                address,
                storage_keys,
            })
            .collect::<Vec<_>>()
            .into();
        match self.kind {
            Type::Legacy => finish(
                TxLegacy {
                    chain_id: Some(self.chain_id),
                    nonce: self.nonce,
                    gas_price: self.max_fee,
                    gas_limit: self.gas_limit,
                    to,
                    value: self.value,
                    input: self.input,
                },
                key,
            ),
            Type::AccessList => finish(
                TxEip2930 {
                    chain_id: self.chain_id,
                    nonce: self.nonce,
                    gas_price: self.max_fee,
                    gas_limit: self.gas_limit,
                    to,
                    value: self.value,
                    access_list,
                    input: self.input,
                },
                key,
            ),
            Type::Dynamic => finish(
                TxEip1559 {
                    chain_id: self.chain_id,
                    nonce: self.nonce,
                    gas_limit: self.gas_limit,
                    max_fee_per_gas: self.max_fee,
                    max_priority_fee_per_gas: self.tip,
                    to,
                    value: self.value,
                    access_list,
                    input: self.input,
                },
                key,
            ),
            Type::SetCode => finish(
                TxEip7702 {
                    chain_id: self.chain_id,
                    nonce: self.nonce,
                    gas_limit: self.gas_limit,
                    max_fee_per_gas: self.max_fee,
                    max_priority_fee_per_gas: self.tip,
                    to: self.to.expect("a transaction that sets code calls"),
                    value: self.value,
                    access_list,
                    authorization_list: self.authorizations,
                    input: self.input,
                },
                key,
            ),
        }
    }
}

/// Allows `address`'s code to stand for the account of `key`.
pub(crate) fn authorize(
    chain_id: u64,
    address: Address,
    nonce: u64,
    key: &SigningKey,
) -> SignedAuthorization {
    let authorization = Authorization {
        chain_id: U256::from(chain_id),
        address,
        nonce,
    };
    let signature = signature(authorization.signature_hash(), key);
    authorization.into_signed(signature)
}

fn finish<T>(tx: T, key: &SigningKey) -> Bytes
where
    T: SignableTransaction<Signature>,
    alloy_consensus::Signed<T>: Into<EthereumTxEnvelope<TxEip4844>>,
{
    let signature = signature(tx.signature_hash(), key);
    let envelope: EthereumTxEnvelope<TxEip4844> = tx.into_signed(signature).into();
    envelope.encoded_2718().into()
}

fn signature(hash: B256, key: &SigningKey) -> Signature {
    let signed = key.sign_prehash_recoverable(hash.as_slice());
    Signature::from(signed.expect("a hash can be signed"))
}
