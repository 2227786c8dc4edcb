//! Images: who owns one, since when, and its registration.

use alloc::string::String;

use alloy_primitives::{Address, Bytes, B256};
use stylus_sdk::{
    prelude::*,
    storage::{StorageB256, StorageMap},
};

use crate::{
    attestation,
    interface::*,
    word::{self, TIME_BYTES},
    Pcac,
};

/// An image in storage: its record's word, and the word of its approval limit's counter.
#[storage]
pub struct Image {
    pub(crate) record: StorageB256,
    pub(crate) counter: StorageB256,
}

/// All images by digest.
pub(crate) type Images = StorageMap<B256, Image>;

const PATIENT_BYTES: usize = 20;
const LIMIT_AT: usize = PATIENT_BYTES + TIME_BYTES;
const LIMIT_BYTES: usize = 3;
const WINDOW_AT: usize = LIMIT_AT + LIMIT_BYTES;
const WINDOW_BYTES: usize = 4;

/// An image's record. One word: patient 160 bits, registeredAt 40, limit 24, window 32, from the high end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// never zero in storage
    pub(crate) patient: Address,
    /// seconds since 1970
    pub(crate) registered_at: u64,
    /// approvals in a window, below 2^24; 0 for no limit
    pub(crate) limit: u32,
    /// seconds
    pub(crate) window: u32,
}

impl Record {
    pub(crate) fn unpack(word: B256) -> Self {
        let mut patient = Address::ZERO;
        patient
            .iter_mut()
            .zip(word.iter())
            .for_each(|(to, from)| *to = *from);
        Self {
            patient,
            registered_at: word::get(&word, PATIENT_BYTES, TIME_BYTES),
            limit: word::get(&word, LIMIT_AT, LIMIT_BYTES) as u32,
            window: word::get(&word, WINDOW_AT, WINDOW_BYTES) as u32,
        }
    }

    pub(crate) fn pack(&self) -> B256 {
        let mut word = B256::ZERO;
        word.iter_mut()
            .zip(self.patient.iter())
            .for_each(|(to, from)| *to = *from);
        word::put(&mut word, PATIENT_BYTES, TIME_BYTES, self.registered_at);
        word::put(&mut word, LIMIT_AT, LIMIT_BYTES, self.limit.into());
        word::put(&mut word, WINDOW_AT, WINDOW_BYTES, self.window.into());
        word
    }
}

impl Pcac {
    /// The image's record as stored; its patient is zero if the image is unknown.
    pub(crate) fn record(&self, image: B256) -> Record {
        Record::unpack(self.images.getter(image).record.get())
    }

    /// The record of an image that is registered.
    ///
    /// # Errors
    /// `PcacUnknownImage`.
    pub(crate) fn known(&self, image: B256) -> Result<Record, Error> {
        let record = self.record(image);
        if record.patient.is_zero() {
            return Err(PcacUnknownImage { image }.into());
        }
        Ok(record)
    }

    /// The record of an image that is registered and the caller's.
    ///
    /// # Errors
    /// `PcacUnknownImage`, `PcacNotPatient`.
    pub(crate) fn owned(&self, image: B256) -> Result<Record, Error> {
        let record = self.known(image)?;
        self.only_patient(record.patient)?;
        Ok(record)
    }

    fn only_patient(&self, patient: Address) -> Result<(), Error> {
        let caller = self.vm().msg_sender();
        if caller != patient {
            return Err(PcacNotPatient { caller, patient }.into());
        }
        Ok(())
    }

    #[inline(never)]
    pub(crate) fn register(
        &mut self,
        image: B256,
        patient: Address,
        seal: B256,
        radiologist: Address,
        attestation: Bytes,
        description: String,
    ) -> Result<bool, Error> {
        nonzero(&[
            image.as_slice(),
            patient.as_slice(),
            seal.as_slice(),
            radiologist.as_slice(),
        ])?;
        short(&description)?;
        self.only_patient(patient)?;
        let owner = self.record(image).patient;
        if !owner.is_zero() {
            return Err(PcacImageTaken { image, owner }.into());
        }
        if !self.accredited.get(radiologist) {
            return Err(PcacNotAccredited { radiologist }.into());
        }
        let vm = self.vm();
        let digest =
            attestation::digest(vm.chain_id(), vm.contract_address(), image, patient, seal);
        if !attestation::holds(vm, radiologist, digest, &attestation) {
            return Err(PcacBadAttestation { radiologist }.into());
        }

        let registered_at = vm.block_timestamp();
        let record = Record {
            patient,
            registered_at,
            limit: 0,
            window: 0,
        };
        self.images.setter(image).record.set(record.pack());
        self.vm().log(ContractCreated {
            patient,
            image,
            radiologist,
            seal,
            info: description,
        });
        Ok(true)
    }

    #[inline(never)]
    pub(crate) fn announce_reseal(&mut self, image: B256, root: B256) -> Result<(), Error> {
        nonzero(&[image.as_slice(), root.as_slice()])?;
        self.owned(image)?;
        self.vm().log(ImageResealed { image, root });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_word_with_the_patient_first() {
        let record = Record {
            patient: Address::repeat_byte(0xaa),
            registered_at: 0x01_0203_0405,
            limit: 0x06_0708,
            window: 0x090a_0b0c,
        };
        let word = record.pack();
        assert_eq!(word[..20], [0xaa; 20]);
        assert_eq!(word[20..], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(Record::unpack(word), record);
    }

    #[test]
    fn full_fields_do_not_spill_into_each_other() {
        let full = Record {
            patient: Address::repeat_byte(0xff),
            registered_at: (1 << 40) - 1,
            limit: (1 << 24) - 1,
            window: u32::MAX,
        };
        for record in [
            Record {
                patient: Address::ZERO,
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
        assert_eq!(full.pack(), B256::repeat_byte(0xff));
    }
}
