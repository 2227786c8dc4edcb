//! `pcim patient deny`

use clap::Args;
use pcim_client::domain::{Address, ImageDigest};

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::Context;
use crate::parse;

/// Refuse a request
#[derive(Debug, Args)]
pub(crate) struct DenyArgs {
    /// The image
    image: ImageDigest,
    /// The requestor
    #[arg(value_parser = parse::address)]
    requester: Address,
    /// Why; stands on the chain, readable by everyone, so write nothing personal
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    sign: SignArgs,
}

impl DenyArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let written = client.deny(&self.image, self.requester, &self.reason).await;
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let text = format!("denied       {}\n{}", self.requester, transaction(&written));
        context.ui.result(&written, &text)
    }
}
