//! Images: who owns one, since when, who attested it; its registration, withdrawal and retraction.

use stylus_sdk::prelude::*;

use crate::{
    account::same_round,
    calldata::Args,
    interface::*,
    log::{log, topic},
    signature,
    storage::Slot,
    word::{constant, hash, put, put_bytes, Word},
    Pcac,
};

/// The attestation of a radiologist.
const ATTESTATION: [u8; 32] = signature::keccak(
    "ImageAttestation(bytes32 image,address patient,bytes32 seal,uint64 replaces)",
);

/// Flags of a record. The first two are for all to see.
pub(crate) mod flag {
    pub(crate) const WITHDRAWN: u64 = 1;
    pub(crate) const RETRACTED: u64 = 2;
    /// there is an approval limit, so that an approval looks at its counter
    pub(crate) const LIMITED: u64 = 4;
    pub(crate) const PUBLIC: u64 = WITHDRAWN | RETRACTED;
}

const TAG_BITS: u32 = 56;
/// Times of registration have 34 bits: they end in the year 2514.
const TIME_BITS: u32 = 34;

/// An image's record. One word, from the low end: patient 160 bits, tag 56, flags 6, registeredAt 34.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// never zero in storage
    pub(crate) patient: Word,
    /// of who attested it, see [`tag`]; 0 if that is not known
    pub(crate) tag: u64,
    pub(crate) flags: u64,
    /// seconds since 1970
    pub(crate) registered_at: u64,
}

impl Record {
    #[inline(never)]
    pub(crate) fn unpack(word: Word) -> Self {
        Self {
            patient: word.last_20(),
            tag: word.bits(160, TAG_BITS),
            flags: word.bits(216, 6),
            registered_at: word.bits(222, TIME_BITS),
        }
    }

    #[inline(never)]
    pub(crate) fn pack(&self) -> Word {
        self.patient
            .with_bits(160, TAG_BITS, self.tag)
            .with_bits(216, 6, self.flags)
            .with_bits(222, TIME_BITS, self.registered_at)
    }

    /// Refuses an image that is withdrawn or retracted.
    ///
    /// # Errors
    /// `PcacWithdrawn`.
    #[inline(never)]
    pub(crate) fn available(&self, image: Word) -> Result<(), Refusal> {
        let flags = self.flags & flag::PUBLIC;
        if flags != 0 {
            return Err(refuse!(PcacWithdrawn, image, flags));
        }
        Ok(())
    }
}

/// The mark of a radiologist in an image's record: 56 bits, never zero.
#[inline(never)]
fn tag(radiologist: Word, image: Word) -> u64 {
    match hash(&[radiologist, image]).bits(256 - TAG_BITS, TAG_BITS) {
        0 => 1,
        tag => tag,
    }
}

impl Pcac {
    /// The image's record as stored; its patient is zero if the image is unknown.
    #[inline(never)]
    pub(crate) fn record(&self, slot: Slot) -> Record {
        Record::unpack(self.cell(slot))
    }

    /// The record of an image that is registered.
    ///
    /// # Errors
    /// `PcacUnknownImage`.
    #[inline(never)]
    pub(crate) fn known(&self, image: Word) -> Result<Record, Refusal> {
        let record = self.record(Slot::image(image));
        if record.patient.is_zero() {
            return Err(refuse!(PcacUnknownImage, image));
        }
        Ok(record)
    }

    /// `create_contract`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacNotPatient`, `PcacLocked`, `PcacImageTaken`, `PcacWithdrawn`,
    /// `PcacTooSoon`, `PcacNotAccredited`, `PcacBadAttestation`, and those of settling.
    pub(crate) fn register(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let image = args.word(0)?;
        let patient = args.address(1)?;
        let seal = args.word(2)?;
        let radiologist = args.address(3)?;
        let attestation = args.bytes(4)?;
        let description = args.text(5)?;
        nonzero(&[image, patient, seal, radiologist])?;
        short(description)?;
        let (accreditation, may_have_moved) = self.accreditation(radiologist);
        let account = if may_have_moved {
            self.settled(caller, patient)?
        } else {
            self.account(patient)
        };
        account.only_acting(caller)?;
        let now = self.now();
        account.unlocked(now)?;
        let slot = Slot::image(image);
        let before = self.record(slot);
        let mut replaces = 0;
        if !before.patient.is_zero() {
            let retracted = before.flags & flag::RETRACTED != 0;
            if before.patient != patient || !retracted {
                return Err(refuse!(PcacImageTaken, image, before.patient));
            }
            if before.flags & flag::WITHDRAWN != 0 {
                before.available(image)?;
            }
            replaces = before.registered_at;
            later(now, replaces)?;
        }
        if !accreditation.attests(now) {
            return Err(refuse!(PcacNotAccredited, radiologist));
        }
        let message = hash(&[
            constant!(ATTESTATION),
            image,
            patient,
            seal,
            Word::number(replaces),
        ]);
        if !signature::holds(self.vm(), radiologist, message, attestation) {
            return Err(refuse!(PcacBadAttestation, radiologist));
        }

        let record = Record {
            patient,
            tag: tag(radiologist, image),
            flags: before.flags & !flag::RETRACTED,
            registered_at: now,
        };
        self.set_cell(slot, record.pack());
        let topics = [topic!(ContractCreated), patient, image, radiologist];
        // Two tails: the attestation, then the description.
        let tail = 32 + attestation.len().next_multiple_of(32) as u64;
        let words = [
            seal,
            Word::number(128),
            Word::number(replaces),
            Word::number(128 + tail),
        ];
        let mut log = alloc::vec::Vec::with_capacity(640 + attestation.len());
        put(&mut log, &topics);
        put(&mut log, &words);
        put_bytes(&mut log, attestation);
        put_bytes(&mut log, description);
        self.vm().emit_log(&log, topics.len());
        self.acted(patient, caller);
        Ok(true)
    }

