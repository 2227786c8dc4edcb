//! `pcim patient approve`

use clap::Args;
use pcim_client::client::Client;
use pcim_client::domain::{Address, BlockDigest, ImageDigest};

use super::replicas::{self, AwaitReplicas};
use crate::commands::transaction;
use crate::context::Context;
use crate::parse::{self, Expiry};

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
    #[command(flatten)]
    replicas: AwaitReplicas,
}

impl ApproveArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let decision = self.approve(&client).await;
        let replicas = match &decision {
            Ok(done) => self.replicas.wait(&client, &done.shared_image).await,
            Err(_) => Ok(None),
        };
        client.shutdown().await;
        let decision = decision?;
        let text = format!(
            "shared as    {}\nexpires      {}\nnew blocks   {} bytes\n{}{}",
            decision.shared_image,
            match decision.expires_at {
                0 => "never".to_owned(),
                moment => format!("{moment} (unix seconds)"),
            },
            decision.new_bytes,
            transaction(&decision.written),
            replicas::line(*replicas.as_ref().unwrap_or(&None))
        );
        context.ui.result(&decision, &text)?;
        replicas.map(drop)
    }

    async fn approve(&self, client: &Client) -> anyhow::Result<pcim_client::client::Decision> {
        let expires_at = match self.expires {
            None => 0,
            Some(Expiry::At(moment)) => moment,
            Some(Expiry::After(seconds)) => {
                client.ledger().await?.now().await? + u64::from(seconds)
            }
        };
        Ok(client
            .approve_certificate(&self.image, self.requester, self.certificate, expires_at)
            .await?)
    }
}
