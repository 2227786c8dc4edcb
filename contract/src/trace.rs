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
    /// Returns true if the requestor may see an image: he acts for its patient, or is authorized and nothing stops it.
    fn authorized(&self, record: &Record, acting: Word, requester: Word, image: Word) -> bool {
        requester == acting
            || (record.flags & flag::PUBLIC == 0
                && self
                    .standing(Slot::grant(image, requester))
                    .authorized(self.now()))
    }

    /// `is_authorized`: false for an unknown image or a wrong patient.
    pub(crate) fn may_see(&self, args: Args<'_>) -> Result<bool, Refusal> {
        let (patient, requester) = (args.address(0)?, args.address(1)?);
        let image = args.word(2)?;
        let record = self.record(Slot::image(image));
        if record.patient.is_zero() || record.patient != patient {
            return Ok(false);
        }
        let acting = self.account(patient).acting;
        Ok(self.authorized(&record, acting, requester, image))
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
        let acting = self.account(record.patient).acting;
        if caller != requester && caller != acting {
            return Err(refuse!(PcacNotRequesterOrPatient, caller));
        }
        if patient != record.patient {
            return Err(refuse!(PcacWrongOwner, image, patient, record.patient));
        }

        let authorized = self.authorized(&record, acting, requester, image);
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
