//! Versions of an image (the paper's §3.2): each names, in its signature, the one that it replaces.

use std::io;

use serde::Serialize;

use crate::actor::patient::Patient;
use crate::error::{Error, Result};
use crate::flow::opening::check_seal;
use pcim_core::{Address, ImageDigest};

/// Most versions that are walked.
const MAX_VERSIONS: usize = 1000;

/// A version of an image.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    /// The image.
    pub image: ImageDigest,
    /// When it was registered, unix seconds; `None` if nobody registered it with this contract.
    pub registered_at: Option<u64>,
    /// The radiologist who attested it.
    pub radiologist: Option<Address>,
    /// The fingerprint of the certificate whose signature was verified.
    pub signer: Option<String>,
    /// SHA-256 (hex) of what it opens to.
    pub payload_sha256: Option<String>,
    /// The image that it replaces, as the signer says.
    pub predecessor: Option<ImageDigest>,
    /// Why it could not be opened; what it replaces is not known then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_opened: Option<String>,
}

impl Patient<'_> {
    /// Lists the versions of one of this home's images, from this one back to the first: each is opened and its signature
    /// verified against the attested one. The walk ends at a version that is not registered or not to be had.
    ///
    /// # Errors
    /// [`Error::ForeignPredecessor`], [`Error::EndlessHistory`], [`Error::SealMismatch`] and those of opening, for what is
    /// forged or damaged.
    pub async fn history(&self, image: &ImageDigest) -> Result<Vec<Version>> {
        self.own_record(image).await?;
        let mut versions: Vec<Version> = Vec::new();
        let mut next = Some(*image);
        while let Some(current) = next {
            if versions.len() == MAX_VERSIONS || versions.iter().any(|it| it.image == current) {
                return Err(Error::EndlessHistory {
                    image: *image,
                    predecessor: current,
                });
            }
            let version = self.version(current).await?;
            self.check_predecessor(&current, version.predecessor)
                .await?;
            next = version.predecessor;
            versions.push(version);
        }
        Ok(versions)
    }

    async fn version(&self, image: ImageDigest) -> Result<Version> {
        let mut version = Version {
            image,
            registered_at: None,
            radiologist: None,
            signer: None,
            payload_sha256: None,
            predecessor: None,
            not_opened: None,
        };
        let Some(record) = self.ledger().await?.image_record(&image).await? else {
            return Ok(version);
        };
        let attested = self.attested(&image).await?;
        version.registered_at = Some(record.registered_at);
        version.radiologist = Some(attested.radiologist);
        let root = self.own_root(&image).await?;
        let opened = async {
            let root = self
                .node()
                .await?
                .get_root(&root, self.limits.fetch)
                .await?;
            self.open_root(root, io::sink()).await
        };
        match opened.await {
            Ok((opened, _)) => {
                check_seal(attested.seal, &opened)?;
                version.signer = Some(opened.signer.fingerprint());
                version.payload_sha256 = Some(hex::encode(opened.payload_sha256));
                version.predecessor = opened.claims.predecessor;
            }
            Err(error) if is_away(&error) => version.not_opened = Some(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(version)
    }

    /// A predecessor must not be another patient's.
    pub(crate) async fn check_predecessor(
        &self,
        image: &ImageDigest,
        predecessor: Option<ImageDigest>,
    ) -> Result<()> {
        let Some(predecessor) = predecessor else {
            return Ok(());
        };
        if predecessor == *image {
            return Err(Error::EndlessHistory {
                image: *image,
                predecessor,
            });
        }
        match self.ledger().await?.image_record(&predecessor).await? {
            Some(record) if record.patient != self.address() => Err(Error::ForeignPredecessor {
                image: *image,
                predecessor,
                owner: record.patient,
            }),
            _ => Ok(()),
        }
    }
}

/// Says whether an image cannot be had, which says nothing about it.
fn is_away(error: &Error) -> bool {
    match error {
        Error::Node(pcim_node::Error::Timeout { .. } | pcim_node::Error::Missing { .. }) => true,
        // What was fetched half-way.
        Error::Seal(pcim_seal::Error::Read(source)) => {
            matches!(
                source.kind(),
                io::ErrorKind::TimedOut | io::ErrorKind::NotFound
            )
        }
        _ => false,
    }
}
