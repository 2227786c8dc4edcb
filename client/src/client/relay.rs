//! Calls that are signed here and sent by somebody else, and somebody else's that are sent from here.
//!
//! Who signs needs no ether: who relays pays, and has no say in what is done.

use serde::Serialize;

use super::{Client, Error, Result, Written};
use crate::ledger::{Call, RelayCall};

use super::write::Wanted;

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
}
