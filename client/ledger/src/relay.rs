//! Signed calls: what an account wants the contract to do, signed as EIP-712 typed data, for anyone to send by `relay`.
//!
//! The typed data are a struct with the function's name and arguments, then `signer`, `nonce` and `deadline`, in the
//! contract's domain. A signed call travels as a JSON document, whose version is the contract's:
//!
//! ```json
//! {
//!   "pcim-signed-call": 2,
//!   "chain_id": 412346,
//!   "contract": "0x…",
//!   "function": "remove_IRs",
//!   "signer": "0x…",
//!   "nonce": "0x5",
//!   "deadline": 1790000000,
//!   "call": "0x…",
//!   "signature": "0x…"
//! }
//! ```
//!
//! At version 1 `nonce` is a number. `call` is the function's calldata, `signature` 65 bytes r‖s‖v of a key or whatever a contract account takes (ERC-1271).

pub(super) mod service;
#[cfg(test)]
mod tests;
mod typed;

use std::collections::BTreeSet;

use alloy_primitives::{Bytes, U64, U256};
use alloy_sol_types::{Eip712Domain, SolCall, SolInterface};
use serde::Deserialize;
use serde_json::json;

use super::abi::{v1, v2};
use super::{
    Account, Call, Deployment, Error, EventFilter, Ledger, Mined, Nonce, RelayCall, Result, Version,
};
use pcim_core::{Address, B256, ImageDigest};

/// Most bytes of the document.
const MAX_RELAY_BYTES: usize = 64 * 1024;
/// Most transactions that are looked through for a call.
const MAX_SEARCHED: usize = 256;

impl Version {
    /// Most bytes of calldata: a registration with the longest attestation and description has fewer.
    fn max_call_bytes(self) -> usize {
        match self {
            Self::V1 => 4_096,
            Self::V2 => 12_288,
        }
    }

    /// Returns the most bytes of a signature or an attestation that the contract looks at.
    #[must_use]
    pub fn max_signature_bytes(self) -> usize {
        match self {
            Self::V1 => 2_048,
            Self::V2 => 8_192,
        }
    }
}

impl Nonce {
    /// The version of the contract that has such numbers.
    pub(super) fn version(self) -> Version {
        match self {
            Self::Ordered(_) => Version::V1,
            Self::Free(_) => Version::V2,
        }
    }

    /// Splits a number of version 2 into its word and its bit.
    #[must_use]
    pub fn place(self) -> Option<(U256, U256)> {
        match self {
            Self::Ordered(_) => None,
            Self::Free(nonce) => Some((nonce >> 8, U256::ONE << (nonce & U256::from(255)))),
        }
    }
}

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
        let version = match (call.version, call.nonce) {
            (1, Nonce::Ordered(_)) => Version::V1,
            (2, Nonce::Free(_)) => Version::V2,
            (1 | 2, nonce) => return Err(bad(format!("its nonce {nonce} is another version's"))),
            (found, _) => {
                return Err(bad(format!(
                    "of version {found}, this program reads versions 1 and 2"
                )));
            }
        };
        let most = version.max_signature_bytes();
        for (what, found, most) in [
            ("call", call.call.len(), version.max_call_bytes()),
            ("signature", call.signature.len(), most),
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

    /// Its number, for a contract of version 1.
    pub(super) fn ordered(&self) -> Result<u64> {
        match self.nonce {
            Nonce::Ordered(nonce) => Ok(nonce),
            Nonce::Free(_) => Err(other_version(Version::V1)),
        }
    }

    /// Its number, for a contract of version 2.
    pub(super) fn free(&self) -> Result<U256> {
        match self.nonce {
            Nonce::Free(nonce) => Ok(nonce),
            Nonce::Ordered(_) => Err(other_version(Version::V2)),
        }
    }

    /// The function's name, and what is signed.
    fn typed(&self) -> Result<(&'static str, B256)> {
        let bad = |reason: String| Error::BadSignedCall { reason };
        let undecoded = |e: alloy_sol_types::Error| bad(format!("its call does not decode: {e}"));
        let domain = domain(self.nonce.version(), self.chain_id, self.contract);
        let (signer, deadline) = (self.signer, self.deadline);
        let (name, digest) = match self.nonce {
            Nonce::Ordered(nonce) => {
                use v1::IPcac::IPcacCalls as Function;
                let call = Function::abi_decode_validate(&self.call).map_err(undecoded)?;
                let name = Function::name_by_selector(call.selector());
                (
                    name,
                    typed::v1::digest(call, (signer, nonce, deadline), &domain),
                )
            }
            Nonce::Free(nonce) => {
                use v2::IPcac::IPcacCalls as Function;
                let call = Function::abi_decode_validate(&self.call).map_err(undecoded)?;
                let name = Function::name_by_selector(call.selector());
                (
                    name,
                    typed::v2::digest(call, (signer, nonce, deadline), &domain),
                )
            }
        };
        let name = name.unwrap_or_default();
        let digest = digest.ok_or_else(|| bad(format!("`{name}` cannot be signed")))?;
        Ok((name, digest))
    }
}

