//! Views of the contract and the chain, which cost nothing.

use alloy_primitives::U64;
use alloy_sol_types::SolCall;
use serde::Deserialize;
use serde_json::json;

use super::abi::IPcac as sol;
use super::rpc::Outcome;
use super::{Error, Grant, ImageRecord, Ledger, Result, Revert};
use pcim_core::{Address, B256, GrantStatus, ImageDigest, U256};

/// The part of a block's header that is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Head {
    pub(super) timestamp: U64,
    /// Absent before EIP-1559.
    pub(super) base_fee_per_gas: Option<U256>,
}

impl Ledger {
    /// Returns true if the requestor may read the image now; false for an unknown image or a wrong patient.
    ///
    /// # Errors
    /// As every view: [`Error::Rpc`], [`Error::Timeout`], [`Error::Nonsense`], [`Error::Node`]
    pub async fn is_authorized(
        &self,
        patient: Address,
        requestor: Address,
        image: &ImageDigest,
    ) -> Result<bool> {
        self.view(sol::is_authorizedCall {
            patient,
            requester: requestor,
            image: image.0.into(),
        })
        .await
    }

    /// Reads what is registered under an image; `None` if nothing is.
    ///
    /// # Errors
    /// As every view.
    pub async fn image_record(&self, image: &ImageDigest) -> Result<Option<ImageRecord>> {
        let call = sol::image_recordCall {
            image: image.0.into(),
        };
        let record = match self.view(call).await {
            Err(Error::Refused(Revert::UnknownImage { .. })) => return Ok(None),
            other => other?,
        };
        Ok((record.patient != Address::ZERO).then_some(ImageRecord {
            patient: record.patient,
            registered_at: record.registeredAt,
            approval_limit: record.approvalLimit,
            window_seconds: record.windowSeconds,
        }))
    }

    /// Reads the state of a requestor's request for an image.
    ///
    /// # Errors
    /// As every view.
    pub async fn grant(&self, image: &ImageDigest, requestor: Address) -> Result<Grant> {
        let grant = self
            .view(sol::grantCall {
                image: image.0.into(),
                requester: requestor,
            })
            .await?;
        let status = match grant.status {
            0 => GrantStatus::None,
            1 => GrantStatus::Requested,
            2 => GrantStatus::Approved,
            3 => GrantStatus::Denied,
            4 => GrantStatus::Removed,
            other => {
                let detail = format!("grant status {other}, wanted 0 to 4");
                return Err(self.rpc.nonsense("eth_call", detail));
            }
        };
        Ok(Grant {
            status,
            requested_at: grant.requestedAt,
            decided_at: grant.decidedAt,
            expires_at: grant.expiresAt,
            public_key_prefix: grant.publicKey.0,
            shared_image: (grant.sharedImage != B256::ZERO)
                .then_some(ImageDigest(grant.sharedImage.0)),
        })
    }

    /// Reads the account that accredits radiologists.
    ///
    /// # Errors
    /// As every view.
    pub async fn consortium(&self) -> Result<Address> {
        self.view(sol::consortiumCall {}).await
    }

    /// Returns true if a radiologist may attest.
    ///
    /// # Errors
    /// As every view.
    pub async fn is_accredited(&self, radiologist: Address) -> Result<bool> {
        self.view(sol::is_accreditedCall { radiologist }).await
    }

    /// Reads the latest block's number.
    ///
    /// # Errors
    /// As every view.
    pub async fn block_number(&self) -> Result<u64> {
        let number: U64 = self.rpc.ask("eth_blockNumber", json!([])).await?;
        Ok(number.to())
    }

    /// Reads a balance, in wei.
    ///
    /// # Errors
    /// As every view.
    pub async fn balance(&self, address: Address) -> Result<U256> {
        self.rpc
            .ask("eth_getBalance", json!([address, "latest"]))
            .await
    }

    /// Reads the time of the latest block, in Unix seconds.
    ///
    /// # Errors
    /// As every view.
    pub async fn now(&self) -> Result<u64> {
        Ok(self.head(None).await?.timestamp.to())
    }

    /// A block's header; the latest if no number is given.
    pub(super) async fn head(&self, number: Option<u64>) -> Result<Head> {
        let block = number.map_or_else(|| json!("latest"), |n| json!(U64::from(n)));
        let method = "eth_getBlockByNumber";
        let head: Option<Head> = self.rpc.ask(method, json!([block, false])).await?;
        head.ok_or_else(|| self.rpc.nonsense(method, format!("no block {block}")))
    }

    pub(super) async fn view<C: SolCall>(&self, call: C) -> Result<C::Return> {
        let outcome = self
            .rpc
            .call(None, self.deployment.contract, &call.abi_encode())
            .await
            .map_err(|fault| self.rpc.explain("eth_call", fault))?;
        match outcome {
            Outcome::Reverted(data) => Err(Error::Refused(Revert::decode(&data))),
            Outcome::Returned(data) => C::abi_decode_returns_validate(&data).map_err(|e| {
                let detail = format!("{} returns {} bytes: {e}", C::SIGNATURE, data.len());
                self.rpc.nonsense("eth_call", detail)
            }),
        }
    }
}
