//! Accounts: who acts for a patient, and how that changes.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, FixedBytes, U256, keccak256};

use super::{
    Act, Done, Event, HOUR, IPcac, MONTH, Model, Refusal, ends, flag, nonzero, nonzero_at, nothing,
    refuse, same_round,
};

/// A change that waits to be finished; kind 0 is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) kind: u8,
    pub(crate) ripe: u64,
    pub(crate) hours: u16,
    pub(crate) data: FixedBytes<24>,
}

impl Pending {
    pub(crate) fn at(self, now: u64) -> Self {
        if matches!(self.kind, 2 | 4 | 5) && now >= self.ripe + MONTH {
            Self::default()
        } else {
            self
        }
    }

    fn successor(&self) -> Address {
        Address::from_slice(&self.data[4..])
    }

    fn event_data(&self) -> B256 {
        let mut word = B256::ZERO;
        word[6..8].copy_from_slice(&self.hours.to_be_bytes());
        word[8..].copy_from_slice(self.data.as_slice());
        word
    }
}

/// A patient's account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) acting: Address,
    pub(crate) round: u32,
    pub(crate) epoch: u16,
    pub(crate) recovery: u16,
    pub(crate) locked_until: u64,
    pub(crate) commitment: FixedBytes<24>,
    pub(crate) hours: u16,
    pub(crate) pending: Pending,
    /// address and hours
    pub(crate) desk: (Address, u8),
    /// each with the end of his time
    pub(crate) delegates: BTreeMap<Address, u64>,
}

impl Account {
    pub(crate) fn lock(&self, now: u64) -> u64 {
        if now < self.locked_until {
            self.locked_until
        } else {
            0
        }
    }

    /// Another key acts: delegates end, and with a recovery the desk.
    pub(crate) fn hand_to(&mut self, successor: Address, recovered: bool) {
        self.acting = successor;
        self.epoch += 1;
        self.locked_until = 0;
        self.delegates.clear();
        if recovered {
            self.desk = Default::default();
        }
    }
}

/// Guardians, how many are enough, and the salt.
#[derive(Clone, Debug)]
pub(crate) struct GuardianSet {
    pub(crate) guardians: Vec<Address>,
    pub(crate) threshold: u8,
    pub(crate) salt: B256,
}

impl GuardianSet {
    /// The commitment, whether or not the set is in order.
    pub(crate) fn commitment(&self) -> FixedBytes<24> {
        let mut bytes: Vec<u8> = self.guardians.iter().flat_map(|g| g.into_word()).collect();
        bytes.extend(B256::with_last_byte(self.threshold));
        bytes.extend(self.salt);
        FixedBytes::from_slice(&keccak256(bytes)[..24])
    }

    fn in_order(&self) -> bool {
        let count = self.guardians.len();
        self.guardians.windows(2).all(|pair| pair[0] < pair[1])
            && count <= 15
            && (1..=count).contains(&usize::from(self.threshold))
    }
}

fn padded(address: Address) -> FixedBytes<24> {
    let mut data = FixedBytes::ZERO;
    data[4..].copy_from_slice(address.as_slice());
    data
}

pub(super) fn only_acting(account: &Account, caller: Address) -> Result<(), Refusal> {
    if caller != account.acting {
        let acting = account.acting;
        return refuse!(PcacNotPatient { caller, acting });
    }
    Ok(())
}

pub(super) fn unlocked(patient: Address, account: &Account, now: u64) -> Result<(), Refusal> {
    if account.lock(now) != 0 {
        let until = account.locked_until;
        return refuse!(PcacLocked { patient, until });
    }
    Ok(())
}

fn hours(found: u16, least: u16, most: u16) -> Result<(), Refusal> {
    if !(least..=most).contains(&found) {
        return refuse!(PcacBadHours { found, least, most });
    }
    Ok(())
}

impl Model {
    fn own(&self, caller: Address, patient: Address) -> Result<Account, Refusal> {
        nonzero(&[patient.as_slice()])?;
        let account = self.account(patient);
        only_acting(&account, caller)?;
        Ok(account)
    }

    /// Stores the account in its next round, and says so.
    fn changed(
        &mut self,
        now: u64,
        (patient, by): (Address, Address),
        mut account: Account,
        kind: u8,
        ripe: u64,
        data: B256,
    ) -> Event {
        account.round += 1;
        let event = IPcac::AccountChanged {
            patient,
            by,
            kind,
            round: account.round,
            ripe,
            lockedUntil: account.lock(now),
            data,
        };
        self.accounts.insert(patient, account);
        Event::AccountChanged(event)
    }

