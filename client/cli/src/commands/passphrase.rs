//! `pcim passphrase`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::home::Home;
use pcim_core::LockCost;
use serde_json::json;

use crate::context::Context;

/// The commands about the passphrase.
#[derive(Debug, Subcommand)]
pub(crate) enum PassphraseCommand {
    Change(ChangeArgs),
}

/// Lock the home's keys with another passphrase
///
/// Both keys are locked again, or neither if the program is stopped. Copies of the home that were made before still open with
/// the old passphrase.
#[derive(Debug, Args)]
#[command(
    after_help = "The old passphrase is asked for, or is the first line of the file that PCIM_PASSPHRASE_FILE names."
)]
pub(crate) struct ChangeArgs {
    /// File, closed to others (mode 0600), whose first line is the new passphrase [default: it is asked for]
    #[arg(long, value_name = "FILE")]
    new: Option<PathBuf>,
    /// Take a passphrase that is guessed soon
    #[arg(long)]
    weak: bool,
}

impl PassphraseCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Change(args) => args.run(context).await,
        }
    }
}

impl ChangeArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let (home, keys) = context.unlock_by_passphrase(home).await?;
        let config = home.config();
        let known: Vec<_> = config.name.as_deref().into_iter().collect();
        let new = context.new_passphrase(self.new.as_deref(), &known, self.weak)?;
        let home = tokio::task::spawn_blocking(move || {
            let changed = home.change_passphrase(&keys, &new, LockCost::FULL);
            changed.map(|()| home)
        });
        let home = home.await??;
        let value = json!({ "home": home.dir().display().to_string(), "changed": true });
        let text = format!(
            "the keys of {} have another passphrase",
            home.dir().display()
        );
        context.ui.result(&value, &text)
    }
}
