//! Mandates: who may decide on an image, on whose behalf.

use crate::{account::Account, interface::*, record::Record, word::Word, Pcac};

/// A decision on an image: on whose behalf, and until when the one who decides may give.
pub(crate) struct Mandate {
    pub(crate) record: Record,
    pub(crate) account: Account,
    /// the end of a delegate's time; none for the acting key
    pub(crate) delegate_until: Option<u64>,
}

impl Mandate {
    /// Refuses to give while the account is locked or the image withdrawn or retracted.
    ///
    /// # Errors
    /// `PcacLocked`, `PcacWithdrawn`.
    #[inline(never)]
    pub(crate) fn may_give(&self, image: Word, now: u64) -> Result<(), Refusal> {
        self.account.unlocked(now)?;
        self.record.available(image)
    }
}

impl Pcac {
    /// The mandate of the patient's acting key over an image.
    ///
    /// # Errors
    /// `PcacUnknownImage`, `PcacNotPatient`.
    #[inline(never)]
    pub(crate) fn owned(&self, caller: Word, image: Word) -> Result<Mandate, Refusal> {
        let record = self.known(image)?;
        let account = self.account(record.patient);
        account.only_acting(caller)?;
        Ok(Mandate {
            record,
            account,
            delegate_until: None,
        })
    }

    /// The mandate of the patient's acting key or of a delegate over an image.
    ///
    /// # Errors
    /// `PcacUnknownImage`, `PcacNotPatient`.
    #[inline(never)]
    pub(crate) fn decided(&self, caller: Word, image: Word) -> Result<Mandate, Refusal> {
        let record = self.known(image)?;
        let account = self.account(record.patient);
        let mut delegate_until = None;
        if caller != account.acting {
            let until = self.delegate_until(&account, caller);
            if until <= self.now() {
                account.only_acting(caller)?;
            }
            delegate_until = Some(until);
        }
        Ok(Mandate {
            record,
            account,
            delegate_until,
        })
    }
}
