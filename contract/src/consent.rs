//! Requests for an image and what its patient made of them.

use stylus_sdk::prelude::*;

use crate::{
    calldata::Args,
    interface::*,
    log::{fixed, topic},
    storage::Slot,
    word::Word,
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
}

/// Times in storage have 40 bits: they end in the year 36812.
const TIME_END: u64 = 1 << 40;

/// A requestor's standing with an image. One word, from the high end: key 128 bits, requestedAt 40, decidedAt 40,
/// expiresAt 40, status 8. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: Status,
    /// when the request was opened
    pub(crate) requested_at: u64,
    /// when it was approved, denied or removed; 0 while it is open
    pub(crate) decided_at: u64,
    /// when the approval ends; 0 for never
    pub(crate) expires_at: u64,
    /// the first half of the key's digest, and zeros
    pub(crate) key: Word,
}

impl Standing {
    pub(crate) fn unpack(word: Word) -> Self {
        let (high, low) = word.low();
        Self {
            status: match low as u8 {
                1 => Status::Requested,
                2 => Status::Approved,
                3 => Status::Denied,
                4 => Status::Removed,
                _ => Status::None,
            },
            requested_at: high >> 24,
            decided_at: (high << 16 | low >> 48) & (TIME_END - 1),
            expires_at: low >> 8 & (TIME_END - 1),
            key: word.half(),
        }
    }

    pub(crate) fn pack(&self) -> Word {
        self.key.with_low(
            self.requested_at << 24 | self.decided_at >> 16,
            self.decided_at << 48 | self.expires_at << 8 | self.status as u64,
        )
    }

    /// Returns true if the requestor may see the image at `now`.
    pub(crate) fn authorized(&self, now: u64) -> bool {
        self.status == Status::Approved && (self.expires_at == 0 || now < self.expires_at)
    }
}

/// Refuses an expiry that is not in the future or does not fit its 40 bits; 0 is no expiry.
fn future(expires_at: u64, now: u64) -> Result<(), Refusal> {
    if expires_at != 0 && (expires_at <= now || expires_at >= TIME_END) {
        return Err(refuse!(
            PcacBadExpiry,
            Word::number(expires_at),
            Word::number(now)
        ));
    }
    Ok(())
}

impl Pcac {
    pub(crate) fn standing(&self, slot: Slot) -> Standing {
        Standing::unpack(self.cell(slot))
    }

    /// `requesting_access`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacOwnImage`, `PcacWrongOwner`.
    pub(crate) fn request(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let patient = args.address(0)?;
        let (image, public_key) = (args.word(1)?, args.word(2)?);
        let notes = args.text(3)?;
        nonzero(&[patient, image, public_key])?;
        short(notes)?;
        let owner = self.known(image)?.patient;
        if caller == owner {
            return Err(refuse!(PcacOwnImage));
        }
        if patient != owner {
            return Err(refuse!(PcacWrongOwner, image, patient, owner));
        }
        let now = self.vm().block_timestamp();
        let slot = Slot::grant(image, caller);
        let before = self.standing(slot);
        if before.authorized(now) {
            return Ok(true);
        }
        if before.status == Status::Approved {
            self.set_cell(slot.next(), Word::ZERO);
        }

        let requested_at = if before.status == Status::Requested {
            before.requested_at
        } else {
            now
        };
        let standing = Standing {
            status: Status::Requested,
            requested_at,
            key: public_key.half(),
            ..Standing::default()
        };
        self.set_cell(slot, standing.pack());
        self.log_text(
            &[topic!(RequestedForApproval), caller, patient, image],
            &[public_key],
            notes,
        );
        Ok(false)
    }

    /// `approve_IRs`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacUnknownImage`, `PcacNotPatient`, `PcacBadExpiry`, `PcacNoRequest`,
    /// `PcacKeyChanged`, `PcacApprovalLimitReached`.
    pub(crate) fn approve(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let requester = args.address(0)?;
        let (image, public_key, shared_image) = (args.word(1)?, args.word(2)?, args.word(3)?);
        let expires_at = args.number(4, 0)?;
        let notes = args.text(5)?;
        nonzero(&[requester, image, public_key, shared_image])?;
        short(notes)?;
        let record = self.owned(caller, image)?;
        let now = self.vm().block_timestamp();
        future(expires_at, now)?;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        if before.authorized(now) {
            return Ok(false);
        }
        if before.status != Status::Requested {
            return Err(refuse!(PcacNoRequest, requester, image));
        }
        if public_key.half() != before.key {
            return Err(refuse!(PcacKeyChanged, public_key, before.key));
        }
        self.count_approval(image, &record, now)?;

        let standing = Standing {
            status: Status::Approved,
            decided_at: now,
            expires_at,
            ..before
        };
        self.set_cell(slot, standing.pack());
        self.set_cell(slot.next(), shared_image);
        self.log_text(
            &[topic!(Requestaccepted), record.patient, image],
            &[],
            &fixed!("approved by patient.").bytes(),
        );
        let standard = fixed!("Authorized to access image").bytes();
        self.log_text(
            &[topic!(Approved), requester, image],
            &[public_key, shared_image, Word::number(expires_at)],
            if notes.is_empty() { &standard } else { notes },
        );
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
        let patient = self.owned(caller, image)?.patient;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        if before.status != Status::Requested {
            return Ok(false);
        }

        self.decide(slot, before, Status::Denied);
        self.log_text(
            &[topic!(Requestdenied), patient, image],
            &[],
            &fixed!("Failed to be approved by patient").bytes(),
        );
        self.log_text(&[topic!(Reason), requester, image], &[], reason);
        Ok(true)
    }

