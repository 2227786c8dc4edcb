//! Emergencies: the desk opens an image to a requestor whose patient cannot decide.

use crate::{
    account::{ends, HOUR},
    calldata::Args,
    consent::{Standing, Status},
    interface::*,
    log::{log, topic},
    storage::Slot,
    word::Word,
    Pcac,
};

impl Pcac {
    /// `break_glass`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotDesk`, `PcacOwnRequest`, `PcacWithdrawn`, `PcacBadExpiry`,
    /// `PcacNoRequest`, `PcacRequestChanged`.
    pub(crate) fn break_glass(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let requester = args.address(0)?;
        let (image, public_key) = (args.word(1)?, args.word(2)?);
        let (requested_at, until) = (args.number(3, 0)?, args.number(4, 0)?);
        let reason = args.word(5)?;
        nonzero(&[requester, image, public_key])?;
        let record = self.known(image)?;
        let desk = self.desk(&self.account(record.patient));
        if desk.address.is_zero() || caller != desk.address {
            return Err(refuse!(PcacNotDesk, caller, desk.address));
        }
        if requester == caller {
            return Err(refuse!(PcacOwnRequest, caller));
        }
        record.available(image)?;
        let now = self.now();
        ends(until, now, now + HOUR * desk.hours)?;
        let slot = Slot::grant(image, requester);
        let before = self.standing(slot);
        if before.authorized(now) {
            return Ok(false);
        }
        before.is_open(requester, image)?;
        before.is_what_was_read(public_key, requested_at, before.notes_digest)?;

        let standing = Standing {
            status: Status::Emergency,
            decided_at: now.max(before.requested_at),
            expires_at: until,
            notes_digest: Word::ZERO,
            ..before
        };
        self.set_cell(slot, standing.pack());
        log!(
            self,
            [topic!(EmergencyOpened), requester, record.patient, image],
            [public_key, until, reason]
        );
        Ok(true)
    }
}
