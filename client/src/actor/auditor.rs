//! What the chain saw, and the consortium's part.

use serde::Serialize;

use crate::audit;
use crate::audit::entry::Entry;
use crate::audit::index::Index;
use crate::audit::query::Query;
use crate::audit::sync::Synced;
use crate::error::{Error, Result};
use crate::operation::write::Wanted;
use crate::operation::write::Written;
use crate::session::Client;
use pcim_core::{Address, Event, ImageDigest, LoggedEvent};
use pcim_ledger::{Call, Deployment, EventFilter, Ledger};

/// The answer that a trace wrote to the chain.
#[derive(Clone, Debug, Serialize)]
pub struct Traced {
    /// Whether the requestor is authorized.
    pub authorized: bool,
    /// The transaction.
    #[serde(flatten)]
    pub written: Written,
}

/// All that a contract has to tell.
#[derive(Clone, Debug)]
pub struct ChainStory {
    /// Its events, in the chain's order.
    pub events: Vec<LoggedEvent>,
    /// How many of its logs are not understood, and so not among them.
    pub unknown: usize,
    /// The last block that was read.
    pub block: u64,
    /// Why the index was read anew, if it was.
    pub rebuilt: Option<String>,
    /// Why the chain was not asked now, if it did not answer: then this is what was read last.
    pub stale: Option<String>,
}

impl Client {
    /// All events of the contract: brought level with the chain if that answers, else as they were read last.
    pub async fn chain_story(&self) -> Result<ChainStory> {
        let (index, stale) = match self.audit_synced().await {
            Ok((index, _)) => (index, None),
            Err(error @ (Error::Ledger(_) | Error::Audit(audit::Error::Ledger(_)))) => {
                let index = self.audit_index()?;
                // Nothing was ever read: there is nothing to tell.
                if index.freshness()?.block.is_none() {
                    return Err(error);
                }
                (index, Some(error.to_string()))
            }
            Err(error) => return Err(error),
        };
        let entries = index.entries(&Query::default())?;
        let all = entries.len();
        let events: Vec<_> = entries.iter().filter_map(Entry::logged).collect();
        Ok(ChainStory {
            unknown: all - events.len(),
            events,
            rebuilt: index.rebuilt().map(str::to_owned),
            block: index.freshness()?.block.unwrap_or_default(),
            stale,
        })
    }

    /// The index of this home's contract, as far as it was synced: nothing is asked of the chain.
    pub fn audit_index(&self) -> Result<Index> {
        let (chain_id, contract) = self.contract()?;
        let path = self.home.audit_path(&format!("{chain_id}-{contract:#x}"));
        Ok(Index::open(&path, chain_id, contract)?)
    }

    /// The index, brought level with the chain.
    pub async fn audit_synced(&self) -> Result<(Index, Synced)> {
        let index = self.audit_index()?;
        let synced = index.sync(self.ledger().await?).await?;
        Ok((index, synced))
    }

    /// The connection to a second provider of this home's chain and contract.
    pub async fn second_ledger(&self, rpc_url: String) -> Result<Ledger> {
        let (chain_id, contract) = self.contract()?;
        Ok(Ledger::connect(Deployment {
            rpc_url,
            chain_id,
            contract,
        })
        .await?)
    }

    /// Everything that happened to this patient's images, or to one of them, in the chain's order.
    pub async fn audit(&self, image: Option<&ImageDigest>) -> Result<Vec<LoggedEvent>> {
        let images = match image {
            Some(image) => {
                self.own_record(image).await?;
                vec![*image]
            }
            None => self.images().await?.iter().map(|own| own.image).collect(),
        };
        let ledger = self.ledger().await?;
        let mut events = Vec::new();
        for image in images {
            let filter = EventFilter {
                image: Some(image),
                ..EventFilter::default()
            };
            events.extend(ledger.events(&filter).await?);
        }
        events.sort_by_key(|event| (event.block, event.log_index));
        Ok(events)
    }

    /// Writes to the chain whether a requestor is authorized. Only the requestor and the patient may.
    pub async fn trace(&self, image: &ImageDigest, requester: Address) -> Result<Traced> {
        let patient = self.record(image).await?.patient;
        let ledger = self.ledger().await?;
        let key = format!("trace:{image}:{requester}");
        let call = async || {
            Ok(Call::TraceAuthorization {
                patient,
                requester,
                image: *image,
            })
        };
        let mut written = self.write(&key, Wanted::Any, call).await?;
        if let Some(earlier) = &written
            && earlier.resumed
            && answer(earlier) != ledger.is_authorized(patient, requester, image).await?
        {
            written = self.start(&key, Wanted::Any, call).await?;
        }
        let written = written.ok_or(Error::UnknownImage { image: *image })?;
        Ok(Traced {
            authorized: answer(&written),
            written,
        })
    }

    /// Accredits a radiologist, or withdraws that. Only the consortium may.
    pub async fn accredit(&self, radiologist: Address, accredited: bool) -> Result<Written> {
        let key = format!("accredit:{radiologist}:{accredited}");
        let call = async || {
            Ok(Call::AccreditRadiologist {
                radiologist,
                accredited,
            })
        };
        let written = self.write(&key, Wanted::Any, call).await?;
        written.ok_or(Error::NotAccredited { radiologist })
    }

    /// Hands the consortium's role over, for good. Only the consortium may.
    ///
    /// # Errors
    /// Those of the chain; the contract refuses anyone else.
    pub async fn transfer_consortium(&self, to: Address) -> Result<Written> {
        let call = async || Ok(Call::TransferConsortium { to });
        let key = format!("transfer-consortium:{to}");
        let written = self.write(&key, Wanted::Any, call).await?;
        Ok(written.expect("a call that is sent whatever it returns is written"))
    }
}

/// What a trace says.
pub(crate) fn answer(written: &Written) -> bool {
    let mut events = written.mined.events.iter();
    events.any(|logged| matches!(logged.event, Event::AuthorizationSuccess { .. }))
}
