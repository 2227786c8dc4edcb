//! `pcim consortium accredit`

use clap::Args;

use crate::commands::transaction;
use crate::context::{Context, actor};

/// Accredit a radiologist, so that patients can register images he attests
#[derive(Debug, Args)]
pub(crate) struct AccreditArgs {
    /// The radiologist's address or contact card
    #[arg(value_name = "ADDRESS|CARD")]
    radiologist: String,
    /// Withdraw the accreditation; images registered before stay registered
    #[arg(long)]
    withdraw: bool,
}

impl AccreditArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let radiologist = actor(&self.radiologist)?;
        let client = context.client().await?;
        let written = client.accredit(radiologist, !self.withdraw).await?;
        let text = format!("radiologist  {radiologist}\n{}", transaction(&written));
        context.ui.result(&written, &text)
    }
}
