//! Requests for an image and what its patient made of them.

use alloc::string::String;

use alloy_primitives::{Address, FixedBytes, B256};
use stylus_sdk::{
    prelude::*,
    storage::{StorageB256, StorageMap},
};

use crate::{
    interface::*,
    word::{self, TIME_BYTES},
    Pcac,
};

/// A requester's standing in storage: its word, and the digest that was shared with him.
#[storage]
pub struct Grant {
    pub(crate) standing: StorageB256,
    /// zero unless the status is approved
    pub(crate) shared_image: StorageB256,
}

/// All grants by image and requester.
pub(crate) type Grants = StorageMap<B256, StorageMap<Address, Grant>>;

/// The first half of a digest, as much as is kept of a public key's.
pub(crate) type HalfDigest = FixedBytes<16>;

/// Where a requester stands with an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Status {
    #[default]
    None = 0,
    Requested = 1,
    Approved = 2,
    Denied = 3,
    Removed = 4,
}

const KEY_BYTES: usize = 16;
const REQUESTED_AT: usize = KEY_BYTES;
const DECIDED_AT: usize = REQUESTED_AT + TIME_BYTES;
const EXPIRES_AT: usize = DECIDED_AT + TIME_BYTES;
const STATUS_AT: usize = EXPIRES_AT + TIME_BYTES;
const EXPIRY_END: u64 = 1 << 40;

/// A requester's standing with an image. One word: key 128 bits, requestedAt 40, decidedAt 40, expiresAt 40,
/// status 8, from the high end. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: Status,
    /// when the request was opened
    pub(crate) requested_at: u64,
    /// when it was approved, denied or removed; 0 while it is open
    pub(crate) decided_at: u64,
    /// when the approval ends; 0 for never
    pub(crate) expires_at: u64,
    pub(crate) key: HalfDigest,
}

impl Standing {
    pub(crate) fn unpack(word: B256) -> Self {
        Self {
            status: match word::get(&word, STATUS_AT, 1) {
                1 => Status::Requested,
                2 => Status::Approved,
                3 => Status::Denied,
                4 => Status::Removed,
                _ => Status::None,
            },
            requested_at: word::get(&word, REQUESTED_AT, TIME_BYTES),
            decided_at: word::get(&word, DECIDED_AT, TIME_BYTES),
            expires_at: word::get(&word, EXPIRES_AT, TIME_BYTES),
            key: half(&word),
        }
    }

    pub(crate) fn pack(&self) -> B256 {
        let mut word = B256::ZERO;
        word.iter_mut()
            .zip(self.key.iter())
            .for_each(|(to, from)| *to = *from);
        word::put(&mut word, REQUESTED_AT, TIME_BYTES, self.requested_at);
        word::put(&mut word, DECIDED_AT, TIME_BYTES, self.decided_at);
        word::put(&mut word, EXPIRES_AT, TIME_BYTES, self.expires_at);
        word::put(&mut word, STATUS_AT, 1, self.status as u64);
        word
    }

    /// Whether the requester may see the image at `now`.
    pub(crate) fn authorized(&self, now: u64) -> bool {
        self.status == Status::Approved && (self.expires_at == 0 || now < self.expires_at)
    }
}

/// The first half of a digest.
fn half(digest: &B256) -> HalfDigest {
    let mut half = HalfDigest::ZERO;
    half.iter_mut()
        .zip(digest.iter())
        .for_each(|(to, from)| *to = *from);
    half
}

/// Refuses an expiry that is not in the future or does not fit its 40 bits; 0 is no expiry.
fn future(expires_at: u64, now: u64) -> Result<(), Error> {
    if expires_at != 0 && (expires_at <= now || expires_at >= EXPIRY_END) {
        return Err(PcacBadExpiry {
            expiresAt: expires_at,
            now,
        }
        .into());
    }
    Ok(())
}

impl Pcac {
    pub(crate) fn standing(&self, image: B256, requester: Address) -> Standing {
        Standing::unpack(self.grants.getter(image).getter(requester).standing.get())
    }

