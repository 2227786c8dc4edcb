//! How long the chain takes to record each event, and what a transaction adds to it (the paper's Figures 11 and 12).

use std::time::Duration;

use serde::Serialize;

use super::chain::{Chain, Mined};
use super::protocol;
use super::{DEPLOYMENT, Error, FIVE_CALLS, Ground, PATIENTS};

/// How often everything is done; an odd number, so that there is a median.
const RUNS: usize = 5;

/// What was timed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// Figure 11: the deployment, then operation by operation each patient
    pub(crate) times: Vec<Timed>,
    /// Figure 12: the first run's transactions as they were made, the deployment first, the accreditation left out
    pub(crate) transactions: Vec<Recorded>,
}

/// Milliseconds from handing a transaction to the node until its receipt was there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Timed {
    /// as the interface names it, or [`DEPLOYMENT`]
    pub(crate) operation: &'static str,
    /// counted from 1; nobody for the deployment, which serves everybody
    pub(crate) patient: Option<usize>,
    /// how often it was done, each time on the same state
    pub(crate) runs: usize,
    /// in the middle
    pub(crate) median_ms: f64,
    /// the shortest
    pub(crate) least_ms: f64,
    /// the longest
    pub(crate) most_ms: f64,
}

/// A transaction and its block, which holds no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Recorded {
    /// counted from 0
    pub(crate) transaction: usize,
    /// as the interface names it, or [`DEPLOYMENT`]
    pub(crate) operation: &'static str,
    /// counted from 1
    pub(crate) patient: Option<usize>,
    /// L2 gas, refunds taken off
    pub(crate) gas_used: u64,
    /// the block's header and its transaction
    pub(crate) block_bytes: u64,
}

/// One transaction of a run.
struct Done {
    operation: &'static str,
    patient: Option<usize>,
    mined: Mined,
}

pub(super) async fn run(chain: &Chain, ground: &Ground<'_>) -> Result<Figures, Error> {
    // The first deployment makes the transaction that every run sends again, to a node that knows the module.
    let mut genesis = chain.snapshot().await?;
    super::begin(chain).await?;
    let record = super::publish(ground).await?;
    let deployment = chain.mined(record.tx).await?;
    let mut transactions = Vec::new();
    let mut runs = Vec::new();
    for number in 0..RUNS {
        chain.revert(genesis).await?;
        genesis = chain.snapshot().await?;
        let done = once(chain, &deployment, record.contract).await?;
        if number == 0 {
            for (transaction, done) in done.iter().enumerate() {
                transactions.push(Recorded {
                    transaction,
                    operation: done.operation,
                    patient: done.patient,
                    gas_used: done.mined.gas_used,
                    block_bytes: chain.block_bytes(done.mined.block).await?,
                });
            }
        }
        runs.push(done);
    }
    Ok(Figures {
        times: times(&runs),
        transactions,
    })
}

/// Deploys, and makes the five calls for each patient.
async fn once(
    chain: &Chain,
    deployment: &Mined,
    contract: alloy_primitives::Address,
) -> Result<Vec<Done>, Error> {
    super::begin(chain).await?;
    let mined = chain.send_again(deployment).await?;
    mined.succeeded(DEPLOYMENT)?;
    let mut done = vec![Done {
        operation: DEPLOYMENT,
        patient: None,
        mined,
    }];
    let accreditation = protocol::accreditation(chain, contract);
    accreditation.send(chain, contract).await?;
    for patient in 0..PATIENTS {
        for operation in protocol::five_calls(chain, contract, patient)? {
            done.push(Done {
                operation: operation.name,
                patient: Some(patient + 1),
                mined: operation.send(chain, contract).await?,
            });
        }
    }
    Ok(done)
}

fn times(runs: &[Vec<Done>]) -> Vec<Timed> {
    let patients = || (1..=PATIENTS).map(Some);
    let calls = FIVE_CALLS
        .iter()
        .flat_map(|operation| patients().map(|patient| (*operation, patient)));
    std::iter::once((DEPLOYMENT, None))
        .chain(calls)
        .map(|(operation, patient)| {
            let all = runs.iter().flatten();
            let mut times: Vec<_> = all
                .filter(|done| done.operation == operation && done.patient == patient)
                .map(|done| done.mined.time)
                .collect();
            times.sort();
            let at = |at: usize| times.get(at).map_or(0.0, millis);
            Timed {
                operation,
                patient,
                runs: times.len(),
                median_ms: at(times.len() / 2),
                least_ms: at(0),
                most_ms: at(times.len().saturating_sub(1)),
            }
        })
        .collect()
}

/// With microseconds behind the point.
fn millis(time: &Duration) -> f64 {
    time.as_micros() as f64 / 1_000.0
}
