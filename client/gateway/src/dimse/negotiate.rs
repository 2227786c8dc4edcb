//! The answer to an association request (PS3.8 §9.3): rejected, or accepted with its contexts.

use std::collections::{HashMap, HashSet};

use dicom_ul::pdu::{
    AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason, AssociationRJServiceUserReason,
    AssociationRJSource, AssociationRQ, PresentationContextResult, PresentationContextResultReason,
    RequestorRoles, UserVariableItem,
};

use super::classes::{COMMITMENT, EXPLICIT, IMPLICIT, Model, VERIFICATION, is_storage};
use super::command::is_uid;

/// The application context of DICOM (PS3.7 §A.2.1).
const APPLICATION: &str = "1.2.840.10008.3.1.1.1";
/// This program, as its files name it.
const IMPLEMENTATION_CLASS: &str = pcim_dicom::arrival::IMPLEMENTATION_CLASS_UID;
const IMPLEMENTATION_NAME: &str = concat!("PCIM ", env!("CARGO_PKG_VERSION"));

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

/// A presentation context that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) class: String,
    pub(crate) syntax: String,
    /// True if the peer takes objects on it, as C-GET sends them (PS3.4 §C.4.3).
    pub(crate) is_receiving: bool,
}

/// The reason for which a request is rejected, if there is one.
pub(super) fn rejection(
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
pub(super) fn negotiate(
    request: AssociationRQ,
    pdu: u32,
) -> (AssociationAC, HashMap<u8, Context>, u32) {
    let mut variables = vec![
        UserVariableItem::MaxLength(pdu),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS.to_owned()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_NAME.to_owned()),
    ];
    let mut peer_pdu = u32::MAX;
    let mut receiving = HashSet::new();
    for variable in request.user_variables {
        match variable {
            UserVariableItem::MaxLength(length) if length > 0 => peer_pdu = length,
            // A peer is the user of every service, and takes the objects that it gets.
            UserVariableItem::ScuScpRoleSelectionSubItem(class, roles) => {
                let roles = RequestorRoles {
                    scu: roles.scu,
                    scp: roles.scp && is_storage(uid(&class)),
                };
                if roles.scp {
                    receiving.insert(uid(&class).to_owned());
                }
                variables.push(UserVariableItem::ScuScpRoleSelectionSubItem(class, roles));
            }
            _ => {}
        }
    }
    let (mut results, mut contexts) = (Vec::new(), HashMap::new());
    for proposed in request.presentation_contexts {
        let class = uid(&proposed.abstract_syntax);
        let syntaxes = proposed.transfer_syntaxes.iter().map(|syntax| uid(syntax));
        let is_receiving = receiving.contains(class);
        let chosen = choose(class, is_receiving, syntaxes);
        let (reason, syntax) = match chosen {
            Ok(syntax) => {
                let context = Context {
                    class: class.to_owned(),
                    syntax: syntax.to_owned(),
                    is_receiving,
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

/// The transfer syntax that a context is accepted with: the first that its proposer names and that can be read later; for objects
/// that the peer gets one without compression, in which every object can be sent, if it names one.
fn choose<'a>(
    class: &str,
    is_receiving: bool,
    mut syntaxes: impl Iterator<Item = &'a str>,
) -> Result<&'a str, PresentationContextResultReason> {
    let is_plain = |syntax: &&str| [IMPLICIT, EXPLICIT].contains(syntax);
    let chosen = match class {
        VERIFICATION | COMMITMENT => syntaxes.find(is_plain),
        class if Model::of(class).is_some() => syntaxes.find(is_plain),
        class if is_uid(class) && is_storage(class) => {
            let carried = |syntax: &&str| pcim_dicom::arrival::is_carried(syntax);
            let carried: Vec<_> = syntaxes.filter(carried).collect();
            let mut plain = carried.iter().copied().filter(is_plain);
            let plain = plain.next().filter(|_| is_receiving);
            plain.or(carried.first().copied())
        }
        _ => return Err(PresentationContextResultReason::AbstractSyntaxNotSupported),
    };
    chosen.ok_or(PresentationContextResultReason::TransferSyntaxesNotSupported)
}
