//! `pcim consortium accredit`

use clap::Args;

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, actor};
use crate::names;

/// Accredit a radiologist, so that patients can register images he attests
#[derive(Debug, Args)]
pub(crate) struct AccreditArgs {
    /// The radiologist's address or contact card
    #[arg(value_name = "ADDRESS|CARD")]
    radiologist: String,
    /// Withdraw the accreditation; images registered before stay registered
    #[arg(long)]
    withdraw: bool,
    #[command(flatten)]
    sign: SignArgs,
}

impl AccreditArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let radiologist = actor(&self.radiologist)?;
        let client = self.sign.set(context.client().await?).await?;
        let written = client
            .consortium()
            .accredit(radiologist, !self.withdraw)
            .await;
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let text = format!(
            "radiologist  {}\n{}",
            names::shown(radiologist),
            transaction(&written)
        );
        context.ui.result(&written, &text)
    }
}
