//! Recovery: guardians move an account whose key is lost or stolen.
//!
//! The set is hidden until it is used: storage holds a commitment to it. Signatures are checked here; `change` says who may
//! finish.

use alloc::vec::Vec;

use stylus_sdk::prelude::*;

use crate::{
    account::{HOUR, MONTH},
    calldata::Args,
    change::{kind, Pending},
    interface::*,
    signature::{self, keccak},
    word::{constant, hash, put, Word},
    Pcac,
};

/// What guardians sign.
const RECOVERY: [u8; 32] =
    keccak("Recovery(address patient,address successor,bool lock,uint16 recovery,uint64 deadline)");

/// Guardians that a set may have.
const MOST_GUARDIANS: usize = 15;

/// The first 24 bytes of the hash of a set, at the end of the word; zero, which no set has, for a set that is none.
fn commitment(guardians: &[Word], threshold: u64, salt: Word) -> Word {
    let ascending = guardians
        .windows(2)
        .all(|pair| pair[0].limbs() < pair[1].limbs());
    let count = guardians.len();
    if !ascending || count > MOST_GUARDIANS || threshold == 0 || threshold > count as u64 {
        return Word::ZERO;
    }
    let mut words = Vec::with_capacity(count + 2);
    words.extend_from_slice(guardians);
    words.push(Word::number(threshold));
    words.push(salt);
    hash(&words).back_24()
}

impl Pcac {
    /// `start_recovery`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacExpired`, `PcacBadGuardians`, `PcacBadSuccessor`, `PcacPending`, `PcacBadSignature`,
    /// `PcacTooFewGuardians`, and those of settling.
    pub(crate) fn start_recovery(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let (patient, successor) = (args.address(0)?, args.address(1)?);
        let lock = args.flag(2)?;
        let guardians = args.each_address(3)?;
        let threshold = args.number(4, 1 << 8)?;
        let (salt, deadline) = (args.word(5)?, args.number(6, 0)?);
        let signatures = args.each_bytes(7)?;
        nonzero(&[patient, successor])?;
        let mut account = self.settled(caller, patient)?;
        let now = self.now();
        if now > deadline || deadline > now + MONTH {
            return Err(refuse!(PcacExpired, deadline, now));
        }
        let set = self.guardians(patient);
        let found = commitment(&guardians, threshold, salt);
        let alone = threshold == 1;
        if set.commitment.is_zero()
            || found != set.commitment
            || signatures.len() != guardians.len()
            || (alone && lock)
        {
            return Err(refuse!(
                PcacBadGuardians,
                set.commitment.to_front_24(),
                found.to_front_24()
            ));
        }
        let stays = successor == account.acting;
        if stays && lock {
            return Err(refuse!(PcacBadSuccessor, successor));
        }
        let pending = self.pending(patient);
        if alone && pending.kind == kind::GUARDIANS {
            return Err(pending.refusal());
        }
        let message = hash(&[
            constant!(RECOVERY),
            patient,
            successor,
            lock.into(),
            Word::number(account.recovery),
            Word::number(deadline),
        ]);
        let mut signed = 0;
        for (guardian, signature) in guardians.iter().zip(&signatures) {
            if signature.is_empty() {
                continue;
            }
            if !signature::holds(self.vm(), *guardian, message, signature) {
                return Err(refuse!(PcacBadSignature, *guardian));
            }
            signed += 1;
        }
        if signed < threshold {
            return Err(refuse!(PcacTooFewGuardians, signed, threshold));
        }

        let kind = if alone {
            kind::RECOVERY_BY_ONE
        } else {
            kind::RECOVERY
        };
        let change = Pending {
            kind,
            ripe: now + HOUR * set.hours,
            hours: 0,
            payload: successor,
        };
        account.recovery = (account.recovery + 1) & 0x7fff;
        account.locked_until = if lock { change.ripe + MONTH } else { 0 };
        let (stored, ripe) = if stays {
            (Pending::default(), 0)
        } else {
            (change, change.ripe)
        };
        self.set_pending(patient, &stored);
        self.changed(&mut account, caller, kind, ripe, successor);
        Ok(())
    }
}

/// The words of an answer.
pub(crate) fn words(answer: &[u8]) -> Vec<Word> {
    answer.chunks(32).filter_map(Word::read).collect()
}

/// A call with words for arguments.
pub(crate) fn calldata(selector: u32, arguments: &[Word]) -> Vec<u8> {
    let mut calldata = Vec::with_capacity(4 + 32 * arguments.len());
    calldata.extend_from_slice(&selector.to_be_bytes());
    put(&mut calldata, arguments);
    calldata
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{keccak256, Address};

    use super::*;

    #[test]
    fn a_commitment_is_over_an_ascending_set_its_threshold_and_the_salt() {
        let [a, b, c] = [1, 2, 3].map(|byte| Word::from(Address::repeat_byte(byte)));
        let salt = Word::number(7);
        let hashed = |words: &[Word]| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.bytes()).collect();
            keccak256(bytes)
        };
        let found = commitment(&[a, b, c], 2, salt);
        let wanted = hashed(&[a, b, c, Word::number(2), salt]);
        assert_eq!(found.to_front_24().bytes()[..24], wanted[..24]);
        assert_ne!(commitment(&[a, b, c], 3, salt), found);
        assert_ne!(commitment(&[a, b, c], 2, Word::number(8)), found);
        for bad in [&[b, a][..], &[a, a], &[a, c, b], &[]] {
            assert_eq!(commitment(bad, 1, salt), Word::ZERO);
        }
        for threshold in [0, 4] {
            assert_eq!(commitment(&[a, b, c], threshold, salt), Word::ZERO);
        }
        let set: Vec<Word> = (1..=16)
            .map(|n| Word::from(Address::with_last_byte(n)))
            .collect();
        assert_eq!(commitment(&set, 1, salt), Word::ZERO);
        assert_ne!(commitment(&set[..15], 15, salt), Word::ZERO);
    }
}
