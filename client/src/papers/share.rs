//! Shares of a backup's secret, or of an image's session key (Shamir over GF(2⁸)): any `threshold` of them give it back, fewer tell nothing.
//!
//! The arithmetic alone gives a wrong secret for shares that are damaged, too few or of several secrets. So each share
//! carries its set, its place in it and a commitment, and the backup lists the commitments of all: what does not belong
//! is refused by name.

use std::collections::BTreeSet;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vsss_rs::Gf256;
use zeroize::{Zeroize, Zeroizing};

use crate::papers::card::CardDocument;
use crate::papers::letter::Letter;
use pcim_core::{Address, Hex, ImageDigest, Secret};

/// Most shares of a secret.
pub const MAX_SHARES: u8 = 15;
/// Fewest shares that give a secret back.
const MIN_THRESHOLD: u8 = 2;

/// One share, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Its number, from 1.
    pub index: u8,
    /// Hides the share in the commitment.
    pub salt: Secret,
    /// The share.
    pub share: Secret,
}

/// Which shares belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareSet {
    /// Names the set.
    pub name: Hex<16>,
    /// How many shares give the secret back.
    pub threshold: u8,
    /// How many shares there are.
    pub shares: u8,
}

/// A share on its way: from the patient to a guardian, or from a guardian to the patient's next key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareDocument {
    #[serde(rename = "pcim-share")]
    version: u32,
    /// The patient whose secret it is.
    pub patient: Address,
    /// The image whose session key it is; none for a backup's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDigest>,
    /// The set.
    pub set: ShareSet,
    /// The share.
    pub share: Share,
    /// SHA-256 of salt, index and share.
    pub commitment: Hex<32>,
    /// The card of the one who sealed it.
    pub card: CardDocument,
}

/// Why shares do not give a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Numbers that cannot be.
    #[error(
        "{threshold} of {shares} shares; wanted at least {MIN_THRESHOLD}, at most all, and at most {MAX_SHARES} in all"
    )]
    Numbers {
        /// How many are to give the secret back.
        threshold: u8,
        /// How many there are.
        shares: u8,
    },
    /// Fewer than are wanted.
    #[error("{found} shares; {wanted} are wanted")]
    TooFew {
        /// How many there are.
        found: usize,
        /// How many are wanted.
        wanted: u8,
    },
    /// A share that is not the one that was handed out.
    #[error("share {index} is damaged: it is not what its commitment says")]
    Damaged {
        /// Its number.
        index: u8,
    },
    /// A share that came twice.
    #[error("share {index} was given twice")]
    Twice {
        /// Its number.
        index: u8,
    },
    /// A share of another secret.
    #[error("share {index} is of set {found}; wanted set {wanted}")]
    OtherSet {
        /// Its number.
        index: u8,
        /// The set that was asked for.
        wanted: Hex<16>,
        /// The set of this share.
        found: Hex<16>,
    },
    /// A share that says other numbers than the backup.
    #[error("share {index} says {} of {}; the backup says {} of {}", found.0, found.1, wanted.0, wanted.1)]
    OtherNumbers {
        /// Its number.
        index: u8,
        /// Threshold and shares that were asked for.
        wanted: (u8, u8),
        /// Threshold and shares that it says.
        found: (u8, u8),
    },
    /// A share that the backup does not list.
    #[error("share {index} is not the one that the backup lists: another one was put in its place")]
    NotListed {
        /// Its number.
        index: u8,
    },
    /// The arithmetic failed.
    #[error("the shares do not give a secret")]
    Arithmetic,
}

/// Cuts a secret into shares.
///
/// # Errors
/// [`Error::Numbers`]
pub fn split(secret: &Secret, threshold: u8, shares: u8) -> Result<Vec<Share>, Error> {
    check_numbers(threshold, shares)?;
    let cut = Gf256::split_bytes(threshold.into(), shares.into(), secret.expose(), System);
    let mut cut = cut.map_err(|_| Error::Arithmetic)?;
    let kept = cut.iter().map(|bytes| {
        let (index, share) = bytes.split_first().ok_or(Error::Arithmetic)?;
        let share = share.try_into().map_err(|_| Error::Arithmetic)?;
        Ok(Share {
            index: *index,
            salt: Secret::random(),
            share: Secret::new(share),
        })
    });
    let kept = kept.collect();
    cut.iter_mut().for_each(Zeroize::zeroize);
    kept
}

