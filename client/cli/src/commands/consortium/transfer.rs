//! `pcim consortium transfer`

use clap::Args;

use crate::commands::confirm::ConfirmArgs;
use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, actor};

/// Hand the consortium's role to another account, for good
///
/// From then on that account alone accredits radiologists and hands the role over; nobody can take it back. Give its contact
/// card rather than an address: a card is signed by the key that it names, so its holder has that key.
#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// The new consortium's contact card or address
    #[arg(value_name = "CARD|ADDRESS")]
    to: String,
    #[command(flatten)]
    confirm: ConfirmArgs,
    #[command(flatten)]
    sign: SignArgs,
}

impl TransferArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let to = actor(&self.to)?;
        let what = format!("hand the consortium's role to {to}, for good");
        if !self.sign.is_wanted() && !self.confirm.for_good(context, &what)? {
            return Ok(());
        }
        let client = self.sign.set(context.client().await?).await?;
        let written = client.consortium().transfer_consortium(to).await;
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let text = format!("consortium   {to}\n{}", transaction(&written));
        context.ui.result(&written, &text)
    }
}
