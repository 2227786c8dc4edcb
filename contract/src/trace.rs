//! The right to see an image: the answer, and the answer on record.

use stylus_sdk::prelude::*;

use crate::{
    calldata::Args,
    interface::*,
    log::{fixed, topic},
    storage::Slot,
    word::Word,
    Pcac,
};

impl Pcac {
    /// Returns true if the requestor may see an image of the owner: he is the owner, or authorized by him.
    fn authorized(&self, owner: Word, requester: Word, image: Word) -> bool {
        requester == owner
            || self
                .standing(Slot::grant(image, requester))
                .authorized(self.vm().block_timestamp())
    }

    /// `is_authorized`: false for an unknown image or a wrong patient.
    pub(crate) fn may_see(&self, args: Args<'_>) -> Result<bool, Refusal> {
        let (patient, requester) = (args.address(0)?, args.address(1)?);
        let image = args.word(2)?;
        let owner = self.record(Slot::image(image)).patient;
        Ok(!owner.is_zero() && owner == patient && self.authorized(owner, requester, image))
    }

    /// `trace_authorization`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotRequesterOrPatient`, `PcacWrongOwner`.
    pub(crate) fn trace(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (patient, requester) = (args.address(0)?, args.address(1)?);
        let image = args.word(2)?;
        nonzero(&[patient, requester, image])?;
        let owner = self.known(image)?.patient;
        if caller != requester && caller != owner {
            return Err(refuse!(PcacNotRequesterOrPatient, caller));
        }
        if patient != owner {
            return Err(refuse!(PcacWrongOwner, image, patient, owner));
        }

        let authorized = self.authorized(owner, requester, image);
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
        self.log_text(&[topic, requester, image, patient], &[], &info);
        Ok(authorized)
    }
}
