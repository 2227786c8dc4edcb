//! The account of a patient: who decides for her, her guardians, delegates and emergency desk, and what is pending
//! (format.md §3.8.4). Each call is one transaction, which `pcim resume` sees through after a kill.

use alloy_primitives::{Bytes, FixedBytes};
use serde::Serialize;

use crate::actor::patient::Patient;
use crate::error::{Error, Result};
use crate::home::config::Config;
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted, Written};
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::{Address, ImageDigest};
use pcim_ledger::{AccountRecord, Call, ChangeKind, GuardianSet, RecoveryTerms};

/// Seconds for which a change can be finished once it is ripe.
pub(crate) const FINISH_WITHIN: u64 = 30 * 24 * 3600;

/// Says whether a change counts as none once it was ripe for [`FINISH_WITHIN`].
pub(crate) fn expires(kind: ChangeKind) -> bool {
    !matches!(kind, ChangeKind::Guardians | ChangeKind::Desk)
}

/// A patient's account.
#[derive(Clone, Debug, Serialize)]
pub struct AccountStanding {
    /// The patient.
    pub patient: Address,
    /// The account, as the contract has it.
    #[serde(flatten)]
    pub record: AccountRecord,
    /// The emergency desk and the hours of its accesses.
    pub desk: Option<Desk>,
}

/// An emergency desk in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Desk {
    /// The desk's account.
    pub address: Address,
    /// The most hours of an access.
    pub hours: u8,
}

/// Guardians that were named.
#[derive(Clone, Debug, Serialize)]
pub struct Guarded {
    /// The set that the commitment hides: each guardian needs it.
    pub set: Option<GuardianSet>,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

impl Session {
    /// Lists the images that this home registered.
    ///
    /// # Errors
    /// [`Error::Journal`]
    pub fn registered_images(&self) -> Result<Vec<ImageDigest>> {
        let images = self.journal.images()?.into_iter();
        let registered = images.filter(|known| known.role == "registered");
        Ok(registered.map(|known| known.image).collect())
    }

    /// Reads a patient's account; this home's, if none is named.
    ///
    /// # Errors
    /// Those of the chain.
    pub async fn account_of(&self, patient: Option<Address>) -> Result<AccountStanding> {
        let patient = patient.unwrap_or(self.patient_address());
        let ledger = self.ledger().await?;
        let desk = ledger.emergency(patient).await?;
        Ok(AccountStanding {
            patient,
            record: ledger.account(patient).await?,
            desk: desk.map(|(address, hours)| Desk { address, hours }),
        })
    }

    /// Makes the terms on which guardians let this home's key act for a patient; `lasts` is in seconds.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 has no recovery.
    pub async fn recovery_terms(
        &self,
        patient: Address,
        lock: bool,
        lasts: u64,
    ) -> Result<RecoveryTerms> {
        self.needs_version_2("start_recovery").await?;
        let deployment = self.deployment()?;
        let ledger = self.ledger().await?;
        Ok(RecoveryTerms {
            chain_id: deployment.chain_id,
            contract: deployment.contract,
            patient,
            successor: self.address(),
            lock,
            recovery: ledger.account(patient).await?.recovery,
            deadline: ledger.now().await? + lasts,
        })
    }
}

impl Patient<'_> {
    /// Names guardians, whose changes wait `hours`; `None` ends the set. First guardians are in effect at once, others wait
    /// the hours of those before.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 has no guardians.
    pub async fn set_guardians(
        &self,
        set: Option<GuardianSet>,
        hours: u16,
    ) -> Result<Outcome<Guarded>> {
        self.needs_version_2("set_guardians").await?;
        if let Some(set) = &set {
            set.check()?;
        }
        let patient = self.patient_address();
        let commitment = set.as_ref().map_or([0; 24], GuardianSet::commitment);
        let hours = if set.is_some() { hours } else { 0 };
        let deed = Deed::Guardians {
            patient,
            commitment: FixedBytes(commitment),
            hours,
        };
        let call = async || {
            Ok(Call::SetGuardians {
                patient,
                round: self.round().await?,
                commitment,
                hours,
            })
        };
        let written = self.write_any(deed, call).await?;
        written.try_map(|written| Ok(Guarded { set, written }))
    }

