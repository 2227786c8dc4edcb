//! `pcim patient limit`

use clap::Args;
use pcim_core::ImageDigest;

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::Context;
use crate::names;
use crate::parse;

/// Limit how many approvals an image may have in a window of time
///
/// A window starts with its first approval; across the edge of two windows twice the limit can pass.
#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// Approvals in one window; 0 lifts the limit
    #[arg(long, value_name = "NUMBER")]
    approvals: u32,
    /// The window, such as 1h or 7d
    #[arg(long, value_name = "TIME", value_parser = parse::seconds, default_value = "1d")]
    per: u32,
    #[command(flatten)]
    sign: SignArgs,
}

impl LimitArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let window = if self.approvals == 0 { 0 } else { self.per };
        let written = client
            .patient()
            .limit(&self.image, self.approvals, window)
            .await;
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let text = format!("limit        {}\n{}", self.approvals, transaction(&written));
        context.ui.result(&written, &text)
    }
}
