//! `pcim follower`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::backup::Given;

use super::backup::release::{ToArgs, read_backup, release};
use crate::context::Context;

/// Days for which an account must have moved before its backup's key is given: the key before may object meanwhile.
const MOVED_DAYS: u64 = 14;

/// A follower's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum FollowerCommand {
    Release(KeyReleaseArgs),
}

/// Seal the key of a patient's backup, which you keep, to the card of her new key
///
/// The chain must say that this key acts for her since fourteen days. If the key before objects meanwhile, do not give it:
/// people decide then.
#[derive(Debug, Args)]
pub(crate) struct KeyReleaseArgs {
    /// Her newest backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    #[command(flatten)]
    to: ToArgs,
}

impl FollowerCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let Self::Release(args) = self;
        let backup = read_backup(&args.backup)?;
        release(context, Given::Backup(&backup), &args.to, Some(MOVED_DAYS)).await
    }
}
