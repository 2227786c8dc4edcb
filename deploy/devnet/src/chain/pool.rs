//! Transactions whose nonce is ahead of their account, held until the gap is filled.

use std::collections::{BTreeMap, HashMap};

use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256};

use super::tx::{Transaction, TxError};

/// The most transactions held for one account.
pub(crate) const MAX_PER_ACCOUNT: usize = 64;
/// The most transactions held in all.
pub(crate) const MAX_TOTAL: usize = 1_024;
/// Per cent by which a replacement must outbid what it replaces.
const PRICE_BUMP: u128 = 10;

/// The held transactions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    by_hash: HashMap<B256, (Address, u64)>,
    by_sender: BTreeMap<(Address, u64), Transaction>,
}
impl Pool {
    pub(crate) fn get(&self, hash: &B256) -> Option<&Transaction> {
        self.by_sender.get(self.by_hash.get(hash)?)
    }

    /// The transaction that `sender` queued with `nonce`.
    pub(crate) fn next(&self, sender: Address, nonce: u64) -> Option<&Transaction> {
        self.by_sender.get(&(sender, nonce))
    }

    /// Whether [`Pool::insert`] would take `tx`.
    pub(crate) fn check(&self, tx: &Transaction) -> Result<(), TxError> {
        if self.by_hash.contains_key(&tx.hash()) {
            return Err(TxError::Known);
        }
        if let Some(held) = self.by_sender.get(&(tx.from, tx.nonce())) {
            let bid = held.envelope.max_fee_per_gas();
            let wanted = bid.saturating_add(bid.saturating_mul(PRICE_BUMP) / 100);
            if tx.envelope.max_fee_per_gas() < wanted {
                return Err(TxError::Underpriced);
            }
            return Ok(());
        }
        let own = (tx.from, 0)..=(tx.from, u64::MAX);
        if self.by_sender.range(own).count() >= MAX_PER_ACCOUNT {
            return Err(TxError::AccountFull(MAX_PER_ACCOUNT));
        }
        if self.by_hash.len() >= MAX_TOTAL {
            return Err(TxError::PoolFull);
        }
        Ok(())
    }

    /// Holds `tx`, in place of one with the same sender and nonce.
    pub(crate) fn insert(&mut self, tx: Transaction) {
        let key = (tx.from, tx.nonce());
        self.by_hash.insert(tx.hash(), key);
        if let Some(replaced) = self.by_sender.insert(key, tx) {
            self.by_hash.remove(&replaced.hash());
        }
    }

    /// Takes out the transaction that `sender` queued with `nonce`.
    pub(crate) fn take(&mut self, sender: Address, nonce: u64) -> Option<Transaction> {
        let tx = self.by_sender.remove(&(sender, nonce))?;
        self.by_hash.remove(&tx.hash());
        Some(tx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::chain::tx::tests::transfer;

    fn tx(nonce: u64, price: u128) -> Transaction {
        Transaction::decode(transfer(7, nonce, price), 7).unwrap()
    }

    #[test]
    fn a_queued_transaction_is_found_and_taken_once() {
        let mut pool = Pool::default();
        let held = tx(3, 100);
        pool.insert(held.clone());
        assert!(matches!(pool.check(&held), Err(TxError::Known)));
        assert_eq!(pool.get(&held.hash()), Some(&held));
        assert_eq!(pool.take(held.from, 2), None);
        assert_eq!(pool.take(held.from, 3), Some(held.clone()));
        assert_eq!(pool.take(held.from, 3), None);
        assert_eq!(pool.get(&held.hash()), None);
    }

    #[test]
    fn a_replacement_must_outbid() {
        let mut pool = Pool::default();
        let first = tx(3, 100);
        pool.insert(first.clone());
        assert!(matches!(pool.check(&tx(3, 109)), Err(TxError::Underpriced)));
        let better = tx(3, 110);
        pool.check(&better).unwrap();
        pool.insert(better.clone());
        assert_eq!(pool.get(&first.hash()), None);
        assert_eq!(pool.take(first.from, 3), Some(better));
    }

    #[test]
    fn one_account_cannot_fill_it() {
        let mut pool = Pool::default();
        for nonce in 1..=MAX_PER_ACCOUNT as u64 {
            let tx = tx(nonce, 100);
            pool.check(&tx).unwrap();
            pool.insert(tx);
        }
        assert!(matches!(
            pool.check(&tx(1_000, 100)),
            Err(TxError::AccountFull(_))
        ));
    }
}
