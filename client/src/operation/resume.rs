//! Operations that earlier commands left unfinished: seen through where the chain may know of them, undone where it cannot.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::journal::piece::Verdict;
use crate::operation::journal::{Operation, OperationId};
use crate::operation::write::is_final;
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::B256;

/// The fate of an unfinished operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is done now.
    Finished,
    /// Its pieces are dropped; nothing of it was sent, or the chain refused it for good.
    RolledBack,
    /// It is as it was: to be tried again later.
    Waiting,
    /// It is on the chain, and a reorganisation could still take it back.
    NotFinal,
}

/// An operation that an earlier command did not finish.
#[derive(Clone, Debug, Serialize)]
pub struct Resumed {
    /// The name of its deed, such as `approve`.
    pub operation: String,
    /// Whom or what it concerns, such as the image and the requestor.
    pub about: Vec<String>,
    /// Its fate.
    pub fate: Fate,
    /// Its transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx: Option<B256>,
    /// A file that was written, or why it was not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Session {
    /// Counts the operations that earlier commands left unfinished, and says whether going on with them needs the keys.
    pub fn unfinished(&self) -> Result<(usize, bool)> {
        let unfinished = self.journal.unfinished()?;
        let keys = unfinished.iter().any(|it| it.plan.is_some());
        Ok((unfinished.len(), keys))
    }

    /// Finishes or rolls back everything that earlier commands left unfinished and that needs no key, looks after removals that are
    /// not final ([`see_taken`](Self::see_taken)), and reports what became of it. Not to be called while another operation of this `Session` is under way.
    ///
    /// # Errors
    /// [`Error::Journal`]; what else goes wrong is reported with its operation.
    pub async fn resume_all(&self) -> Result<Vec<Resumed>> {
        self.resume_each(async |operation| match operation.deed() {
            Some(Deed::Reseal { .. }) if operation.plan.is_some() => {
                Ended::waits("the keys of this home are locked")
            }
            _ => self.resume_one(operation).await,
        })
        .await
    }

    async fn resume_each(&self, resume: impl AsyncFn(&Operation) -> Ended) -> Result<Vec<Resumed>> {
        let mut all = Vec::new();
        for operation in self.journal.unfinished()? {
            // An earlier one may have finished it on its way.
            let unfinished = self.journal.unfinished()?;
            let Some(operation) = unfinished.into_iter().find(|it| it.id == operation.id) else {
                continue;
            };
            let ended = resume(&operation).await;
            all.push(Resumed::of(&operation, ended));
        }
        all.extend(self.see_taken().await?);
        Ok(all)
    }

    /// Ends one operation that needs no key.
    async fn resume_one(&self, operation: &Operation) -> Ended {
        let ended = match (operation.deed(), &operation.plan, &operation.signed_call) {
            (Some(Deed::Seal(_)), Some(plan), _) => self.finish_seal(operation.id, plan).await,
            (_, Some(_), _) => Ok(Ended::waits("this program does not know its plan")),
            (_, None, Some(_)) => self.finish_call(operation).await,
            (
                Some(Deed::Removal {
                    image,
                    requestor,
                    deadline,
                }),
                None,
                None,
            ) => {
                let fate = self.see_removal(operation.id, &image, requestor, deadline);
                fate.await.map(Ended::of_removal)
            }
            (_, None, None) => {
                let settled = self.settle(operation.id, Verdict::Failed).await;
                settled.map(|()| Ended::new(Fate::RolledBack))
            }
        };
        ended.unwrap_or_else(|error| Ended::waits(&error.to_string()))
    }

    async fn finish_seal(&self, operation: OperationId, plan: &str) -> Result<Ended> {
        let paths = self.redeliver(operation, plan).await?;
        let paths: Vec<_> = paths.iter().map(|it| it.display().to_string()).collect();
        Ok(Ended {
            note: Some(paths.join(", ")),
            ..Ended::new(Fate::Finished)
        })
    }

    async fn finish_call(&self, operation: &Operation) -> Result<Ended> {
        match self.see_through(operation).await {
            Ok(written) => Ok(Ended {
                tx: Some(written.mined.tx),
                ..Ended::new(Fate::Finished)
            }),
            Err(Error::Ledger(error)) if is_final(&error) => Ok(Ended {
                note: Some(error.to_string()),
                ..Ended::new(Fate::RolledBack)
            }),
            Err(error) => Err(error),
        }
    }
}

impl Unlocked<'_> {
    /// Does as [`Session::resume_all`], and also what needs the keys.
    ///
    /// # Errors
    /// [`Error::Journal`]; what else goes wrong is reported with its operation.
    pub async fn resume_all(&self) -> Result<Vec<Resumed>> {
        self.resume_each(async |operation| match operation.deed() {
            Some(Deed::Reseal { .. }) if operation.plan.is_some() => {
                match self.patient().resume_reseal(operation).await {
                    Ok(_) => Ended::new(Fate::Finished),
                    Err(error) => Ended::waits(&error.to_string()),
                }
            }
            _ => self.resume_one(operation).await,
        })
        .await
    }
}

/// How an operation ended, or why not.
pub(crate) struct Ended {
    pub(crate) fate: Fate,
    pub(crate) tx: Option<B256>,
    pub(crate) note: Option<String>,
}

impl Ended {
    pub(crate) fn new(fate: Fate) -> Self {
        Self {
            fate,
            tx: None,
            note: None,
        }
    }

    pub(crate) fn waits(why: &str) -> Self {
        Self {
            note: Some(why.to_owned()),
            ..Self::new(Fate::Waiting)
        }
    }

    fn of_removal(fate: Fate) -> Self {
        let note = match fate {
            Fate::Waiting => Some("signed, and not on the chain yet"),
            Fate::RolledBack => Some("not sent until its deadline"),
            Fate::Finished | Fate::NotFinal => None,
        };
        Self {
            note: note.map(str::to_owned),
            ..Self::new(fate)
        }
    }
}

impl Resumed {
    pub(crate) fn of(operation: &Operation, ended: Ended) -> Self {
        // Chain and contract come first.
        let mut words = operation.key.split(':').skip(2).map(str::to_owned);
        Self {
            operation: words.next().unwrap_or_default(),
            about: words.collect(),
            fate: ended.fate,
            tx: ended.tx,
            note: ended.note,
        }
    }
}
