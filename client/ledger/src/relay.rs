//! Signed calls: what an account wants the contract to do, signed as EIP-712 typed data, for anyone to send by `relay`.
//!
//! The typed data are a struct with the function's name and arguments, then `signer`, `nonce` and `deadline`, in the
//! contract's domain. A signed call travels as a JSON document:
//!
//! ```json
//! {
//!   "pcim-signed-call": 1,
//!   "chain_id": 412346,
//!   "contract": "0x…",
//!   "function": "remove_IRs",
//!   "signer": "0x…",
//!   "nonce": 0,
//!   "deadline": 1790000000,
//!   "call": "0x…",
//!   "signature": "0x…"
//! }
//! ```
//!
//! `call` is the function's calldata, `signature` 65 bytes r‖s‖v of a key or whatever a contract account takes (ERC-1271).

use alloy_primitives::{Bytes, U256};
use alloy_sol_types::{Eip712Domain, SolInterface, SolStruct};

use super::abi::IPcac::{IPcacCalls as Function, noncesCall};
use super::{Account, Call, Deployment, Error, Ledger, RelayCall, Result};
use pcim_core::{Address, B256};

/// Most bytes of the document.
const MAX_RELAY_BYTES: usize = 32 * 1024;
/// Most bytes of calldata: a registration with the longest attestation and description has fewer.
const MAX_CALL_BYTES: usize = 4_096;
/// Most bytes of a signature that the contract looks at.
const MAX_SIGNATURE_BYTES: usize = 2_048;

impl RelayCall {
    /// Reads the document. The signature is for the contract to check.
    ///
    /// # Errors
    /// [`Error::BadSignedCall`]
    pub fn parse(json: &[u8]) -> Result<Self> {
        let bad = |reason: String| Error::BadSignedCall { reason };
        if json.len() > MAX_RELAY_BYTES {
            let found = json.len();
            return Err(bad(format!(
                "{found} bytes, at most {MAX_RELAY_BYTES} are read"
            )));
        }
        let call: Self = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        if call.version != 1 {
            let found = call.version;
            return Err(bad(format!(
                "of version {found}, this program reads version 1"
            )));
        }
        for (what, found, most) in [
            ("call", call.call.len(), MAX_CALL_BYTES),
            ("signature", call.signature.len(), MAX_SIGNATURE_BYTES),
        ] {
            if found > most {
                return Err(bad(format!(
                    "a {what} of {found} bytes, wanted at most {most}"
                )));
            }
        }
        let (name, _) = call.typed()?;
        if name != call.function {
            let found = call.function.chars().take(64).collect::<String>();
            return Err(bad(format!("named `{found:?}`, its call is `{name}`")));
        }
        Ok(call)
    }

    /// Writes the document.
    ///
    /// # Errors
    /// [`Error::BadSignedCall`] if it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|e| Error::BadSignedCall {
            reason: e.to_string(),
        })?;
        json.push(b'\n');
        Ok(json)
    }

    /// Computes what is signed (EIP-712).
    ///
    /// # Errors
    /// [`Error::BadSignedCall`] if the call is none that can be signed.
    pub fn digest(&self) -> Result<B256> {
        Ok(self.typed()?.1)
    }

    /// The function's name, and what is signed.
    fn typed(&self) -> Result<(&'static str, B256)> {
        let bad = |reason: String| Error::BadSignedCall { reason };
        let function = Function::abi_decode_validate(&self.call)
            .map_err(|e| bad(format!("its call does not decode: {e}")))?;
        let name = Function::name_by_selector(function.selector()).unwrap_or_default();
        let domain = domain(self.chain_id, self.contract);
        let signed = (self.signer, self.nonce, self.deadline);
        let digest = typed::digest(function, signed, &domain)
            .ok_or_else(|| bad(format!("`{name}` cannot be signed")))?;
        Ok((name, digest))
    }
}

impl Account {
    /// Signs a call for others to send: good once, as the signer's call number `nonce`, until `deadline` (unix seconds).
    ///
    /// # Errors
    /// [`Error::BadSignedCall`] for a call that cannot be signed (a relay, a batch), [`Error::Signing`]
    pub fn sign_call(
        &self,
        deployment: &Deployment,
        call: &Call,
        nonce: u64,
        deadline: u64,
    ) -> Result<RelayCall> {
        let unsigned = RelayCall {
            version: 1,
            chain_id: deployment.chain_id,
            contract: deployment.contract,
            function: call.name().to_owned(),
            signer: self.address(),
            nonce,
            deadline,
            call: call.calldata().into(),
            signature: Bytes::new(),
        };
        let signature = self.sign_digest(unsigned.digest()?)?;
        Ok(RelayCall {
            signature: signature.to_vec().into(),
            ..unsigned
        })
    }
}

impl Ledger {
    /// Reads the nonce of the next call that an account signs for others to send.
    ///
    /// # Errors
    /// As every view.
    pub async fn next_signed(&self, signer: Address) -> Result<u64> {
        self.view(noncesCall { signer }).await
    }
}

