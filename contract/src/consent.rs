//! Requests for an image and what its patient made of them.

use crate::{
    account::{ends, TIME_END},
    calldata::Args,
    interface::*,
    log::{fixed, log, topic},
    mandate::Mandate,
    record::later,
    storage::Slot,
    word::{hash_bytes, Word},
    Pcac,
};

/// The status of a requestor with an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    #[default]
    None = 0,
    Requested = 1,
    Approved = 2,
    Denied = 3,
    Removed = 4,
    Emergency = 5,
}

/// A requestor's standing with an image. One word, from the high end: key 128 bits, requestedAt 40, decidedAt 40,
/// expiresAt 40, status 8; while a request is open its notes' digest of 80 bits stands in the place of the two later
/// times. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: Status,
    /// when the request was opened
    pub(crate) requested_at: u64,
    /// when it was approved, reshared, denied or removed; 0 while it is open
    pub(crate) decided_at: u64,
    /// when the approval ends; 0 for never
    pub(crate) expires_at: u64,
    /// the first half of the key's digest, and zeros
    pub(crate) key: Word,
    /// the first ten bytes of the notes' hash, and zeros; zero unless the request is open
    pub(crate) notes_digest: Word,
}

impl Standing {
    #[inline(never)]
    pub(crate) fn unpack(word: Word) -> Self {
        let status = match word.bits(0, 8) {
            1 => Status::Requested,
            2 => Status::Approved,
            3 => Status::Denied,
            4 => Status::Removed,
            5 => Status::Emergency,
            _ => Status::None,
        };
        let mut standing = Self {
            status,
            requested_at: word.bits(88, 40),
            key: word.half(),
            ..Self::default()
        };
        if status == Status::Requested {
            standing.notes_digest = Word::ZERO.with_bits(192, 64, word.bits(24, 64)).with_bits(
                176,
                16,
                word.bits(8, 16),
            );
        } else {
            standing.decided_at = word.bits(48, 40);
            standing.expires_at = word.bits(8, 40);
        }
        standing
    }

    #[inline(never)]
    pub(crate) fn pack(&self) -> Word {
        let word =
            self.key
                .with_bits(88, 40, self.requested_at)
                .with_bits(0, 8, self.status as u64);
        if self.status == Status::Requested {
            word.with_bits(24, 64, self.notes_digest.bits(192, 64))
                .with_bits(8, 16, self.notes_digest.bits(176, 16))
        } else {
            word.with_bits(48, 40, self.decided_at)
                .with_bits(8, 40, self.expires_at)
        }
    }

    /// Returns true if the requestor may see the image at `now`.
    #[inline(never)]
    pub(crate) fn authorized(&self, now: u64) -> bool {
        match self.status {
            Status::Approved => self.expires_at == 0 || now < self.expires_at,
            Status::Emergency => now < self.expires_at,
            _ => false,
        }
    }

    /// Refuses a standing without an open request.
    ///
    /// # Errors
    /// `PcacNoRequest`.
    pub(crate) fn is_open(&self, requester: Word, image: Word) -> Result<(), Refusal> {
        if self.status != Status::Requested {
            return Err(refuse!(PcacNoRequest, requester, image));
        }
        Ok(())
    }

    /// Refuses an open request that is not the one that was read.
    ///
    /// # Errors
    /// `PcacRequestChanged`.
    #[inline(never)]
    pub(crate) fn is_what_was_read(
        &self,
        public_key: Word,
        requested_at: u64,
        notes_digest: Word,
    ) -> Result<(), Refusal> {
        if public_key.half() != self.key
            || requested_at != self.requested_at
            || notes_digest != self.notes_digest
        {
            return Err(self.changed(self.requested_at));
        }
        Ok(())
    }

    /// The refusal of a decision on something else: what there is, since `at`.
    fn changed(&self, at: u64) -> Refusal {
        refuse!(PcacRequestChanged, at, self.key, self.notes_digest)
    }
}

