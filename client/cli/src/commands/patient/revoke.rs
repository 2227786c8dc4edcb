//! `pcim patient revoke`

use clap::Args;
use pcim_client::domain::{Address, ImageDigest};

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::Context;
use crate::parse;

/// Withdraw an approval or an open request
///
/// The chain stops authorizing the requestor and this node drops the requestor's header. Someone who
/// has opened the image before may have kept it; nothing can take that back. With --sign-only the header
/// stays: without the chain's word it goes to nobody new through this program, but the node has it still.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The image
    image: ImageDigest,
    /// The requestor
    #[arg(value_parser = parse::address)]
    requester: Address,
    #[command(flatten)]
    sign: SignArgs,
}

impl RevokeArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let written = client.revoke(&self.image, self.requester).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let text = format!("revoked      {}\n{}", self.requester, transaction(&written));
        context.ui.result(&written, &text)
    }
}
