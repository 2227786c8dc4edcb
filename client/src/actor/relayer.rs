//! The relayer: sends calls that others have signed, and pays for them.

use std::ops::Deref;

use alloy_primitives::keccak256;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::write::{Outcome, Wanted, Written};
use crate::unlocked::{Actor, Unlocked};
use pcim_ledger::{Call, RelayCall};

/// The outcome of another's signed call.
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
            .sending()
            .start(deed, Wanted::Any, async || Ok(Call::Relay(call.clone())))
            .await?;
        // A relay is sent whatever its call returns: there is always an outcome.
        let written = sent.and_then(Outcome::mined);
        Ok(written.map_or(Relayed::Used { next }, |written| {
            Relayed::Sent(Box::new(written))
        }))
    }
}
