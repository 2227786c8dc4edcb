//! An association that this program asks for: to report a storage commitment, to deliver what C-MOVE names.

use std::collections::HashMap;
use std::time::Duration;

use dicom_ul::association::Association as _;
use dicom_ul::association::client::{AsyncClientAssociation, ClientAssociationOptions};
use dicom_ul::pdu::{PDataValueType, Pdu};
use tokio::net::TcpStream;

use super::command::{COMMAND_MAX, Command};
use super::message::fragments;

/// For each step of the association.
const PATIENCE: Duration = Duration::from_secs(30);

/// A peer, and the titles by which the two call each other.
pub(super) struct Callee<'a> {
    /// `host:port`.
    pub(super) address: &'a str,
    pub(super) title: &'a str,
    pub(super) own: &'a str,
}

/// A presentation context that is proposed.
pub(super) struct Proposed<'a> {
    pub(super) class: &'a str,
    pub(super) syntaxes: Vec<&'a str>,
    /// True if this side provides the service, and the peer uses it.
    pub(super) serves: bool,
}

/// An association that the peer accepted.
pub(super) struct Outgoing {
    association: AsyncClientAssociation<TcpStream>,
    /// By class and transfer syntax.
    contexts: HashMap<(String, String), u8>,
}

impl Outgoing {
    /// Asks for it; the error is a word for the log.
    pub(super) async fn establish(
        callee: &Callee<'_>,
        proposed: &[Proposed<'_>],
    ) -> Result<Self, &'static str> {
        let mut options = ClientAssociationOptions::new()
            .calling_ae_title(callee.own)
            .called_ae_title(callee.title)
            .connection_timeout(PATIENCE)
            .read_timeout(PATIENCE)
            .write_timeout(PATIENCE);
        for it in proposed {
            let syntaxes = it.syntaxes.iter().map(|it| (*it).to_owned()).collect();
            options = options.with_presentation_context(it.class.to_owned(), syntaxes);
            if it.serves {
                options = options.with_role_selection(it.class.to_owned(), false, true);
            }
        }
        let association = options.establish_async(callee.address).await;
        let mut association = association.map_err(|_| "no association")?;
        // Small messages go at once: each waits for its answer.
        let _ = association.inner_stream().set_nodelay(true);
        let accepted = association.presentation_contexts().iter();
        let plain = |uid: &str| uid.trim_end_matches(['\0', ' ']).to_owned();
        let contexts = accepted.map(|it| {
            let named = (plain(&it.abstract_syntax), plain(&it.transfer_syntax));
            (named, it.id)
        });
        Ok(Self {
            contexts: contexts.collect(),
            association,
        })
    }

    /// The context of a class in a transfer syntax.
    pub(super) fn context(&self, class: &str, syntax: &str) -> Option<u8> {
        let named = (class.to_owned(), syntax.to_owned());
        self.contexts.get(&named).copied()
    }

    /// Sends a message and waits for its answer.
    pub(super) async fn ask(
        &mut self,
        context: u8,
        command: &Command,
        data: &[u8],
    ) -> Result<Command, &'static str> {
        let peer_pdu = match self.association.peer_max_pdu_length() {
            0 => u32::MAX,
            length => length,
        };
        for pdu in fragments(context, command, Some(data), peer_pdu) {
            let sent = self.association.send(&pdu).await;
            sent.map_err(|_| "it was not taken")?;
        }
        let mut answer = Vec::new();
        loop {
            let Pdu::PData { data } = self.association.receive().await.map_err(|_| "no answer")?
            else {
                return Err("another answer");
            };
            for value in data {
                if value.value_type != PDataValueType::Command || answer.len() > COMMAND_MAX {
                    return Err("another answer");
                }
                answer.extend(value.data);
                if value.is_last {
                    let read = Command::read(&answer);
                    return read.map_err(|_| "the answer is malformed");
                }
            }
        }
    }

    /// Ends it.
    pub(super) async fn release(self) {
        // Everything was answered before.
        let _ = self.association.release().await;
    }
}
