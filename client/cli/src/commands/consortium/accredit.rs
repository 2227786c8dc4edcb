//! `pcim consortium accredit`

use clap::Args;

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, actor};
use crate::parse::{self, Expiry};

/// Accredit a radiologist, so that patients can register images he attests
#[derive(Debug, Args)]
pub(crate) struct AccreditArgs {
    /// The radiologist's address or contact card
    #[arg(value_name = "ADDRESS|CARD")]
    radiologist: String,
    /// Withdraw the accreditation, at version 2 of the contract for good; images registered before stay registered
    #[arg(long)]
    withdraw: bool,
    /// With --withdraw: since when readers are to doubt what was registered: unix seconds [default: now]
    #[arg(long, value_name = "UNIX", requires = "withdraw")]
    since: Option<u64>,
    /// Retire the radiologist: attestations are taken until then: 90d from now, or unix seconds
    #[arg(long, value_name = "WHEN", value_parser = parse::expiry, conflicts_with = "withdraw")]
    retire: Option<Expiry>,
    #[command(flatten)]
    sign: SignArgs,
}

impl AccreditArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let radiologist = actor(&self.radiologist)?;
        let client = self.sign.set(context.client().await?).await?;
        let consortium = client.consortium();
        let written = match self.retire {
            None => {
                let accredit = consortium.accredit(radiologist, !self.withdraw, self.since);
                accredit.await
            }
            Some(until) => {
                let until = match until {
                    Expiry::At(moment) => moment,
                    Expiry::After(seconds) => {
                        client.ledger().await?.now().await? + u64::from(seconds)
                    }
                };
                consortium.retire(radiologist, until).await
            }
        };
        let Some(written) = self.sign.settle(context, written)? else {
            return Ok(());
        };
        let text = format!("radiologist  {radiologist}\n{}", transaction(&written));
        context.ui.result(&written, &text)
    }
}
