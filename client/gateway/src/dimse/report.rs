//! Reports of storage commitment on an association of their own, for applications that do not wait on the one that asked.

use std::net::SocketAddr;
use std::time::Duration;

use pcim_dicom::commitment::CommitmentRequest;

use super::classes::{COMMITMENT, COMMITMENT_INSTANCE, EXPLICIT, IMPLICIT};
use super::command::{Command, field};
use super::outgoing::{Callee, Outgoing, Proposed};
use crate::log::Log;
use crate::status;

/// How often an application that does not take its report is tried, and after how long: twice as long each time.
const TRIES: u32 = 6;
const FIRST_RETRY: Duration = Duration::from_secs(2);

/// A report that is to be delivered.
pub(super) struct Report {
    /// Where the application listens.
    pub(super) address: SocketAddr,
    /// Its AE title, and the one that it called.
    pub(super) peer: String,
    pub(super) own: String,
    pub(super) request: CommitmentRequest,
    /// The instances that are not kept.
    pub(super) missing: Vec<String>,
}

impl Report {
    /// Delivers it, in several tries; the log says how that ended.
    pub(super) async fn deliver(self, log: Log) {
        let mut pause = FIRST_RETRY;
        for left in (0..TRIES).rev() {
            let ended = self.try_once().await;
            let outcome = match &ended {
                Ok(()) => "delivered",
                Err(why) => why,
            };
            let (ae, address) = (&self.peer, self.address);
            log.event(
                "commitment_report",
                &[("ae", ae), ("address", &address), ("outcome", &outcome)],
            );
            if ended.is_ok() || left == 0 {
                return;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn try_once(&self) -> Result<(), &'static str> {
        let address = self.address.to_string();
        let callee = Callee {
            address: &address,
            title: &self.peer,
            own: &self.own,
        };
        let proposed = Proposed {
            class: COMMITMENT,
            syntaxes: vec![EXPLICIT, IMPLICIT],
            serves: true,
        };
        let mut association = Outgoing::establish(&callee, &[proposed]).await?;
        let of = |syntax| Some((association.context(COMMITMENT, syntax)?, syntax));
        let accepted = of(EXPLICIT).or_else(|| of(IMPLICIT));
        let (id, syntax) = accepted.ok_or("the context was not accepted")?;
        let reason = |instance: &str| {
            let is_missing = self.missing.iter().any(|it| it == instance);
            is_missing.then_some(status::NO_SUCH_INSTANCE)
        };
        let data = self.request.report(reason, syntax);
        let data = data.map_err(|_| "the report was not written")?;
        let command = event(self.missing.is_empty());
        let answer = association.ask(id, &command, &data).await?;
        association.release().await;
        match answer.answers(field::N_EVENT_REPORT) {
            true => Ok(()),
            false => Err("another answer"),
        }
    }
}

/// The command of a report: all instances are kept, or not.
pub(super) fn event(all: bool) -> Command {
    Command::event(COMMITMENT, COMMITMENT_INSTANCE, 1, if all { 1 } else { 2 })
}
