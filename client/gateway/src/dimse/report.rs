//! Reports of storage commitment on an association of their own, for applications that do not wait on the one that asked.

use std::net::SocketAddr;
use std::time::Duration;

use dicom_ul::association::Association as _;
use dicom_ul::association::client::ClientAssociationOptions;
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};
use pcim_dicom::commitment::CommitmentRequest;

use super::classes::{COMMITMENT, COMMITMENT_INSTANCE, EXPLICIT, IMPLICIT};
use super::command::{Command, field};
use crate::log::Log;
use crate::status;

/// How often an application that does not take its report is tried, and after how long: twice as long each time.
const TRIES: u32 = 6;
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// For each step of the association.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a fragment.
const FRAGMENT: u32 = 16 << 10;

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
        let options = ClientAssociationOptions::new()
            .calling_ae_title(self.own.as_str())
            .called_ae_title(self.peer.as_str())
            .with_presentation_context(COMMITMENT, vec![EXPLICIT, IMPLICIT])
            .with_role_selection(COMMITMENT, false, true)
            .connection_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .write_timeout(PATIENCE);
        let association = options.establish_async(self.address).await;
        let mut association = association.map_err(|_| "no association")?;
        let context = association.presentation_contexts().first();
        let (id, syntax) = match context {
            Some(context) => (context.id, context.transfer_syntax.clone()),
            None => return Err("the context was not accepted"),
        };
        let reason = |instance: &str| {
            let is_missing = self.missing.iter().any(|it| it == instance);
            is_missing.then_some(status::NO_SUCH_INSTANCE)
        };
        let data = self.request.report(reason, syntax.trim_end_matches('\0'));
        let data = data.map_err(|_| "the report was not written")?;
        let command = event(self.missing.is_empty()).to_bytes();
        let most = association.peer_max_pdu_length().clamp(1024, FRAGMENT) as usize - 6;
        for (value_type, part) in [
            (PDataValueType::Command, command),
            (PDataValueType::Data, data),
        ] {
            let count = part.len().div_ceil(most);
            for (number, fragment) in part.chunks(most).enumerate() {
                let value = PDataValue {
                    presentation_context_id: id,
                    value_type: value_type.clone(),
                    is_last: number + 1 == count,
                    data: fragment.to_vec(),
                };
                let pdu = Pdu::PData { data: vec![value] };
                association
                    .send(&pdu)
                    .await
                    .map_err(|_| "it was not taken")?;
            }
        }
        let answer = association.receive().await.map_err(|_| "no answer")?;
        let Pdu::PData { data } = answer else {
            return Err("another answer");
        };
        let answer: Vec<u8> = data.into_iter().flat_map(|value| value.data).collect();
        let answer = Command::read(&answer).map_err(|_| "the answer is malformed")?;
        // What follows says nothing that is not known.
        let _ = association.release().await;
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