/// The domain that everything for the contract is signed in.
pub(super) fn domain(chain_id: u64, contract: Address) -> Eip712Domain {
    Eip712Domain {
        name: Some("Pcac".into()),
        version: Some("1".into()),
        chain_id: Some(U256::from(chain_id)),
        verifying_contract: Some(contract),
        salt: None,
    }
}

/// The structs that are signed, by their functions' names.
#[allow(missing_docs, non_camel_case_types, clippy::too_many_arguments)]
mod typed {
    use alloy_sol_types::sol;

    use super::{Address, B256, Eip712Domain, Function, SolStruct};

    /// Each struct from the call's arguments and who signed, with which nonce, until when.
    macro_rules! typed {
        ($($name:ident { $($kind:ident $field:ident),* $(,)? })*) => {
            sol! {
                $(struct $name { $($kind $field;)* address signer; uint64 nonce; uint64 deadline; })*
            }

            /// Computes what is signed for a call; `None` for one that cannot be signed.
            pub(super) fn digest(
                call: Function,
                (signer, nonce, deadline): (Address, u64, u64),
                domain: &Eip712Domain,
            ) -> Option<B256> {
                Some(match call {
                    $(Function::$name(call) => $name {
                        $($field: call.$field,)*
                        signer,
                        nonce,
                        deadline,
                    }
                    .eip712_signing_hash(domain),)*
                    _ => return None,
                })
            }
        };
    }

