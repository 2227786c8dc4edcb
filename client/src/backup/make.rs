//! Making backups.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::Result;
use crate::papers::backup::{BackupDocument, BackupFacts, HomeContents, KeyDocument};
use crate::papers::card::{Card, CardDocument};
use crate::papers::letter;
use crate::papers::share::{Share, ShareDocument};
use crate::papers::sheet::{self, Form, Label, Sheet};
use crate::unlocked::{Actor, Unlocked};
use pcim_core::{Address, Hex, SecretBytes};
use pcim_seal::Certificate;

use crate::backup::error::Error as Refused;
use crate::backup::set::{Keepers, Set};

/// Keeping and restoring what a home holds.
#[derive(Clone, Copy)]
pub struct Backups<'s>(pub(super) Unlocked<'s>);

impl Actor {
    /// Opens the work on backups.
    pub fn backups(&self) -> Backups<'_> {
        Backups(self.unlocked())
    }
}

/// A backup that was made, not written yet.
#[derive(Debug)]
pub struct Made {
    /// Its number.
    pub number: u64,
    /// Names its set.
    pub set: Hex<16>,
    /// True if an earlier attempt began the set and did not come to its end: its files may be there.
    pub resumed: bool,
    /// The backup, as a file.
    pub backup: Vec<u8>,
    /// For each guardian of a new set, his share.
    pub shares: Vec<ShareLetter>,
    /// Sheet A of a new set that has one.
    pub sheet_a: Option<Zeroizing<String>>,
    /// Sheet B, if it was asked for.
    pub sheet_b: Option<Zeroizing<String>>,
    /// The address that sheet A gives, to be named as the account's only guardian.
    pub paper_guardian: Option<Address>,
}

/// A guardian's share, sealed to him.
#[derive(Debug)]
pub struct ShareLetter {
    /// The guardian.
    pub guardian: Address,
    /// The number of his share.
    pub index: u8,
    /// The letter.
    pub bytes: Vec<u8>,
}

/// How a home's backups are kept.
#[derive(Debug, Serialize)]
pub struct Keeping {
    /// Names the set.
    pub set: Hex<16>,
    /// Number of the newest backup.
    pub number: u64,
    /// How many shares open it; `None` with sheet A.
    pub threshold: Option<u8>,
    /// The guardians, in the order of their shares.
    pub guardians: Vec<Address>,
    /// The followers.
    pub followers: Vec<Address>,
    /// False if shares or sheets are still to be written.
    pub handed: bool,
}

