//! `pcim radiologist`

mod list;
mod retract;
mod seal;

use clap::Subcommand;

use crate::context::Context;

/// The radiologist's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RadiologistCommand {
    Seal(seal::SealArgs),
    List(list::HandedListArgs),
    Send(list::SendArgs),
    Retract(retract::RetractArgs),
    Reattest(retract::ReattestArgs),
}

impl RadiologistCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Seal(args) => args.run(context).await,
            Self::List(args) => args.run(context).await,
            Self::Send(args) => args.run(context).await,
            Self::Retract(args) => args.run(context).await,
            Self::Reattest(args) => args.run(context).await,
        }
    }
}