fn other_version(wanted: Version) -> Error {
    Error::BadSignedCall {
        reason: format!("it is for another version of the contract, this is version {wanted}"),
    }
}

impl Account {
    /// Signs a call for others to send: good once, as the signer's call number `nonce`, until `deadline` (unix seconds). The
    /// kind of number says for which version of the contract.
    ///
    /// # Errors
    /// [`Error::BadSignedCall`] for a call that cannot be signed (a relay, a batch, the consortium's of version 2),
    /// [`Error::Lacks`], [`Error::Signing`]
    pub fn sign_call(
        &self,
        deployment: &Deployment,
        call: &Call,
        nonce: Nonce,
        deadline: u64,
    ) -> Result<RelayCall> {
        let version = nonce.version();
        let unsigned = RelayCall {
            version: match version {
                Version::V1 => 1,
                Version::V2 => 2,
            },
            chain_id: deployment.chain_id,
            contract: deployment.contract,
            function: call.name().to_owned(),
            signer: self.address(),
            nonce,
            deadline,
            call: call.calldata(version)?.into(),
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
    /// Reads the nonce of the next call that an account signs for others to send, at version 1.
    ///
    /// # Errors
    /// As every view.
    pub async fn next_signed(&self, signer: Address) -> Result<u64> {
        self.view(v1::IPcac::noncesCall { signer }).await
    }

    /// Reads which nonces of a word are used or void, a bit each, at version 2.
    ///
    /// # Errors
    /// As every view.
    pub async fn nonces(&self, signer: Address, word: U256) -> Result<U256> {
        self.view(v2::IPcac::noncesCall { signer, word }).await
    }

    /// Returns true if the number of a signed call is used or void, so that the call can no longer be done.
    ///
    /// # Errors
    /// As every view.
    pub async fn is_used(&self, signer: Address, nonce: Nonce) -> Result<bool> {
        match (nonce, nonce.place()) {
            (_, Some((word, bit))) => Ok(self.nonces(signer, word).await? & bit != U256::ZERO),
            (Nonce::Ordered(nonce), _) => Ok(nonce < self.next_signed(signer).await?),
            (Nonce::Free(_), None) => Ok(false),
        }
    }
}

impl RelayCall {
    /// Returns true if it ends an approval of this image for this requestor, whenever it is sent.
    #[must_use]
    pub fn ends(&self, image: &ImageDigest, requestor: Address) -> bool {
        let arguments = self.call.get(4..).unwrap_or_default();
        match self.function.as_str() {
            "remove_IRs" => {
                arguments.get(..32) == Some(requestor.into_word().as_slice())
                    && arguments.get(32..64) == Some(&image.0[..])
            }
            "withdraw_image" => arguments.get(..32) == Some(&image.0[..]),
            _ => false,
        }
    }

    /// The image or the patient that the call is about, by the events that it leaves.
    fn about(&self) -> EventFilter {
        let word = |n: usize| {
            let bytes = self.call.get(4 + 32 * n..36 + 32 * n)?;
            <[u8; 32]>::try_from(bytes).ok()
        };
        let image = |n| EventFilter {
            image: word(n).map(ImageDigest),
            ..EventFilter::default()
        };
        let patient = EventFilter {
            patient: word(0).map(|word| Address::from_slice(&word[12..])),
            ..EventFilter::default()
        };
        match self.function.as_str() {
            "create_contract" | "reseal_image" | "set_approval_limit" | "withdraw_image"
            | "restore_image" | "retract_image" | "import_image" => image(0),
            "requesting_access" | "approve_IRs" | "deny_IRs" | "remove_IRs" | "reshare_IRs"
            | "break_glass" => image(1),
            "trace_authorization" => image(2),
            _ => patient,
        }
    }
}

impl Ledger {
    /// Looks for the transaction that did this very call, from any sender: one with an event of the contract about the same
    /// image or account, whose data hold the whole relay. `None` if the latest [`MAX_SEARCHED`] have none, or the call
    /// left no event.
    ///
    /// # Errors
    /// Those of the RPC.
    pub async fn find_relayed(&self, call: &RelayCall) -> Result<Option<Mined>> {
        let mut seen = BTreeSet::new();
        for logged in self.events(&call.about()).await?.into_iter().rev() {
            if !seen.insert(logged.tx) {
                continue;
            }
            if seen.len() > MAX_SEARCHED {
                break;
            }
            if let Some(mined) = self.relayed_by(&logged.tx, call).await? {
                return Ok(Some(mined));
            }
        }
        Ok(None)
    }

    /// Looks up a transaction that is said to have done this very call; `None` if it is not mined, or does not carry it.
    ///
    /// # Errors
    /// [`Error::Reverted`] if it failed, and those of the RPC.
    pub async fn relayed_by(&self, tx: &B256, call: &RelayCall) -> Result<Option<Mined>> {
        #[derive(Deserialize)]
        struct Sent {
            input: Bytes,
        }
        let relay = Call::Relay(call.clone()).calldata(self.version)?;
        let sent: Option<Sent> = self
            .rpc
            .ask("eth_getTransactionByHash", json!([tx]))
            .await?;
        // A contract account may have sent it, inside of data of its own.
        let holds = |sent: Sent| sent.input.windows(relay.len()).any(|bytes| bytes == relay);
        match sent.is_some_and(holds) {
            true => self.mined(tx).await,
            false => Ok(None),
        }
    }
}

impl Ledger {
    /// Returns true if a number of version 2 was used or void at the end of a block.
    ///
    /// # Errors
    /// As every view.
    pub async fn was_used(&self, signer: Address, nonce: Nonce, block: u64) -> Result<bool> {
        const METHOD: &str = "eth_call";
        let Some((word, bit)) = nonce.place() else {
            return self.is_used(signer, nonce).await;
        };
        let data = v2::IPcac::noncesCall { signer, word }.abi_encode();
        let call = json!({ "to": self.deployment.contract, "data": Bytes::from(data) });
        let used: U256 = self
            .rpc
            .ask(METHOD, json!([call, U64::from(block)]))
            .await?;
        Ok(used & bit != U256::ZERO)
    }
}

/// The domain that everything for the contract is signed in.
pub(super) fn domain(version: Version, chain_id: u64, contract: Address) -> Eip712Domain {
    Eip712Domain {
        name: Some("Pcac".into()),
        version: Some(version.text().into()),
        chain_id: Some(U256::from(chain_id)),
        verifying_contract: Some(contract),
        salt: None,
    }
}