impl Backups<'_> {
    /// Tells how this home's backups are kept; `None` if none was made.
    ///
    /// # Errors
    /// [`Error::Seal`](crate::Error::Seal) for a file that is damaged.
    pub fn keeping(&self) -> Result<Option<Keeping>> {
        let addresses = |cards: &mut dyn Iterator<Item = &CardDocument>| {
            let cards = cards.map(|card| Ok(Card::verify(card)?.address));
            cards.collect::<Result<Vec<_>>>()
        };
        let Some(set) = self.0.read_set()? else {
            return Ok(None);
        };
        Ok(Some(Keeping {
            set: set.name,
            number: set.number,
            threshold: set.threshold,
            guardians: addresses(&mut set.guardians.iter().map(|it| &it.card))?,
            followers: addresses(&mut set.followers.iter())?,
            handed: set.handed,
        }))
    }

    /// Makes a backup for these keepers: under the home's keys if they are the same as before, otherwise, or with `new_keys`,
    /// under new ones. Shares of earlier sets open no later backup. After a kill the same call goes on.
    ///
    /// # Errors
    /// [`Error`](Refused), naming the keeper that cannot be taken.
    pub fn begin(
        &self,
        keepers: &Keepers,
        followers: &[CardDocument],
        sheet_b: Option<Form>,
        new_keys: bool,
    ) -> Result<Made> {
        let earlier = self.0.read_set()?;
        let number = earlier.as_ref().map_or(0, |set| set.number);
        let (mut set, resumed) = match earlier {
            Some(set) if set.goes_on(keepers, followers) && !(new_keys && set.handed) => {
                let resumed = !set.handed;
                (set, resumed)
            }
            _ => {
                let me = self.0.address();
                let set = Set::new(me, number, keepers, followers, sheet_b.is_some())?;
                (set, false)
            }
        };
        self.make(&mut set, resumed, sheet_b)
    }

    /// Makes the next backup under the keys of the home's set.
    ///
    /// # Errors
    /// [`Error::NoSet`](Refused::NoSet) before the first one.
    pub fn renew(&self, sheet_b: Option<Form>) -> Result<Made> {
        let mut set = self.0.read_set()?.ok_or(Refused::NoSet)?;
        let resumed = !set.handed;
        self.make(&mut set, resumed, sheet_b)
    }

    /// Records that everything of the set was written, so that later backups write no shares.
    ///
    /// # Errors
    /// Those of the home's file.
    pub fn handed(&self) -> Result<()> {
        let mut set = self.0.read_set()?.ok_or(Refused::NoSet)?;
        if !set.handed {
            set.handed = true;
            set.seed = None;
            self.0.write_set(&set)?;
        }
        Ok(())
    }

    /// Raises the number, records the set, and makes everything that belongs to it.
    fn make(&self, set: &mut Set, resumed: bool, sheet_b: Option<Form>) -> Result<Made> {
        set.number += 1;
        // Recorded before anything of it leaves the home: no number and no key comes twice.
        self.0.write_set(set)?;
        let keys = self.0.keys;
        let card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        let mut shares = Vec::new();
        let label = Label {
            patient: self.0.address(),
            set: set.name,
        };
        let (mut sheet_a, mut paper_guardian) = (None, None);
        if !set.handed {
            for guardian in &set.guardians {
                shares.push(self.share(set, &guardian.share, &guardian.card, &card)?);
            }
            if let Some(seed) = &set.seed {
                let form = sheet_b.unwrap_or(Form::Html);
                sheet_a = Some(Sheet::A.print(seed, &label, form));
                paper_guardian = Some(sheet::from_seed(seed)?.guardian.address());
            }
        }
        let sealed = self.seal(set, &card)?;
        Ok(Made {
            number: set.number,
            set: set.name,
            resumed,
            backup: serde_json::to_vec(&sealed)?,
            shares,
            sheet_a,
            sheet_b: sheet_b.map(|form| Sheet::B.print(&set.key, &label, form)),
            paper_guardian,
        })
    }

    fn share(
        &self,
        set: &Set,
        share: &Share,
        guardian: &CardDocument,
        card: &CardDocument,
    ) -> Result<ShareLetter> {
        let guardian = Card::verify(guardian)?;
        let shares = set.shares().ok_or(Refused::NoSet)?;
        let document = ShareDocument::new(self.0.address(), shares, share.clone(), card.clone());
        let sealed = letter::seal(&document, &self.0.keys.openpgp, &guardian.certificate);
        Ok(ShareLetter {
            guardian: guardian.address,
            index: share.index,
            bytes: sealed.map_err(Refused::from)?,
        })
    }

    fn seal(&self, set: &Set, card: &CardDocument) -> Result<BackupDocument> {
        let key = &self.0.keys.openpgp;
        let mut letters = Vec::new();
        for follower in &set.followers {
            let follower = Card::verify(follower)?.certificate;
            letters.push(self.key_letter(set, card, &follower)?);
        }
        let commitments = set.guardians.iter().map(|it| it.share.commitment());
        let facts = BackupFacts {
            card,
            number: set.number,
            at: now(),
            set: set.name,
            threshold: set.threshold,
            commitments: &commitments.collect::<Vec<_>>(),
            keys: &letters,
        };
        let contents = self.contents()?;
        let sealed = BackupDocument::seal(facts, &contents, (&set.secret, &set.key), key);
        Ok(sealed.map_err(Refused::from)?)
    }

    fn key_letter(
        &self,
        set: &Set,
        card: &CardDocument,
        follower: &Certificate,
    ) -> Result<Vec<u8>> {
        let document = KeyDocument::new(self.0.address(), set.name, set.key.clone(), card.clone());
        let sealed = letter::seal(&document, &self.0.keys.openpgp, follower);
        Ok(sealed.map_err(Refused::from)?)
    }

    /// Everything of the home that a backup holds.
    pub(super) fn contents(&self) -> Result<HomeContents> {
        let home = &self.0.home;
        Ok(HomeContents {
            version: 1,
            openpgp: SecretBytes(self.0.keys.openpgp.expose()?),
            deid: pcim_core::Secret::new(*home.deid_key(self.0.keys)?),
            config: home.config().to_toml(),
            files: home.kept_files()?,
        })
    }
}

pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
