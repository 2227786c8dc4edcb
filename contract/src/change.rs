//! The changes of an account: guardians, a move, the emergency desk, delegates.
//!
//! An own change waits until it is ripe and is then finished; one at a time is pending. Each call raises the account's round, so
//! that a signed call that was held back and gives dies with the state that it was signed for.

use crate::{
    account::{ends, Account, HOUR, MONTH, TIME_END},
    calldata::Args,
    interface::*,
    log::{log, topic},
    storage::Slot,
    word::Word,
    Pcac,
};

/// What an `AccountChanged` is about. The first five can be pending.
pub(crate) mod kind {
    pub(crate) const GUARDIANS: u64 = 1;
    pub(crate) const MOVE: u64 = 2;
    pub(crate) const DESK: u64 = 3;
    pub(crate) const RECOVERY: u64 = 4;
    /// by guardians of whom one is enough
    pub(crate) const RECOVERY_BY_ONE: u64 = 5;
    pub(crate) const CANCELLED: u64 = 6;
    pub(crate) const FINISHED: u64 = 7;
    pub(crate) const DELEGATE: u64 = 8;
    pub(crate) const SETTLED: u64 = 9;
}

/// Hours that guardians' changes may wait.
const LEAST_DELAY: u64 = 72;
const MOST_DELAY: u64 = 720;
/// Hours that a desk may open an image for, and that it waits itself without guardians.
const MOST_DESK: u64 = 72;

/// A pending change. One word, from the low end: payload 192 bits, hours 16, ripe 40, kind 8; all zero for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) kind: u64,
    /// seconds since 1970
    pub(crate) ripe: u64,
    pub(crate) hours: u64,
    /// a commitment or an address
    pub(crate) payload: Word,
}

impl Pending {
    #[inline(never)]
    pub(crate) fn unpack(word: Word) -> Self {
        Self {
            kind: word.bits(248, 8),
            ripe: word.bits(208, 40),
            hours: word.bits(192, 16),
            payload: word.last_24(),
        }
    }

    #[inline(never)]
    pub(crate) fn pack(&self) -> Word {
        self.data()
            .with_bits(208, 40, self.ripe)
            .with_bits(248, 8, self.kind)
    }

    /// Payload and hours, as events have them.
    #[inline(never)]
    pub(crate) fn data(&self) -> Word {
        self.payload.with_bits(192, 16, self.hours)
    }

    pub(crate) fn is_recovery(&self) -> bool {
        matches!(self.kind, kind::RECOVERY | kind::RECOVERY_BY_ONE)
    }

    /// Returns true if another key is to act.
    pub(crate) fn moves(&self) -> bool {
        self.kind == kind::MOVE || self.is_recovery()
    }

    #[inline(never)]
    pub(crate) fn refusal(&self) -> Refusal {
        refuse!(PcacPending, self.kind, self.ripe)
    }
}

/// Guardians. One word, from the low end: commitment 192 bits, hours 16.
#[derive(Clone, Copy)]
pub(crate) struct Guardians {
    pub(crate) commitment: Word,
    pub(crate) hours: u64,
}

/// The desk in effect. One word, from the low end: address 160 bits, epoch 16, hours 8.
#[derive(Clone, Copy)]
pub(crate) struct Desk {
    pub(crate) address: Word,
    pub(crate) hours: u64,
}

impl Pcac {
    /// What is pending: a move or recovery that nobody finished in its month no longer is.
    #[inline(never)]
    pub(crate) fn pending(&self, patient: Word) -> Pending {
        let pending = Pending::unpack(self.cell(Slot::account(patient).after(1)));
        if pending.moves() && self.now() >= pending.ripe + MONTH {
            return Pending::default();
        }
        pending
    }

    #[inline(never)]
    pub(crate) fn set_pending(&mut self, patient: Word, pending: &Pending) {
        self.set_cell(Slot::account(patient).after(1), pending.pack());
    }

    #[inline(never)]
    pub(crate) fn guardians(&self, patient: Word) -> Guardians {
        let word = self.cell(Slot::account(patient).after(2));
        Guardians {
            commitment: word.last_24(),
            hours: word.bits(192, 16),
        }
    }

    #[inline(never)]
    pub(crate) fn put_guardians(&mut self, patient: Word, commitment: Word, hours: u64) {
        self.set_cell(
            Slot::account(patient).after(2),
            commitment.with_bits(192, 16, hours),
        );
    }

    /// The desk in effect, zero if there is none under the present acting key.
    #[inline(never)]
    pub(crate) fn desk(&self, account: &Account) -> Desk {
        let word = self.cell(Slot::account(account.patient).after(3));
        let current = word.bits(160, 16) == account.epoch;
        Desk {
            address: if current { word.last_20() } else { Word::ZERO },
            hours: if current { word.bits(176, 8) } else { 0 },
        }
    }

