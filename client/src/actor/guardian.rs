//! Guardians: accepting to be one, agreeing to a recovery, and drills that show whether a recovery would work.

use std::io;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::actor::patient::Patient;
use crate::backup::open_share;
use crate::error::{AccountError, Error, Result};
use crate::papers::card::Card;
use crate::papers::guardian::{self, Acceptance, Drill, DrillAnswer};
use crate::papers::letter::secret_json;
use crate::papers::recovery::Agreement;
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::{Address, Secret, private};
use pcim_ledger::{Account, Call, GuardianSet, RecoveryTerms};

/// Most bytes of the encrypted key for one patient.
const MAX_KEY_FILE: usize = 64 * 1024;
/// How long guardians have to answer a drill, in seconds.
const DRILL_LASTS: u64 = 14 * 24 * 3600;
/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// The key by which this home is a guardian of one patient.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardianKey {
    #[serde(rename = "pcim-guardian-key")]
    version: u32,
    patient: Address,
    key: Secret,
}

/// How a drill went.
#[derive(Clone, Debug, Serialize)]
pub struct Drilled {
    /// Guardians who agreed.
    pub agreed: Vec<Address>,
    /// Guardians who did not answer.
    pub absent: Vec<Address>,
    /// How many must agree.
    pub threshold: u8,
    /// The numbers of the backup's shares that guardians showed they have.
    pub shares: Vec<u8>,
    /// How many shares open the backup; `None` without a backup in shares.
    pub shares_threshold: Option<u8>,
    /// Guardians whose share is not the one that they were given.
    pub damaged: Vec<Address>,
    /// Why the contract would refuse a recovery by those who agreed, if it would.
    pub refused: Option<String>,
    /// How it stands.
    pub standing: DrillStanding,
}

/// The verdict of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillStanding {
    /// A recovery would work with one guardian less.
    Good,
    /// A recovery would work, with nobody to spare.
    Close,
    /// A recovery would not work.
    WouldFail,
}

impl Unlocked<'_> {
    /// Accepts to be a patient's guardian, by a key that is for her alone: made at the first call and kept in the home.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Seal`]
    pub fn accept_guardianship(&self, patient: Address) -> Result<Acceptance> {
        if patient == self.patient_address() {
            return Err(AccountError::OwnGuardian { patient }.into());
        }
        let account = match self.guardian_key(patient)? {
            Some(account) => account,
            None => self.make_guardian_key(patient)?,
        };
        let keys = self.keys;
        let card = Card::issue(&keys.account, &keys.openpgp, Vec::new())?;
        Ok(Acceptance::sign(patient, &account, &keys.openpgp, card)?)
    }

    /// Agrees to a recovery: by the key that was made for this patient, or by the home's own if `own` says so or none was made.
    ///
    /// # Errors
    /// [`Error::Guardian`] if the key cannot sign.
    pub fn agree(&self, terms: RecoveryTerms, own: bool) -> Result<Agreement> {
        let made = self.made_key(terms.patient, own)?;
        let key = made.as_ref().unwrap_or(&self.keys.account);
        let agreed = Agreement::sign(terms, key).map_err(guardian::Error::from);
        Ok(agreed?)
    }

    /// Answers a drill, which must change nothing: its terms name the key that acts, without a lock, while no recovery is pending.
    ///
    /// # Errors
    /// [`AccountError::NoDrill`] for terms that would change something; those of the chain, of the share's letter.
    pub async fn answer_drill(
        &self,
        drill: &Drill,
        share: Option<&[u8]>,
        own: bool,
    ) -> Result<DrillAnswer> {
        let terms = &drill.terms;
        let deployment = self.deployment()?;
        let wanted = (deployment.chain_id, deployment.contract);
        let found = (terms.chain_id, terms.contract);
        if wanted != found {
            return Err(Error::OtherContract { wanted, found });
        }
        let patient = terms.patient;
        let account = self.ledger().await?.account(patient).await?;
        if terms.lock || terms.successor != account.acting || account.pending.is_some() {
            return Err(AccountError::NoDrill { patient }.into());
        }
        let opened = share.map(|sealed| open_share(sealed, &self.keys.openpgp));
        let document = opened.transpose()?;
        let made = self.made_key(patient, own)?;
        let key = made.as_ref().unwrap_or(&self.keys.account);
        Ok(DrillAnswer::new(drill, key, document.as_ref())?)
    }

    /// The key that was made for a patient, unless the home's own is wanted.
    fn made_key(&self, patient: Address, own: bool) -> Result<Option<Account>> {
        match own {
            true => Ok(None),
            false => self.guardian_key(patient),
        }
    }

    /// The key by which this home is a patient's guardian, if one was made.
    fn guardian_key(&self, patient: Address) -> Result<Option<Account>> {
        let path = self.home.guardian_path(patient);
        let sealed = match private::read_limited(&path, MAX_KEY_FILE) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::File { path, source }),
        };
        let key = &self.keys.openpgp;
        let own = key.certificate();
        let plain = pcim_seal::decrypt_document(&sealed, key, |_| Ok(own))?;
        let kept: GuardianKey = serde_json::from_slice(&Zeroizing::new(plain))?;
        if kept.patient != patient || kept.version != 1 {
            let source = io::ErrorKind::InvalidData.into();
            return Err(Error::File { path, source });
        }
        Ok(Some(Account::from_private_key(kept.key.expose())?))
    }

    fn make_guardian_key(&self, patient: Address) -> Result<Account> {
        let account = Account::generate();
        let kept = GuardianKey {
            version: 1,
            patient,
            key: Secret::new(*account.expose_key()),
        };
        let key = &self.keys.openpgp;
        let sealed = pcim_seal::encrypt_document(&secret_json(&kept)?, key, &[&key.certificate()])?;
        let folder = self.home.held_dir();
        let path = self.home.guardian_path(patient);
        let made = std::fs::create_dir_all(&folder).and_then(|()| private::replace(&path, &sealed));
        made.map_err(|source| Error::File { path, source })?;
        Ok(account)
    }
}

