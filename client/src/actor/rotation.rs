//! Another Ethereum key for one's own account: the new key is kept, sealed, before the chain hears of it; the old one acts until the
//! chain says that the new one does; only then does the home change keys, in one step.
//!
//! ```text
//! draw → rotation.pgp → move_account (old key) → ripe → finish_change (signed by the new key, sent by the old one)
//!      → former/ADDRESS.json, ethereum.json and config.toml → rotation.pgp goes
//! ```
//!
//! A command that was killed is gone on with by the same one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::actor::account::{FINISH_WITHIN, expires};
use crate::actor::patient::Patient;
use crate::actor::relayer::Relayed;
use crate::error::{AccountError, Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::Written;
use pcim_core::{Address, LockCost, Passphrase, Secret};
use pcim_ledger::{Account, Call, ChangeKind, Nonce};

/// How long the new key's signature under the finish may be sent, in seconds.
const SIGNED_FOR: u64 = 24 * 3600;

/// How far a rotation is.
#[derive(Clone, Debug, Serialize)]
pub struct Rotation {
    /// The patient, whose address stays.
    pub patient: Address,
    /// The key that acted.
    pub from: Address,
    /// The key that acts, or is to act.
    pub to: Address,
    /// True if the new key acts and is this home's.
    pub done: bool,
    /// When the move can be finished, unix seconds, if it has to wait.
    pub ripe: Option<u64>,
    /// Where the key that acted is kept: ether may be left with it.
    pub former: Option<PathBuf>,
    /// The transactions of this call.
    pub written: Vec<Written>,
}

/// The key that is to act, as the home keeps it until then.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NextKey {
    #[serde(rename = "pcim-next-key")]
    version: u32,
    /// The key that acted when it was drawn.
    from: Address,
    key: Secret,
}

impl Patient<'_> {
    /// Draws a new Ethereum key and hands the account to it. Without guardians all of it is done at once; else the move waits their
    /// hours, the old key acts meanwhile, and the same call finishes it then. The home's keys are locked with `passphrase` again.
    ///
    /// # Errors
    /// [`AccountError::ChangePending`], [`AccountError::NextKey`], [`Error::NotActing`]; those of the chain and of the home.
    pub async fn rotate_key(&self, passphrase: &Passphrase, cost: LockCost) -> Result<Rotation> {
        self.needs_version_2("move_account").await?;
        let patient = self.patient_address();
        let (from, next) = match self.next_key()? {
            Some(kept) => kept,
            None => self.draw_next_key()?,
        };
        let to = next.address();
        let mut rotation = Rotation {
            patient,
            from,
            to,
            done: false,
            ripe: None,
            former: None,
            written: Vec::new(),
        };
        if to == self.address() {
            // A call that was killed had put it into its place.
            self.home.forget_next_key()?;
            rotation.former = Some(self.home.former_path(from));
            rotation.done = true;
            return Ok(rotation);
        }
        if self.ledger().await?.account(patient).await?.acting != to {
            rotation.ripe = self.hand_over(to, &mut rotation.written).await?;
            if rotation.ripe.is_some() {
                return Ok(rotation);
            }
            let finished = self.finish_as(&next).await?;
            rotation.written.push(finished);
        }
        if self.ledger().await?.account(patient).await?.acting != to {
            let address = to;
            return Err(Error::NotActing { patient, address });
        }
        let former = self.home.change_account(&next, patient, passphrase, cost)?;
        self.home.forget_next_key()?;
        rotation.former = Some(former);
        rotation.done = true;
        Ok(rotation)
    }

    /// Sees to it that a move to the new key is pending; returns when it can be finished if it has to wait.
    async fn hand_over(&self, to: Address, written: &mut Vec<Written>) -> Result<Option<u64>> {
        let patient = self.patient_address();
        let ledger = self.ledger().await?;
        let deed = Deed::Move {
            patient,
            successor: to,
        };
        written.extend(self.resume(deed).await?);
        let account = ledger.account(patient).await?;
        let address = self.address();
        if account.acting != address {
            return Err(Error::NotActing { patient, address });
        }
        let now = ledger.now().await?;
        let is_ours = |it: &pcim_ledger::Pending| it.kind == ChangeKind::Move && it.account() == to;
        let pending = account
            .pending
            .filter(|it| !expires(it.kind) || now < it.ripe + FINISH_WITHIN);
        let ripe = match pending {
            Some(pending) if is_ours(&pending) => pending.ripe,
            Some(_) => return Err(AccountError::ChangePending { patient }.into()),
            None => {
                written.extend(self.move_account(to).await?.mined());
                let pending = ledger.account(patient).await?.pending;
                let pending = pending.filter(is_ours);
                pending.ok_or(Error::NothingPending { patient })?.ripe
            }
        };
        Ok((ledger.now().await? < ripe).then_some(ripe))
    }

    /// Finishes the move by the new key's signature; this home's key sends it and pays.
    async fn finish_as(&self, next: &Account) -> Result<Written> {
        let patient = self.patient_address();
        for operation in self.journal.unfinished()? {
            if let Some(deed @ Deed::Relay { signer, .. }) = operation.deed()
                && signer == next.address()
                && let Some(earlier) = self.resume(deed).await?
            {
                return Ok(earlier);
            }
        }
        let nonce = Nonce::Free(self.journal.take_nonce()?);
        let deadline = self.ledger().await?.now().await? + SIGNED_FOR;
        let call = Call::FinishChange { patient };
        let call = next.sign_call(&self.deployment()?, &call, nonce, deadline)?;
        match self.relayer().relay(&call).await? {
            Relayed::Sent(written) => Ok(*written),
            Relayed::Found(mined) => Ok(Written {
                mined: *mined,
                resumed: true,
            }),
            Relayed::Used { .. } => Err(Error::NothingPending { patient }),
        }
    }

    /// The key that acted, and the one that is to act next.
    fn next_key(&self) -> Result<Option<(Address, Account)>> {
        let Some(sealed) = self.home.next_key()? else {
            return Ok(None);
        };
        let bad = || AccountError::NextKey {
            path: self.home.next_key_path(),
        };
        let key = &self.keys.openpgp;
        let own = key.certificate();
        let plain = pcim_seal::decrypt_document(&sealed, key, |_| Ok(own)).map_err(|_| bad())?;
        let plain = zeroize::Zeroizing::new(plain);
        let kept: NextKey = serde_json::from_slice(&plain).map_err(|_| bad())?;
        let account = Account::from_private_key(kept.key.expose()).map_err(|_| bad())?;
        if kept.version != 1 {
            return Err(bad().into());
        }
        Ok(Some((kept.from, account)))
    }

    fn draw_next_key(&self) -> Result<(Address, Account)> {
        let (from, account) = (self.address(), Account::generate());
        let kept = NextKey {
            version: 1,
            from,
            key: Secret::new(*account.expose_key()),
        };
        let key = &self.keys.openpgp;
        let plain = crate::papers::letter::secret_json(&kept)?;
        let sealed = pcim_seal::encrypt_document(&plain, key, &[&key.certificate()])?;
        self.home.keep_next_key(&sealed)?;
        Ok((from, account))
    }
}
