//! One association (PS3.8): negotiated, and its messages put together, within limits of size and time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use dicom_ul::association::{Error as UlError, read_pdu_from_wire_async};
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, PDataValue, PDataValueType, Pdu, ReadError,
    write_pdu,
};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::command::{COMMAND_MAX, Command};
use super::message::fragments;
use super::negotiate::{Admission, Context, negotiate, rejection};
use crate::limits::Timing;
use crate::wire::Wire;

/// Most bytes of an association request: 128 contexts with every transfer syntax that there is fit.
const REQUEST_MAX: u32 = 1 << 20;
/// Encoded bytes of a message that are sent together.
const TOGETHER: usize = 1 << 17;

/// Most values that wait while an answer is sent.
const WAITING_MAX: usize = 64;

/// A reason why an association ended otherwise than by its release.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the peer was silent for {0:?}")]
    Silent(Duration),
    #[error("the peer closed the connection")]
    Closed,
    #[error("the peer aborted")]
    Aborted,
    #[error("rejected: {0}")]
    Rejected(&'static str),
    #[error("a PDU of {found} bytes: at most {max} are taken")]
    TooLarge { found: u32, max: u32 },
    #[error("a PDU is malformed")]
    Malformed,
    #[error("{0}")]
    Protocol(&'static str),
    #[error("the gateway is stopping")]
    Stopping,
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
}

impl From<UlError> for Broken {
    fn from(error: UlError) -> Self {
        match error {
            UlError::ConnectionClosed { .. } => Self::Closed,
            UlError::ReceivePdu {
                source:
                    ReadError::PduTooLarge {
                        pdu_length,
                        max_pdu_length,
                        ..
                    },
            } => Self::TooLarge {
                found: pdu_length,
                max: max_pdu_length,
            },
            UlError::ReceivePdu {
                source: ReadError::ReadPdu { source, .. },
            } => Self::Io(source),
            _ => Self::Malformed,
        }
    }
}

/// A part of a message.
pub(crate) enum Piece {
    /// A whole command set, on a context.
    Command(u8, Command),
    /// A fragment of a data set; true for the last.
    Data(Vec<u8>, bool),
    /// The peer asks for the end of the association.
    Release,
}

/// An association that was accepted.
pub(crate) struct Association {
    stream: Wire,
    read: BytesMut,
    waiting: VecDeque<PDataValue>,
    contexts: HashMap<u8, Context>,
    peer_pdu: u32,
    timing: Timing,
    /// The calling AE title.
    pub(crate) calling: String,
    /// The called AE title.
    pub(crate) called: String,
}

impl Association {
    /// Waits for the request, and accepts it if `admit` does; it is given the calling and the called AE title.
    pub(crate) async fn accept(
        mut stream: Wire,
        timing: Timing,
        admit: impl FnOnce(&str, &str) -> Admission,
    ) -> Result<Self, Broken> {
        stream.send_at_once()?;
        let mut read = BytesMut::with_capacity(16 << 10);
        let reading = read_pdu_from_wire_async(&mut stream, &mut read, REQUEST_MAX, true);
        let first = timeout(timing.request, reading).await;
        let request = match first.map_err(|_| Broken::Silent(timing.request))? {
            Ok(Pdu::AssociationRQ(request)) => request,
            Ok(_) => {
                abort(&mut stream, AbortRQServiceProviderReason::UnexpectedPdu).await;
                return Err(Broken::Protocol("the first PDU is no association request"));
            }
            Err(error) => {
                let broken = Broken::from(error);
                if !matches!(broken, Broken::Closed | Broken::Io(_)) {
                    abort(
                        &mut stream,
                        AbortRQServiceProviderReason::InvalidPduParameter,
                    )
                    .await;
                }
                return Err(broken);
            }
        };
        let calling = request.calling_ae_title.trim().to_owned();
        let called = request.called_ae_title.trim().to_owned();
        if let Some((rejection, why)) = rejection(&request, admit) {
            send(&mut stream, &Pdu::AssociationRJ(rejection), timing.stall).await?;
            return Err(Broken::Rejected(why));
        }
        let (answer, contexts, peer_pdu) = negotiate(request, timing.pdu);
        send(&mut stream, &Pdu::AssociationAC(answer), timing.stall).await?;
        Ok(Self {
            stream,
            read,
            waiting: VecDeque::new(),
            contexts,
            peer_pdu,
            timing,
            calling,
            called,
        })
    }

    /// The context on which the peer takes objects of this class in one of these transfer syntaxes, and which of them.
    pub(crate) fn receiving<'s>(&self, class: &str, syntaxes: &[&'s str]) -> Option<(u8, &'s str)> {
        syntaxes.iter().find_map(|syntax| {
            let fits = |it: &&Context| it.is_receiving && it.class == class && it.syntax == *syntax;
            let mut contexts = self.contexts.iter();
            let found = contexts.find(|(_, context)| fits(context))?;
            Some((*found.0, *syntax))
        })
    }

    /// Says whether the peer has asked that the operation of this message be cancelled; it waits for nothing.
    pub(crate) async fn is_cancelled(&mut self, message: u16) -> Result<bool, Broken> {
        // What has come is kept for the next part that is asked for; nothing is lost if nothing has come.
        while let Ok(came) = timeout(Duration::ZERO, self.receive(true)).await {
            match came {
                Ok(Some(values)) => self.waiting.extend(values),
                Ok(None) => return Err(Broken::Protocol("a release before the end of an answer")),
                Err(broken) => return Err(broken),
            }
            if self.waiting.len() > WAITING_MAX {
                return Err(Broken::Protocol(
                    "too much is sent before an answer has ended",
                ));
            }
        }
        let cancels = |value: &PDataValue| {
            let command = Command::read(&value.data);
            value.is_last && command.is_ok_and(|it| it.cancels(message))
        };
        let found = self.waiting.iter().position(cancels);
        Ok(found.and_then(|at| self.waiting.remove(at)).is_some())
    }

    /// A presentation context.
    pub(crate) fn context(&self, id: u8) -> Option<&Context> {
        self.contexts.get(&id)
    }

    /// The next part of a message. `within` one it may not be waited for long.
    pub(crate) async fn next(&mut self, within: bool) -> Result<Piece, Broken> {
        let mut command = Vec::new();
        loop {
            let value = match self.waiting.pop_front() {
                Some(value) => value,
                None => match self.receive(within || !command.is_empty()).await? {
                    Some(values) => {
                        self.waiting.extend(values);
                        continue;
                    }
                    None => return Ok(Piece::Release),
                },
            };
            let id = value.presentation_context_id;
            if !self.contexts.contains_key(&id) {
                return Err(Broken::Protocol("a context that was not accepted is used"));
            }
            match value.value_type {
                PDataValueType::Data if command.is_empty() => {
                    return Ok(Piece::Data(value.data, value.is_last));
                }
                PDataValueType::Data => return Err(Broken::Protocol("a command set is not ended")),
                PDataValueType::Command => command.extend(value.data),
            }
            if command.len() > COMMAND_MAX {
                return Err(Broken::Protocol("a command set is too long"));
            }
            if value.is_last {
                let command = Command::read(&command);
                let command =
                    command.map_err(|_| Broken::Protocol("a command set is malformed"))?;
                return Ok(Piece::Command(id, command));
            }
        }
    }

    /// The values of the next PDU; none if it asks for the end.
    async fn receive(&mut self, within: bool) -> Result<Option<Vec<PDataValue>>, Broken> {
        // The sender's next segment may wait for this acknowledgement (Nagle), which the system would delay.
        self.stream.acknowledge_at_once()?;
        let limit = match within {
            true => self.timing.stall,
            false => self.timing.idle,
        };
        let reading =
            read_pdu_from_wire_async(&mut self.stream, &mut self.read, self.timing.pdu, true);
        match timeout(limit, reading)
            .await
            .map_err(|_| Broken::Silent(limit))??
        {
            Pdu::PData { data } => Ok(Some(data)),
            Pdu::ReleaseRQ => Ok(None),
            Pdu::AbortRQ { .. } => Err(Broken::Aborted),
            _ => Err(Broken::Protocol("a PDU that has no place here")),
        }
    }

    /// Sends a command set, and a data set if there is one.
    pub(crate) async fn send(
        &mut self,
        context: u8,
        command: &Command,
        data: Option<&[u8]>,
    ) -> Result<(), Broken> {
        let mut bytes = Vec::new();
        for pdu in fragments(context, command, data, self.peer_pdu) {
            write_pdu(&mut bytes, &pdu).map_err(|_| Broken::Malformed)?;
            if bytes.len() >= TOGETHER {
                write(&mut self.stream, &bytes, self.timing.stall).await?;
                bytes.clear();
            }
        }
        write(&mut self.stream, &bytes, self.timing.stall).await
    }

    /// Ends the association as the peer asked.
    pub(crate) async fn release(mut self) -> Result<(), Broken> {
        send(&mut self.stream, &Pdu::ReleaseRP, self.timing.stall).await?;
        // The peer closes (PS3.8 §9.2); one that does not is not waited for.
        let _ = self.stream.shutdown().await;
        Ok(())
    }

    /// Ends the association at once.
    pub(crate) async fn abort(mut self) {
        abort(
            &mut self.stream,
            AbortRQServiceProviderReason::ReasonNotSpecified,
        )
        .await;
    }
}

async fn write(stream: &mut Wire, bytes: &[u8], limit: Duration) -> Result<(), Broken> {
    let writing = async {
        stream.write_all(bytes).await?;
        stream.flush().await
    };
    let written = timeout(limit, writing).await;
    Ok(written.map_err(|_| Broken::Silent(limit))??)
}

async fn send(stream: &mut Wire, pdu: &Pdu, limit: Duration) -> Result<(), Broken> {
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, pdu).map_err(|_| Broken::Malformed)?;
    write(stream, &bytes, limit).await
}

async fn abort(stream: &mut Wire, reason: AbortRQServiceProviderReason) {
    let source = AbortRQSource::ServiceProvider(reason);
    // A peer that is gone needs no word.
    let _ = send(stream, &Pdu::AbortRQ { source }, Duration::from_secs(1)).await;
}
