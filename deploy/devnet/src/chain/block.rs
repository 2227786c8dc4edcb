//! Blocks: Arbitrum-style headers, and what a mined transaction leaves behind.

use std::collections::HashMap;

use alloy_consensus::{
    EMPTY_OMMER_ROOT_HASH, Header, Receipt as ConsensusReceipt, ReceiptEnvelope, proofs,
};
use alloy_primitives::{Address, B64, B256, Bytes, Log, U256, address, logs_bloom};
use serde::{Deserialize, Serialize};

use super::tx::Transaction;
use crate::{
    arbos::{outbox::Sends, recent::RecentPrograms},
    evm::BlockParams,
};

pub(crate) use crate::arbos::l2::BASE_FEE;

/// Where fees of the sequencer's blocks go.
pub(crate) const COINBASE: Address = address!("0xA4b000000000000000000073657175656e636572");
/// The gas limit that headers state.
pub(crate) const GAS_LIMIT: u64 = 1 << 50;

/// The record of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) success: bool,
    pub(crate) gas_used: u64,
    /// The part of it that pays for posting to the parent chain.
    pub(crate) gas_used_for_l1: u64,
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

/// A block and the transactions in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) hash: B256,
    pub(crate) mined: Vec<Mined>,
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
        unpack_mix(self.header.mix_hash, 1)
    }

    /** wei per gas */
    pub(crate) fn base_fee(&self) -> u64 {
        self.header.base_fee_per_gas.unwrap_or(BASE_FEE)
    }

    /// The ArbOS version it was made under.
    pub(crate) fn arbos(&self) -> u64 {
        unpack_mix(self.header.mix_hash, 2)
    }

    /// The messages sent to the parent chain up to this block.
    pub(crate) fn sends(&self) -> Sends {
        Sends {
            count: unpack_mix(self.header.mix_hash, 0),
            root: B256::try_from(&self.header.extra_data[..]).unwrap_or_default(),
        }
    }

    /// The price that a transaction pays for gas in this block, wei.
    pub(crate) fn gas_price_of(&self, tx: &Transaction) -> u64 {
        match self.tips() {
            true => tx.effective_gas_price(self.base_fee()),
            false => self.base_fee(),
        }
    }

    /// Gas used by the transactions up to and with the one at `index`.
    pub(crate) fn gas_up_to(&self, index: usize) -> u64 {
        let upto = self.mined.iter().take(index + 1);
        upto.map(|mined| mined.receipt.gas_used).sum()
    }

    /// The number of logs of the transactions before the one at `index`.
    pub(crate) fn logs_before(&self, index: usize) -> usize {
        let before = self.mined.iter().take(index);
        before.map(|mined| mined.receipt.logs.len()).sum()
    }

    /// The part of a header that ArbOS's state makes, as in this block.
    pub(crate) fn info(&self) -> HeaderInfo {
        HeaderInfo {
            sends: self.sends(),
            arbos: self.arbos(),
            tips: self.tips(),
        }
    }

    /// Says whether senders pay the tips that they offer.
    pub(crate) fn tips(&self) -> bool {
        self.header.mix_hash[TIPS_BYTE] != 0
    }

    /// The surroundings of a call executed as if in this block.
    pub(crate) fn params(&self) -> BlockParams {
        BlockParams {
            base_fee: self.base_fee(),
            gas_limit: self.header.gas_limit,
            coinbase: self.header.beneficiary,
            ..block_params(self.number(), self.timestamp(), self.l1_number())
        }
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
        recent: RecentPrograms::default(),
        precompiles: HashMap::new(),
    }
}

/// The part of a header that ArbOS's state makes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeaderInfo {
    pub(crate) sends: Sends,
    /// The version in force.
    pub(crate) arbos: u64,
    /// `true` if senders pay the tips that they offer.
    pub(crate) tips: bool,
}

/// The receipts that a block commits to.
pub(crate) fn consensus_receipts(mined: &[Mined]) -> Vec<ReceiptEnvelope> {
    let mut gas_used = 0;
    let receipts = mined.iter().map(|Mined { tx, receipt }| {
        gas_used += receipt.gas_used;
        let consensus = ConsensusReceipt {
            status: receipt.success.into(),
            cumulative_gas_used: gas_used,
            logs: receipt.logs.clone(),
        };
        ReceiptEnvelope::from_typed(tx.envelope.tx_type(), consensus)
    });
    receipts.collect()
}