    fn set_standing(&mut self, image: B256, requester: Address, standing: Standing) {
        self.grants
            .setter(image)
            .setter(requester)
            .standing
            .set(standing.pack());
    }

    fn set_shared_image(&mut self, image: B256, requester: Address, shared_image: B256) {
        self.grants
            .setter(image)
            .setter(requester)
            .shared_image
            .set(shared_image);
    }

    #[inline(never)]
    pub(crate) fn request(
        &mut self,
        patient: Address,
        image: B256,
        public_key: B256,
        notes: String,
    ) -> Result<bool, Error> {
        nonzero(&[patient.as_slice(), image.as_slice(), public_key.as_slice()])?;
        short(&notes)?;
        let owner = self.known(image)?.patient;
        let requester = self.vm().msg_sender();
        if requester == owner {
            return Err(PcacOwnImage {}.into());
        }
        if patient != owner {
            return Err(PcacWrongOwner {
                image,
                wanted: patient,
                owner,
            }
            .into());
        }
        let now = self.vm().block_timestamp();
        let before = self.standing(image, requester);
        if before.authorized(now) {
            return Ok(true);
        }
        if before.status == Status::Approved {
            self.set_shared_image(image, requester, B256::ZERO);
        }

        let key = half(&public_key);
        let standing = if before.status == Status::Requested {
            Standing { key, ..before }
        } else {
            Standing {
                status: Status::Requested,
                requested_at: now,
                key,
                ..Standing::default()
            }
        };
        self.set_standing(image, requester, standing);
        self.vm().log(RequestedForApproval {
            requester,
            patient,
            image,
            publicKey: public_key,
            info: notes,
        });
        Ok(false)
    }

    #[inline(never)]
    pub(crate) fn approve(
        &mut self,
        requester: Address,
        image: B256,
        public_key: B256,
        shared_image: B256,
        expires_at: u64,
        notes: String,
    ) -> Result<bool, Error> {
        nonzero(&[
            requester.as_slice(),
            image.as_slice(),
            public_key.as_slice(),
            shared_image.as_slice(),
        ])?;
        short(&notes)?;
        let record = self.owned(image)?;
        let now = self.vm().block_timestamp();
        future(expires_at, now)?;
        let before = self.standing(image, requester);
        if before.authorized(now) {
            return Ok(false);
        }
        if before.status != Status::Requested {
            return Err(PcacNoRequest { requester, image }.into());
        }
        if half(&public_key) != before.key {
            return Err(PcacKeyChanged {
                wanted: public_key,
                requested: before.key,
            }
            .into());
        }
        self.count_approval(image, &record, now)?;

        let standing = Standing {
            status: Status::Approved,
            decided_at: now,
            expires_at,
            ..before
        };
        self.set_standing(image, requester, standing);
        self.set_shared_image(image, requester, shared_image);
        self.vm().log(Requestaccepted {
            patient: record.patient,
            image,
            info: "approved by patient.".into(),
        });
        let info = if notes.is_empty() {
            "Authorized to access image".into()
        } else {
            notes
        };
        self.vm().log(Approved {
            requester,
            image,
            publicKey: public_key,
            sharedImage: shared_image,
            expiresAt: expires_at,
            info,
        });
        Ok(true)
    }

    #[inline(never)]
    pub(crate) fn deny(
        &mut self,
        requester: Address,
        image: B256,
        reason: String,
    ) -> Result<bool, Error> {
        nonzero(&[requester.as_slice(), image.as_slice()])?;
        short(&reason)?;
        let patient = self.owned(image)?.patient;
        let before = self.standing(image, requester);
        if before.status != Status::Requested {
            return Ok(false);
        }

        let decided_at = self.vm().block_timestamp();
        let standing = Standing {
            status: Status::Denied,
            decided_at,
            ..before
        };
        self.set_standing(image, requester, standing);
        self.vm().log(Requestdenied {
            patient,
            image,
            info: "Failed to be approved by patient".into(),
        });
        self.vm().log(Reason {
            requester,
            image,
            info: reason,
        });
        Ok(true)
    }

