//! `pcim patient deny`

use clap::Args;

use super::delegated::ForArgs;
use super::pairs::{Pairs, shown};
use crate::commands::sign::SignArgs;
use crate::commands::{Finality, Taken, transaction};
use crate::context::Context;
use crate::names;
use crate::ui::printable;

/// Refuse requests
///
/// Several denials are one transaction: all or none.
#[derive(Debug, Args)]
pub(crate) struct DenyArgs {
    #[command(flatten)]
    pairs: Pairs,
    /// Refuse every open request for your images
    #[arg(long, conflicts_with_all = ["pairs", "file", "sign_only"])]
    all: bool,
    /// Why; stands on the chain, readable by everyone, so write nothing personal
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    delegated: ForArgs,
    #[command(flatten)]
    sign: SignArgs,
}

impl DenyArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut pairs = match self.all {
            true => Vec::new(),
            false => self.pairs.read(&self.sign)?,
        };
        let client = self.delegated.set(context.client().await?).await?;
        let client = self.sign.set(client).await?;
        if self.all {
            pairs = client.patient().open_requests().await?;
        }
        if !self.pairs.confirmed(context, "deny", &pairs)? {
            return Ok(());
        }
        if !self.reason.is_empty() {
            let shown = printable(&self.reason);
            let text = format!("note: on the chain, for everyone to read: `{shown}`");
            context.ui.note(&text);
        }
        let many = self.all || self.pairs.in_file();
        let ([(image, requestor)], false) = (pairs.as_slice(), many) else {
            let endings = client.patient().deny_all(&pairs, &self.reason).await?;
            let finality = Finality::of(&client, &endings.written).await;
            return shown("denied", context, &endings, finality);
        };
        let written = client.patient().deny(image, *requestor, &self.reason).await;
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let finality = Finality::of(&client, &written).await;
        let text = format!(
            "denied       {}\n{}{}",
            names::shown(*requestor),
            transaction(&written),
            finality.line()
        );
        let (what, finality) = (&written, Some(finality));
        context.ui.result(&Taken { what, finality }, &text)
    }
}
