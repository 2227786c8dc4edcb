//! The consortium: accredits radiologists, and hands its role over. It has no say over any image.

use crate::{calldata::Args, interface::*, log::topic, storage::Slot, word::Word, Pcac};

impl Pcac {
    /// The constructor. It runs once: from then on there is a consortium, which is never the zero address.
    ///
    /// # Errors
    /// `PcacZero`; no data if it ran before.
    pub(crate) fn found(&mut self, args: Args<'_>) -> Result<(), Refusal> {
        let consortium = args.address(0)?;
        nonzero(&[consortium])?;
        if !self.cell(Slot::CONSORTIUM).is_zero() {
            return Err(Refusal::new());
        }
        self.hand_to(consortium);
        Ok(())
    }

    /// `accredit_radiologist`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotConsortium`.
    pub(crate) fn accredit(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let (radiologist, accredited) = (args.address(0)?, args.flag(1)?);
        nonzero(&[radiologist])?;
        self.only_consortium(caller)?;
        self.set_cell(Slot::accreditation(radiologist), accredited.into());
        self.log(
            &[topic!(RadiologistAccredited), radiologist],
            &[accredited.into()],
        );
        Ok(())
    }

    /// `transfer_consortium`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotConsortium`.
    pub(crate) fn transfer(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let to = args.address(0)?;
        nonzero(&[to])?;
        self.only_consortium(caller)?;
        self.hand_to(to);
        Ok(())
    }

    fn hand_to(&mut self, to: Word) {
        let from = self.cell(Slot::CONSORTIUM);
        self.set_cell(Slot::CONSORTIUM, to);
        self.log(&[topic!(ConsortiumTransferred), from, to], &[]);
    }

    fn only_consortium(&self, caller: Word) -> Result<(), Refusal> {
        if caller != self.cell(Slot::CONSORTIUM) {
            return Err(refuse!(PcacNotConsortium, caller));
        }
        Ok(())
    }
}
