//! Joining a network: is its file the consortium's, and does the chain agree.

use std::time::Duration;

use alloy_primitives::keccak256;
use futures::future::join_all;

use crate::papers::network::{Error, NetworkFile};
use pcim_ledger::{Chain, Error as L, shown_url};

/// How long an endpoint has to answer everything that it is asked.
const LIMIT: Duration = Duration::from_secs(25);

/// An endpoint of a network, and how it answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// As shown, without credentials.
    pub url: String,
    /// True if it is reached without encryption on another machine.
    pub insecure: bool,
    /// The reason why it did not answer.
    pub silent: Option<String>,
}

/// Verifies a network file at the time `now` (unix seconds): its signature, its time, and that every endpoint that answers
/// has its chain, its contract with its code, and its consortium. One endpoint at least must answer.
///
/// # Errors
/// [`Error`], by name.
pub async fn verify(file: &NetworkFile, now: u64) -> Result<Vec<Answered>, Error> {
    file.check()?;
    if file.signature.is_none() {
        let name = file.name.clone();
        return Err(Error::Unsigned { name });
    }
    file.check_time(now)?;
    let by_key = file.is_signed_by_key();
    let rpcs: Vec<_> = file
        .rpcs
        .iter()
        .filter(|rpc| rpc.url.starts_with("http"))
        .collect();
    let asked = rpcs.iter().map(|rpc| async {
        let asked = tokio::time::timeout(LIMIT, ask(file, &rpc.url, by_key));
        match asked.await {
            Ok(Ok(())) => Ok(None),
            Ok(Err(Error::Ledger(error))) => Ok(Some(error.to_string())),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Some(format!("no answer within {LIMIT:?}"))),
        }
    });
    let mut answers = Vec::new();
    for (rpc, asked) in rpcs.iter().zip(join_all(asked).await) {
        answers.push(Answered {
            url: shown_url(&rpc.url),
            insecure: rpc.insecure,
            silent: asked?,
        });
    }
    if answers.iter().all(|answer| answer.silent.is_some()) {
        let reasons: Vec<_> = answers.into_iter().filter_map(|it| it.silent).collect();
        return Err(Error::Silent {
            name: file.name.clone(),
            reasons: match reasons.is_empty() {
                true => "it names none over http or https".to_owned(),
                false => reasons.join("; "),
            },
        });
    }
    Ok(answers)
}

/// Compares a file with what one endpoint says.
async fn ask(file: &NetworkFile, url: &str, by_key: bool) -> Result<(), Error> {
    let name = || file.name.clone();
    let chain = match Chain::connect(url, file.chain_id).await {
        Err(L::WrongChain { .. }) => {
            return Err(Error::OtherChain {
                name: name(),
                wanted: file.chain_id,
                url: shown_url(url),
            });
        }
        connected => connected?,
    };
    if !by_key {
        let signature = file.signature_bytes();
        let taken = chain.accepts_typed(file.consortium, file.digest(), signature);
        if !taken.await? {
            return Err(Error::Altered {
                name: name(),
                consortium: file.consortium,
            });
        }
    }
    let found = keccak256(chain.code(file.contract).await?);
    if found != file.code_hash {
        return Err(Error::OtherCode {
            name: name(),
            wanted: file.code_hash,
            found,
            url: shown_url(url),
        });
    }
    let found = chain.consortium_of(file.contract).await?;
    if found != Some(file.consortium) {
        return Err(Error::OtherConsortium {
            name: name(),
            named: file.consortium,
            found,
        });
    }
    Ok(())
}