/// The digest of a request's notes: ten bytes and zeros.
#[inline(never)]
pub(crate) fn notes_digest(notes: &[u8]) -> Word {
    hash_bytes(notes).front_10()
}

impl Mandate {
    /// Refuses an end that is not in the future, does not fit its 40 bits, or is beyond a delegate's; 0 is no end, which
    /// a delegate may not give. `stored` is one that a delegate may leave as it is.
    #[inline(never)]
    fn may_end(&self, expires_at: u64, now: u64, stored: Option<u64>) -> Result<(), Refusal> {
        let latest = match self.delegate_until {
            Some(until) if stored != Some(expires_at) => until,
            _ if expires_at == 0 => return Ok(()),
            _ => TIME_END - 1,
        };
        ends(expires_at, now, latest)
    }
}

impl Pcac {
    pub(crate) fn standing(&self, slot: Slot) -> Standing {
        Standing::unpack(self.cell(slot))
    }

    /// `requesting_access`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacOwnImage`, `PcacWithdrawn`, `PcacWrongOwner`,
    /// `PcacTooSoon`.
    pub(crate) fn request(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let patient = args.address(0)?;
        let (image, public_key) = (args.word(1)?, args.word(2)?);
        let notes = args.text(3)?;
        nonzero(&[patient, image, public_key])?;
        short(notes)?;
        let record = self.known(image)?;
        // Another key that acts for her may ask: to read whose it is would cost each request a slot.
        if caller == record.patient && caller == self.account(caller).acting {
            return Err(refuse!(PcacOwnImage));
        }
        record.available(image)?;
        if patient != record.patient {
            return Err(refuse!(PcacWrongOwner, image, patient, record.patient));
        }
        let now = self.now();
        let slot = Slot::grant(image, caller);
        let before = self.standing(slot);
        if before.authorized(now) {
            return Ok(true);
        }
        let standing = Standing {
            status: Status::Requested,
            requested_at: now,
            key: public_key.half(),
            notes_digest: notes_digest(notes),
            ..Standing::default()
        };
        if before.status == Status::Requested
            && before.key == standing.key
            && before.notes_digest == standing.notes_digest
        {
            return Ok(false);
        }
        if before.status != Status::None {
            later(now, before.requested_at.max(before.decided_at))?;
        }
        if before.status == Status::Approved {
            self.set_cell(slot.next(), Word::ZERO);
        }
        self.set_cell(slot, standing.pack());
        log!(
            self,
            [topic!(RequestedForApproval), caller, patient, image],
            [public_key],
            notes
        );
        Ok(false)
    }

    /// `approve_IRs`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacNotPatient`, `PcacOwnRequest`, `PcacLocked`,
    /// `PcacWithdrawn`, `PcacBadExpiry`, `PcacNoRequest`, `PcacRequestChanged`, `PcacApprovalLimitReached`.
    pub(crate) fn approve(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let requester = args.address(0)?;
        let (image, public_key) = (args.word(1)?, args.word(2)?);
        let (requested_at, digest) = (args.number(3, 0)?, args.bytes_10(4)?);
        let shared_image = args.word(5)?;
        let expires_at = args.number(6, 0)?;
        let notes = args.text(7)?;
        nonzero(&[requester, image, public_key])?;
        nonzero_at(5, shared_image)?;
        short(notes)?;
        let mandate = self.decided(caller, image)?;
        if requester == caller {
            return Err(refuse!(PcacOwnRequest, caller));
        }
        let now = self.now();
        mandate.may_give(image, now)?;
        mandate.may_end(expires_at, now, None)?;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        if before.authorized(now) {
            return Ok(false);
        }
        before.is_open(requester, image)?;
        before.is_what_was_read(public_key, requested_at, digest)?;
        self.count_approval(image, &mandate.record, now)?;

        let standing = Standing {
            status: Status::Approved,
            decided_at: now.max(before.requested_at),
            expires_at,
            notes_digest: Word::ZERO,
            ..before
        };
        self.set_cell(slot, standing.pack());
        self.set_cell(slot.next(), shared_image);
        let patient = mandate.record.patient;
        log!(
            self,
            [topic!(Requestaccepted), patient, image],
            [],
            &fixed!("approved by patient.").bytes()
        );
        let standard = fixed!("Authorized to access image").bytes();
        log!(
            self,
            [topic!(Approved), requester, image],
            [public_key, shared_image, expires_at],
            if notes.is_empty() { &standard } else { notes }
        );
        self.acted(patient, caller);
        Ok(true)
    }

