//! Calls that are signed here and sent by somebody else, and somebody else's that are sent from here.
//!
//! Who signs needs no ether: who relays pays, and has no say in what is done. The reader's header of a removal that was
//! signed stays until the removal is seen on the chain; that is an operation in the journal.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::journal::Operation;
use crate::operation::journal::piece::{Outcome, Piece};
use crate::operation::resume::Fate;
use crate::operation::write::Wanted;
use crate::operation::write::Written;
use crate::session::Client;
use pcim_core::{Address, ImageDigest};
use pcim_ledger::{Call, RelayCall};

/// How the key of a removal begins that others are to send, after chain and contract.
pub(crate) const REMOVAL: &str = "removal";

/// How calls are signed for others to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signing {
    /// The signer's nonce at the contract; the next one if none is given. Several calls that are signed before the first
    /// of them is sent need nonces one after the other.
    pub nonce: Option<u64>,
    /// The last second in which it may be done, unix.
    pub deadline: u64,
}

/// What became of another's signed call.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Relayed {
    /// It is done.
    Sent(Box<Written>),
    /// Nothing was sent: the signer's nonce is used, by this call or by another in its place.
    Used {
        /// The nonce of the signer's next call.
        next: u64,
    },
}

impl Client {
    /// Has every call signed for others to send: what would write to the chain ends with [`Error::Signed`] instead, which
    /// holds the signed call. What the contract would refuse now is refused all the same.
    #[must_use]
    pub fn with_signing(mut self, signing: Signing) -> Self {
        self.signing = Some(signing);
        self
    }

    /// Sends another's signed call, as a transaction of its own, and pays for it. Never twice: its nonce is looked at
    /// before, and the transaction is journalled as every other.
    ///
    /// # Errors
    /// [`Error::OtherContract`] if it is for another contract or chain, [`Error::NonceAhead`] if an earlier call of the
    /// signer is missing; nothing was sent then. [`Error::Ledger`] with the contract's refusal: too late, not the signer's,
    /// or what the call itself was refused for.
    pub async fn relay(&self, call: &RelayCall) -> Result<Relayed> {
        let deployment = self.deployment()?;
        if (call.chain_id, call.contract) != (deployment.chain_id, deployment.contract) {
            return Err(Error::OtherContract {
                wanted: (deployment.chain_id, deployment.contract),
                found: (call.chain_id, call.contract),
            });
        }
        // The deadline and the signature are part of it: another of the same nonce is another operation.
        let digest = alloy_primitives::keccak256(
            [call.digest()?.as_slice(), call.signature.as_ref()].concat(),
        );
        let key = format!("relay:{}:{}:{digest}", call.signer, call.nonce);
        if let Some(earlier) = self.resume(&key).await? {
            return Ok(Relayed::Sent(Box::new(earlier)));
        }
        let next = self.ledger().await?.next_signed(call.signer).await?;
        if call.nonce < next {
            return Ok(Relayed::Used { next });
        }
        if call.nonce > next {
            return Err(Error::NonceAhead {
                signer: call.signer,
                nonce: call.nonce,
                next,
            });
        }
        let sent = self
            .start(&key, Wanted::Any, async || Ok(Call::Relay(call.clone())))
            .await?;
        // A relay is sent whatever its call returns: there is always an outcome.
        Ok(sent.map_or(Relayed::Used { next }, |written| {
            Relayed::Sent(Box::new(written))
        }))
    }

    /// Begins the operation of a removal that others may send until `deadline`; what is noted under it as done is dropped
    /// when the removal is on the chain.
    pub(crate) fn begin_removal(
        &self,
        image: &ImageDigest,
        requester: Address,
        deadline: u64,
    ) -> Result<i64> {
        let key = self.scoped(&format!("{REMOVAL}:{image}:{requester}:{deadline}"))?;
        Ok(self.journal.begin(&key)?.id)
    }

    /// Drops the headers of readers whose removal was signed here and has been sent by somebody since. The chain is asked
    /// only if there is such a removal.
    ///
    /// # Errors
    /// What the chain's node, this one or the journal fails with; the headers stay then, for the next time.
    pub async fn drop_removed(&self) -> Result<()> {
        for operation in self.journal.unfinished()? {
            if operation.key.split(':').nth(2) == Some(REMOVAL) {
                self.see_removal(&operation).await?;
            }
        }
        Ok(())
    }

    /// Whether a removal that was signed is done: the chain no longer shares what is noted. If it can no longer be sent
    /// either, the reader keeps his header.
    pub(crate) async fn see_removal(&self, operation: &Operation) -> Result<Fate> {
        let mut words = operation.key.split(':').skip(3);
        let image = words.next().and_then(|word| word.parse().ok());
        let requester = words.next().and_then(|word| word.parse().ok());
        let deadline = words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(image), Some(requester), Some(deadline)) = (image, requester, deadline) else {
            self.settle(operation.id, Outcome::Failed).await?;
            return Ok(Fate::RolledBack);
        };
        let ledger = self.ledger().await?;
        let now = ledger.now().await?;
        let shared = ledger.grant(&image, requester).await?.shared_image;
        let noted = self.journal.noted(operation.id, Outcome::Done)?;
        let is_shared = |piece: &Piece| matches!(piece, Piece::Root(root) if Some(*root) == shared);
        if !noted.iter().any(is_shared) {
            self.settle(operation.id, Outcome::Done).await?;
            return Ok(Fate::Finished);
        }
        if now > deadline {
            self.settle(operation.id, Outcome::Failed).await?;
            return Ok(Fate::RolledBack);
        }
        Ok(Fate::Waiting)
    }
}
