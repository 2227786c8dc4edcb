//! The right to see an image: the answer, and the answer on record.

use crate::{
    calldata::Args,
    interface::*,
    log::{fixed, log, topic},
    record::{flag, Record},
    storage::Slot,
    word::Word,
    Pcac,
};

impl Pcac {
    /// Returns true if a grant lets the requestor see an image and nothing stops it.
    #[inline(never)]
    fn granted(&self, record: &Record, requester: Word, image: Word) -> bool {
        record.flags & flag::PUBLIC == 0
            && self
                .standing(Slot::grant(image, requester))
                .authorized(self.now())
    }

    /// `is_authorized`: false for an unknown image or a wrong patient.
    pub(crate) fn may_see(&self, args: Args<'_>) -> Result<bool, Refusal> {
        let (patient, requester) = (args.address(0)?, args.address(1)?);
        let image = args.word(2)?;
        let record = self.record(Slot::image(image));
        if record.patient.is_zero() || record.patient != patient {
            return Ok(false);
        }
        Ok(requester == self.account(patient).acting || self.granted(&record, requester, image))
    }

    /// `trace_authorization`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotRequesterOrPatient`, `PcacWrongOwner`.
    pub(crate) fn trace(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (patient, requester) = (args.address(0)?, args.address(1)?);
        let image = args.word(2)?;
        nonzero(&[patient, requester, image])?;
        let record = self.known(image)?;
        let mut authorized = self.granted(&record, requester, image);
        // The account is read only where the grant is no answer.
        if !authorized || caller != requester {
            let acting = self.account(record.patient).acting;
            if caller != requester && caller != acting {
                return Err(refuse!(PcacNotRequesterOrPatient, caller));
            }
            authorized |= requester == acting;
        }
        if patient != record.patient {
            return Err(refuse!(PcacWrongOwner, image, patient, record.patient));
        }

        let (topic, info) = if authorized {
            (
                topic!(AuthorizationSuccess),
                fixed!("Authorized to access image").bytes(),
            )
        } else {
            (
                topic!(AuthorizationFailed),
                fixed!("Image is not authorized to access").bytes(),
            )
        };
        log!(self, [topic, requester, image, patient], [], &info);
        Ok(authorized)
    }
}
