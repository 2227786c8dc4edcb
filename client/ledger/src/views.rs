//! Views of the contract and the chain, which cost nothing.

use alloy_primitives::U64;
use alloy_sol_types::SolCall;
use serde::Deserialize;
use serde_json::json;

use super::abi::v1::IPcac as v1;
use super::abi::v2::IPcac as sol;
use super::rpc::Outcome;
use super::{
    AccountRecord, Accreditation, AccreditationRecord, ChangeKind, Error, Grant, ImageFlags,
    ImageRecord, Ledger, NotesDigest, Pending, Result, Revert, Version,
};
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
        let image = image.0.into();
        let record = match self.version {
            Version::V1 => {
                let record = match self.view(v1::image_recordCall { image }).await {
                    Err(Error::Refused(Revert::UnknownImage { .. })) => return Ok(None),
                    other => other?,
                };
                ImageRecord {
                    patient: record.patient,
                    registered_at: record.registeredAt,
                    approval_limit: record.approvalLimit,
                    window_seconds: record.windowSeconds,
                    flags: ImageFlags::default(),
                    tag: 0,
                    round: 0,
                }
            }
            Version::V2 => {
                let record = self.view(sol::image_recordCall { image }).await?;
                ImageRecord {
                    patient: record.patient,
                    registered_at: record.registeredAt,
                    approval_limit: record.approvalLimit,
                    window_seconds: record.windowSeconds,
                    flags: ImageFlags(record.flags),
                    tag: record.tag,
                    round: record.round,
                }
            }
        };
        Ok((record.patient != Address::ZERO).then_some(record))
    }

    /// Reads the state of a requestor's request for an image.
    ///
    /// # Errors
    /// As every view.
    pub async fn grant(&self, image: &ImageDigest, requestor: Address) -> Result<Grant> {
        let (image, requester) = (image.0.into(), requestor);
        let (status, grant) = match self.version {
            Version::V1 => {
                let grant = self.view(v1::grantCall { image, requester }).await?;
                let read = Grant {
                    status: GrantStatus::None,
                    requested_at: grant.requestedAt,
                    decided_at: grant.decidedAt,
                    expires_at: grant.expiresAt,
                    public_key_prefix: grant.publicKey.0,
                    shared_image: shared(grant.sharedImage),
                    notes_digest: NotesDigest::default(),
                };
                (grant.status, read)
            }
            Version::V2 => {
                let grant = self.view(sol::grantCall { image, requester }).await?;
                let read = Grant {
                    status: GrantStatus::None,
                    requested_at: grant.requestedAt,
                    decided_at: grant.decidedAt,
                    expires_at: grant.expiresAt,
                    public_key_prefix: grant.publicKey.0,
                    shared_image: shared(grant.sharedImage),
                    notes_digest: NotesDigest(grant.notesDigest.0),
                };
                (grant.status, read)
            }
        };
        let known = GrantStatus::of(status)
            .filter(|known| *known != GrantStatus::Emergency || self.version == Version::V2);
        let status = known.ok_or_else(|| {
            let detail = format!(
                "grant status {status}, which version {} has not",
                self.version
            );
            self.rpc.nonsense("eth_call", detail)
        })?;
        Ok(Grant { status, ..grant })
    }

    /// Reads the account that accredits radiologists.
    ///
    /// # Errors
    /// As every view.
    pub async fn consortium(&self) -> Result<Address> {
        match self.version {
            Version::V1 => self.view(v1::consortiumCall {}).await,
            Version::V2 => Ok(self.view(sol::consortiumCall {}).await?.holder),
        }
    }

    /// Reads the account that the consortium's role is offered to; `None` if it is offered to nobody.
    ///
    /// # Errors
    /// As every view.
    pub async fn consortium_offered(&self) -> Result<Option<Address>> {
        match self.version {
            Version::V1 => Ok(None),
            Version::V2 => {
                let offered = self.view(sol::consortiumCall {}).await?.offered;
                Ok((offered != Address::ZERO).then_some(offered))
            }
        }
    }

    /// Reads the contract that images are imported from; `None` if there is none.
    ///
    /// # Errors
    /// As every view.
    pub async fn predecessor(&self) -> Result<Option<Address>> {
        match self.version {
            Version::V1 => Ok(None),
            Version::V2 => {
                let found = self.view(sol::predecessorCall {}).await?;
                Ok((found != Address::ZERO).then_some(found))
            }
        }
    }

    /// Returns true if a radiologist may attest.
    ///
    /// # Errors
    /// As every view.
    pub async fn is_accredited(&self, radiologist: Address) -> Result<bool> {
        self.view(sol::is_accreditedCall { radiologist }).await
    }

    /// Reads how a radiologist stands.
    ///
    /// # Errors
    /// As every view.
    pub async fn accreditation(&self, radiologist: Address) -> Result<AccreditationRecord> {
        if self.version == Version::V1 {
            let status = match self.is_accredited(radiologist).await? {
                true => Accreditation::Accredited,
                false => Accreditation::None,
            };
            return Ok(AccreditationRecord {
                status,
                accredited_at: 0,
                since: 0,
            });
        }
        let found = self.view(sol::accreditationCall { radiologist }).await?;
        let status = Accreditation::of(found.status).ok_or_else(|| {
            let detail = format!("accreditation {}, wanted 0 to 3", found.status);
            self.rpc.nonsense("eth_call", detail)
        })?;
        Ok(AccreditationRecord {
            status,
            accredited_at: found.accreditedAt,
            since: found.since,
        })
    }

    /// Reads who decides for a patient, and what is pending. At version 1 the patient's own address decides.
    ///
    /// # Errors
    /// As every view.
    pub async fn account(&self, patient: Address) -> Result<AccountRecord> {
        if self.version == Version::V1 {
            return Ok(AccountRecord {
                acting: patient,
                round: 0,
                epoch: 0,
                recovery: 0,
                locked_until: 0,
                commitment: [0; 24],
                hours: 0,
                pending: None,
            });
        }
        let found = self.view(sol::accountCall { patient }).await?;
        let pending = match found.pendingKind {
            0 => None,
            number => Some(Pending {
                kind: ChangeKind::of(number).ok_or_else(|| {
                    let detail = format!("a pending change of kind {number}, wanted 0 to 5");
                    self.rpc.nonsense("eth_call", detail)
                })?,
                ripe: found.pendingRipe,
                hours: found.pendingHours,
                data: found.pendingData.0,
            }),
        };
        Ok(AccountRecord {
            acting: found.acting,
            round: found.round,
            epoch: found.epoch,
            recovery: found.recovery,
            locked_until: found.lockedUntil,
            commitment: found.commitment.0,
            hours: found.delayHours,
            pending,
        })
    }

    /// Reads the end of a delegate's time, Unix seconds, which may have passed; 0 if he is none.
    ///
    /// # Errors
    /// As every view.
    pub async fn delegate(&self, patient: Address, who: Address) -> Result<u64> {
        match self.version {
            Version::V1 => Ok(0),
            Version::V2 => self.view(sol::delegateCall { patient, who }).await,
        }
    }

    /// Reads a patient's emergency desk and the hours of its accesses; `None` if there is none.
    ///
    /// # Errors
    /// As every view.
    pub async fn emergency(&self, patient: Address) -> Result<Option<(Address, u8)>> {
        match self.version {
            Version::V1 => Ok(None),
            Version::V2 => {
                let found = self.view(sol::emergencyCall { patient }).await?;
                Ok((found.desk != Address::ZERO).then_some((found.desk, found.maxHours)))
            }
        }
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

fn shared(root: B256) -> Option<ImageDigest> {
    (root != B256::ZERO).then_some(ImageDigest(root.0))
}
