//! `pcim radiologist`

mod retract;
mod seal;

use clap::Subcommand;

use crate::context::Context;

/// The radiologist's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RadiologistCommand {
    Seal(seal::SealArgs),
    Retract(retract::RetractArgs),
    Reattest(retract::ReattestArgs),
}

impl RadiologistCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Seal(args) => args.run(context).await,
            Self::Retract(args) => args.run(context).await,
            Self::Reattest(args) => args.run(context).await,
        }
    }
}
