//! The consortium: accredits radiologists, and hands its role over. It has no say over any image.

use alloy_primitives::Address;
use stylus_sdk::prelude::*;

use crate::{interface::*, Pcac};

impl Pcac {
    pub(crate) fn found(&mut self, consortium: Address) -> Result<(), Error> {
        nonzero(&[consortium.as_slice()])?;
        self.hand_to(consortium);
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn accredit(&mut self, radiologist: Address, accredited: bool) -> Result<(), Error> {
        nonzero(&[radiologist.as_slice()])?;
        self.only_consortium()?;
        self.accredited.setter(radiologist).set(accredited);
        self.vm().log(RadiologistAccredited {
            radiologist,
            accredited,
        });
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn transfer(&mut self, to: Address) -> Result<(), Error> {
        nonzero(&[to.as_slice()])?;
        self.only_consortium()?;
        self.hand_to(to);
        Ok(())
    }

    fn hand_to(&mut self, to: Address) {
        let from = self.consortium.get();
        self.consortium.set(to);
        self.vm().log(ConsortiumTransferred { from, to });
    }

    fn only_consortium(&self) -> Result<(), Error> {
        let caller = self.vm().msg_sender();
        if caller != self.consortium.get() {
            return Err(PcacNotConsortium { caller }.into());
        }
        Ok(())
    }
}