    fn own_change(
        &mut self,
        now: u64,
        who: (Address, Address),
        mut account: Account,
        change: Pending,
    ) -> Result<Event, Refusal> {
        let pending = account.pending.at(now);
        let (kind, ripe) = (pending.kind, pending.ripe);
        if kind == 4 || (kind == 5 && change.kind != 1) {
            return refuse!(PcacPending { kind, ripe });
        }
        account.pending = change;
        let data = change.event_data();
        Ok(self.changed(now, who, account, change.kind, change.ripe, data))
    }

    pub(super) fn set_guardians(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::set_guardiansCall,
    ) -> Done {
        let mut account = self.own(caller, c.patient)?;
        unlocked(c.patient, &account, now)?;
        if c.commitment.is_zero() {
            hours(c.delayHours, 0, 0)?;
        } else {
            hours(c.delayHours, 72, 720)?;
        }
        same_round(c.round, account.round)?;
        let mut change = Pending {
            kind: 1,
            ripe: now + u64::from(account.hours) * HOUR,
            hours: c.delayHours,
            data: c.commitment,
        };
        let who = (c.patient, caller);
        if account.commitment.is_zero() {
            change.ripe = 0;
            account.pending = Pending::default();
            account.recovery += 1;
            (account.commitment, account.hours) = (c.commitment, c.delayHours);
            return nothing(vec![self.changed(
                now,
                who,
                account,
                1,
                0,
                change.event_data(),
            )]);
        }
        nothing(vec![self.own_change(now, who, account, change)?])
    }

    pub(super) fn move_account(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::move_accountCall,
    ) -> Done {
        nonzero(&[c.patient.as_slice()])?;
        nonzero_at(2, c.successor.as_slice())?;
        let account = self.own(caller, c.patient)?;
        unlocked(c.patient, &account, now)?;
        if c.successor == account.acting {
            let successor = c.successor;
            return refuse!(PcacBadSuccessor { successor });
        }
        same_round(c.round, account.round)?;
        let change = Pending {
            kind: 2,
            ripe: now + u64::from(account.hours) * HOUR,
            hours: 0,
            data: padded(c.successor),
        };
        nothing(vec![self.own_change(
            now,
            (c.patient, caller),
            account,
            change,
        )?])
    }

    pub(super) fn set_emergency(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::set_emergencyCall,
    ) -> Done {
        let mut account = self.own(caller, c.patient)?;
        let who = (c.patient, caller);
        let change = Pending {
            kind: 3,
            ripe: 0,
            hours: c.maxHours.into(),
            data: padded(c.desk),
        };
        let off = c.desk.is_zero();
        if off || (c.desk == account.desk.0 && (1..=account.desk.1).contains(&c.maxHours)) {
            let after = if off {
                Default::default()
            } else {
                (c.desk, c.maxHours)
            };
            let waiting = account.pending.at(now).kind == 3;
            let took = waiting || after != account.desk;
            if waiting {
                account.pending = Pending::default();
            }
            account.desk = after;
            let data = if off { B256::ZERO } else { change.event_data() };
            let event = self.changed(now, who, account, 3, 0, data);
            return flag(took, vec![event]);
        }
        unlocked(c.patient, &account, now)?;
        hours(c.maxHours.into(), 1, 72)?;
        same_round(c.round, account.round)?;
        let delay = if account.commitment.is_zero() {
            72
        } else {
            account.hours
        };
        let change = Pending {
            ripe: now + u64::from(delay) * HOUR,
            ..change
        };
        let event = self.own_change(now, who, account, change)?;
        flag(true, vec![event])
    }

    pub(super) fn set_delegate(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::set_delegateCall,
    ) -> Done {
        nonzero(&[c.patient.as_slice()])?;
        nonzero_at(2, c.delegate.as_slice())?;
        let mut account = self.own(caller, c.patient)?;
        let mut done = true;
        if c.until == 0 {
            done = account.delegates.remove(&c.delegate).is_some();
        } else {
            unlocked(c.patient, &account, now)?;
            ends(c.until, now, (1 << 40) - 1)?;
            same_round(c.round, account.round)?;
            account.delegates.insert(c.delegate, c.until);
        }
        let mut data = c.delegate.into_word();
        data[7..12].copy_from_slice(&c.until.to_be_bytes()[3..]);
        let event = self.changed(now, (c.patient, caller), account, 8, 0, data);
        flag(done, vec![event])
    }