impl Session {
    /// Makes a drill of this home's account.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 has no recovery.
    pub async fn drill(&self) -> Result<Drill> {
        let patient = self.patient_address();
        let mut terms = self.recovery_terms(patient, false, DRILL_LASTS).await?;
        terms.successor = self.ledger().await?.account(patient).await?.acting;
        Ok(Drill::new(terms))
    }

    /// Checks that a patient's account was moved to this key, at least this many days ago: time in which the key before could
    /// object. Every other provider must say so too.
    ///
    /// # Errors
    /// [`Error::NotActing`], [`Error::TooSoonAfter`], [`Error::ProvidersDiffer`]; those of the chain.
    pub async fn check_moved(&self, patient: Address, to: Address, days: u64) -> Result<()> {
        let ledger = self.ledger().await?;
        let not_acting = Error::NotActing {
            patient,
            address: to,
        };
        if self.confirmed_acting(patient).await? != to {
            return Err(not_acting);
        }
        let moved = self.confirmed_move(patient, to).await?;
        let from = moved.ok_or(not_acting)? + days * DAY;
        match ledger.now().await? >= from {
            true => Ok(()),
            false => Err(Error::TooSoonAfter { patient, from }),
        }
    }
}

impl Patient<'_> {
    /// Tells from the guardians' answers whether a recovery would work. Nothing is sent, and no shares are brought together.
    ///
    /// # Errors
    /// Those of the chain and of the home's backup keys.
    pub async fn judge_drill(
        &self,
        drill: &Drill,
        set: &GuardianSet,
        answers: &[DrillAnswer],
    ) -> Result<Drilled> {
        set.check()?;
        let kept = self.kept_shares()?;
        let shares_threshold = kept.threshold;
        let (mut agreed, mut shares, mut damaged) = (Vec::new(), Vec::new(), Vec::new());
        for answer in answers {
            let guardian = answer.agreement.guardian;
            let known = agreed.iter().any(|(who, _)| *who == guardian);
            if set.guardians.contains(&guardian) && !known {
                agreed.push((guardian, answer.agreement.signature.clone().into()));
            }
            let Some(shown) = &answer.share else {
                continue;
            };
            let mut shares_kept = kept.shares.iter();
            let own = shares_kept.find(|it| kept.set == Some(shown.set) && it.index == shown.index);
            match own {
                Some(share) if drill.proof(share) == shown.proof => {
                    if !shares.contains(&shown.index) {
                        shares.push(shown.index);
                    }
                }
                _ => damaged.push(guardian),
            }
        }
        let refused = match drill.terms.call(set, &agreed) {
            Err(error) => Some(error.to_string()),
            Ok(recovery) => {
                let call = Call::StartRecovery(recovery);
                let ledger = self.ledger().await?;
                match ledger.simulate(self.address(), &call).await {
                    Ok(_) => None,
                    Err(pcim_ledger::Error::Refused(why)) => Some(why.to_string()),
                    Err(other) => return Err(other.into()),
                }
            }
        };
        let spare = |found: usize, wanted: u8| found > usize::from(wanted);
        let enough = |found: usize, wanted: u8| found >= usize::from(wanted);
        let with_shares = |ask: &dyn Fn(usize, u8) -> bool| {
            shares_threshold.is_none_or(|wanted| ask(shares.len(), wanted))
        };
        let standing = match () {
            () if refused.is_some() || !with_shares(&enough) => DrillStanding::WouldFail,
            () if spare(agreed.len(), set.threshold) && with_shares(&spare) => DrillStanding::Good,
            () => DrillStanding::Close,
        };
        let agreed: Vec<_> = agreed.into_iter().map(|(who, _)| who).collect();
        let absent = set.guardians.iter().filter(|who| !agreed.contains(who));
        shares.sort_unstable();
        Ok(Drilled {
            absent: absent.copied().collect(),
            agreed,
            threshold: set.threshold,
            shares,
            shares_threshold,
            damaged,
            refused,
            standing,
        })
    }
}