    /// `deny_IRs`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacNotPatient`.
    pub(crate) fn deny(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (requester, image) = (args.address(0)?, args.word(1)?);
        let reason = args.text(2)?;
        nonzero(&[requester, image])?;
        short(reason)?;
        let patient = self.decided(caller, image)?.record.patient;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        if before.status != Status::Requested {
            return Ok(false);
        }

        self.end(slot, before, Status::Denied);
        log!(
            self,
            [topic!(Requestdenied), patient, image],
            [],
            &fixed!("Failed to be approved by patient").bytes()
        );
        log!(self, [topic!(Reason), requester, image], [], reason);
        self.acted(patient, caller);
        Ok(true)
    }

    /// `remove_IRs`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`.
    pub(crate) fn remove(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (requester, image) = (args.address(0)?, args.word(1)?);
        nonzero(&[requester, image])?;
        let patient = if caller == requester {
            self.known(image)?.patient
        } else {
            self.decided(caller, image)?.record.patient
        };
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        match before.status {
            Status::Requested | Status::Emergency => {}
            Status::Approved => self.set_cell(slot.next(), Word::ZERO),
            Status::None | Status::Denied | Status::Removed => return Ok(false),
        }

        self.end(slot, before, Status::Removed);
        log!(
            self,
            [topic!(UserRemoved), requester, patient, image],
            [],
            &fixed!("removed").bytes()
        );
        log!(
            self,
            [topic!(Reason), requester, image],
            [],
            &fixed!("Contract expired").bytes()
        );
        self.acted(patient, caller);
        Ok(true)
    }

    /// `reshare_IRs`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacOwnRequest`, `PcacLocked`, `PcacWithdrawn`,
    /// `PcacNotApproved`, `PcacBadExpiry`, `PcacRequestChanged`, `PcacTooSoon`.
    pub(crate) fn reshare(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let requester = args.address(0)?;
        let (image, decided_at) = (args.word(1)?, args.number(2, 0)?);
        let shared_image = args.word(3)?;
        let expires_at = args.number(4, 0)?;
        nonzero(&[requester, image])?;
        nonzero_at(3, shared_image)?;
        let mandate = self.decided(caller, image)?;
        if mandate.delegate_until.is_some() && requester == caller {
            return Err(refuse!(PcacOwnRequest, caller));
        }
        let now = self.now();
        mandate.may_give(image, now)?;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        let in_force = before.status == Status::Approved && before.authorized(now);
        mandate.may_end(expires_at, now, in_force.then_some(before.expires_at))?;
        if !in_force {
            return Err(refuse!(PcacNotApproved, requester, image));
        }
        if decided_at != before.decided_at {
            return Err(before.changed(before.decided_at));
        }
        later(now, before.decided_at)?;

        let standing = Standing {
            decided_at: now,
            expires_at,
            ..before
        };
        self.set_cell(slot, standing.pack());
        self.set_cell(slot.next(), shared_image);
        log!(
            self,
            [topic!(Reshared), requester, image],
            [shared_image, expires_at]
        );
        self.acted(mandate.record.patient, caller);
        Ok(true)
    }

