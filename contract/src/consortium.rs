//! The consortium: accredits radiologists, and hands its role over. It has no say over any image.

use crate::{
    account::TIME_END,
    calldata::Args,
    interface::*,
    log::{log, topic},
    predecessor::Predecessor,
    storage::Slot,
    word::Word,
    Pcac,
};

/// Where a radiologist stands.
pub(crate) mod status {
    pub(crate) const ACCREDITED: u64 = 1;
    pub(crate) const RETIRED: u64 = 2;
    pub(crate) const REVOKED: u64 = 3;
}

/// A radiologist's accreditation. One word, from the low end: status 8 bits, since 40, accreditedAt 40, and one that says
/// that the contract has a predecessor, so that a registration need not look.
#[derive(Clone, Copy)]
pub(crate) struct Accreditation {
    pub(crate) status: u64,
    /// seconds since 1970
    pub(crate) since: u64,
    /// seconds since 1970
    pub(crate) accredited_at: u64,
}

impl Accreditation {
    /// Returns true if attestations are taken at `now`.
    pub(crate) fn attests(&self, now: u64) -> bool {
        self.status == status::ACCREDITED || (self.status == status::RETIRED && now < self.since)
    }

    pub(crate) fn may_retract(&self) -> bool {
        matches!(self.status, status::ACCREDITED | status::RETIRED)
    }

    fn may_become(&self, status: u64, since: u64) -> bool {
        match status {
            status::ACCREDITED => self.status != status::REVOKED && since == 0,
            status::RETIRED => self.may_retract() && 0 < since && since < TIME_END,
            status::REVOKED => self.status != status::REVOKED && since < TIME_END,
            _ => false,
        }
    }
}

impl Pcac {
    /// The constructor. It runs once: from then on there is a consortium, which is never the zero address.
    ///
    /// # Errors
    /// `PcacZero`, `PcacPredecessorFailed`; no data if it ran before.
    pub(crate) fn found(&mut self, args: Args<'_>) -> Result<(), Refusal> {
        let (consortium, predecessor) = (args.address(0)?, args.address(1)?);
        nonzero(&[consortium])?;
        if !self.cell(Slot::CONSORTIUM).is_zero() {
            return Err(Refusal::new());
        }
        if !predecessor.is_zero() {
            let predecessor = self.inspect(predecessor)?;
            self.set_cell(Slot::PREDECESSOR, predecessor.pack());
        }
        self.hand_to(consortium);
        Ok(())
    }

    /// A radiologist's accreditation, and whether a patient's account may stand elsewhere.
    #[inline(never)]
    pub(crate) fn accreditation(&self, radiologist: Word) -> (Accreditation, bool) {
        let word = self.cell(Slot::accreditation(radiologist));
        let accreditation = Accreditation {
            status: word.bits(0, 8),
            since: word.bits(8, 40),
            accredited_at: word.bits(48, 40),
        };
        (accreditation, word.bits(88, 1) == 1)
    }

    /// `accredit_radiologist`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacNotConsortium`, `PcacBadStatus`.
    pub(crate) fn accredit(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let radiologist = args.address(0)?;
        let (status, since) = (args.number(1, 1 << 8)?, args.number(2, 0)?);
        nonzero(&[radiologist])?;
        self.only_consortium(caller)?;
        let before = self.accreditation(radiologist).0;
        if !before.may_become(status, since) {
            return Err(refuse!(PcacBadStatus, status, since));
        }
        let first = before.accredited_at == 0 && status == status::ACCREDITED;
        let accredited_at = if first {
            self.now()
        } else {
            before.accredited_at
        };
        let predecessor = Predecessor::unpack(self.cell(Slot::PREDECESSOR));
        let word = Word::number(status)
            .with_bits(8, 40, since)
            .with_bits(48, 40, accredited_at)
            .with_bits(88, 1, predecessor.has_accounts.into());
        self.set_cell(Slot::accreditation(radiologist), word);
        log!(
            self,
            [topic!(RadiologistAccredited), radiologist],
            [status, since]
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
        self.set_cell(Slot::OFFERED, if to == caller { Word::ZERO } else { to });
        log!(self, [topic!(ConsortiumOffered), caller, to], []);
        Ok(())
    }

    /// `accept_consortium`.
    ///
    /// # Errors
    /// `PcacNotConsortium`.
    pub(crate) fn accept(&mut self, caller: Word) -> Result<(), Refusal> {
        if caller != self.cell(Slot::OFFERED) {
            return Err(refuse!(PcacNotConsortium, caller));
        }
        self.set_cell(Slot::OFFERED, Word::ZERO);
        self.hand_to(caller);
        Ok(())
    }

    #[inline(never)]
    fn hand_to(&mut self, to: Word) {
        let from = self.cell(Slot::CONSORTIUM);
        self.set_cell(Slot::CONSORTIUM, to);
        log!(self, [topic!(ConsortiumTransferred), from, to], []);
    }

    #[inline(never)]
    fn only_consortium(&self, caller: Word) -> Result<(), Refusal> {
        if caller != self.cell(Slot::CONSORTIUM) {
            return Err(refuse!(PcacNotConsortium, caller));
        }
        Ok(())
    }
}