/// Joins shares. `commitments` are those that the backup lists, of the first share first.
///
/// # Errors
/// [`Error`], with the share that is at fault.
pub fn combine(
    wanted: &ShareSet,
    commitments: &[Hex<32>],
    given: &[ShareDocument],
) -> Result<Secret, Error> {
    check_numbers(wanted.threshold, wanted.shares)?;
    let mut seen = BTreeSet::new();
    for document in given {
        document.check(wanted, commitments)?;
        let index = document.share.index;
        if !seen.insert(index) {
            return Err(Error::Twice { index });
        }
    }
    if seen.len() < usize::from(wanted.threshold) {
        return Err(Error::TooFew {
            found: seen.len(),
            wanted: wanted.threshold,
        });
    }
    let enough = given.iter().take(wanted.threshold.into());
    let mut bytes: Vec<Vec<u8>> = enough
        .map(|it| [&[it.share.index][..], it.share.share.expose()].concat())
        .collect();
    let joined = Gf256::combine_bytes(&bytes).map(Zeroizing::new);
    bytes.iter_mut().for_each(Zeroize::zeroize);
    let joined = joined.map_err(|_| Error::Arithmetic)?;
    let joined = joined
        .as_slice()
        .try_into()
        .map_err(|_| Error::Arithmetic)?;
    Ok(Secret::new(joined))
}

/// Refuses numbers that cannot be.
pub(crate) fn check_numbers(threshold: u8, shares: u8) -> Result<(), Error> {
    match (MIN_THRESHOLD..=shares).contains(&threshold) && shares <= MAX_SHARES {
        true => Ok(()),
        false => Err(Error::Numbers { threshold, shares }),
    }
}

impl Share {
    /// Returns the commitment: SHA-256 of salt, index and share.
    #[must_use]
    pub fn commitment(&self) -> Hex<32> {
        let hash = Sha256::new()
            .chain_update(self.salt.expose())
            .chain_update([self.index])
            .chain_update(self.share.expose());
        Hex(hash.finalize().into())
    }
}

impl ShareDocument {
    /// Writes a share down for its way. `card` is that of the one who seals it.
    #[must_use]
    pub fn new(patient: Address, set: ShareSet, share: Share, card: CardDocument) -> Self {
        Self {
            version: 1,
            patient,
            image: None,
            set,
            commitment: share.commitment(),
            share,
            card,
        }
    }

    /// Names the image whose session key it is.
    #[must_use]
    pub fn of_image(self, image: ImageDigest) -> Self {
        Self {
            image: Some(image),
            ..self
        }
    }

    /// Checks the share against itself and against the set that is wanted.
    ///
    /// # Errors
    /// [`Error`], with the share that is at fault.
    pub fn check(&self, wanted: &ShareSet, commitments: &[Hex<32>]) -> Result<(), Error> {
        let index = self.share.index;
        if self.set.name != wanted.name {
            return Err(Error::OtherSet {
                index,
                wanted: wanted.name,
                found: self.set.name,
            });
        }
        if self.set != *wanted {
            return Err(Error::OtherNumbers {
                index,
                wanted: (wanted.threshold, wanted.shares),
                found: (self.set.threshold, self.set.shares),
            });
        }
        let commitment = self.share.commitment();
        if commitment != self.commitment {
            return Err(Error::Damaged { index });
        }
        let listed = usize::from(index).checked_sub(1);
        match listed.and_then(|at| commitments.get(at)) {
            Some(listed) if *listed == commitment => Ok(()),
            _ => Err(Error::NotListed { index }),
        }
    }
}

impl Letter for ShareDocument {
    fn version(&self) -> u32 {
        self.version
    }

    fn card(&self) -> &CardDocument {
        &self.card
    }
}

/// The operating system's generator, as the sharing library wants it.
struct System;

impl rand_core::TryRng for System {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(rand::RngCore::next_u32(&mut rand::rng()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(rand::RngCore::next_u64(&mut rand::rng()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        rand::RngCore::fill_bytes(&mut rand::rng(), bytes);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for System {}

#[cfg(test)]
mod tests;