    /// `reseal_image`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacLocked`, `PcacWithdrawn`, `PcacRoundChanged`.
    pub(crate) fn reseal(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let (image, root, emergency) = (args.word(0)?, args.word(1)?, args.word(2)?);
        let wanted = args.number(3, 1 << 32)?;
        nonzero(&[image, root])?;
        let mandate = self.owned(caller, image)?;
        mandate.may_give(image, self.now())?;
        same_round(wanted, self.round(image))?;
        let round = self.raise_round(image);
        log!(
            self,
            [topic!(ImageResealed), image],
            [root, emergency, round]
        );
        self.acted(mandate.record.patient, caller);
        Ok(())
    }

    /// `withdraw_image`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacLocked`.
    pub(crate) fn withdraw(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let image = args.word(0)?;
        nonzero(&[image])?;
        let mandate = self.owned(caller, image)?;
        mandate.account.unlocked(self.now())?;
        let flags = mandate.record.flags | flag::WITHDRAWN;
        Ok(self.flag(caller, image, mandate.record, flags, 0))
    }

    /// `restore_image`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`, `PcacLocked`, `PcacRoundChanged`.
    pub(crate) fn restore(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (image, wanted) = (args.word(0)?, args.number(1, 1 << 32)?);
        nonzero(&[image])?;
        let mandate = self.owned(caller, image)?;
        mandate.account.unlocked(self.now())?;
        same_round(wanted, self.round(image))?;
        let flags = mandate.record.flags & !flag::WITHDRAWN;
        Ok(self.flag(caller, image, mandate.record, flags, 0))
    }

    /// `retract_image`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotAttester`, `PcacNotAccredited`.
    pub(crate) fn retract(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let (image, reason) = (args.word(0)?, args.number(1, 1 << 8)?);
        nonzero(&[image])?;
        let record = self.known(image)?;
        if record.tag != tag(caller, image) {
            return Err(refuse!(PcacNotAttester, caller));
        }
        if !self.accreditation(caller).0.may_retract() {
            return Err(refuse!(PcacNotAccredited, caller));
        }
        let flags = record.flags | flag::RETRACTED;
        Ok(self.flag(caller, image, record, flags, reason))
    }

    /// Sets an image's flags, raises its round, and says so. Returns true if the flags are others than before.
    #[inline(never)]
    fn flag(&mut self, by: Word, image: Word, record: Record, flags: u64, reason: u64) -> bool {
        let changed = flags != record.flags;
        if changed {
            self.set_cell(Slot::image(image), Record { flags, ..record }.pack());
        }
        let round = self.raise_round(image);
        log!(
            self,
            [topic!(ImageFlagged), image, by],
            [flags & flag::PUBLIC, reason, round]
        );
        changed
    }
}

/// Refuses a time that is not after `before`.
///
/// # Errors
/// `PcacTooSoon`.
#[inline(never)]
pub(crate) fn later(now: u64, before: u64) -> Result<(), Refusal> {
    if now <= before {
        return Err(refuse!(PcacTooSoon, before + 1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;

    use super::*;

    #[test]
    fn a_record_is_one_word_with_the_patient_last() {
        let record = Record {
            patient: Address::repeat_byte(0xaa).into(),
            tag: 0x01_0203_0405_0607,
            flags: 0b10_1010,
            registered_at: 0x2_aaaa_aaaa,
        };
        let word = record.pack().bytes();
        assert_eq!(word[12..], [0xaa; 20]);
        assert_eq!(word[5..12], [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(word[..5], [0xaa; 5]);
        assert_eq!(Record::unpack(record.pack()), record);
    }

    #[test]
    fn full_fields_do_not_spill_into_each_other() {
        let full = Record {
            patient: Address::repeat_byte(0xff).into(),
            tag: (1 << TAG_BITS) - 1,
            flags: 0x3f,
            registered_at: (1 << TIME_BITS) - 1,
        };
        for record in [
            Record {
                patient: Word::ZERO,
                ..full
            },
            Record { tag: 0, ..full },
            Record { flags: 0, ..full },
            Record {
                registered_at: 0,
                ..full
            },
        ] {
            assert_eq!(Record::unpack(record.pack()), record);
        }
        assert_eq!(full.pack().bytes(), [0xff; 32]);
    }
}
