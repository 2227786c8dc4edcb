//! Who may see an image: the answer, and the answer on record.

use alloy_primitives::{Address, B256};
use stylus_sdk::prelude::*;

use crate::{interface::*, Pcac};

impl Pcac {
    /// Whether the image is the patient's, and the requester the patient himself or authorized by him.
    pub(crate) fn authorized(&self, patient: Address, requester: Address, image: B256) -> bool {
        let owner = self.record(image).patient;
        !owner.is_zero()
            && owner == patient
            && (requester == owner
                || self
                    .standing(image, requester)
                    .authorized(self.vm().block_timestamp()))
    }

    #[inline(never)]
    pub(crate) fn trace(
        &mut self,
        patient: Address,
        requester: Address,
        image: B256,
    ) -> Result<bool, Error> {
        nonzero(&[patient.as_slice(), requester.as_slice(), image.as_slice()])?;
        let owner = self.known(image)?.patient;
        let caller = self.vm().msg_sender();
        if caller != requester && caller != owner {
            return Err(PcacNotRequesterOrPatient { caller }.into());
        }
        if patient != owner {
            return Err(PcacWrongOwner {
                image,
                wanted: patient,
                owner,
            }
            .into());
        }

        let authorized = self.authorized(patient, requester, image);
        if authorized {
            let info = "Authorized to access image".into();
            self.vm().log(AuthorizationSuccess {
                requester,
                image,
                info,
                patient,
            });
        } else {
            let info = "Image is not authorized to access".into();
            self.vm().log(AuthorizationFailed {
                requester,
                image,
                info,
                patient,
            });
        }
        Ok(authorized)
    }
}