    typed! {
        create_contract { bytes32 image, address patient, bytes32 seal, address radiologist, bytes attestation, string description }
        requesting_access { address patient, bytes32 image, bytes32 publicKey, string notes }
        approve_IRs { address requester, bytes32 image, bytes32 publicKey, bytes32 sharedImage, uint64 expiresAt, string notes }
        deny_IRs { address requester, bytes32 image, string reason }
        trace_authorization { address patient, address requester, bytes32 image }
        remove_IRs { address requester, bytes32 image }
        reshare_IRs { address requester, bytes32 image, bytes32 sharedImage, uint64 expiresAt }
        reseal_image { bytes32 image, bytes32 root }
        set_approval_limit { bytes32 image, uint32 approvals, uint32 windowSeconds }
        accredit_radiologist { address radiologist, bool accredited }
        transfer_consortium { address to }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use alloy_primitives::{address, b256};

    use super::*;
    use crate::account::recover_digest;

    /// Recovers the account whose key made the signature.
    fn recovered(call: &RelayCall) -> Result<Address> {
        recover_digest(call.digest()?, &call.signature)
    }
    use pcim_core::{BlockDigest, ImageDigest, Seal};

    const OTHER: Address = address!("00000000000000000000000000000000000000b0");

    fn deployment() -> Deployment {
        Deployment {
            rpc_url: String::new(),
            chain_id: 412_346,
            contract: address!("00000000000000000000000000000000000000c0"),
        }
    }

    /// The account of the private key 1.
    fn one() -> Account {
        let mut key = [0; 32];
        key[31] = 1;
        Account::from_private_key(&key).unwrap()
    }

    fn calls() -> Vec<Call> {
        let (image, other) = (ImageDigest([0x11; 32]), ImageDigest([0x22; 32]));
        vec![
            Call::CreateContract {
                image,
                patient: OTHER,
                seal: Seal([0x33; 32]),
                radiologist: OTHER,
                attestation: vec![7; 65],
                description: "CT CHEST".into(),
            },
            Call::RequestingAccess {
                patient: OTHER,
                image,
                public_key: BlockDigest([0x44; 32]),
                notes: "TREAT".into(),
            },
            Call::ApproveIrs {
                requestor: OTHER,
                image,
                public_key: BlockDigest([0x44; 32]),
                shared_image: other,
                expires_at: 7,
                notes: "für einen Tag".into(),
            },
            Call::DenyIrs {
                requestor: OTHER,
                image,
                reason: "no".into(),
            },
            Call::TraceAuthorization {
                patient: OTHER,
                requestor: OTHER,
                image,
            },
            Call::RemoveIrs {
                requestor: OTHER,
                image,
            },
            Call::ReshareIrs {
                requestor: OTHER,
                image,
                shared_image: other,
                expires_at: 0,
            },
            Call::ResealImage { image, root: other },
            Call::SetApprovalLimit {
                image,
                approvals: 3,
                window_seconds: 60,
            },
            Call::AccreditRadiologist {
                radiologist: OTHER,
                accredited: true,
            },
            Call::TransferConsortium { to: OTHER },
        ]
    }

    /// The digest that is signed for each of [`calls`] with nonce 5 and deadline 1,790,000,000, from `tests/interop/vectors.py`.
    const DIGESTS: [B256; 11] = [
        b256!("9d7a5960b25e21a515a9377855e54af28883556a6f73fce16d1a0843ffc132c4"),
        b256!("f9e8712248a6e61d10def5e20e713c7f7a541ab101c863970c6cc8ac6ba84586"),
        b256!("d428434075887b8e10b878b42441bf89f30476e554ec2ffd9c94878a3e65ac09"),
        b256!("c12343beb78227ebf7d71e858508364330d20422edcc65a3a87f02b26dfb73ae"),
        b256!("3a8e070183baaa787c3c74739d96dc7ba41c5f2213d64e16c621cea1859aab36"),
        b256!("1440f1916bd6690105285ec7288b39072f6b0fba657b9dc4498b8d074c4485ca"),
        b256!("ccf1b065bb136ecdf0c2f85bc4a2f7d8e907299b4188d79e2122845939887c85"),
        b256!("153a77996ee4d52e3a2e163c79bb8dbbe68ad11ceda07a06a76936c7d83f9782"),
        b256!("d7211e177a017c0caf476191a6f0fbe355c4d989a3f86699449f8416422f5842"),
        b256!("0baaa8c3917540c42a8307d6a877e56c7bbe9a73ab047aab93a85315329dc252"),
        b256!("239b7fdd4be7305f9034c5806e9a1efa6386703d480988fa994e123f5a969b53"),
    ];

    #[test]
    fn a_signed_call_is_what_other_wallets_sign() {
        for (call, digest) in calls().iter().zip(DIGESTS) {
            let signed = one()
                .sign_call(&deployment(), call, 5, 1_790_000_000)
                .unwrap();
            assert_eq!(signed.digest().unwrap(), digest, "{}", call.name());
            assert_eq!(recovered(&signed).unwrap(), one().address());
            let again = RelayCall::parse(&signed.to_json().unwrap()).unwrap();
            assert_eq!(again, signed);
        }
    }

    #[test]
    fn a_signature_is_for_one_chain_contract_signer_nonce_deadline_and_call() {
        let signed = one()
            .sign_call(&deployment(), &calls()[5], 5, 1_790_000_000)
            .unwrap();
        let changed = [
            RelayCall {
                chain_id: 1,
                ..signed.clone()
            },
            RelayCall {
                contract: OTHER,
                ..signed.clone()
            },
            RelayCall {
                signer: OTHER,
                ..signed.clone()
            },
            RelayCall {
                nonce: 6,
                ..signed.clone()
            },
            RelayCall {
                deadline: 0,
                ..signed.clone()
            },
            RelayCall {
                call: calls()[4].calldata().into(),
                ..signed
            },
        ];
        for call in changed {
            assert_ne!(recovered(&call).ok(), Some(one().address()), "{call:?}");
        }
    }

    #[test]
    fn mutated_signed_calls_are_read_or_refused() {
        use pcim_core::chance::{Numbers, mutations};

        let mut numbers = Numbers(0x5eed_0002);
        let mut read = 0;
        for call in calls() {
            let signed = one().sign_call(&deployment(), &call, 5, 1_790_000_000);
            let good = signed.unwrap().to_json().unwrap();
            for _ in 0..mutations() {
                if let Ok(call) = RelayCall::parse(&numbers.mutated(&good)) {
                    let again = RelayCall::parse(&call.to_json().unwrap()).unwrap();
                    assert_eq!(again, call);
                    read += 1;
                }
            }
        }
        assert!(read > 0, "every changed call was refused");
    }

    #[test]
    fn a_document_that_is_none_is_refused() {
        let signed = one().sign_call(&deployment(), &calls()[3], 0, 1).unwrap();
        let refused = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut json = serde_json::to_value(&signed).unwrap();
            change(&mut json);
            let found = RelayCall::parse(json.to_string().as_bytes());
            assert!(
                matches!(found, Err(Error::BadSignedCall { .. })),
                "{found:?}"
            );
        };
        refused(&|json| json["pcim-signed-call"] = 2.into());
        refused(&|json| json["function"] = "approve_IRs".into());
        refused(&|json| json["more"] = 1.into());
        refused(&|json| json["call"] = "0x".into());
        refused(&|json| json["call"] = "0x01020304".into());
        refused(&|json| json["nonce"] = "0".into());
        refused(&|json| json["nonce"] = (-1).into());
        refused(&|json| json["signature"] = format!("0x{}", "00".repeat(2_049)).into());
        refused(&|json| json["call"] = format!("0x{}", "00".repeat(4_097)).into());
        refused(&|json| json["signer"] = "0x00".into());
        for bad in [&b""[..], b"{}", b"[]", &[b' '; MAX_RELAY_BYTES + 1]] {
            assert!(RelayCall::parse(bad).is_err());
        }
        let views = RelayCall {
            function: "version".into(),
            call: alloy_primitives::keccak256("version()")[..4]
                .to_vec()
                .into(),
            ..signed
        };
        let json = views.to_json().unwrap();
        assert!(RelayCall::parse(&json).is_err(), "a view is not signed");
    }

    #[test]
    fn relays_and_batches_are_not_signed() {
        let relay = one().sign_call(&deployment(), &calls()[5], 0, 1).unwrap();
        for call in [Call::Relay(relay), Call::Batch(calls())] {
            let found = one().sign_call(&deployment(), &call, 0, 1);
            assert!(
                matches!(found, Err(Error::BadSignedCall { .. })),
                "{found:?}"
            );
        }
    }
}