    /// `remove_IRs`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`.
    pub(crate) fn remove(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (requester, image) = (args.address(0)?, args.word(1)?);
        nonzero(&[requester, image])?;
        let patient = self.owned(caller, image)?.patient;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        match before.status {
            Status::Requested => {}
            Status::Approved => self.set_cell(slot.next(), Word::ZERO),
            Status::None | Status::Denied | Status::Removed => return Ok(false),
        }

        self.decide(slot, before, Status::Removed);
        self.log_text(
            &[topic!(UserRemoved), requester, patient, image],
            &[],
            &fixed!("removed").bytes(),
        );
        self.log_text(
            &[topic!(Reason), requester, image],
            &[],
            &fixed!("Contract expired").bytes(),
        );
        Ok(true)
    }

    /// `reshare_IRs`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacBadExpiry`, `PcacNotApproved`.
    pub(crate) fn reshare(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let requester = args.address(0)?;
        let (image, shared_image) = (args.word(1)?, args.word(2)?);
        let expires_at = args.number(3, 0)?;
        nonzero(&[requester, image, shared_image])?;
        self.owned(caller, image)?;
        let now = self.vm().block_timestamp();
        future(expires_at, now)?;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        if !before.authorized(now) {
            return Err(refuse!(PcacNotApproved, requester, image));
        }

        let standing = Standing {
            expires_at,
            ..before
        };
        self.set_cell(slot, standing.pack());
        self.set_cell(slot.next(), shared_image);
        self.log(
            &[topic!(Reshared), requester, image],
            &[shared_image, Word::number(expires_at)],
        );
        Ok(true)
    }

    fn decide(&mut self, slot: Slot, before: Standing, status: Status) {
        let decided_at = self.vm().block_timestamp();
        let standing = Standing {
            status,
            decided_at,
            ..before
        };
        self.set_cell(slot, standing.pack());
    }
}

#[cfg(test)]
mod tests {
    use alloy_sol_types::SolError;

    use super::*;

    const ALL: [Status; 5] = [
        Status::None,
        Status::Requested,
        Status::Approved,
        Status::Denied,
        Status::Removed,
    ];

    #[test]
    fn a_standing_is_one_word_with_the_key_first() {
        let standing = Standing {
            status: Status::Denied,
            requested_at: 0x01_0203_0405,
            decided_at: 0x06_0708_090a,
            expires_at: 0x0b_0c0d_0e0f,
            key: Word::from(alloy_primitives::B256::repeat_byte(0xaa)).half(),
        };
        let word = standing.pack().bytes();
        assert_eq!(word[..16], [0xaa; 16]);
        assert_eq!(
            word[16..],
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3]
        );
    }

    #[test]
    fn every_status_survives_storage() {
        for (number, status) in ALL.into_iter().enumerate() {
            let standing = Standing {
                status,
                decided_at: (1 << 40) - 1,
                ..Standing::default()
            };
            assert_eq!(status as usize, number);
            assert_eq!(Standing::unpack(standing.pack()), standing);
        }
        assert_eq!(Standing::unpack(Word::ZERO), Standing::default());
    }

    #[test]
    fn authorized_is_approved_and_before_the_expiry() {
        for status in ALL {
            let standing = Standing {
                status,
                ..Standing::default()
            };
            assert_eq!(standing.authorized(u64::MAX), status == Status::Approved);
        }
        let until = Standing {
            status: Status::Approved,
            expires_at: 100,
            ..Standing::default()
        };
        assert!(until.authorized(99));
        assert!(!until.authorized(100));
    }

    #[test]
    fn an_expiry_is_zero_or_in_the_future_and_fits() {
        for good in [0, 101, TIME_END - 1] {
            assert!(future(good, 100).is_ok(), "{good}");
        }
        for bad in [1, 99, 100, TIME_END, u64::MAX] {
            let refusal = PcacBadExpiry {
                expiresAt: bad,
                now: 100,
            };
            assert_eq!(future(bad, 100), Err(refusal.abi_encode()), "{bad}");
        }
    }
}
