//! Images: who owns one, since when, and its registration.

use stylus_sdk::prelude::*;

use crate::{
    calldata::Args,
    interface::*,
    log::topic,
    signature,
    storage::Slot,
    word::{constant, hash, Word},
    Pcac,
};

/// The attestation of a radiologist: `ImageAttestation(bytes32 image,address patient,bytes32 seal)`.
const ATTESTATION: [u8; 32] =
    signature::keccak("ImageAttestation(bytes32 image,address patient,bytes32 seal)");

const WINDOW_BITS: u32 = 32;
const TIME_BITS: u32 = 40;

/// An image's record. One word, from the high end: registeredAt 40 bits, limit 24, window 32, patient 160.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// never zero in storage
    pub(crate) patient: Word,
    /// seconds since 1970
    pub(crate) registered_at: u64,
    /// approvals in a window, below 2^24; 0 for no limit
    pub(crate) limit: u64,
    /// seconds, below 2^32
    pub(crate) window: u64,
}

impl Record {
    pub(crate) fn unpack(word: Word) -> Self {
        let [a, b, c, d] = word.limbs();
        Self {
            patient: Word::from_limbs([0, b & u64::from(u32::MAX), c, d]),
            registered_at: a >> (64 - TIME_BITS),
            limit: a & ((1 << (64 - TIME_BITS)) - 1),
            window: b >> WINDOW_BITS,
        }
    }

    pub(crate) fn pack(&self) -> Word {
        let [_, b, c, d] = self.patient.limbs();
        Word::from_limbs([
            self.registered_at << (64 - TIME_BITS) | self.limit,
            self.window << WINDOW_BITS | b,
            c,
            d,
        ])
    }
}

impl Pcac {
    /// The image's record as stored; its patient is zero if the image is unknown.
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

    /// The record of an image that is registered and the caller's.
    ///
    /// # Errors
    /// `PcacUnknownImage`, `PcacNotPatient`.
    #[inline(never)]
    pub(crate) fn owned(&self, caller: Word, image: Word) -> Result<Record, Refusal> {
        let record = self.known(image)?;
        only_patient(caller, record.patient)?;
        Ok(record)
    }

    /// `create_contract`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacTextTooLong`, `PcacNotPatient`, `PcacImageTaken`, `PcacNotAccredited`, `PcacBadAttestation`.
    pub(crate) fn register(&mut self, caller: Word, args: Args<'_>) -> Result<bool, Refusal> {
        let image = args.word(0)?;
        let patient = args.address(1)?;
        let seal = args.word(2)?;
        let radiologist = args.address(3)?;
        let attestation = args.bytes(4)?;
        let description = args.text(5)?;
        nonzero(&[image, patient, seal, radiologist])?;
        short(description)?;
        only_patient(caller, patient)?;
        let slot = Slot::image(image);
        let owner = self.record(slot).patient;
        if !owner.is_zero() {
            return Err(refuse!(PcacImageTaken, image, owner));
        }
        if self.cell(Slot::accreditation(radiologist)).is_zero() {
            return Err(refuse!(PcacNotAccredited, radiologist));
        }
        let message = hash(&[constant!(ATTESTATION), image, patient, seal]);
        if !signature::holds(self.vm(), radiologist, message, attestation) {
            return Err(refuse!(PcacBadAttestation, radiologist));
        }

        let record = Record {
            patient,
            registered_at: self.vm().block_timestamp(),
            limit: 0,
            window: 0,
        };
        self.set_cell(slot, record.pack());
        self.log_text(
            &[topic!(ContractCreated), patient, image, radiologist],
            &[seal],
            description,
        );
        Ok(true)
    }

    /// `reseal_image`.
    ///
    /// # Errors
    /// `PcacZero`, `PcacUnknownImage`, `PcacNotPatient`.
    pub(crate) fn reseal(&mut self, caller: Word, args: Args<'_>) -> Result<(), Refusal> {
        let (image, root) = (args.word(0)?, args.word(1)?);
        nonzero(&[image, root])?;
        self.owned(caller, image)?;
        self.log(&[topic!(ImageResealed), image], &[root]);
        Ok(())
    }
}

fn only_patient(caller: Word, patient: Word) -> Result<(), Refusal> {
    if caller != patient {
        return Err(refuse!(PcacNotPatient, caller, patient));
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
            registered_at: 0x01_0203_0405,
            limit: 0x06_0708,
            window: 0x090a_0b0c,
        };
        let word = record.pack().bytes();
        assert_eq!(word[12..], [0xaa; 20]);
        assert_eq!(word[..12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(Record::unpack(record.pack()), record);
    }

    #[test]
    fn full_fields_do_not_spill_into_each_other() {
        let full = Record {
            patient: Address::repeat_byte(0xff).into(),
            registered_at: (1 << 40) - 1,
            limit: (1 << 24) - 1,
            window: u32::MAX.into(),
        };
        for record in [
            Record {
                patient: Word::ZERO,
                ..full
            },
            Record {
                registered_at: 0,
                ..full
            },
            Record { limit: 0, ..full },
            Record { window: 0, ..full },
        ] {
            assert_eq!(Record::unpack(record.pack()), record);
        }
        assert_eq!(full.pack().bytes(), [0xff; 32]);
    }
}
