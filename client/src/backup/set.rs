//! The set of keys that a home's backups are made under, kept in the home itself: `backup.pgp`, encrypted to its own key.

use std::io;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::backup::error::Error as Refused;
use crate::error::{Error, Result};
use crate::papers::backup::MAX_KEYS;
use crate::papers::card::{Card, CardDocument};
use crate::papers::letter::secret_json;
use crate::papers::share::{self, Share, ShareSet};
use crate::papers::sheet;
use crate::unlocked::Unlocked;
use pcim_core::{Address, Hex, Secret};

/// Most bytes of the encrypted file.
const MAX_FILE: usize = pcim_seal::DOCUMENT_MAX + 256 * 1024;

/// The people and papers that a new set is for.
#[derive(Clone, Debug)]
pub enum Keepers {
    /// Guardians, each with a share; a threshold of them give the secret back.
    Guardians {
        /// Their cards.
        cards: Vec<CardDocument>,
        /// How many are enough.
        threshold: u8,
    },
    /// Sheet A.
    Paper,
}

/// A set of keys.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    #[serde(rename = "pcim-backup-set")]
    version: u32,
    pub(super) name: Hex<16>,
    pub(super) secret: Secret,
    pub(super) key: Secret,
    /// Number of the newest backup.
    pub(super) number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threshold: Option<u8>,
    pub(super) guardians: Vec<Guardian>,
    pub(super) followers: Vec<CardDocument>,
    /// The seed of sheet A, until everything of the set was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<Secret>,
    /// True once all shares and sheets were written.
    pub(super) handed: bool,
}

/// A guardian and the share that is his.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guardian {
    pub(super) share: Share,
    pub(super) card: CardDocument,
}

/// The shares that a home keeps copies of.
#[derive(Debug, Default)]
pub(crate) struct KeptShares {
    pub(crate) set: Option<Hex<16>>,
    /// How many of them open a backup; `None` without guardians.
    pub(crate) threshold: Option<u8>,
    pub(crate) shares: Vec<Share>,
}

impl Set {
    /// Draws the keys of a new set.
    pub(super) fn new(
        me: Address,
        number: u64,
        keepers: &Keepers,
        followers: &[CardDocument],
        sheet_b: bool,
    ) -> Result<Self> {
        let enough = followers.len() >= 2 || sheet_b;
        if !enough || followers.len() > MAX_KEYS {
            let found = followers.len();
            return Err(Refused::Followers { found }.into());
        }
        check_keepers(me, followers)?;
        let mut set = Self {
            version: 1,
            name: Hex::random(),
            secret: Secret::random(),
            key: Secret::random(),
            number,
            threshold: None,
            guardians: Vec::new(),
            followers: followers.to_vec(),
            seed: None,
            handed: false,
        };
        match keepers {
            Keepers::Guardians { cards, threshold } => {
                check_keepers(me, cards)?;
                let shares = u8::try_from(cards.len()).unwrap_or(u8::MAX);
                let cut = share::split(&set.secret, *threshold, shares).map_err(Refused::from)?;
                let pairs = cut.into_iter().zip(cards.iter().cloned());
                set.guardians = pairs
                    .map(|(share, card)| Guardian { share, card })
                    .collect();
                set.threshold = Some(*threshold);
            }
            Keepers::Paper => {
                let seed = Secret::random();
                set.secret = sheet::from_seed(&seed)?.secret;
                set.seed = Some(seed);
            }
        }
        Ok(set)
    }

    /// Says whether this set is for the same keepers. Paper is the same until its sheets were written: its seed is gone then.
    pub(super) fn goes_on(&self, keepers: &Keepers, followers: &[CardDocument]) -> bool {
        let same = match keepers {
            Keepers::Guardians { cards, threshold } => {
                self.threshold == Some(*threshold)
                    && self.guardians.iter().map(|it| &it.card).eq(cards)
            }
            Keepers::Paper => self.seed.is_some(),
        };
        same && self.followers == followers
    }

    pub(super) fn shares(&self) -> Option<ShareSet> {
        Some(ShareSet {
            name: self.name,
            threshold: self.threshold?,
            shares: self.guardians.len() as u8,
        })
    }
}

/// Nobody twice, nobody whose certificate cannot be used for decades, not the patient.
pub(crate) fn check_keepers(me: Address, cards: &[CardDocument]) -> Result<()> {
    let mut seen = Vec::new();
    for card in cards {
        let card = Card::verify(card)?;
        let address = card.address;
        if address == me {
            return Err(Refused::Own { address }.into());
        }
        if seen.contains(&address) {
            return Err(Refused::NamedTwice { address }.into());
        }
        card.certificate.check_reader()?;
        if !card.certificate.is_post_quantum() {
            return Err(Refused::Classic { address }.into());
        }
        seen.push(address);
    }
    Ok(())
}

impl Unlocked<'_> {
    pub(super) fn read_set(&self) -> Result<Option<Set>> {
        let path = self.home.backup_path();
        let sealed = match pcim_core::private::read_limited(&path, MAX_FILE) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { path, source }),
        };
        let key = &self.keys.openpgp;
        let own = key.certificate();
        let plain = pcim_seal::decrypt_document(&sealed, key, |_| Ok(own))?;
        Ok(Some(serde_json::from_slice(&Zeroizing::new(plain))?))
    }

    /// The shares of the home's newest backups, and how many of them open one; none without guardians.
    pub(crate) fn kept_shares(&self) -> Result<KeptShares> {
        let set = self.read_set()?;
        Ok(set.map_or_else(KeptShares::default, |set| KeptShares {
            set: Some(set.name),
            threshold: set.threshold,
            shares: set.guardians.into_iter().map(|it| it.share).collect(),
        }))
    }

    pub(super) fn write_set(&self, set: &Set) -> Result<()> {
        let path = self.home.backup_path();
        let key = &self.keys.openpgp;
        let sealed = pcim_seal::encrypt_document(&secret_json(set)?, key, &[&key.certificate()])?;
        let file = |source| Error::File {
            path: path.clone(),
            source,
        };
        pcim_core::private::replace(&path, &sealed).map_err(file)
    }
}
