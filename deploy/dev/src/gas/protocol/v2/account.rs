//! The calls of an account: guardians, moves, recoveries, desks and delegates.

use alloy_primitives::{Address, B256, FixedBytes, LogData, U256};
use alloy_sol_types::SolEvent;
use pcim_ledger::{GuardianSet, RecoveryTerms};

use super::*;

/// Hours of an emergency access.
const DESK_HOURS: u8 = 24;
const SALT: B256 = B256::repeat_byte(0x77);

/// Kinds of `AccountChanged`.
mod kind {
    pub(super) const GUARDIANS: u8 = 1;
    pub(super) const MOVE: u8 = 2;
    pub(super) const DESK: u8 = 3;
    pub(super) const RECOVERY: u8 = 4;
    pub(super) const CANCELLED: u8 = 6;
    pub(super) const FINISHED: u8 = 7;
    pub(super) const DELEGATE: u8 = 8;
}

impl Cast<'_> {
    /// The calls of an account, from its first guardians to the recovery of a key that was moved.
    pub(super) fn account(&self, s: &mut Schedule, image: B256) -> Result<(), Error> {
        let (patient, desk, successor) = (
            self.owner(),
            self.address(Stage::OWNER),
            self.address(Stage::OTHER),
        );
        let set = self.guardians();
        let commitment = FixedBytes(set.commitment());
        let call = IPcac::set_guardiansCall {
            patient,
            round: 0,
            commitment,
            delayHours: DELAY,
        };
        let data = hours(U256::from_be_slice(commitment.as_slice()), DELAY);
        // Whether something is pending is read: it would end.
        let guardians = operation("set_guardians", self.patient, &call, slots(1, 2, 0));
        s.add(guardians.logs(vec![self.changed(
            self.patient,
            kind::GUARDIANS,
            1,
            0,
            data,
        )]));

        let call = IPcac::set_emergencyCall {
            patient,
            round: 1,
            desk,
            maxHours: DESK_HOURS,
        };
        let data = hours(word(desk), DESK_HOURS.into());
        let made = s.next();
        let named = self.changed(self.patient, kind::DESK, 2, ripe(made), data);
        s.add(operation("set_emergency", self.patient, &call, slots(2, 1, 1)).logs(vec![named]));
        s.wait(made);
        let done = self.changed(Stage::OWNER, kind::FINISHED, 3, 0, data);
        s.add(self.finish(
            "finish_change (desk)",
            Stage::OWNER,
            slots(0, 1, 2),
            vec![done],
        ));
        let asked = s.add(self.request(Stage::OTHER, image).unlisted());
        let until = s.next() + HOUR;
        s.add(self.break_glass(image, asked, until));

        let until = s.next() + 1_000 * HOUR;
        let call = IPcac::set_delegateCall {
            patient,
            round: 3,
            delegate: desk,
            until,
        };
        let data = word(desk) | U256::from(until) << 160;
        let named = self.changed(self.patient, kind::DELEGATE, 4, 0, data);
        s.add(operation("set_delegate", self.patient, &call, slots(0, 1, 1)).logs(vec![named]));

        let made = s.next();
        s.add(self.moving(4, ripe(made)));
        let call = IPcac::cancel_changeCall { patient };
        let ended = self.changed(self.patient, kind::CANCELLED, 6, 0, U256::ZERO);
        s.add(operation("cancel_change", self.patient, &call, slots(0, 0, 2)).logs(vec![ended]));
        let made = s.next();
        s.add(self.moving(6, ripe(made)).unlisted());
        s.wait(made);
        let done = vec![
            self.changed(Stage::OTHER, kind::FINISHED, 8, 0, word(successor)),
            self.moved(patient, successor),
        ];
        // The desk stays, under the next epoch.
        s.add(self.finish("finish_change (move)", Stage::OTHER, slots(0, 0, 3), done));

        let made = s.next();
        s.add(self.recovery(&set, made)?);
        s.wait(made);
        let done = vec![
            self.changed(self.patient, kind::FINISHED, 10, 0, word(patient)),
            self.moved(successor, patient),
        ];
        // The desk ends with its epoch.
        let slots = slots(0, 0, 2);
        s.add(self.finish("finish_change (recovery)", self.patient, slots, done));
        Ok(())
    }

    /// Two of three.
    fn guardians(&self) -> GuardianSet {
        let mut guardians =
            [Stage::RADIOLOGIST, Stage::REQUESTOR, Stage::OTHER].map(|it| self.address(it));
        guardians.sort();
        GuardianSet {
            guardians: guardians.to_vec(),
            threshold: 2,
            salt: SALT,
        }
    }

    /// Reads record, account and desk, changes the standing.
    fn break_glass(&self, image: B256, asked: u64, until: u64) -> Operation {
        let requester = self.address(Stage::OTHER);
        let reason = B256::right_padding_from(b"BTG");
        let call = IPcac::break_glassCall {
            requester,
            image,
            publicKey: KEY,
            requestedAt: asked,
            until,
            reasonCode: reason,
        };
        let event = IPcac::EmergencyOpened {
            requester,
            patient: self.owner(),
            image,
            publicKey: KEY,
            until,
            reasonCode: reason,
        };
        operation("break_glass", Stage::OWNER, &call, slots(3, 0, 1))
            .logs(vec![event.encode_log_data()])
    }

    /// Reads the guardians' hours, sets what is pending, changes the account.
    fn moving(&self, round: u32, ripe: u64) -> Operation {
        let successor = self.address(Stage::OTHER);
        let call = IPcac::move_accountCall {
            patient: self.owner(),
            round,
            successor,
        };
        let named = self.changed(self.patient, kind::MOVE, round + 1, ripe, word(successor));
        operation("move_account", self.patient, &call, slots(1, 1, 1)).logs(vec![named])
    }

    /// Reads the guardians, recovers two of them, sets what is pending, changes the account. The third is away.
    fn recovery(&self, set: &GuardianSet, made: u64) -> Result<Operation, Error> {
        let terms = RecoveryTerms {
            chain_id: self.chain.chain_id(),
            contract: self.contract,
            patient: self.owner(),
            successor: self.owner(),
            lock: false,
            // Naming the guardians was the first to raise it.
            recovery: 1,
            deadline: made + 24 * HOUR,
        };
        let mut agreed = Vec::new();
        for guardian in [Stage::RADIOLOGIST, Stage::REQUESTOR] {
            let signature = self.chain.account(guardian).agree(&terms)?;
            agreed.push((self.address(guardian), signature.to_vec().into()));
        }
        let recovery = terms.call(set, &agreed)?;
        let call = IPcac::start_recoveryCall {
            patient: recovery.patient,
            successor: recovery.successor,
            lock: recovery.lock,
            guardians: recovery.guardians,
            threshold: recovery.threshold,
            salt: recovery.salt,
            deadline: recovery.deadline,
            signatures: recovery.signatures,
        };
        let data = word(self.owner());
        let started = self.changed(Stage::OWNER, kind::RECOVERY, 9, ripe(made), data);
        let start = operation("start_recovery", Stage::OWNER, &call, slots(1, 1, 1));
        Ok(Operation {
            recoveries: 2,
            ..start.logs(vec![started])
        })
    }

    fn finish(
        &self,
        name: &'static str,
        from: usize,
        slots: Slots,
        logs: Vec<LogData>,
    ) -> Operation {
        let call = IPcac::finish_changeCall {
            patient: self.owner(),
        };
        operation(name, from, &call, slots).logs(logs)
    }

    fn changed(&self, by: usize, kind: u8, round: u32, ripe: u64, data: U256) -> LogData {
        let event = IPcac::AccountChanged {
            patient: self.owner(),
            by: self.address(by),
            kind,
            round,
            ripe,
            lockedUntil: 0,
            data: data.into(),
        };
        event.encode_log_data()
    }

    fn moved(&self, from: Address, to: Address) -> LogData {
        let patient = self.owner();
        IPcac::AccountMoved { patient, from, to }.encode_log_data()
    }
}

fn word(address: Address) -> U256 {
    address.into_word().into()
}

/// The data of an account's event: hours stand above the low 192 bits.
fn hours(data: U256, hours: u16) -> U256 {
    data | U256::from(hours) << 192
}