    pub(super) fn cancel_change(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::cancel_changeCall,
    ) -> Done {
        let mut account = self.own(caller, c.patient)?;
        unlocked(c.patient, &account, now)?;
        let was = std::mem::take(&mut account.pending).at(now);
        let event = self.changed(now, (c.patient, caller), account, 6, 0, B256::ZERO);
        flag(was.kind != 0, vec![event])
    }

    pub(super) fn finish_change(
        &mut self,
        caller: Address,
        now: u64,
        c: IPcac::finish_changeCall,
    ) -> Done {
        let patient = c.patient;
        nonzero(&[patient.as_slice()])?;
        let mut account = self.account(patient);
        let pending = account.pending.at(now);
        let (kind, ripe) = (pending.kind, pending.ripe);
        if kind == 0 {
            return refuse!(PcacNothingPending { patient });
        }
        let moves = matches!(kind, 2 | 4 | 5);
        let successor = pending.successor();
        if moves && caller != successor {
            return refuse!(PcacNotSuccessor { caller, successor });
        }
        if now < ripe {
            return refuse!(PcacNotRipe { ripe, now });
        }
        account.pending = Pending::default();
        let from = account.acting;
        match kind {
            1 => {
                account.recovery += 1;
                (account.commitment, account.hours) = (pending.data, pending.hours);
            }
            3 => account.desk = (successor, pending.hours as u8),
            _ => account.hand_to(successor, kind != 2),
        }
        let to = account.acting;
        let data = pending.event_data();
        let mut events = vec![self.changed(now, (patient, caller), account, 7, 0, data)];
        if from != to {
            events.push(Event::AccountMoved(IPcac::AccountMoved {
                patient,
                from,
                to,
            }));
        }
        nothing(events)
    }

    pub(super) fn start_recovery(
        &mut self,
        caller: Address,
        now: u64,
        act: &Act,
        c: IPcac::start_recoveryCall,
    ) -> Done {
        nonzero(&[c.patient.as_slice(), c.successor.as_slice()])?;
        let mut account = self.account(c.patient);
        let deadline = c.deadline;
        if now > deadline || deadline > now + MONTH {
            return refuse!(PcacExpired { deadline, now });
        }
        let set = GuardianSet {
            guardians: c.guardians.clone(),
            threshold: c.threshold,
            salt: c.salt,
        };
        let found = if set.in_order() {
            set.commitment()
        } else {
            FixedBytes::ZERO
        };
        let commitment = account.commitment;
        let alone = c.threshold == 1;
        let as_many = c.signatures.len() == c.guardians.len();
        if commitment.is_zero() || found != commitment || !as_many || (alone && c.lock) {
            return refuse!(PcacBadGuardians { commitment, found });
        }
        let stays = c.successor == account.acting;
        if stays && c.lock {
            let successor = c.successor;
            return refuse!(PcacBadSuccessor { successor });
        }
        let pending = account.pending.at(now);
        if alone && pending.kind == 1 {
            let (kind, ripe) = (pending.kind, pending.ripe);
            return refuse!(PcacPending { kind, ripe });
        }
        let mut signed = 0;
        for (signer, how) in c.guardians.iter().copied().zip(&act.guardians) {
            match how {
                None => {}
                Some(true) if act.recovery == account.recovery => signed += 1,
                Some(_) => return refuse!(PcacBadSignature { signer }),
            }
        }
        if signed < c.threshold {
            return refuse!(PcacTooFewGuardians {
                signed: U256::from(signed),
                threshold: U256::from(c.threshold),
            });
        }
        let kind = if alone { 5 } else { 4 };
        let ripe = now + u64::from(account.hours) * HOUR;
        account.recovery += 1;
        account.locked_until = if c.lock { ripe + MONTH } else { 0 };
        account.pending = if stays {
            Pending::default()
        } else {
            Pending {
                kind,
                ripe,
                hours: 0,
                data: padded(c.successor),
            }
        };
        let ripe = account.pending.ripe;
        let data = c.successor.into_word();
        nothing(vec![self.changed(
            now,
            (c.patient, caller),
            account,
            kind,
            ripe,
            data,
        )])
    }
}
