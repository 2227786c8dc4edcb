//! `pcim requestor`

mod emergency;
mod fetch;
mod request;
mod status;

use clap::Subcommand;

use crate::context::Context;

/// The requestor's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RequestorCommand {
    Request(request::RequestArgs),
    Status(status::StatusArgs),
    Fetch(fetch::FetchArgs),
    Emergency(emergency::BreakGlassArgs),
    GiveUp(emergency::GiveUpArgs),
}

impl RequestorCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Request(args) => args.run(context).await,
            Self::Status(args) => args.run(context).await,
            Self::Fetch(args) => args.run(context).await,
            Self::Emergency(args) => args.run(context).await,
            Self::GiveUp(args) => args.run(context).await,
        }
    }
}
