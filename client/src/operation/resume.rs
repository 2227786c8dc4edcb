//! What earlier commands left unfinished: seen through where the chain may know of it, undone where it cannot.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::journal::Operation;
use crate::operation::journal::piece::Outcome;
use crate::operation::relay::REMOVAL;
use crate::operation::write::is_final;
use crate::session::Client;
use pcim_core::B256;

/// How the key of an operation that seals begins, after chain and contract.
pub(crate) const SEAL: &str = "seal";
/// The same for one that seals an image anew.
pub(crate) const RESEAL: &str = "reseal";

/// What became of an unfinished operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is done now.
    Finished,
    /// What it stored is dropped; nothing of it was sent, or the chain refused it for good.
    RolledBack,
    /// It is as it was: to be tried again later.
    Waiting,
}

/// An operation that an earlier command did not finish.
#[derive(Clone, Debug, Serialize)]
pub struct Resumed {
    /// What it does, such as `approve`.
    pub operation: String,
    /// Whom or what it concerns, such as the image and the requestor.
    pub about: Vec<String>,
    /// What became of it.
    pub fate: Fate,
    /// Its transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx: Option<B256>,
    /// A file that was written, or why it was not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Client {
    /// How many operations earlier commands left unfinished, and whether the keys are needed to go on with them.
    pub fn unfinished(&self) -> Result<(usize, bool)> {
        let unfinished = self.journal.unfinished()?;
        let keys = unfinished.iter().any(|it| it.plan.is_some());
        Ok((unfinished.len(), keys))
    }

    /// Finishes or rolls back everything that earlier commands left unfinished, and tells what became of it. Not to be
    /// called while another operation of this client is under way.
    ///
    /// # Errors
    /// [`Error::Journal`]; what else goes wrong is told with its operation.
    pub async fn resume_all(&self) -> Result<Vec<Resumed>> {
        let mut all = Vec::new();
        for operation in self.journal.unfinished()? {
            // An earlier one may have finished it on its way.
            let unfinished = self.journal.unfinished()?;
            let Some(operation) = unfinished.into_iter().find(|it| it.id == operation.id) else {
                continue;
            };
            all.push(self.resume_one(&operation).await);
        }
        Ok(all)
    }

    async fn resume_one(&self, operation: &Operation) -> Resumed {
        // Chain and contract come first.
        let mut words = operation.key.split(':').skip(2).map(str::to_owned);
        let mut resumed = Resumed {
            operation: words.next().unwrap_or_default(),
            about: words.collect(),
            fate: Fate::Waiting,
            tx: None,
            note: None,
        };
        let ended = match (&operation.plan, &operation.signed_call) {
            (Some(plan), _) if resumed.operation == SEAL => {
                self.redeliver(operation.id, plan).await.map(|paths| {
                    let paths: Vec<_> = paths.iter().map(|it| it.display().to_string()).collect();
                    resumed.note = Some(paths.join(", "));
                    Fate::Finished
                })
            }
            (Some(_), _) => self.resume_reseal(operation).await.map(|_| Fate::Finished),
            (None, Some(_)) => match self.see_through(operation).await {
                Ok(written) => {
                    resumed.tx = Some(written.mined.tx);
                    Ok(Fate::Finished)
                }
                Err(Error::Ledger(error)) if is_final(&error) => {
                    resumed.note = Some(error.to_string());
                    Ok(Fate::RolledBack)
                }
                Err(error) => Err(error),
            },
            (None, None) if resumed.operation == REMOVAL => {
                let fate = self.see_removal(operation).await;
                resumed.note = match &fate {
                    Ok(Fate::Waiting) => Some("signed, and not on the chain yet"),
                    Ok(Fate::RolledBack) => Some("not sent until its deadline"),
                    _ => None,
                }
                .map(str::to_owned);
                fate
            }
            (None, None) => {
                let settled = self.settle(operation.id, Outcome::Failed).await;
                settled.map(|()| Fate::RolledBack)
            }
        };
        match ended {
            Ok(fate) => resumed.fate = fate,
            Err(error) => resumed.note = Some(error.to_string()),
        }
        resumed
    }
}
