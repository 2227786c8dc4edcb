//! Access that was taken away, until that is final: a reorganisation that gives it back is found, and the same transaction is sent
//! again. A later decision is left alone.

use crate::error::Result;
use crate::operation::deed::DeedKey;
use crate::operation::journal::{Operation, OperationId, Taken};
use crate::operation::resume::{Ended, Fate, Resumed};
use crate::operation::write::is_final;
use crate::session::Session;
use pcim_core::{Address, GrantStatus, ImageDigest};
use pcim_ledger::{ImageRecord, SignedCall};

impl Session {
    /// Says whether a block is final: no reorganisation takes it back. `false` if the provider does not tell.
    ///
    /// # Errors
    /// Those of the chain.
    pub async fn is_final(&self, block: u64) -> Result<bool> {
        let last = self.ledger().await?.finalized().await?;
        Ok(last.is_some_and(|last| block <= last))
    }

    /// Looks after all that was taken away and was not final yet: forgets what is final now, and sends again what a reorganisation
    /// gave back. Reports what is not final. The chain is asked only if there is such a thing.
    ///
    /// # Errors
    /// [`Error::Journal`](crate::Error::Journal); what else goes wrong is reported with its operation.
    pub async fn see_taken(&self) -> Result<Vec<Resumed>> {
        let mut all = Vec::new();
        for (operation, taken) in self.journal.unsettled()? {
            let here = self.contract()?;
            let key = operation.key.parse::<DeedKey>();
            if !key.is_ok_and(|key| (key.chain_id, key.contract) == here) {
                continue;
            }
            let seen = self.see_one(&operation, &taken).await;
            if let Some(ended) = seen.unwrap_or_else(|error| Some(Ended::waits(&error.to_string())))
            {
                all.push(Resumed::of(&operation, ended));
            }
        }
        Ok(all)
    }

    /// `None` if there is nothing more to look after.
    async fn see_one(&self, operation: &Operation, taken: &[Taken]) -> Result<Option<Ended>> {
        let ledger = self.ledger().await?;
        let json = operation.signed_call.as_deref().unwrap_or_default();
        let signed: SignedCall = serde_json::from_str(json)?;
        let mined = match ledger.mined(&signed.tx).await {
            // In another order of blocks it took nothing away.
            Err(pcim_ledger::Error::Reverted { .. }) => None,
            other => other?,
        };
        if let Some(mined) = mined {
            if self.is_final(mined.block).await? {
                self.journal.settle_taken(operation.id)?;
                return Ok(None);
            }
            return Ok(Some(Ended::new(Fate::NotFinal)));
        }
        if !self.is_given_back(taken).await? {
            self.journal.settle_taken(operation.id)?;
            return Ok(None);
        }
        match ledger.submit(&signed, self.limits.mine).await {
            Ok(mined) => Ok(Some(Ended {
                tx: Some(mined.tx),
                note: Some("a reorganisation had taken it back; it was sent again".to_owned()),
                ..Ended::new(Fate::NotFinal)
            })),
            Err(error) if is_final(&error) => {
                let text = format!(
                    "a reorganisation has taken it back, and its transaction cannot be sent again ({error}): give the command again"
                );
                Ok(Some(Ended::waits(&text)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Says whether any of it is as it was before it was taken, and nothing has been given since.
    async fn is_given_back(&self, taken: &[Taken]) -> Result<bool> {
        let ledger = self.ledger().await?;
        let mut found = false;
        for one in taken {
            let state = match one.requestor {
                Some(requestor) => {
                    let grant = ledger.grant(&one.image, requestor).await?;
                    let open = matches!(
                        grant.status,
                        GrantStatus::Requested | GrantStatus::Approved | GrantStatus::Emergency
                    );
                    open.then_some(grant.requested_at)
                }
                None => {
                    let record = ledger.image_record(&one.image).await?;
                    let used = record.filter(|record| !record.flags.withdrawn());
                    used.map(|record| record.round.into())
                }
            };
            match state {
                Some(state) if state == one.state => found = true,
                Some(_) => return Ok(false),
                None => {}
            }
        }
        Ok(found)
    }

    /// Notes that an operation is to end a requestor's request or access.
    pub(crate) async fn note_ended(
        &self,
        operation: OperationId,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<()> {
        let grant = self.ledger().await?.grant(image, requestor).await?;
        let taken = Taken {
            image: *image,
            requestor: Some(requestor),
            state: grant.requested_at,
        };
        Ok(self.journal.note_taken(operation, &taken)?)
    }

    /// Notes that an operation is to withdraw an image.
    pub(crate) fn note_withdrawn(
        &self,
        operation: OperationId,
        image: &ImageDigest,
        record: &ImageRecord,
    ) -> Result<()> {
        let taken = Taken {
            image: *image,
            requestor: None,
            state: record.round.into(),
        };
        Ok(self.journal.note_taken(operation, &taken)?)
    }
}
