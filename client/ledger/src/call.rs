//! Calls as calldata, and their return values.

use alloy_sol_types::{SolCall, SolType, sol_data};

use super::Call;
use super::abi::IPcac as sol;

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
            Self::AccreditRadiologist { .. } => sol::accredit_radiologistCall::SIGNATURE,
            Self::TransferConsortium { .. } => sol::transfer_consortiumCall::SIGNATURE,
            Self::Relay(_) => sol::relayCall::SIGNATURE,
            Self::Batch(_) => sol::multicallCall::SIGNATURE,
        };
        signature.split('(').next().unwrap_or(signature)
    }

    /// Reads what the function returned: its `bool`, if it is one that returns one; of a relay, what the call returned;
    /// of a batch, whether any of its calls returned true.
    pub(super) fn answer(&self, returned: &[u8]) -> alloy_sol_types::Result<Option<bool>> {
        match self {
            Self::ResealImage { .. }
            | Self::SetApprovalLimit { .. }
            | Self::AccreditRadiologist { .. }
            | Self::TransferConsortium { .. } => Ok(None),
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

    /// Selector and arguments.
    pub(super) fn calldata(&self) -> Vec<u8> {
        match self.clone() {
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
                shared_image,
                expires_at,
                notes,
            } => sol::approve_IRsCall {
                requester: requestor,
                image: image.0.into(),
                publicKey: public_key.0.into(),
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
                shared_image,
                expires_at,
            } => sol::reshare_IRsCall {
                requester: requestor,
                image: image.0.into(),
                sharedImage: shared_image.0.into(),
                expiresAt: expires_at,
            }
            .abi_encode(),
            Self::ResealImage { image, root } => sol::reseal_imageCall {
                image: image.0.into(),
                root: root.0.into(),
            }
            .abi_encode(),
            Self::SetApprovalLimit {
                image,
                approvals,
                window_seconds,
            } => sol::set_approval_limitCall {
                image: image.0.into(),
                approvals,
                windowSeconds: window_seconds,
            }
            .abi_encode(),
            Self::AccreditRadiologist {
                radiologist,
                accredited,
            } => sol::accredit_radiologistCall {
                radiologist,
                accredited,
            }
            .abi_encode(),
            Self::TransferConsortium { to } => sol::transfer_consortiumCall { to }.abi_encode(),
            Self::Relay(relay) => sol::relayCall {
                signer: relay.signer,
                nonce: relay.nonce,
                deadline: relay.deadline,
                call: relay.call,
                signature: relay.signature,
            }
            .abi_encode(),
            Self::Batch(calls) => sol::multicallCall {
                calls: calls.iter().map(|call| call.calldata().into()).collect(),
            }
            .abi_encode(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use alloy_primitives::{Address, keccak256};

    use super::*;
    use pcim_core::{BlockDigest, ImageDigest, Seal};

    #[test]
    fn every_call_is_its_own_function_with_its_arguments_in_order() {
        let (a, b) = (Address::repeat_byte(0xa1), Address::repeat_byte(0xb2));
        let (i, j) = (ImageDigest([0x11; 32]), ImageDigest([0x22; 32]));
        let word = |byte: u8| [byte; 32];
        let address = |a: Address| a.into_word().0;
        let number = |n: u8| {
            let mut word = [0; 32];
            word[31] = n;
            word
        };
        // Fixed-size arguments, word by word; of dynamic ones the words are checked below.
        let cases: Vec<(Call, &str, Vec<[u8; 32]>)> = vec![
            (
                Call::CreateContract {
                    image: i,
                    patient: a,
                    seal: Seal([0x33; 32]),
                    radiologist: b,
                    attestation: vec![0xcc; 65],
                    description: "CT CHEST".into(),
                },
                "create_contract(bytes32,address,bytes32,address,bytes,string)",
                vec![word(0x11), address(a), word(0x33), address(b), number(192)],
            ),
            (
                Call::RequestingAccess {
                    patient: a,
                    image: i,
                    public_key: BlockDigest([0x44; 32]),
                    notes: "TREAT".into(),
                },
                "requesting_access(address,bytes32,bytes32,string)",
                vec![address(a), word(0x11), word(0x44), number(128), number(5)],
            ),
            (
                Call::ApproveIrs {
                    requestor: b,
                    image: i,
                    public_key: BlockDigest([0x44; 32]),
                    shared_image: j,
                    expires_at: 7,
                    notes: String::new(),
                },
                "approve_IRs(address,bytes32,bytes32,bytes32,uint64,string)",
                vec![
                    address(b),
                    word(0x11),
                    word(0x44),
                    word(0x22),
                    number(7),
                    number(192),
                    number(0),
                ],
            ),
            (
                Call::DenyIrs {
                    requestor: b,
                    image: i,
                    reason: "no".into(),
                },
                "deny_IRs(address,bytes32,string)",
                vec![address(b), word(0x11), number(96), number(2)],
            ),
            (
                Call::TraceAuthorization {
                    patient: a,
                    requestor: b,
                    image: i,
                },
                "trace_authorization(address,address,bytes32)",
                vec![address(a), address(b), word(0x11)],
            ),
            (
                Call::RemoveIrs {
                    requestor: b,
                    image: i,
                },
                "remove_IRs(address,bytes32)",
                vec![address(b), word(0x11)],
            ),
            (
                Call::ReshareIrs {
                    requestor: b,
                    image: i,
                    shared_image: j,
                    expires_at: 9,
                },
                "reshare_IRs(address,bytes32,bytes32,uint64)",
                vec![address(b), word(0x11), word(0x22), number(9)],
            ),
            (
                Call::ResealImage { image: i, root: j },
                "reseal_image(bytes32,bytes32)",
                vec![word(0x11), word(0x22)],
            ),
            (
                Call::SetApprovalLimit {
                    image: i,
                    approvals: 3,
                    window_seconds: 60,
                },
                "set_approval_limit(bytes32,uint32,uint32)",
                vec![word(0x11), number(3), number(60)],
            ),
            (
                Call::AccreditRadiologist {
                    radiologist: b,
                    accredited: true,
                },
                "accredit_radiologist(address,bool)",
                vec![address(b), number(1)],
            ),
            (
                Call::TransferConsortium { to: a },
                "transfer_consortium(address)",
                vec![address(a)],
            ),
        ];
        let mut selectors = BTreeSet::new();
        for (call, signature, words) in cases {
            let data = call.calldata();
            assert_eq!(data[..4], keccak256(signature)[..4], "{signature}");
            assert_eq!(call.name(), signature.split('(').next().unwrap());
            let expected = words.concat();
            assert_eq!(data[4..4 + expected.len()], expected, "{signature}");
            selectors.insert(data[..4].to_vec());
        }
        assert_eq!(selectors.len(), 11);
    }
}
