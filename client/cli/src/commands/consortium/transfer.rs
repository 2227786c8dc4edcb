//! `pcim consortium transfer`

use clap::Args;

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, actor};

/// Offer the consortium's role to another account, which takes it with `pcim consortium accept`
///
/// Until then an offer to your own address withdraws it. Afterwards that account alone accredits radiologists; nobody can take
/// the role back. At version 1 of the contract it goes over at once: give a contact card rather than an address, which is
/// signed by the key that it names.
#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// The new consortium's contact card or address
    #[arg(value_name = "CARD|ADDRESS")]
    to: String,
    #[command(flatten)]
    sign: SignArgs,
}

impl TransferArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let to = actor(&self.to)?;
        let client = self.sign.set(context.client().await?).await?;
        let written = client.consortium().transfer_consortium(to).await;
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let text = format!("consortium   {to}\n{}", transaction(&written));
        context.ui.result(&written, &text)
    }
}
