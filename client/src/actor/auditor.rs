//! The auditor: what the chain recorded, read through the home's index.

use std::ops::Deref;

use serde::Serialize;

use crate::audit;
use crate::audit::entry::Entry;
use crate::audit::index::Index;
use crate::audit::query::Query;
use crate::audit::sync::Synced;
use crate::error::{Error, Result};
use crate::session::Session;
use pcim_core::{Address, Event, ImageDigest, LoggedEvent};
use pcim_ledger::{Deployment, EventFilter, Ledger};

/// All that a contract has to tell.
#[derive(Clone, Debug)]
pub struct ChainStory {
    /// Its events, in the chain's order.
    pub events: Vec<LoggedEvent>,
    /// How many of its logs are not understood, and so not among them.
    pub unknown: usize,
    /// The last block that was read.
    pub block: u64,
    /// Why the index was read again from the start, if it was.
    pub rebuilt: Option<String>,
    /// Why the chain was not asked now, if it did not answer: then this is what was read last.
    pub stale: Option<String>,
}

/// One of the patient's images, as the chain has it.
#[derive(Clone, Debug, Serialize)]
pub struct OwnImage {
    /// The image.
    pub image: ImageDigest,
    /// Unix seconds.
    pub registered_at: u64,
    /// The radiologist who attested it.
    pub radiologist: Address,
    /// Modality and body part codes.
    pub description: String,
    /// Approvals a window; 0 is no limit.
    pub approval_limit: u32,
    /// The window's length.
    pub window_seconds: u32,
    /// True if it was withdrawn: nobody can ask for it any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
}

/// The auditor's work: what the chain recorded. No key is needed.
#[derive(Clone, Copy)]
pub struct Auditor<'s> {
    pub(crate) session: &'s Session,
}

impl Session {
    /// Opens the auditor's work.
    pub fn auditor(&self) -> Auditor<'_> {
        Auditor { session: self }
    }
}

impl Deref for Auditor<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl Auditor<'_> {
    /// Lists the images registered by this patient.
    pub async fn images(&self) -> Result<Vec<OwnImage>> {
        let ledger = self.ledger().await?;
        let filter = EventFilter {
            patient: Some(self.patient_address()),
            events: &["ContractCreated"],
            ..EventFilter::default()
        };
        let mut images = Vec::new();
        for logged in ledger.events(&filter).await? {
            if let Event::ContractCreated {
                image,
                radiologist,
                info,
                ..
            } = logged.event
            {
                let record = self.record(&image).await?;
                images.push(OwnImage {
                    image,
                    registered_at: record.registered_at,
                    radiologist,
                    description: info,
                    approval_limit: record.approval_limit,
                    window_seconds: record.window_seconds,
                    withdrawn: record.flags.withdrawn(),
                });
            }
        }
        Ok(images)
    }

    /// Reads all events of the contract: brought level with the chain if that answers, else as they were read last.
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

    /// Opens the index of this home's contract, as far as it was synced: nothing is asked of the chain.
    pub fn audit_index(&self) -> Result<Index> {
        let (chain_id, contract) = self.contract()?;
        let path = self.home.audit_path(&format!("{chain_id}-{contract:#x}"));
        Ok(Index::open(&path, chain_id, contract)?)
    }

    /// Opens the index, brought level with the chain.
    pub async fn audit_synced(&self) -> Result<(Index, Synced)> {
        let index = self.audit_index()?;
        let synced = index.sync(self.ledger().await?).await?;
        Ok((index, synced))
    }

    /// Connects to a second provider of this home's chain and contract.
    pub async fn second_ledger(&self, rpc_url: String) -> Result<Ledger> {
        let (chain_id, contract) = self.contract()?;
        self.check_rpc(&rpc_url)?;
        Ok(Ledger::connect(Deployment {
            rpc_url,
            chain_id,
            contract,
        })
        .await?)
    }

    /// Lists everything that happened to this patient's images, or to one of them, in the chain's order.
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
            events.extend(ledger.timed_events(&filter).await?);
        }
        events.sort_by_key(|event| (event.block, event.log_index));
        Ok(events)
    }
}
