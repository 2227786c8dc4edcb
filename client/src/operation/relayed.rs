//! Calls that the network's relay sends: signed and recorded here, handed over, and looked for on the chain.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::operation::journal::OperationId;
use crate::session::Session;
use pcim_core::B256;
use pcim_ledger::{Error as Chain, Mined, RelayAnswer, RelayCall, RelayService, SignedCall};

/// How often it is looked for a transaction that the relay names.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// A call as the journal records it before anyone else can have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Recorded {
    /// A transaction of this home's own.
    Own(SignedCall),
    /// A call for the relay.
    Relayed(Box<ForRelay>),
}

/// A call that the relay is to send.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForRelay {
    pub(crate) call: RelayCall,
    /// What a simulation returned.
    pub(crate) returns: Option<bool>,
    /// The transaction that the relay named.
    pub(crate) tx: Option<B256>,
}

impl Session {
    /// Returns the relay that pays for this home's calls: its network's, unless the home pays itself.
    ///
    /// # Errors
    /// [`Error::NotConfigured`], [`Error::Home`], [`Error::Ledger`]
    pub fn relay(&self) -> Result<Option<RelayService>> {
        if self.home.config().pays_itself {
            return Ok(None);
        }
        let Some(file) = self.network()? else {
            return Ok(None);
        };
        match &file.relay {
            Some(url) if self.contract()? == (file.chain_id, file.contract) => {
                Ok(Some(RelayService::at(url)?))
            }
            _ => Ok(None),
        }
    }

    /// Has the relay send a call, and waits until it is on the chain by this home's own endpoint.
    pub(crate) async fn hand_over(
        &self,
        operation: OperationId,
        relayed: &ForRelay,
    ) -> Result<Mined> {
        let ledger = self.ledger().await?;
        let call = &relayed.call;
        let is_used = ledger.is_used(call.signer, call.nonce).await?;
        if !is_used && ledger.now().await? > call.deadline {
            let deadline = call.deadline;
            return Err(Chain::RelayedTooLate { deadline }.into());
        }
        let found = match is_used {
            true => self.relayed_before(relayed).await?,
            false => None,
        };
        let mined = match found {
            Some(mined) => mined,
            None => self.relay_out(operation, relayed).await?,
        };
        let returns = relayed.returns;
        Ok(Mined { returns, ..mined })
    }

    /// Looks for the transaction that did a call: the one that the relay named, or another.
    async fn relayed_before(&self, relayed: &ForRelay) -> Result<Option<Mined>> {
        let (ledger, call) = (self.ledger().await?, &relayed.call);
        if let Some(tx) = relayed.tx
            && let Ok(Some(mined)) = ledger.relayed_by(&tx, call).await
        {
            return Ok(Some(mined));
        }
        Ok(ledger.find_relayed(call).await?)
    }

    async fn relay_out(&self, operation: OperationId, relayed: &ForRelay) -> Result<Mined> {
        let missing = Error::NotConfigured { missing: "relay" };
        let relay = self.relay()?.ok_or(missing)?;
        let (ledger, call) = (self.ledger().await?, &relayed.call);
        let tx = match relay.send(call).await? {
            RelayAnswer::Done { tx } => tx,
            RelayAnswer::Refused { reason, later } => {
                if !later {
                    // By this home's own endpoint, too: then it never will be.
                    let simulated = pcim_ledger::Call::Relay(call.clone());
                    ledger.simulate(call.signer, &simulated).await?;
                }
                return Err(Chain::NotRelayed {
                    url: relay.shown(),
                    reason,
                    later,
                }
                .into());
            }
        };
        let named = Recorded::Relayed(Box::new(ForRelay {
            tx: Some(tx),
            ..relayed.clone()
        }));
        self.journal
            .record_call(operation, &serde_json::to_string(&named)?)?;
        // One that failed leaves the call as it was: the relay can send it again until its deadline.
        let failed = |error: Error| match error {
            Error::Ledger(error @ Chain::Reverted { .. }) => Error::Ledger(Chain::NotRelayed {
                url: relay.shown(),
                reason: error.to_string(),
                later: true,
            }),
            error => error,
        };
        self.wait_for_relayed(&tx, call).await.map_err(failed)
    }

    /// Waits until a transaction that a relay named is mined and carries this call.
    pub(crate) async fn wait_for_relayed(&self, tx: &B256, call: &RelayCall) -> Result<Mined> {
        let ledger = self.ledger().await?;
        let waiting = async {
            loop {
                if let Some(mined) = ledger.relayed_by(tx, call).await? {
                    return Ok(mined);
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let waited = self.limits.mine;
        match tokio::time::timeout(waited, waiting).await {
            Ok(mined) => mined,
            Err(_) => Err(Chain::NotMined { tx: *tx, waited }.into()),
        }
    }
}
