//! A patient's account: who acts for her, and by which round, epoch and lock.
//!
//! A patient is the address that she began with, for good. One word says who acts for her, and every call on her
//! behalf reads it. It is followed no further: if A is acted for by B and B by A, each acts for the other.

use stylus_sdk::prelude::*;

use crate::{
    interface::*,
    log::{log, topic},
    storage::Slot,
    word::Word,
    Pcac,
};

/// Times in storage have 40 bits: they end in the year 36812.
pub(crate) const TIME_END: u64 = 1 << 40;

/// Seconds in an hour.
pub(crate) const HOUR: u64 = 3_600;

/// Seconds in which a ripe move or recovery can be finished, after which a lock ends, and that a recovery's deadline may
/// lie ahead.
pub(crate) const MONTH: u64 = 30 * 24 * HOUR;

/// An account. One word, from the low end: acting 160 bits, recovery 15, settled 1, epoch 16, round 24, lockedUntil 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// whose it is; not in the word
    pub(crate) patient: Word,
    /// who acts for her; zero in storage as long as she does
    pub(crate) acting: Word,
    /// raised by a start of a recovery and by new guardians
    pub(crate) recovery: u64,
    /// the predecessor was asked
    pub(crate) settled: bool,
    /// raised by each other acting key
    pub(crate) epoch: u64,
    /// raised by each account call
    pub(crate) round: u64,
    /// when a lock ends, seconds since 1970
    pub(crate) locked_until: u64,
}

impl Account {
    #[inline(never)]
    pub(crate) fn unpack(patient: Word, word: Word) -> Self {
        let acting = word.last_20();
        Self {
            patient,
            acting: if acting.is_zero() { patient } else { acting },
            recovery: word.bits(160, 15),
            settled: word.bits(175, 1) == 1,
            epoch: word.bits(176, 16),
            round: word.bits(192, 24),
            locked_until: word.bits(216, 40),
        }
    }

    #[inline(never)]
    pub(crate) fn pack(&self) -> Word {
        self.acting
            .with_bits(160, 15, self.recovery)
            .with_bits(175, 1, self.settled.into())
            .with_bits(176, 16, self.epoch)
            .with_bits(192, 24, self.round)
            .with_bits(216, 40, self.locked_until)
    }

    /// Refuses a caller who does not act for the patient.
    ///
    /// # Errors
    /// `PcacNotPatient`.
    #[inline(never)]
    pub(crate) fn only_acting(&self, caller: Word) -> Result<(), Refusal> {
        if caller != self.acting {
            return Err(refuse!(PcacNotPatient, caller, self.acting));
        }
        Ok(())
    }

    /// Refuses a locked account.
    ///
    /// # Errors
    /// `PcacLocked`.
    #[inline(never)]
    pub(crate) fn unlocked(&self, now: u64) -> Result<(), Refusal> {
        if now < self.locked_until {
            return Err(refuse!(PcacLocked, self.patient, self.locked_until));
        }
        Ok(())
    }

    /// Refuses another round than the account's.
    ///
    /// # Errors
    /// `PcacRoundChanged`.
    pub(crate) fn at_round(&self, wanted: u64) -> Result<(), Refusal> {
        same_round(wanted, self.round)
    }
}

/// Refuses another round.
///
/// # Errors
/// `PcacRoundChanged`.
#[inline(never)]
pub(crate) fn same_round(wanted: u64, round: u64) -> Result<(), Refusal> {
    if wanted != round {
        return Err(refuse!(PcacRoundChanged, wanted, round));
    }
    Ok(())
}

/// Refuses an end that is not in the future, or later than `latest`.
///
/// # Errors
/// `PcacBadExpiry`.
#[inline(never)]
pub(crate) fn ends(end: u64, now: u64, latest: u64) -> Result<(), Refusal> {
    if end <= now || end > latest {
        return Err(refuse!(PcacBadExpiry, end, now, latest));
    }
    Ok(())
}

impl Pcac {
    pub(crate) fn now(&self) -> u64 {
        self.vm().block_timestamp()
    }

    /// The account as it stands here.
    #[inline(never)]
    pub(crate) fn account(&self, patient: Word) -> Account {
        Account::unpack(patient, self.cell(Slot::account(patient)))
    }

    #[inline(never)]
    pub(crate) fn set_account(&mut self, account: &Account) {
        self.set_cell(Slot::account(account.patient), account.pack());
    }

    /// The end of a delegate's time, 0 if he is none under the present acting key.
    #[inline(never)]
    pub(crate) fn delegate_until(&self, account: &Account, delegate: Word) -> u64 {
        let word = self.cell(Slot::delegate(account.patient, delegate));
        if word.bits(0, 16) == account.epoch {
            word.bits(16, 40)
        } else {
            0
        }
    }

    /// Records that a decision was not sent by the patient's own address.
    #[inline(never)]
    pub(crate) fn acted(&self, patient: Word, caller: Word) {
        if caller != patient {
            log!(self, [topic!(Acted), patient, caller], []);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    #[test]
    fn an_account_is_one_word_with_the_acting_key_last() {
        let account = Account {
            patient: Address::repeat_byte(0xaa).into(),
            acting: Address::repeat_byte(0xbb).into(),
            recovery: 0x0102,
            settled: true,
            epoch: 0x0304,
            round: 0x05_0607,
            locked_until: 0x08_090a_0b0c,
        };
        let word = account.pack().bytes();
        assert_eq!(word[12..], [0xbb; 20]);
        assert_eq!(word[..12], [8, 9, 10, 11, 12, 5, 6, 7, 3, 4, 0x81, 2]);
        assert_eq!(Account::unpack(account.patient, account.pack()), account);
        let own = Account::unpack(account.patient, Word::ZERO);
        assert_eq!(own.acting, account.patient, "she acts for herself");
    }
}
