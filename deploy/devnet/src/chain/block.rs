//! Blocks: Arbitrum-style headers, and what a mined transaction leaves behind.

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, EMPTY_ROOT_HASH, Header, Receipt as ConsensusReceipt, ReceiptEnvelope,
    proofs,
};
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, Log, U256, address, logs_bloom};
use serde::{Deserialize, Serialize};

use super::tx::Transaction;
use crate::{arbos::ARBOS_VERSION, evm::BlockParams};

/// Where fees of the sequencer's blocks go.
pub(crate) const COINBASE: Address = address!("0xA4b000000000000000000073657175656e636572");
/// The base fee, wei per gas: the floor, as the chain is never congested.
pub(crate) const BASE_FEE: u64 = 100_000_000;
/// The gas limit that headers state.
pub(crate) const GAS_LIMIT: u64 = 1 << 50;

/// What a transaction did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) success: bool,
    pub(crate) gas_used: u64,
    /// The address a creation was for, also when it failed.
    pub(crate) contract: Option<Address>,
    pub(crate) logs: Vec<Log>,
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mined {
    pub(crate) tx: Transaction,
    pub(crate) receipt: Receipt,
}

/// A block: at most one transaction, as each is mined when it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) hash: B256,
    pub(crate) mined: Option<Mined>,
    /// Grows with every event of this process; unlike numbers, undone blocks' are not used again.
    pub(crate) serial: u64,
}
impl Block {
    pub(crate) fn number(&self) -> u64 {
        self.header.number
    }

    pub(crate) fn timestamp(&self) -> u64 {
        self.header.timestamp
    }

    pub(crate) fn l1_number(&self) -> u64 {
        unpack_mix(self.header.mix_hash)
    }

    pub(crate) fn logs(&self) -> &[Log] {
        self.mined.as_ref().map_or(&[], |mined| &mined.receipt.logs)
    }

    /// The surroundings of a call executed as if in this block.
    pub(crate) fn params(&self) -> BlockParams {
        block_params(self.number(), self.timestamp(), self.l1_number())
    }
}

pub(crate) fn block_params(number: u64, timestamp: u64, l1_number: u64) -> BlockParams {
    BlockParams {
        number,
        l1_number,
        timestamp,
        base_fee: BASE_FEE,
        gas_limit: GAS_LIMIT,
        coinbase: COINBASE,
    }
}

/// Builds the header of a block. `state` is the commitment to the state after it.
pub(crate) fn header(
    parent: B256,
    params: &BlockParams,
    state: B256,
    mined: Option<&Mined>,
) -> Header {
    let mut header = Header {
        parent_hash: parent,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: params.coinbase,
        state_root: state,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        logs_bloom: Bloom::ZERO,
        difficulty: U256::ONE,
        number: params.number,
        gas_limit: params.gas_limit,
        gas_used: 0,
        timestamp: params.timestamp,
        extra_data: Bytes::copy_from_slice(B256::ZERO.as_slice()),
        mix_hash: pack_mix(params.l1_number),
        nonce: B64::ZERO,
        base_fee_per_gas: Some(params.base_fee),
        ..Header::default()
    };
    if let Some(Mined { tx, receipt }) = mined {
        header.gas_used = receipt.gas_used;
        header.logs_bloom = logs_bloom(&receipt.logs);
        header.transactions_root =
            proofs::calculate_transaction_root(std::slice::from_ref(&tx.envelope));
        let consensus = ConsensusReceipt {
            status: receipt.success.into(),
            cumulative_gas_used: receipt.gas_used,
            logs: receipt.logs.clone(),
        };
        header.receipts_root = proofs::calculate_receipt_root(&[ReceiptEnvelope::from_typed(
            tx.envelope.tx_type(),
            consensus,
        )]);
    }
    header
}

/// `mixHash`: messages sent to the parent chain (none), its block number, the ArbOS version.
fn pack_mix(l1_number: u64) -> B256 {
    let mut mix = B256::ZERO;
    mix[8..16].copy_from_slice(&l1_number.to_be_bytes());
    mix[16..24].copy_from_slice(&ARBOS_VERSION.to_be_bytes());
    mix
}
fn unpack_mix(mix: B256) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&mix[8..16]);
    u64::from_be_bytes(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chain::tx::tests::transfer;

    #[test]
    fn the_header_is_arbitrums() {
        let params = block_params(3, 1_000, 42);
        let header = header(B256::repeat_byte(1), &params, B256::repeat_byte(2), None);
        assert_eq!(header.difficulty, U256::ONE);
        assert_eq!(header.extra_data.len(), 32);
        assert_eq!(header.base_fee_per_gas, Some(100_000_000));
        assert_eq!(header.gas_limit, 1_125_899_906_842_624);
        assert_eq!(unpack_mix(header.mix_hash), 42);
        assert_eq!(header.mix_hash[23], 51);
    }

    #[test]
    fn the_header_commits_to_transaction_and_receipt() {
        let params = block_params(1, 1_000, 1);
        let mined = |gas_used| Mined {
            tx: Transaction::decode(transfer(7, 0, 1), 7).unwrap(),
            receipt: Receipt {
                success: true,
                gas_used,
                contract: None,
                logs: vec![Log::new_unchecked(COINBASE, vec![B256::ZERO], Bytes::new())],
            },
        };
        let one = header(B256::ZERO, &params, B256::ZERO, Some(&mined(21_000)));
        let other = header(B256::ZERO, &params, B256::ZERO, Some(&mined(21_001)));
        assert_ne!(one.transactions_root, EMPTY_ROOT_HASH);
        assert_ne!(one.receipts_root, other.receipts_root);
        assert_ne!(one.hash_slow(), other.hash_slow());
        assert!(one.logs_bloom.contains_raw_log(COINBASE, &[B256::ZERO]));
    }
}
