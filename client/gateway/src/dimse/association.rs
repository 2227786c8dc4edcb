//! One association (PS3.8): negotiated, and its messages put together, within limits of size and time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::BytesMut;
use dicom_ul::association::{Error as UlError, read_pdu_from_wire_async};
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason, AssociationRJServiceUserReason,
    AssociationRJSource, AssociationRQ, PDataValue, PDataValueType, Pdu, PresentationContextResult,
    PresentationContextResultReason, ReadError, RequestorRoles, UserVariableItem, write_pdu,
};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::classes::{COMMITMENT, EXPLICIT, IMPLICIT, VERIFICATION, is_storage};
use super::command::{COMMAND_MAX, Command, is_uid};
use crate::limits::Timing;

/// The application context of DICOM (PS3.7 §A.2.1).
const APPLICATION: &str = "1.2.840.10008.3.1.1.1";
/// This program, as its files name it.
const IMPLEMENTATION_CLASS: &str = pcim_dicom::arrival::IMPLEMENTATION_CLASS_UID;
const IMPLEMENTATION_NAME: &str = concat!("PCIM ", env!("CARGO_PKG_VERSION"));
/// Most bytes of an association request: 128 contexts with every transfer syntax that there is fit.
const REQUEST_MAX: u32 = 1 << 20;
/// Bytes of a PDU that are no fragment of a message: header of the value.
const VALUE_HEAD: u32 = 6;
/// Most bytes of a PDU that is sent, however much the peer takes.
const SENT_MAX: u32 = 1 << 17;

/// Who is let in, and as what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Welcome,
    /// Another AE title was called.
    WrongCalled,
    /// The calling AE title does not belong to the address.
    Unknown,
    /// Too many associations are open.
    Busy,
}

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

