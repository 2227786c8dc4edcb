//! A relay service, from its users' side: it takes signed calls by HTTP, sends them and pays (format.md §13.18).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::text::{printable, shown};
use crate::web::{fetch_document, give_document, safe};
use crate::{Error, RelayCall, Result};
use pcim_core::{Address, B256};

/// Most bytes of what a service answers.
const MAX_ANSWER: usize = 4096;
/// Most characters of a reason.
const MAX_REASON: usize = 512;
/// How long a service may take to send a call and see it mined.
const LIMIT: Duration = Duration::from_secs(150);

/// How it is said of something else at the address.
const STRANGE: &str = "it does not answer as a relay";

/// A relay service.
#[derive(Clone, Debug)]
pub struct RelayService {
    url: String,
}

/// The terms of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayTerms {
    /// The version of the exchange.
    #[serde(rename = "pcim-relay")]
    pub version: u32,
    /// The chain on which it sends.
    pub chain_id: u64,
    /// The only contract that it calls.
    pub contract: Address,
    /// Most gas of one call.
    pub gas_per_call: u64,
    /// Most calls of one signer in a day (UTC).
    pub calls_per_signer: u32,
}

/// The answer to a signed call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome", deny_unknown_fields)]
pub enum RelayAnswer {
    /// It is on the chain by this transaction, which may be another's and older.
    Done {
        /// The transaction.
        tx: B256,
    },
    /// It was not sent.
    Refused {
        /// The reason.
        reason: String,
        /// True if the same call may be taken later.
        later: bool,
    },
}

impl RelayTerms {
    /// Reads terms of at most 4 KiB; `None` if they are none of version 1.
    #[must_use]
    pub fn read(json: &[u8]) -> Option<Self> {
        let terms: Self = read(json)?;
        (terms.version == 1).then_some(terms)
    }
}

impl RelayAnswer {
    /// Reads an answer of at most 4 KiB; `None` if it is none. A reason is one line that can be shown.
    #[must_use]
    pub fn read(json: &[u8]) -> Option<Self> {
        Some(match read(json)? {
            Self::Refused { reason, later } => {
                let reason: String = reason.chars().take(MAX_REASON).collect();
                let reason = printable(&reason);
                Self::Refused { reason, later }
            }
            done => done,
        })
    }
}

fn read<T: for<'d> Deserialize<'d>>(json: &[u8]) -> Option<T> {
    match json.len() <= MAX_ANSWER {
        true => serde_json::from_slice(json).ok(),
        false => None,
    }
}

impl RelayService {
    /// Names the service at an address, over `https://` or on this machine.
    ///
    /// # Errors
    /// [`Error::BadUrl`]
    pub fn at(url: &str) -> Result<Self> {
        safe(url)?;
        Ok(Self {
            url: url.to_owned(),
        })
    }

    /// Returns its address, without credentials.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// Asks for its terms.
    ///
    /// # Errors
    /// [`Error::Web`]
    pub async fn terms(&self) -> Result<RelayTerms> {
        let answer = fetch_document(&self.url, MAX_ANSWER).await?;
        RelayTerms::read(&answer).ok_or_else(|| self.strange())
    }

    /// Gives it a call. Its word is not taken for what is on the chain: [`Ledger::relayed_by`](crate::Ledger::relayed_by) tells that.
    ///
    /// # Errors
    /// [`Error::NotRelayed`] if it is not known whether the service has the call.
    pub async fn send(&self, call: &RelayCall) -> Result<RelayAnswer> {
        let answer = give_document(&self.url, call.to_json()?, MAX_ANSWER, LIMIT).await;
        let silent = |reason: String| Error::NotRelayed {
            url: self.shown(),
            reason,
            later: true,
        };
        match answer {
            Ok(answer) => RelayAnswer::read(&answer).ok_or_else(|| silent(STRANGE.to_owned())),
            Err(Error::Web { reason, .. }) => Err(silent(reason)),
            Err(error) => Err(error),
        }
    }

    fn strange(&self) -> Error {
        Error::Web {
            url: self.shown(),
            reason: STRANGE.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use pcim_core::chance::{Numbers, mutations};

    use super::*;

    #[test]
    fn answers_are_small_and_can_be_shown() {
        let done = RelayAnswer::Done {
            tx: B256::repeat_byte(7),
        };
        let json = serde_json::to_vec(&done).unwrap();
        assert_eq!(RelayAnswer::read(&json), Some(done));
        let json = br#"{"outcome":"refused","reason":"a\u001b[2J\nb","later":true}"#;
        let Some(RelayAnswer::Refused { reason, later }) = RelayAnswer::read(json) else {
            panic!("it is an answer")
        };
        assert!(later && !reason.chars().any(char::is_control), "{reason:?}");
        let long = format!(
            r#"{{"outcome":"refused","reason":"{}","later":false}}"#,
            "x".repeat(5000)
        );
        assert_eq!(RelayAnswer::read(long.as_bytes()), None);
        assert_eq!(
            RelayAnswer::read(br#"{"outcome":"done","tx":"0x00"}"#),
            None
        );
        assert!(RelayService::at("http://192.0.2.1/relay").is_err());
        assert!(RelayService::at("https://192.0.2.1/relay").is_ok());
    }

    /// A mutated answer is read as one that says the same when it is written, or not at all.
    #[test]
    fn mutated_answers_are_read_or_refused() {
        let good = [
            serde_json::to_vec(&RelayAnswer::Done {
                tx: B256::repeat_byte(7),
            })
            .unwrap(),
            br#"{"outcome":"refused","reason":"busy","later":true}"#.to_vec(),
        ];
        let mut numbers = Numbers(17);
        let mut read = 0;
        for round in 0..mutations() {
            let json = numbers.mutated(&good[round % 2]);
            if let Some(answer) = RelayAnswer::read(&json) {
                read += 1;
                let again = serde_json::to_vec(&answer).unwrap();
                assert_eq!(RelayAnswer::read(&again), Some(answer));
            }
        }
        assert!(read > 0);
    }
}