/// Builds the header of a block. `state` is the commitment to the state after it.
pub(crate) fn header(
    parent: B256,
    params: &BlockParams,
    state: B256,
    info: HeaderInfo,
    mined: &[Mined],
) -> Header {
    let gas_used = mined.iter().map(|mined| mined.receipt.gas_used).sum();
    let receipts = consensus_receipts(mined);
    let envelopes: Vec<_> = mined
        .iter()
        .map(|mined| mined.tx.envelope.clone())
        .collect();
    Header {
        parent_hash: parent,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: params.coinbase,
        state_root: state,
        transactions_root: proofs::calculate_transaction_root(&envelopes),
        receipts_root: proofs::calculate_receipt_root(&receipts),
        logs_bloom: logs_bloom(mined.iter().flat_map(|mined| &mined.receipt.logs)),
        difficulty: U256::ONE,
        number: params.number,
        gas_limit: params.gas_limit,
        gas_used,
        timestamp: params.timestamp,
        extra_data: Bytes::copy_from_slice(info.sends.root.as_slice()),
        mix_hash: pack_mix(info, params.l1_number),
        nonce: B64::ZERO,
        base_fee_per_gas: Some(params.base_fee),
        ..Header::default()
    }
}

/// The byte of `mixHash` that says whether tips are paid.
const TIPS_BYTE: usize = 25;

/// `mixHash`: messages sent to the parent chain, its block number, the ArbOS version, whether tips are paid.
fn pack_mix(info: HeaderInfo, l1_number: u64) -> B256 {
    let mut mix = B256::ZERO;
    mix[..8].copy_from_slice(&info.sends.count.to_be_bytes());
    mix[8..16].copy_from_slice(&l1_number.to_be_bytes());
    mix[16..24].copy_from_slice(&info.arbos.to_be_bytes());
    mix[TIPS_BYTE] = info.tips.into();
    mix
}
fn unpack_mix(mix: B256, index: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&mix[8 * index..8 * (index + 1)]);
    u64::from_be_bytes(number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chain::tx::tests::transfer;
    use alloy_consensus::EMPTY_ROOT_HASH;

    #[test]
    fn the_header_is_arbitrums() {
        let params = block_params(3, 1_000, 42);
        let info = HeaderInfo {
            sends: Sends {
                count: 7,
                root: B256::repeat_byte(9),
            },
            arbos: 51,
            tips: false,
        };
        let header = header(
            B256::repeat_byte(1),
            &params,
            B256::repeat_byte(2),
            info,
            &[],
        );
        assert_eq!(header.difficulty, U256::ONE);
        assert_eq!(header.extra_data[..], [9; 32]);
        assert_eq!(header.base_fee_per_gas, Some(100_000_000));
        assert_eq!(header.gas_limit, 1_125_899_906_842_624);
        assert_eq!(unpack_mix(header.mix_hash, 0), 7);
        assert_eq!(unpack_mix(header.mix_hash, 1), 42);
        assert_eq!(header.mix_hash[23], 51);
        assert_eq!(header.transactions_root, EMPTY_ROOT_HASH);
        assert_eq!(header.receipts_root, EMPTY_ROOT_HASH);
    }

    #[test]
    fn the_header_commits_to_transactions_and_receipts() {
        let params = block_params(1, 1_000, 1);
        let mined = |nonce, gas_used| Mined {
            tx: Transaction::decode(transfer(7, nonce, 1), 7).unwrap(),
            receipt: Receipt {
                success: true,
                gas_used,
                gas_used_for_l1: 0,
                contract: None,
                logs: vec![Log::new_unchecked(COINBASE, vec![B256::ZERO], Bytes::new())],
            },
        };
        let make = |mined: &[Mined]| {
            header(
                B256::ZERO,
                &params,
                B256::ZERO,
                HeaderInfo::default(),
                mined,
            )
        };
        let one = make(&[mined(0, 21_000)]);
        let other = make(&[mined(0, 21_001)]);
        let two = make(&[mined(0, 21_000), mined(1, 21_000)]);
        assert_ne!(one.transactions_root, EMPTY_ROOT_HASH);
        assert_ne!(one.receipts_root, other.receipts_root);
        assert_ne!(one.transactions_root, two.transactions_root);
        assert_eq!(two.gas_used, 42_000);
        assert_ne!(one.hash_slow(), other.hash_slow());
        assert!(one.logs_bloom.contains_raw_log(COINBASE, &[B256::ZERO]));
    }
}