/// A presentation context that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) class: String,
    pub(crate) syntax: String,
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
    stream: TcpStream,
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
        mut stream: TcpStream,
        timing: Timing,
        admit: impl FnOnce(&str, &str) -> Admission,
    ) -> Result<Self, Broken> {
        stream.set_nodelay(true)?;
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
        #[cfg(target_os = "linux")]
        SockRef::from(&self.stream).set_tcp_quickack(true)?;
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
        let command = command.to_bytes();
        let parts = [
            (PDataValueType::Command, Some(&command[..])),
            (PDataValueType::Data, data),
        ];
        let most = self
            .peer_pdu
            .min(SENT_MAX)
            .saturating_sub(VALUE_HEAD)
            .max(64) as usize;
        let mut bytes = Vec::new();
        for (value_type, part) in parts {
            let Some(part) = part else { continue };
            let count = part.len().div_ceil(most).max(1);
            for number in 0..count {
                let fragment = &part[number * most..part.len().min((number + 1) * most)];
                let value = PDataValue {
                    presentation_context_id: context,
                    value_type: value_type.clone(),
                    is_last: number + 1 == count,
                    data: fragment.to_vec(),
                };
                let pdu = Pdu::PData { data: vec![value] };
                write_pdu(&mut bytes, &pdu).map_err(|_| Broken::Malformed)?;
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

async fn write(stream: &mut TcpStream, bytes: &[u8], limit: Duration) -> Result<(), Broken> {
    let writing = timeout(limit, stream.write_all(bytes)).await;
    Ok(writing.map_err(|_| Broken::Silent(limit))??)
}

async fn send(stream: &mut TcpStream, pdu: &Pdu, limit: Duration) -> Result<(), Broken> {
    let mut bytes = Vec::new();
    write_pdu(&mut bytes, pdu).map_err(|_| Broken::Malformed)?;
    write(stream, &bytes, limit).await
}

async fn abort(stream: &mut TcpStream, reason: AbortRQServiceProviderReason) {
    let source = AbortRQSource::ServiceProvider(reason);
    // A peer that is gone needs no word.
    let _ = send(stream, &Pdu::AbortRQ { source }, Duration::from_secs(1)).await;
}

/// The reason for which a request is rejected, if there is one.
fn rejection(
    request: &AssociationRQ,
    admit: impl FnOnce(&str, &str) -> Admission,
) -> Option<(AssociationRJ, &'static str)> {
    use AssociationRJServiceUserReason as User;
    let user = AssociationRJSource::ServiceUser;
    let (result, source, why) = if request.protocol_version & 1 == 0 {
        let source = AssociationRJSource::ServiceProviderASCE(
            dicom_ul::pdu::AssociationRJServiceProviderASCEReason::ProtocolVersionNotSupported,
        );
        (
            AssociationRJResult::Permanent,
            source,
            "another protocol version",
        )
    } else if request.application_context_name.trim_end_matches('\0') != APPLICATION {
        let source = user(User::ApplicationContextNameNotSupported);
        (
            AssociationRJResult::Permanent,
            source,
            "another application context",
        )
    } else {
        let (calling, called) = (&request.calling_ae_title, &request.called_ae_title);
        match admit(calling.trim(), called.trim()) {
            Admission::Welcome => return None,
            Admission::WrongCalled => {
                let source = user(User::CalledAETitleNotRecognized);
                (
                    AssociationRJResult::Permanent,
                    source,
                    "another AE title was called",
                )
            }
            Admission::Unknown => {
                let source = user(User::CallingAETitleNotRecognized);
                (
                    AssociationRJResult::Permanent,
                    source,
                    "the caller is not on the list",
                )
            }
            Admission::Busy => {
                let source = AssociationRJSource::ServiceProviderPresentation(
                    AssociationRJServiceProviderPresentationReason::LocalLimitExceeded,
                );
                (
                    AssociationRJResult::Transient,
                    source,
                    "too many associations",
                )
            }
        }
    };
    Some((AssociationRJ { result, source }, why))
}

/// The answer to a request that is accepted, its contexts, and the longest PDU that the peer takes.
fn negotiate(request: AssociationRQ, pdu: u32) -> (AssociationAC, HashMap<u8, Context>, u32) {
    let mut variables = vec![
        UserVariableItem::MaxLength(pdu),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_NAME.to_owned()),
    ];
    let mut peer_pdu = SENT_MAX;
    for variable in request.user_variables {
        match variable {
            UserVariableItem::MaxLength(length) if length > 0 => peer_pdu = length,
            // Nothing but storage commitment is reported by events; a sender is the user of every service.
            UserVariableItem::ScuScpRoleSelectionSubItem(class, roles) => {
                let roles = RequestorRoles {
                    scu: roles.scu,
                    scp: false,
                };
                variables.push(UserVariableItem::ScuScpRoleSelectionSubItem(class, roles));
            }
            _ => {}
        }
    }
    let (mut results, mut contexts) = (Vec::new(), HashMap::new());
    for proposed in request.presentation_contexts {
        let class = uid(&proposed.abstract_syntax);
        let syntaxes = proposed.transfer_syntaxes.iter().map(|syntax| uid(syntax));
        let chosen = choose(class, syntaxes);
        let (reason, syntax) = match chosen {
            Ok(syntax) => {
                let context = Context {
                    class: class.to_owned(),
                    syntax: syntax.to_owned(),
                };
                contexts.insert(proposed.id, context);
                (PresentationContextResultReason::Acceptance, syntax)
            }
            Err(reason) => (reason, IMPLICIT),
        };
        results.push(PresentationContextResult {
            id: proposed.id,
            reason,
            transfer_syntax: syntax.to_owned(),
        });
    }
    let answer = AssociationAC {
        protocol_version: 1,
        calling_ae_title: request.calling_ae_title,
        called_ae_title: request.called_ae_title,
        application_context_name: APPLICATION.to_owned(),
        presentation_contexts: results,
        user_variables: variables,
    };
    (answer, contexts, peer_pdu)
}

fn uid(text: &str) -> &str {
    text.trim_end_matches(['\0', ' '])
}

/// The transfer syntax that a context is accepted with: the first that its proposer names and that can be read later.
fn choose<'a>(
    class: &str,
    mut syntaxes: impl Iterator<Item = &'a str>,
) -> Result<&'a str, PresentationContextResultReason> {
    let is_plain = |syntax: &&str| [IMPLICIT, EXPLICIT].contains(syntax);
    let chosen = match class {
        VERIFICATION | COMMITMENT => syntaxes.find(is_plain),
        class if is_uid(class) && is_storage(class) => {
            syntaxes.find(|syntax| pcim_dicom::arrival::is_carried(syntax))
        }
        _ => return Err(PresentationContextResultReason::AbstractSyntaxNotSupported),
    };
    chosen.ok_or(PresentationContextResultReason::TransferSyntaxesNotSupported)
}