    /// Hands the account to another key, which finishes it: at once without guardians, else after their hours.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 has no moves.
    pub async fn move_account(&self, successor: Address) -> Result<Outcome> {
        self.needs_version_2("move_account").await?;
        let patient = self.patient_address();
        let deed = Deed::Move { patient, successor };
        let call = async || {
            Ok(Call::MoveAccount {
                patient,
                round: self.round().await?,
                successor,
            })
        };
        self.write_any(deed, call).await
    }

    /// Names the desk that may open images in an emergency, each for `hours` at most; `None` ends it at once.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 has no desks.
    pub async fn set_desk(&self, desk: Option<Desk>) -> Result<Outcome> {
        self.needs_version_2("set_emergency").await?;
        let patient = self.patient_address();
        let (desk, hours) = desk.map_or((Address::ZERO, 0), |desk| (desk.address, desk.hours));
        let deed = Deed::Desk {
            patient,
            desk,
            hours,
        };
        let call = async || {
            Ok(Call::SetEmergency {
                patient,
                round: self.round().await?,
                desk,
                hours,
            })
        };
        self.write_any(deed, call).await
    }

    /// Names a delegate until a moment, unix seconds; 0 ends his time at once.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 has no delegates.
    pub async fn set_delegate(&self, delegate: Address, until: u64) -> Result<Outcome> {
        self.needs_version_2("set_delegate").await?;
        let patient = self.patient_address();
        let deed = Deed::Delegate {
            patient,
            delegate,
            until,
        };
        let call = async || {
            Ok(Call::SetDelegate {
                patient,
                round: self.round().await?,
                delegate,
                until,
            })
        };
        self.write_any(deed, call).await
    }

    /// Ends the change that is pending.
    ///
    /// # Errors
    /// [`Error::NothingPending`]; those of the chain.
    pub async fn cancel_change(&self) -> Result<Outcome> {
        self.needs_version_2("cancel_change").await?;
        let patient = self.patient_address();
        let deed = Deed::Cancel { patient };
        let call = async || Ok(Call::CancelChange { patient });
        let written = self.write(deed, Wanted::True, call).await?;
        written.ok_or(Error::NothingPending { patient })
    }

    /// Stops all access to an image but one's own.
    ///
    /// # Errors
    /// [`Error::AlreadyFlagged`]; those of the chain.
    pub async fn withdraw(&self, image: &ImageDigest) -> Result<Outcome> {
        self.needs_version_2("withdraw_image").await?;
        let record = self.own_record(image).await?;
        let image = *image;
        let deed = Deed::Withdraw { image };
        let call = async |operation| {
            self.note_withdrawn(operation, &image, &record)?;
            Ok(Call::WithdrawImage { image })
        };
        let written = self.write_noting(deed, Wanted::True, call).await?;
        written.ok_or(Error::AlreadyFlagged {
            image,
            how: "withdrawn",
        })
    }

    /// Ends a withdrawal; requests and approvals stand as they were.
    ///
    /// # Errors
    /// [`Error::AlreadyFlagged`]; those of the chain.
    pub async fn restore(&self, image: &ImageDigest) -> Result<Outcome> {
        self.needs_version_2("restore_image").await?;
        let record = self.own_record(image).await?;
        let image = *image;
        let deed = Deed::Restore { image };
        let call = async || {
            Ok(Call::RestoreImage {
                image,
                round: record.round,
            })
        };
        let written = self.write(deed, Wanted::True, call).await?;
        self.journal.give_again(&image, None)?;
        written.ok_or(Error::AlreadyFlagged {
            image,
            how: "in use",
        })
    }

