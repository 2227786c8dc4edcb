//! `pcim consortium accept`

use clap::Args;

use crate::commands::transaction;
use crate::context::Context;

/// Take the consortium's role that was offered to this home's account
#[derive(Debug, Args)]
pub(crate) struct AcceptRoleArgs {}

impl AcceptRoleArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let accepted = client.consortium().accept_consortium().await;
        client.shutdown().await;
        let Some(written) = accepted?.mined() else {
            return Ok(());
        };
        context.ui.result(&written, &transaction(&written))
    }
}