    #[inline(never)]
    fn put_desk(&mut self, account: &Account, address: Word, hours: u64) {
        let epoch = if address.is_zero() { 0 } else { account.epoch };
        let word = address.with_bits(160, 16, epoch).with_bits(176, 8, hours);
        self.set_cell(Slot::account(account.patient).after(3), word);
    }

    /// Raises the account's round, stores it, and says what happened.
    #[inline(never)]
    pub(crate) fn changed(
        &mut self,
        account: &mut Account,
        by: Word,
        kind: u64,
        ripe: u64,
        data: Word,
    ) {
        account.round = (account.round + 1) & 0xff_ffff;
        self.set_account(account);
        let locked_until = if self.now() < account.locked_until {
            account.locked_until
        } else {
            0
        };
        log!(
            self,
            [topic!(AccountChanged), account.patient, by],
            [kind, account.round, ripe, locked_until, data]
        );
    }

    /// Makes an own change pending. It replaces an own one.
    ///
    /// # Errors
    /// `PcacPending` for a recovery.
    #[inline(never)]
    fn own_change(
        &mut self,
        account: &mut Account,
        by: Word,
        change: Pending,
    ) -> Result<(), Refusal> {
        let pending = self.pending(account.patient);
        if pending.is_recovery()
            && !(change.kind == kind::GUARDIANS && pending.kind == kind::RECOVERY_BY_ONE)
        {
            return Err(pending.refusal());
        }
        self.set_pending(account.patient, &change);
        self.changed(account, by, change.kind, change.ripe, change.data());
        Ok(())
    }

    /// The account of a call of its acting key, settled.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotPatient`, and those of settling.
    #[inline(never)]
    fn own(&mut self, caller: Word, patient: Word) -> Result<Account, Refusal> {
        nonzero(&[patient])?;
        let account = self.settled(caller, patient)?;
        account.only_acting(caller)?;
        Ok(account)
    }

    /// `set_guardians`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotPatient`, `PcacLocked`, `PcacBadHours`, `PcacRoundChanged`, `PcacPending`.
    pub(crate) fn set_guardians(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let (patient, round) = (args.address(0)?, args.number(1, 1 << 32)?);
        let (commitment, hours) = (args.bytes_24(2)?, args.number(3, 1 << 16)?);
        let mut account = self.own(caller, patient)?;
        account.unlocked(self.now())?;
        let (least, most) = if commitment.is_zero() {
            (0, 0)
        } else {
            (LEAST_DELAY, MOST_DELAY)
        };
        in_range(hours, least, most)?;
        account.at_round(round)?;
        let before = self.guardians(patient);
        let mut change = Pending {
            kind: kind::GUARDIANS,
            ripe: self.now() + HOUR * before.hours,
            hours,
            payload: commitment,
        };
        if before.commitment.is_zero() {
            change.ripe = 0;
            self.set_pending(patient, &Pending::default());
            self.appoint(&mut account, &change);
            self.changed(&mut account, caller, change.kind, 0, change.data());
            return Ok(());
        }
        self.own_change(&mut account, caller, change)
    }

    #[inline(never)]
    fn appoint(&mut self, account: &mut Account, change: &Pending) {
        account.recovery = (account.recovery + 1) & 0x7fff;
        self.put_guardians(account.patient, change.payload, change.hours);
    }

    /// `move_account`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotPatient`, `PcacLocked`, `PcacBadSuccessor`, `PcacRoundChanged`, `PcacPending`.
    pub(crate) fn move_account(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let (patient, round) = (args.address(0)?, args.number(1, 1 << 32)?);
        let successor = args.address(2)?;
        nonzero(&[patient])?;
        nonzero_at(2, successor)?;
        let mut account = self.own(caller, patient)?;
        account.unlocked(self.now())?;
        if successor == account.acting {
            return Err(refuse!(PcacBadSuccessor, successor));
        }
        account.at_round(round)?;
        let change = Pending {
            kind: kind::MOVE,
            ripe: self.now() + HOUR * self.guardians(patient).hours,
            hours: 0,
            payload: successor,
        };
        self.own_change(&mut account, caller, change)
    }