    /// Takes an image over from the contract's predecessor. `None` if it is here already.
    ///
    /// # Errors
    /// Those of the chain; a contract of version 1 has no predecessor.
    pub async fn import(&self, image: &ImageDigest) -> Result<Option<Outcome>> {
        self.needs_version_2("import_image").await?;
        let image = *image;
        let deed = Deed::Import { image };
        if let Some(earlier) = self.resume(deed).await? {
            return Ok(Some(Outcome::Mined(earlier)));
        }
        if self.ledger().await?.image_record(&image).await?.is_some() {
            return Ok(None);
        }
        let call = async || Ok(Call::ImportImage { image });
        self.start(deed, Wanted::Any, call).await
    }

    /// The account's round.
    async fn round(&self) -> Result<u32> {
        let ledger = self.ledger().await?;
        Ok(ledger.account(self.patient_address()).await?.round)
    }
}

impl Unlocked<'_> {
    /// Starts a recovery to this home's key, with the signatures of guardians who agreed. Anyone may send it; it is sent from
    /// here.
    ///
    /// # Errors
    /// [`Error::OtherContract`] for terms of another contract; [`Error::Ledger`] if too few agreed, or the contract refuses.
    pub async fn start_recovery(
        &self,
        terms: &RecoveryTerms,
        set: &GuardianSet,
        agreed: &[(Address, Bytes)],
    ) -> Result<Written> {
        self.needs_version_2("start_recovery").await?;
        let deployment = self.deployment()?;
        let wanted = (deployment.chain_id, deployment.contract);
        let found = (terms.chain_id, terms.contract);
        if wanted != found {
            return Err(Error::OtherContract { wanted, found });
        }
        let recovery = terms.call(set, agreed)?;
        let deed = Deed::Recover {
            patient: terms.patient,
            successor: terms.successor,
            lock: terms.lock,
        };
        let call = async || Ok(Call::StartRecovery(recovery));
        // It has a deadline and signatures of its own: nobody relays it.
        let written = self.sending().write(deed, Wanted::Any, call).await?;
        let written = written.and_then(Outcome::mined);
        Ok(written.expect("a call that is sent whatever it returns is written"))
    }

    /// Finishes what is pending for a patient, once it is ripe. If this home's key acts for her then, this home is hers from
    /// now on.
    ///
    /// # Errors
    /// [`Error::NothingPending`], [`Error::NotRipe`]; those of the chain.
    pub async fn finish_change(&self, patient: Address) -> Result<Outcome> {
        self.needs_version_2("finish_change").await?;
        let deed = Deed::Finish { patient };
        let earlier = self.resume(deed).await?.map(Outcome::Mined);
        let outcome = match earlier {
            Some(earlier) => earlier,
            None => {
                let ledger = self.ledger().await?;
                let account = ledger.account(patient).await?;
                let pending = account.pending.ok_or(Error::NothingPending { patient })?;
                let now = ledger.now().await?;
                if now < pending.ripe {
                    return Err(Error::NotRipe {
                        ripe: pending.ripe,
                        now,
                        last: expires(pending.kind).then(|| pending.ripe + FINISH_WITHIN),
                    });
                }
                let call = async || Ok(Call::FinishChange { patient });
                let started = self.start(deed, Wanted::Any, call).await?;
                started.expect("a call that is sent whatever it returns is written")
            }
        };
        if let Outcome::Mined(_) = &outcome {
            self.act_for(patient).await?;
        }
        Ok(outcome)
    }

    /// Has this home act for a patient from now on, if its key does.
    ///
    /// # Errors
    /// Those of the chain and of the home's files.
    pub async fn act_for(&self, patient: Address) -> Result<bool> {
        let acting = self.confirmed_acting(patient).await?;
        if acting != self.address() {
            return Ok(false);
        }
        let known = self.home.config().patient;
        let wanted = (patient != self.address()).then_some(patient);
        if known != wanted {
            self.home.set_config(Config {
                patient: wanted,
                ..Config::clone(&self.home.config())
            })?;
        }
        Ok(true)
    }

    /// Writes a call that is sent whatever it returns.
    pub(crate) async fn write_any(
        &self,
        deed: Deed,
        call: impl AsyncFnOnce() -> Result<Call>,
    ) -> Result<Outcome> {
        let written = self.write(deed, Wanted::Any, call).await?;
        Ok(written.expect("a call that is sent whatever it returns is written"))
    }
}
