//! Calls as calldata, and their return values.

#[cfg(test)]
mod tests;

use alloy_sol_types::{SolCall, SolType, sol_data};

use super::abi::v1::IPcac as v1;
use super::abi::v2::IPcac as sol;
use super::{Accreditation, Call, Error, Result, Version};
use pcim_core::Address;

impl Call {
    /// Returns the function's name in the ABI.
    pub fn name(&self) -> &'static str {
        let signature = match self {
            Self::CreateContract { .. } => sol::create_contractCall::SIGNATURE,
            Self::RequestingAccess { .. } => sol::requesting_accessCall::SIGNATURE,
            Self::ApproveIrs { .. } => sol::approve_IRsCall::SIGNATURE,
            Self::DenyIrs { .. } => sol::deny_IRsCall::SIGNATURE,
            Self::TraceAuthorization { .. } => sol::trace_authorizationCall::SIGNATURE,
            Self::RemoveIrs { .. } => sol::remove_IRsCall::SIGNATURE,
            Self::ReshareIrs { .. } => sol::reshare_IRsCall::SIGNATURE,
            Self::ResealImage { .. } => sol::reseal_imageCall::SIGNATURE,
            Self::SetApprovalLimit { .. } => sol::set_approval_limitCall::SIGNATURE,
            Self::WithdrawImage { .. } => sol::withdraw_imageCall::SIGNATURE,
            Self::RestoreImage { .. } => sol::restore_imageCall::SIGNATURE,
            Self::RetractImage { .. } => sol::retract_imageCall::SIGNATURE,
            Self::ImportImage { .. } => sol::import_imageCall::SIGNATURE,
            Self::SetGuardians { .. } => sol::set_guardiansCall::SIGNATURE,
            Self::MoveAccount { .. } => sol::move_accountCall::SIGNATURE,
            Self::SetEmergency { .. } => sol::set_emergencyCall::SIGNATURE,
            Self::StartRecovery(_) => sol::start_recoveryCall::SIGNATURE,
            Self::CancelChange { .. } => sol::cancel_changeCall::SIGNATURE,
            Self::FinishChange { .. } => sol::finish_changeCall::SIGNATURE,
            Self::SetDelegate { .. } => sol::set_delegateCall::SIGNATURE,
            Self::BreakGlass { .. } => sol::break_glassCall::SIGNATURE,
            Self::AccreditRadiologist { .. } => sol::accredit_radiologistCall::SIGNATURE,
            Self::TransferConsortium { .. } => sol::transfer_consortiumCall::SIGNATURE,
            Self::AcceptConsortium => sol::accept_consortiumCall::SIGNATURE,
            Self::VoidNonces { .. } => sol::void_noncesCall::SIGNATURE,
            Self::Relay(_) => sol::relayCall::SIGNATURE,
            Self::Batch(_) => sol::multicallCall::SIGNATURE,
        };
        signature.split('(').next().unwrap_or(signature)
    }

    /// Returns true if it gives something, and names the state that it was decided on (format.md §3.8).
    #[must_use]
    pub fn gives(&self) -> bool {
        match self {
            Self::CreateContract { .. }
            | Self::ApproveIrs { .. }
            | Self::ReshareIrs { .. }
            | Self::ResealImage { .. }
            | Self::SetApprovalLimit { .. }
            | Self::RestoreImage { .. }
            | Self::ImportImage { .. }
            | Self::SetGuardians { .. }
            | Self::MoveAccount { .. }
            | Self::BreakGlass { .. } => true,
            Self::SetEmergency { desk, .. } => *desk != Address::ZERO,
            Self::SetDelegate { until, .. } => *until != 0,
            Self::Batch(calls) => calls.iter().any(Self::gives),
            _ => false,
        }
    }

    /// Returns true if it takes something away, whatever the state.
    #[must_use]
    pub fn takes(&self) -> bool {
        match self {
            Self::DenyIrs { .. }
            | Self::RemoveIrs { .. }
            | Self::WithdrawImage { .. }
            | Self::RetractImage { .. }
            | Self::CancelChange { .. }
            | Self::VoidNonces { .. } => true,
            Self::SetEmergency { desk, .. } => *desk == Address::ZERO,
            Self::SetDelegate { until, .. } => *until == 0,
            _ => false,
        }
    }

    /// Returns true if its signer can have others send it, at version 2.
    #[must_use]
    pub fn is_signable(&self) -> bool {
        !matches!(
            self,
            Self::Relay(_)
                | Self::Batch(_)
                | Self::StartRecovery(_)
                | Self::AccreditRadiologist { .. }
                | Self::TransferConsortium { .. }
                | Self::AcceptConsortium
        )
    }

    /// Reads what the function returned: its `bool`, if it is one that returns one; of a relay, what the call returned;
    /// of a batch, whether any of its calls returned true.
    pub(super) fn answer(&self, returned: &[u8]) -> alloy_sol_types::Result<Option<bool>> {
        match self {
            Self::ResealImage { .. }
            | Self::SetApprovalLimit { .. }
            | Self::ImportImage { .. }
            | Self::SetGuardians { .. }
            | Self::MoveAccount { .. }
            | Self::StartRecovery(_)
            | Self::FinishChange { .. }
            | Self::AccreditRadiologist { .. }
            | Self::TransferConsortium { .. }
            | Self::AcceptConsortium
            | Self::VoidNonces { .. } => Ok(None),
            Self::Relay(_) => match sol::relayCall::abi_decode_returns_validate(returned)? {
                nothing if nothing.is_empty() => Ok(None),
                answer => Ok(Some(sol_data::Bool::abi_decode_validate(&answer)?)),
            },
            Self::Batch(calls) => {
                let each = sol::multicallCall::abi_decode_returns_validate(returned)?;
                let mut any = None;
                for (call, returned) in calls.iter().zip(each) {
                    if let Some(answer) = call.answer(&returned)? {
                        any = Some(any.unwrap_or_default() || answer);
                    }
                }
                Ok(any)
            }
            _ => Ok(Some(sol_data::Bool::abi_decode_validate(returned)?)),
        }
    }

    /// Selector and arguments, as a version of the contract has them.
    ///
    /// # Errors
    /// [`Error::Lacks`] for a function that version 1 has not, [`Error::BadSignedCall`] for a relay of another version.
    pub(super) fn calldata(&self, version: Version) -> Result<Vec<u8>> {
        match version {
            Version::V1 => self.calldata_v1(),
            Version::V2 => self.calldata_v2(),
        }
    }

    /// Version 1: what differs from version 2.
    fn calldata_v1(&self) -> Result<Vec<u8>> {
        Ok(match self.clone() {
            Self::ApproveIrs {
                requestor,
                image,
                public_key,
                shared_image,
                expires_at,
                notes,
                ..
            } => v1::approve_IRsCall {
                requester: requestor,
                image: image.0.into(),
                publicKey: public_key.0.into(),
                sharedImage: shared_image.0.into(),
                expiresAt: expires_at,
                notes,
            }
            .abi_encode(),
            Self::ReshareIrs {
                requestor,
                image,
                shared_image,
                expires_at,
                ..
            } => v1::reshare_IRsCall {
                requester: requestor,
                image: image.0.into(),
                sharedImage: shared_image.0.into(),
                expiresAt: expires_at,
            }
            .abi_encode(),
            Self::ResealImage { image, root, .. } => v1::reseal_imageCall {
                image: image.0.into(),
                root: root.0.into(),
            }
            .abi_encode(),
            Self::SetApprovalLimit {
                image,
                approvals,
                window_seconds,
                ..
            } => v1::set_approval_limitCall {
                image: image.0.into(),
                approvals,
                windowSeconds: window_seconds,
            }
            .abi_encode(),
            Self::AccreditRadiologist {
                radiologist,
                status,
                ..
            } => v1::accredit_radiologistCall {
                radiologist,
                accredited: status == Accreditation::Accredited,
            }
            .abi_encode(),
            Self::Relay(relay) => v1::relayCall {
                signer: relay.signer,
                nonce: relay.ordered()?,
                deadline: relay.deadline,
                call: relay.call,
                signature: relay.signature,
            }
            .abi_encode(),
            Self::Batch(calls) => batch(&calls, Version::V1)?,
            Self::CreateContract { .. }
            | Self::RequestingAccess { .. }
            | Self::DenyIrs { .. }
            | Self::TraceAuthorization { .. }
            | Self::RemoveIrs { .. }
            | Self::TransferConsortium { .. } => self.calldata_v2()?,
            _ => {
                return Err(Error::Lacks {
                    function: self.name(),
                });
            }
        })
    }

    fn calldata_v2(&self) -> Result<Vec<u8>> {
        Ok(match self.clone() {
            Self::CreateContract {
                image,
                patient,
                seal,
                radiologist,
                attestation,
                description,
            } => sol::create_contractCall {
                image: image.0.into(),
                patient,
                seal: seal.0.into(),
                radiologist,
                attestation: attestation.into(),
                description,
            }
            .abi_encode(),
            Self::RequestingAccess {
                patient,
                image,
                public_key,
                notes,
            } => sol::requesting_accessCall {
                patient,
                image: image.0.into(),
                publicKey: public_key.0.into(),
                notes,
            }
            .abi_encode(),
            Self::ApproveIrs {
                requestor,
                image,
                public_key,
                requested_at,
                notes_digest,
                shared_image,
                expires_at,
                notes,
            } => sol::approve_IRsCall {
                requester: requestor,
                image: image.0.into(),
                publicKey: public_key.0.into(),
                requestedAt: requested_at,
                notesDigest: notes_digest.0.into(),
                sharedImage: shared_image.0.into(),
                expiresAt: expires_at,
                notes,
            }
            .abi_encode(),
            Self::DenyIrs {
                requestor,
                image,
                reason,
            } => sol::deny_IRsCall {
                requester: requestor,
                image: image.0.into(),
                reason,
            }
            .abi_encode(),
            Self::TraceAuthorization {
                patient,
                requestor,
                image,
            } => sol::trace_authorizationCall {
                patient,
                requester: requestor,
                image: image.0.into(),
            }
            .abi_encode(),
            Self::RemoveIrs { requestor, image } => sol::remove_IRsCall {
                requester: requestor,
                image: image.0.into(),
            }
            .abi_encode(),
            Self::ReshareIrs {
                requestor,
                image,
                decided_at,
                shared_image,
                expires_at,
            } => sol::reshare_IRsCall {
                requester: requestor,
                image: image.0.into(),
                decidedAt: decided_at,
                sharedImage: shared_image.0.into(),
                expiresAt: expires_at,
            }
            .abi_encode(),
            Self::ResealImage {
                image,
                root,
                emergency,
                round,
            } => sol::reseal_imageCall {
                image: image.0.into(),
                root: root.0.into(),
                emergency,
                round,
            }
            .abi_encode(),
            Self::SetApprovalLimit {
                image,
                approvals,
                window_seconds,
                round,
            } => sol::set_approval_limitCall {
                image: image.0.into(),
                approvals,
                windowSeconds: window_seconds,
                round,
            }
            .abi_encode(),
            Self::AccreditRadiologist {
                radiologist,
                status,
                since,
            } => sol::accredit_radiologistCall {
                radiologist,
                status: status as u8,
                since,
            }
            .abi_encode(),
            Self::TransferConsortium { to } => sol::transfer_consortiumCall { to }.abi_encode(),
            Self::AcceptConsortium => sol::accept_consortiumCall {}.abi_encode(),
            Self::VoidNonces { word, mask } => sol::void_noncesCall { word, mask }.abi_encode(),
            Self::Relay(relay) => sol::relayCall {
                signer: relay.signer,
                nonce: relay.free()?,
                deadline: relay.deadline,
                call: relay.call,
                signature: relay.signature,
            }
            .abi_encode(),
            Self::Batch(calls) => batch(&calls, Version::V2)?,
            Self::WithdrawImage { image } => sol::withdraw_imageCall {
                image: image.0.into(),
            }
            .abi_encode(),
            Self::RestoreImage { image, round } => sol::restore_imageCall {
                image: image.0.into(),
                round,
            }
            .abi_encode(),
            Self::RetractImage { image, reason } => sol::retract_imageCall {
                image: image.0.into(),
                reason,
            }
            .abi_encode(),
            Self::ImportImage { image } => sol::import_imageCall {
                image: image.0.into(),
            }
            .abi_encode(),
            Self::SetGuardians {
                patient,
                round,
                commitment,
                hours,
            } => sol::set_guardiansCall {
                patient,
                round,
                commitment: commitment.into(),
                delayHours: hours,
            }
            .abi_encode(),
            Self::MoveAccount {
                patient,
                round,
                successor,
            } => sol::move_accountCall {
                patient,
                round,
                successor,
            }
            .abi_encode(),
            Self::SetEmergency {
                patient,
                round,
                desk,
                hours,
            } => sol::set_emergencyCall {
                patient,
                round,
                desk,
                maxHours: hours,
            }
            .abi_encode(),
            Self::StartRecovery(recovery) => sol::start_recoveryCall {
                patient: recovery.patient,
                successor: recovery.successor,
                lock: recovery.lock,
                guardians: recovery.guardians,
                threshold: recovery.threshold,
                salt: recovery.salt,
                deadline: recovery.deadline,
                signatures: recovery.signatures,
            }
            .abi_encode(),
            Self::CancelChange { patient } => sol::cancel_changeCall { patient }.abi_encode(),
            Self::FinishChange { patient } => sol::finish_changeCall { patient }.abi_encode(),
            Self::SetDelegate {
                patient,
                round,
                delegate,
                until,
            } => sol::set_delegateCall {
                patient,
                round,
                delegate,
                until,
            }
            .abi_encode(),
            Self::BreakGlass {
                requestor,
                image,
                public_key,
                requested_at,
                until,
                reason,
            } => sol::break_glassCall {
                requester: requestor,
                image: image.0.into(),
                publicKey: public_key.0.into(),
                requestedAt: requested_at,
                until,
                reasonCode: reason,
            }
            .abi_encode(),
        })
    }
}

/// `multicall` has one shape in both versions.
fn batch(calls: &[Call], version: Version) -> Result<Vec<u8>> {
    let calls = calls
        .iter()
        .map(|call| call.calldata(version).map(Into::into));
    let calls = calls.collect::<Result<_>>()?;
    Ok(sol::multicallCall { calls }.abi_encode())
}
