//! Calls that were signed in this home for others to send: what became of them, and voiding their numbers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::operation::deed::Deed;
use crate::operation::relayed::Recorded;
use crate::operation::write::{Outcome, Wanted, Written};
use crate::session::Session;
use crate::unlocked::Unlocked;
use pcim_core::{B256, U256};
use pcim_ledger::{Call, Nonce, RelayCall, Version};

/// A call that was signed here.
#[derive(Clone, Debug, Serialize)]
pub struct SignedHere {
    /// The call.
    #[serde(flatten)]
    pub call: RelayCall,
    /// Its fate.
    pub fate: SignedFate,
}

/// The fate of a signed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignedFate {
    /// Anyone who has it may send it.
    Open,
    /// Its number is used: it was done, or (version 1) another in its place.
    Done,
    /// Its number was voided from this home.
    Void,
    /// Its deadline has passed.
    Expired,
}

/// Numbers that were voided.
#[derive(Clone, Debug, Serialize)]
pub struct Voided {
    /// Each number, and whether its call came first.
    pub calls: Vec<VoidedCall>,
    /// The transactions.
    pub written: Vec<Written>,
}

/// A number that was voided, or whose call came first.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct VoidedCall {
    /// The number.
    pub nonce: Nonce,
    /// True if it can no longer be done; false if the call was done before.
    pub void: bool,
}

/// A word of numbers that this home voided, and the transaction.
struct Void {
    word: U256,
    mask: U256,
    tx: B256,
}

impl Session {
    /// Lists the calls that were signed in this home for this contract, oldest first, with what became of them.
    ///
    /// # Errors
    /// [`Error::Journal`], and those of the chain.
    pub async fn signed_calls(&self) -> Result<Vec<SignedHere>> {
        let documents = self.journal.signed()?;
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let deployment = self.deployment()?;
        let ledger = self.ledger().await?;
        let now = ledger.now().await?;
        let mut all = Vec::new();
        for document in documents {
            let call: RelayCall = serde_json::from_str(&document)?;
            if (call.chain_id, call.contract) != (deployment.chain_id, deployment.contract) {
                continue;
            }
            let fate = if ledger.is_used(call.signer, call.nonce).await? {
                match self.is_void(&call).await? {
                    true => SignedFate::Void,
                    false => SignedFate::Done,
                }
            } else if now > call.deadline {
                SignedFate::Expired
            } else {
                SignedFate::Open
            };
            all.push(SignedHere { call, fate });
        }
        Ok(all)
    }

    /// Says whether a used number was voided from here, and not used by its call before.
    async fn is_void(&self, call: &RelayCall) -> Result<bool> {
        let Some((word, bit)) = call.nonce.place() else {
            return Ok(false);
        };
        let ledger = self.ledger().await?;
        for void in self.voids()? {
            if void.word == word
                && void.mask & bit != U256::ZERO
                && let Some(mined) = ledger.mined(&void.tx).await?
            {
                let before = mined.block.saturating_sub(1);
                return Ok(!ledger.was_used(call.signer, call.nonce, before).await?);
            }
        }
        Ok(false)
    }

    /// Refuses what a contract of version 1 cannot do, naming the function that it has not.
    pub(crate) async fn needs_version_2(&self, function: &'static str) -> Result<()> {
        match self.ledger().await?.version() {
            Version::V1 => Err(pcim_ledger::Error::Lacks { function }.into()),
            Version::V2 => Ok(()),
        }
    }

    fn voids(&self) -> Result<Vec<Void>> {
        let mut voids = Vec::new();
        for operation in self.journal.called()? {
            if let Some(Deed::Void { word, mask }) = operation.deed() {
                let json = operation.signed_call.as_deref().unwrap_or_default();
                let tx = match serde_json::from_str(json)? {
                    Recorded::Own(signed) => Some(signed.tx),
                    Recorded::Relayed(relayed) => relayed.tx,
                };
                voids.extend(tx.map(|tx| Void {
                    word: word.into(),
                    mask: mask.into(),
                    tx,
                }));
            }
        }
        Ok(voids)
    }
}

impl Unlocked<'_> {
    /// Voids the numbers of calls that were signed in this home and not done yet. Reports of each whether it is void now, or
    /// its call came first.
    ///
    /// # Errors
    /// [`Error::NotSigned`] for a number that is none of them; a contract of version 1 voids none.
    pub async fn void_signed(&self, nonces: &[Nonce]) -> Result<Outcome<Voided>> {
        self.needs_version_2("void_nonces").await?;
        let known = self.signed_calls().await?;
        let mut words: BTreeMap<U256, U256> = BTreeMap::new();
        for nonce in nonces {
            let of = |it: &&SignedHere| it.call.nonce == *nonce && it.call.signer == self.address();
            let signed = known.iter().find(of);
            let signed = signed.ok_or(Error::NotSigned { nonce: *nonce })?;
            if signed.fate == SignedFate::Open
                && let Some((word, bit)) = nonce.place()
            {
                *words.entry(word).or_default() |= bit;
            }
        }
        let mut written = Vec::new();
        for (word, mask) in words {
            let deed = Deed::Void {
                word: B256::from(word),
                mask: B256::from(mask),
            };
            let call = async || Ok(Call::VoidNonces { word, mask });
            match self.write(deed, Wanted::Any, call).await? {
                Some(Outcome::Mined(done)) => written.push(done),
                Some(Outcome::Signed(call)) => return Ok(Outcome::Signed(call)),
                None => {}
            }
        }
        let now = self.signed_calls().await?;
        let of_these = now.iter().filter(|it| nonces.contains(&it.call.nonce));
        let calls = of_these.map(|it| VoidedCall {
            nonce: it.call.nonce,
            void: it.fate != SignedFate::Done,
        });
        Ok(Outcome::Mined(Voided {
            calls: calls.collect(),
            written,
        }))
    }
}