    /// `set_emergency`: what takes away needs neither round nor an open account.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotPatient`, `PcacLocked`, `PcacBadHours`, `PcacRoundChanged`, `PcacPending`.
    pub(crate) fn set_emergency(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (patient, round) = (args.address(0)?, args.number(1, 1 << 32)?);
        let (desk, hours) = (args.address(2)?, args.number(3, 1 << 8)?);
        let mut account = self.own(caller, patient)?;
        let before = self.desk(&account);
        let off = desk.is_zero();
        if off || (desk == before.address && 0 < hours && hours <= before.hours) {
            let hours = if off { 0 } else { hours };
            let waiting = self.pending(patient).kind == kind::DESK;
            let took = waiting || desk != before.address || hours != before.hours;
            if waiting {
                self.set_pending(patient, &Pending::default());
            }
            if desk != before.address || hours != before.hours {
                self.put_desk(&account, desk, hours);
            }
            let data = desk.with_bits(192, 16, hours);
            self.changed(&mut account, caller, kind::DESK, 0, data);
            return Ok(took);
        }
        account.unlocked(self.now())?;
        in_range(hours, 1, MOST_DESK)?;
        account.at_round(round)?;
        let guardians = self.guardians(patient);
        let delay = if guardians.commitment.is_zero() {
            MOST_DESK
        } else {
            guardians.hours
        };
        let change = Pending {
            kind: kind::DESK,
            ripe: self.now() + HOUR * delay,
            hours,
            payload: desk,
        };
        self.own_change(&mut account, caller, change)?;
        Ok(true)
    }

    /// `cancel_change`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotPatient`, `PcacLocked`.
    pub(crate) fn cancel_change(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let patient = args.address(0)?;
        let mut account = self.own(caller, patient)?;
        account.unlocked(self.now())?;
        let pending = self.pending(patient);
        self.set_pending(patient, &Pending::default());
        self.changed(&mut account, caller, kind::CANCELLED, 0, Word::ZERO);
        Ok(pending.kind != 0)
    }

    /// `finish_change`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNothingPending`, `PcacNotSuccessor`, `PcacNotRipe`.
    pub(crate) fn finish_change(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let patient = args.address(0)?;
        nonzero(&[patient])?;
        let mut account = self.settled(caller, patient)?;
        let pending = self.pending(patient);
        if pending.kind == 0 {
            return Err(refuse!(PcacNothingPending, patient));
        }
        if pending.moves() && caller != pending.payload {
            return Err(refuse!(PcacNotSuccessor, caller, pending.payload));
        }
        let now = self.now();
        if now < pending.ripe {
            return Err(refuse!(PcacNotRipe, pending.ripe, now));
        }
        let from = account.acting;
        self.set_pending(patient, &Pending::default());
        match pending.kind {
            kind::GUARDIANS => self.appoint(&mut account, &pending),
            kind::DESK => self.put_desk(&account, pending.payload, pending.hours),
            _ => {
                let desk = self.desk(&account);
                account.acting = pending.payload;
                account.epoch = (account.epoch + 1) & 0xffff;
                account.locked_until = 0;
                if pending.kind == kind::MOVE && !desk.address.is_zero() {
                    self.put_desk(&account, desk.address, desk.hours);
                }
            }
        }
        self.changed(&mut account, caller, kind::FINISHED, 0, pending.data());
        self.moved(&account, from);
        Ok(())
    }

    /// Says that another key acts.
    pub(crate) fn moved(&self, account: &Account, from: Word) {
        if account.acting != from {
            log!(
                self,
                [topic!(AccountMoved), account.patient, from, account.acting],
                []
            );
        }
    }

    /// `set_delegate`: what takes away needs neither round nor an open account.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotPatient`, `PcacLocked`, `PcacBadExpiry`, `PcacRoundChanged`.
    pub(crate) fn set_delegate(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (patient, round) = (args.address(0)?, args.number(1, 1 << 32)?);
        let (delegate, until) = (args.address(2)?, args.number(3, 0)?);
        nonzero(&[patient])?;
        nonzero_at(2, delegate)?;
        let mut account = self.own(caller, patient)?;
        let now = self.now();
        let mut done = true;
        if until == 0 {
            done = self.delegate_until(&account, delegate) != 0;
        } else {
            account.unlocked(now)?;
            ends(until, now, TIME_END - 1)?;
            account.at_round(round)?;
        }
        let word = Word::number(if until == 0 { 0 } else { account.epoch });
        self.set_cell(
            Slot::delegate(patient, delegate),
            word.with_bits(16, 40, until),
        );
        let data = delegate.with_bits(160, 40, until);
        self.changed(&mut account, caller, kind::DELEGATE, 0, data);
        Ok(done)
    }
}

/// Refuses hours outside of their range.
///
/// # Errors
/// `PcacBadHours`.
#[inline(never)]
fn in_range(hours: u64, least: u64, most: u64) -> Result<(), Refusal> {
    if hours < least || hours > most {
        return Err(refuse!(PcacBadHours, hours, least, most));
    }
    Ok(())
}