    /// Ends a standing. Its time is never before another of its own, whatever the clock says.
    #[inline(never)]
    fn end(&mut self, slot: Slot, before: Standing, status: Status) {
        let standing = Standing {
            status,
            decided_at: self.now().max(before.decided_at).max(before.requested_at),
            notes_digest: Word::ZERO,
            ..before
        };
        self.set_cell(slot, standing.pack());
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use alloy_sol_types::SolError;

    use super::*;
    use crate::{account::Account, record::Record};

    const ALL: [Status; 6] = [
        Status::None,
        Status::Requested,
        Status::Approved,
        Status::Denied,
        Status::Removed,
        Status::Emergency,
    ];

    #[test]
    fn a_standing_is_one_word_with_the_key_first() {
        let standing = Standing {
            status: Status::Denied,
            requested_at: 0x01_0203_0405,
            decided_at: 0x06_0708_090a,
            expires_at: 0x0b_0c0d_0e0f,
            key: Word::from(B256::repeat_byte(0xaa)).half(),
            notes_digest: Word::ZERO,
        };
        let word = standing.pack().bytes();
        assert_eq!(word[..16], [0xaa; 16]);
        assert_eq!(
            word[16..],
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3]
        );
    }

    #[test]
    fn an_open_request_has_its_notes_digest_where_later_times_stand() {
        let standing = Standing {
            status: Status::Requested,
            requested_at: 0x01_0203_0405,
            key: Word::from(B256::repeat_byte(0xaa)).half(),
            notes_digest: notes_digest(b"TREAT"),
            ..Standing::default()
        };
        let word = standing.pack().bytes();
        let wanted = alloy_primitives::keccak256(b"TREAT");
        assert_eq!(word[16..21], [1, 2, 3, 4, 5]);
        assert_eq!(word[21..31], wanted[..10]);
        assert_eq!(word[31], 1);
        assert_eq!(Standing::unpack(standing.pack()), standing);
        assert_eq!(standing.notes_digest.bytes()[..10], wanted[..10]);
        assert_eq!(standing.notes_digest.bytes()[10..], [0; 22]);
    }

    #[test]
    fn every_status_survives_storage() {
        for (number, status) in ALL.into_iter().enumerate() {
            let decided_at = if status == Status::Requested {
                0
            } else {
                (1 << 40) - 1
            };
            let standing = Standing {
                status,
                decided_at,
                ..Standing::default()
            };
            assert_eq!(status as usize, number);
            assert_eq!(Standing::unpack(standing.pack()), standing);
        }
        assert_eq!(Standing::unpack(Word::ZERO), Standing::default());
    }

    #[test]
    fn authorized_is_approved_or_in_an_emergency_and_before_the_end() {
        for status in ALL {
            let standing = Standing {
                status,
                ..Standing::default()
            };
            assert_eq!(standing.authorized(u64::MAX), status == Status::Approved);
        }
        for status in [Status::Approved, Status::Emergency] {
            let until = Standing {
                status,
                expires_at: 100,
                ..Standing::default()
            };
            assert!(until.authorized(99));
            assert!(!until.authorized(100));
        }
    }

    #[test]
    fn an_expiry_is_zero_or_in_the_future_and_fits_and_a_delegates_is_his_own() {
        let mandate = |delegate_until| Mandate {
            record: Record::unpack(Word::ZERO),
            account: Account::unpack(Word::ZERO, Word::ZERO),
            delegate_until,
        };
        let bad = |end, latest| {
            let refusal = PcacBadExpiry {
                expiresAt: end,
                now: 100,
                latest,
            };
            Err(refusal.abi_encode())
        };
        let hers = mandate(None);
        for good in [0, 101, TIME_END - 1] {
            assert_eq!(hers.may_end(good, 100, None), Ok(()), "{good}");
        }
        for end in [1, 99, 100, TIME_END, u64::MAX] {
            let refused = bad(end, TIME_END - 1);
            assert_eq!(hers.may_end(end, 100, None), refused, "{end}");
        }
        let his = mandate(Some(200));
        for good in [101, 200] {
            assert_eq!(his.may_end(good, 100, None), Ok(()), "{good}");
        }
        for end in [0, 100, 201] {
            assert_eq!(his.may_end(end, 100, None), bad(end, 200), "{end}");
        }
        for stored in [0, 150, 300] {
            assert_eq!(his.may_end(stored, 100, Some(stored)), Ok(()), "{stored}");
        }
        assert_eq!(his.may_end(300, 100, Some(150)), bad(300, 200));
    }
}
