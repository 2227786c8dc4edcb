//! `pcim patient extend`

use clap::Args;
use pcim_core::date::{now, time};
use pcim_core::{Address, ImageDigest};

use super::delegated::ForArgs;
use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::Context;
use crate::names;
use crate::parse::{self, Expiry};

/// Give an approval another end, later or sooner
///
/// The requestor keeps the header: nothing is sealed or sent again but this decision.
#[derive(Debug, Args)]
pub(crate) struct ExtendArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// The requestor
    #[arg(value_parser = parse::address)]
    requestor: Address,
    /// When the approval ends: 12h or 30d from now, a day (2027-01-31, its end in UTC), a moment, or `never`
    #[arg(long, value_name = "WHEN", value_parser = parse::approval_end)]
    expires: Expiry,
    #[command(flatten)]
    delegated: ForArgs,
    #[command(flatten)]
    sign: SignArgs,
}

impl ExtendArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.delegated.set(context.client().await?).await?;
        let client = self.sign.set(client).await?;
        let expires_at = match self.expires {
            Expiry::At(moment) => moment,
            Expiry::After(seconds) => {
                client.ledger().await?.now().await?.max(now()) + u64::from(seconds)
            }
        };
        let expires_at = self.delegated.end(context, &client, expires_at);
        let patient = client.patient();
        let extended = patient
            .extend(&self.image, self.requestor, expires_at)
            .await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, extended)? else {
            return Ok(());
        };
        let end = match expires_at {
            0 => "never".to_owned(),
            moment => time(moment),
        };
        let requestor = names::shown(self.requestor);
        let text = format!(
            "requestor    {requestor}\nexpires      {end}\n{}",
            transaction(&written)
        );
        context.ui.result(&written, &text)
    }
}
