//! `pcim consortium`

mod accept;
mod accredit;
mod transfer;

use clap::Subcommand;

use crate::context::Context;

/// The consortium's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum ConsortiumCommand {
    Accredit(accredit::AccreditArgs),
    Transfer(transfer::TransferArgs),
    Accept(accept::AcceptRoleArgs),
}

impl ConsortiumCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Accredit(args) => args.run(context).await,
            Self::Transfer(args) => args.run(context).await,
            Self::Accept(args) => args.run(context).await,
        }
    }
}