    #[inline(never)]
    pub(crate) fn remove(&mut self, requester: Address, image: B256) -> Result<bool, Error> {
        nonzero(&[requester.as_slice(), image.as_slice()])?;
        let patient = self.owned(image)?.patient;
        let before = self.standing(image, requester);
        match before.status {
            Status::Requested => {}
            Status::Approved => self.set_shared_image(image, requester, B256::ZERO),
            Status::None | Status::Denied | Status::Removed => return Ok(false),
        }

        let decided_at = self.vm().block_timestamp();
        let standing = Standing {
            status: Status::Removed,
            decided_at,
            ..before
        };
        self.set_standing(image, requester, standing);
        self.vm().log(UserRemoved {
            requester,
            patient,
            image,
            info: "removed".into(),
        });
        self.vm().log(Reason {
            requester,
            image,
            info: "Contract expired".into(),
        });
        Ok(true)
    }

    #[inline(never)]
    pub(crate) fn reshare(
        &mut self,
        requester: Address,
        image: B256,
        shared_image: B256,
        expires_at: u64,
    ) -> Result<bool, Error> {
        nonzero(&[
            requester.as_slice(),
            image.as_slice(),
            shared_image.as_slice(),
        ])?;
        self.owned(image)?;
        let now = self.vm().block_timestamp();
        future(expires_at, now)?;
        let before = self.standing(image, requester);
        if !before.authorized(now) {
            return Err(PcacNotApproved { requester, image }.into());
        }

        self.set_standing(
            image,
            requester,
            Standing {
                expires_at,
                ..before
            },
        );
        self.set_shared_image(image, requester, shared_image);
        self.vm().log(Reshared {
            requester,
            image,
            sharedImage: shared_image,
            expiresAt: expires_at,
        });
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Status; 5] = [
        Status::None,
        Status::Requested,
        Status::Approved,
        Status::Denied,
        Status::Removed,
    ];

    #[test]
    fn a_standing_is_one_word_with_the_key_first() {
        let standing = Standing {
            status: Status::Denied,
            requested_at: 0x01_0203_0405,
            decided_at: 0x06_0708_090a,
            expires_at: 0x0b_0c0d_0e0f,
            key: HalfDigest::repeat_byte(0xaa),
        };
        let word = standing.pack();
        assert_eq!(word[..16], [0xaa; 16]);
        assert_eq!(
            word[16..],
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3]
        );
    }

    #[test]
    fn every_status_survives_storage() {
        for (number, status) in ALL.into_iter().enumerate() {
            let standing = Standing {
                status,
                decided_at: (1 << 40) - 1,
                ..Standing::default()
            };
            assert_eq!(status as usize, number);
            assert_eq!(Standing::unpack(standing.pack()), standing);
        }
        assert_eq!(Standing::unpack(B256::ZERO), Standing::default());
    }

    #[test]
    fn authorized_is_approved_and_before_the_expiry() {
        for status in ALL {
            let standing = Standing {
                status,
                ..Standing::default()
            };
            assert_eq!(standing.authorized(u64::MAX), status == Status::Approved);
        }
        let until = Standing {
            status: Status::Approved,
            expires_at: 100,
            ..Standing::default()
        };
        assert!(until.authorized(99));
        assert!(!until.authorized(100));
    }

    #[test]
    fn an_expiry_is_zero_or_in_the_future_and_fits() {
        for good in [0, 101, EXPIRY_END - 1] {
            assert!(future(good, 100).is_ok(), "{good}");
        }
        for bad in [1, 99, 100, EXPIRY_END, u64::MAX] {
            assert!(
                matches!(future(bad, 100), Err(Error::BadExpiry(_))),
                "{bad}"
            );
        }
    }
}
