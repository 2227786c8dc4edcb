//! The contract before this one: images and accounts are taken over from it.
//!
//! A predecessor is pinned at construction, and so is whether it has accounts: a predecessor that later fails to answer
//! must not look like one without them, or the holder of a replaced key could settle her account for himself.

use alloc::vec::Vec;

use stylus_sdk::{call::static_call, prelude::*};

use crate::{
    account::Account,
    calldata::Args,
    change::kind,
    interface::*,
    log::{log, topic},
    record::{flag, Record},
    recovery::{calldata, words},
    storage::Slot,
    word::Word,
    Pcac,
};

/// The words of version 1's `image_record` and of this version's, and of `account`.
const OLD_RECORD: usize = 4;
const RECORD: usize = 7;
const ACCOUNT: usize = 11;

/// The first bytes of the text `version` returns: its place, its length, and the text.
const VERSION_1: u64 = 0x31;

/// The predecessor. One word, from the low end: address 160 bits, and one that says that it has accounts.
#[derive(Clone, Copy)]
pub(crate) struct Predecessor {
    pub(crate) address: Word,
    pub(crate) has_accounts: bool,
}

impl Predecessor {
    pub(crate) fn unpack(word: Word) -> Self {
        Self {
            address: word.last_20(),
            has_accounts: word.bits(160, 1) == 1,
        }
    }

    pub(crate) fn pack(&self) -> Word {
        self.address.with_bits(160, 1, self.has_accounts.into())
    }
}

impl Pcac {
    fn predecessor(&self) -> Predecessor {
        Predecessor::unpack(self.cell(Slot::PREDECESSOR))
    }

    /// Asks the predecessor: at least so many words.
    ///
    /// # Errors
    /// `PcacPredecessorFailed`.
    #[inline(never)]
    fn asked(
        &self,
        predecessor: Word,
        selector: u32,
        arguments: &[Word],
        least: usize,
    ) -> Result<Vec<Word>, Refusal> {
        let input = calldata(selector, arguments);
        let answer = static_call(self.vm(), Call::new(), predecessor.address(), &input);
        match answer.map(|answer| words(&answer)) {
            Ok(words) if words.len() >= least => Ok(words),
            _ => Err(refuse!(PcacPredecessorFailed, predecessor)),
        }
    }

    /// A predecessor by its version: version 1 has no accounts.
    ///
    /// # Errors
    /// `PcacPredecessorFailed`.
    pub(crate) fn inspect(&self, address: Word) -> Result<Predecessor, Refusal> {
        let version = self.asked(address, selector::VERSION, &[], 3)?;
        Ok(Predecessor {
            address,
            has_accounts: version[2].bits(248, 8) != VERSION_1 || version[1] != Word::number(1),
        })
    }

    /// The account, settled: once, it takes over what the predecessor's says.
    ///
    /// # Errors
    /// `PcacPredecessorFailed`; `PcacPending` and `PcacLocked` for what holds there.
    #[inline(never)]
    pub(crate) fn settled(&mut self, by: Word, patient: Word) -> Result<Account, Refusal> {
        let mut account = self.account(patient);
        if account.settled {
            return Ok(account);
        }
        let predecessor = self.predecessor();
        if !predecessor.has_accounts {
            return Ok(account);
        }
        let there = self.asked(predecessor.address, selector::ACCOUNT, &[patient], ACCOUNT)?;
        if !there[7].is_zero() {
            return Err(refuse!(PcacPending, there[7], there[8]));
        }
        if !there[4].is_zero() {
            return Err(refuse!(PcacLocked, patient, there[4]));
        }
        let commitment = there[5].back_24();
        let hours = there[6].bits(0, 16);
        account.settled = true;
        account.acting = there[0].last_20();
        if !commitment.is_zero() {
            self.put_guardians(patient, commitment, hours);
        }
        let data = commitment.with_bits(192, 16, hours);
        self.changed(&mut account, by, kind::SETTLED, 0, data);
        self.moved(&account, patient);
        Ok(account)
    }

    /// `import_image`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacImageTaken`, `PcacNoPredecessor`, `PcacUnknownImage`, `PcacNotPatient`, `PcacLocked`, and
    /// those of settling.
    pub(crate) fn import(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let image = args.word(0)?;
        nonzero(&[image])?;
        let slot = Slot::image(image);
        let owner = self.record(slot).patient;
        if !owner.is_zero() {
            return Err(refuse!(PcacImageTaken, image, owner));
        }
        let predecessor = self.predecessor();
        if predecessor.address.is_zero() {
            return Err(refuse!(PcacNoPredecessor));
        }
        let least = if predecessor.has_accounts {
            RECORD
        } else {
            OLD_RECORD
        };
        let there = self.asked(predecessor.address, selector::IMAGE_RECORD, &[image], least)?;
        let patient = there[0].last_20();
        if patient.is_zero() {
            return Err(refuse!(PcacUnknownImage, image));
        }
        let account = self.settled(caller, patient)?;
        account.only_acting(caller)?;
        account.unlocked(self.now())?;
        let (flags, tag) = if predecessor.has_accounts {
            (there[4].bits(0, 6) & flag::PUBLIC, there[5].bits(0, 56))
        } else {
            (0, 0)
        };
        let record = Record {
            patient,
            tag,
            flags,
            registered_at: there[1].bits(0, 34),
        };
        self.set_cell(slot, record.pack());
        log!(
            self,
            [topic!(ImageImported), patient, image],
            [record.registered_at, flags, tag]
        );
        self.acted(patient, caller);
        Ok(())
    }

    /// The answer of `account` for one that is not settled here: the predecessor's, if it has accounts.
    ///
    /// # Errors
    /// `PcacPredecessorFailed`.
    pub(crate) fn account_elsewhere(
        &self,
        account: &Account,
    ) -> Result<Option<Vec<Word>>, Refusal> {
        let predecessor = self.predecessor();
        if account.settled || !predecessor.has_accounts {
            return Ok(None);
        }
        let patient = account.patient;
        let there = self.asked(predecessor.address, selector::ACCOUNT, &[patient], ACCOUNT)?;
        Ok(Some(there))
    }
}
