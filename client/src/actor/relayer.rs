//! The relayer: sends calls that others have signed, and pays for them.

use std::ops::Deref;

use alloy_primitives::keccak256;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted, Written};
use crate::unlocked::{Actor, Unlocked};
use pcim_ledger::{Call, Mined, Nonce, RelayCall};

/// The outcome of another's signed call.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Relayed {
    /// It is done.
    Sent(Box<Written>),
    /// It was done before, by this transaction.
    Found(Box<Mined>),
    /// Nothing was sent: the signer's number is used or void, and no transaction was found that did this call.
    Used {
        /// The number of the signer's next call, at version 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<u64>,
    },
}

/// The relayer's work.
#[derive(Clone, Copy)]
pub struct Relayer<'s>(Unlocked<'s>);

impl<'s> Unlocked<'s> {
    /// Opens the relayer's work.
    pub fn relayer(self) -> Relayer<'s> {
        Relayer(self)
    }
}

impl Actor {
    /// Opens the relayer's work.
    pub fn relayer(&self) -> Relayer<'_> {
        self.unlocked().relayer()
    }
}

impl<'s> Deref for Relayer<'s> {
    type Target = Unlocked<'s>;

    fn deref(&self) -> &Unlocked<'s> {
        &self.0
    }
}

impl Relayer<'_> {
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
        let digest = keccak256([call.digest()?.as_slice(), call.signature.as_ref()].concat());
        let deed = Deed::Relay {
            signer: call.signer,
            nonce: call.nonce,
            call: digest,
        };
        if let Some(earlier) = self.resume(deed).await? {
            return Ok(Relayed::Sent(Box::new(earlier)));
        }
        let ledger = self.ledger().await?;
        if let Nonce::Ordered(nonce) = call.nonce {
            let next = ledger.next_signed(call.signer).await?;
            if nonce > next {
                return Err(Error::NonceAhead {
                    signer: call.signer,
                    nonce,
                    next,
                });
            }
        }
        if ledger.is_used(call.signer, call.nonce).await? {
            return self.used(call).await;
        }
        let sent = self
            .sending()
            .start(deed, Wanted::Any, async || Ok(Call::Relay(call.clone())))
            .await?;
        match sent.and_then(Outcome::mined) {
            Some(written) => Ok(Relayed::Sent(Box::new(written))),
            None => self.used(call).await,
        }
    }

    /// The outcome of a call whose number is used.
    async fn used(&self, call: &RelayCall) -> Result<Relayed> {
        let ledger = self.ledger().await?;
        Ok(match ledger.find_relayed(call).await? {
            Some(mined) => Relayed::Found(Box::new(mined)),
            None => Relayed::Used {
                next: match call.nonce {
                    Nonce::Ordered(_) => Some(ledger.next_signed(call.signer).await?),
                    Nonce::Free(_) => None,
                },
            },
        })
    }
}
