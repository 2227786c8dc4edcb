//! Transactions that wait: for a block, or for the nonces before theirs.

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
    by_sender: BTreeMap<(Address, u64), Held>,
    /// Transactions that came so far.
    arrivals: u64,
}
#[derive(Clone, Debug)]
struct Held {
    tx: Transaction,
    arrival: u64,
}
impl Pool {
    pub(crate) fn get(&self, hash: &B256) -> Option<&Transaction> {
        Some(&self.by_sender.get(self.by_hash.get(hash)?)?.tx)
    }

    /// All of them, by sender and nonce.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Transaction> {
        self.by_sender.values().map(|held| &held.tx)
    }

    /// The transaction that `sender` queued with `nonce`.
    pub(crate) fn next(&self, sender: Address, nonce: u64) -> Option<&Transaction> {
        Some(&self.by_sender.get(&(sender, nonce))?.tx)
    }

    /// The first nonce from `nonce` on that `sender` has not queued a transaction with.
    pub(crate) fn next_free(&self, sender: Address, nonce: u64) -> u64 {
        let mut free = nonce;
        while self.by_sender.contains_key(&(sender, free)) {
            free += 1;
        }
        free
    }

    /// Those that can be mined one after the other, in the order they came but each sender's by nonce. `nonce` tells a
    /// sender's next.
    pub(crate) fn ready(&self, nonce: impl Fn(Address) -> u64) -> Vec<Transaction> {
        let mut heads = BTreeMap::new();
        let mut sender = None;
        for (from, _) in self.by_sender.keys() {
            if sender.replace(*from) != Some(*from)
                && let Some(held) = self.by_sender.get(&(*from, nonce(*from)))
            {
                heads.insert(held.arrival, &held.tx);
            }
        }
        let mut ready = Vec::new();
        while let Some((_, tx)) = heads.pop_first() {
            if let Some(held) = self.by_sender.get(&(tx.from, tx.nonce() + 1)) {
                heads.insert(held.arrival, &held.tx);
            }
            ready.push(tx.clone());
        }
        ready
    }

    /// Takes out what `sender` queued with nonces below `nonce`.
    pub(crate) fn purge(&mut self, sender: Address, nonce: u64) {
        let stale: Vec<_> = self.by_sender.range((sender, 0)..(sender, nonce)).collect();
        let stale: Vec<_> = stale.into_iter().map(|(key, _)| key.1).collect();
        for nonce in stale {
            self.take(sender, nonce);
        }
    }

    /// Checks that [`Pool::insert`] would take `tx`.
    pub(crate) fn check(&self, tx: &Transaction) -> Result<(), TxError> {
        if self.by_hash.contains_key(&tx.hash()) {
            return Err(TxError::Known);
        }
        if let Some(held) = self.next(tx.from, tx.nonce()) {
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
        self.arrivals += 1;
        let arrival = self.arrivals;
        if let Some(replaced) = self.by_sender.insert(key, Held { tx, arrival }) {
            self.by_hash.remove(&replaced.tx.hash());
        }
    }

    /// Takes out the transaction that `sender` queued with `nonce`.
    pub(crate) fn take(&mut self, sender: Address, nonce: u64) -> Option<Transaction> {
        let held = self.by_sender.remove(&(sender, nonce))?;
        self.by_hash.remove(&held.tx.hash());
        Some(held.tx)
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
    fn those_without_a_gap_are_ready_in_the_order_they_came() {
        let mut pool = Pool::default();
        let other = |nonce| {
            let call = crate::chain::Call {
                from: Address::repeat_byte(1),
                ..Default::default()
            };
            Transaction::unsigned(7, &call, nonce, 21_000)
        };
        let mine = [tx(3, 100), tx(4, 100), tx(6, 100)];
        let own = mine[0].from;
        for tx in [&mine[1], &other(0), &mine[0], &mine[2], &other(1)] {
            pool.insert(tx.clone());
        }
        let nonce = |who| if who == own { 3 } else { 0 };
        let ready: Vec<_> = pool.ready(nonce).iter().map(Transaction::hash).collect();
        // The second of this sender came first, but its turn comes after the first.
        let wanted = [&other(0), &mine[0], &mine[1], &other(1)].map(Transaction::hash);
        assert_eq!(ready, wanted);
        assert_eq!(pool.next_free(own, 3), 5);
        assert_eq!(pool.next_free(own, 5), 5);
        assert!(pool.ready(|_| 9).is_empty());
        pool.purge(own, 6);
        assert_eq!(pool.all().count(), 3);
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
