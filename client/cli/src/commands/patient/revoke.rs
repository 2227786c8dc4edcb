//! `pcim patient revoke`

use clap::Args;
use pcim_client::domain::{Address, ImageDigest};

use crate::commands::transaction;
use crate::context::Context;
use crate::parse;

/// Withdraw an approval or an open request
///
/// The chain stops authorizing the requestor and this node drops the requestor's header. Someone who
/// has opened the image before may have kept it; nothing can take that back.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The image
    image: ImageDigest,
    /// The requestor
    #[arg(value_parser = parse::address)]
    requester: Address,
}

impl RevokeArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let written = client.revoke(&self.image, self.requester).await;
        client.shutdown().await;
        let written = written?;
        let text = format!("revoked      {}\n{}", self.requester, transaction(&written));
        context.ui.result(&written, &text)
    }
}
