//! `pcim patient approve`

use clap::Args;
use pcim_client::client::{Client, Decision, Resealed};
use pcim_client::domain::{Address, BlockDigest, ImageDigest};

use crate::commands::patient::revoke::resealed;
use crate::commands::transaction;
use crate::context::Context;
use crate::parse::{self, Expiry};
use serde::Serialize;

/// Let a requestor open an image
///
/// Adds a header of less than 1 KiB for the requestor; the image itself is neither encrypted nor
/// uploaded again. Serve it with `pcim node`.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The image
    image: ImageDigest,
    /// The requestor
    #[arg(value_parser = parse::address)]
    requester: Address,
    /// The requestor's certificate as `pcim patient requests` showed it; a request that names another is refused
    #[arg(long, value_name = "CID")]
    certificate: Option<BlockDigest>,
    /// When the approval ends: 12h or 30d from now, or unix seconds [default: never]
    #[arg(long, value_name = "WHEN", value_parser = parse::expiry)]
    expires: Option<Expiry>,
    /// If the requestor's certificate does not accept the image's encryption (SEIPDv2), seal the image anew as SEIPDv1
    ///
    /// For all its readers: the other approvals go on, each with a root of its own on the chain, and the old body is
    /// dropped from this node. Without this option such a request is refused.
    #[arg(long)]
    reseal_v1: bool,
}

/// An approval, and what had to be done for it.
#[derive(Serialize)]
struct Approved {
    #[serde(flatten)]
    decision: Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    resealed: Option<Resealed>,
}

impl ApproveArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let decision = self.approve(&client).await;
        client.shutdown().await;
        let approved = decision?;
        let decision = &approved.decision;
        let mut text = format!(
            "shared as    {}\nexpires      {}\nnew blocks   {} bytes\n{}",
            decision.shared_image,
            match decision.expires_at {
                0 => "never".to_owned(),
                moment => format!("{moment} (unix seconds)"),
            },
            decision.new_bytes,
            transaction(&decision.written)
        );
        if let Some(anew) = &approved.resealed {
            text.push_str(&resealed(context, anew));
        }
        context.ui.result(&approved, &text)
    }

    async fn approve(&self, client: &Client) -> anyhow::Result<Approved> {
        let expires_at = match self.expires {
            None => 0,
            Some(Expiry::At(moment)) => moment,
            Some(Expiry::After(seconds)) => {
                client.ledger().await?.now().await? + u64::from(seconds)
            }
        };
        let (image, certificate) = (&self.image, self.certificate);
        let (resealed, decision) = if self.reseal_v1 {
            client
                .approve_resealing(image, self.requester, certificate, expires_at)
                .await?
        } else {
            let decision = client
                .approve_certificate(image, self.requester, certificate, expires_at)
                .await?;
            (None, decision)
        };
        Ok(Approved { decision, resealed })
    }
}
