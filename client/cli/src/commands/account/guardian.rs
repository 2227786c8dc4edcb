//! `pcim guardian`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::papers::recovery::{Agreement, RecoveryRequest};

use crate::commands::write_result;
use crate::context::{Context, read_small};

/// A guardian's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardianCommand {
    Agree(AgreeArgs),
}

/// Agree that another key acts for a patient whose guardian you are
///
/// Speak to her, or to those who know her, before you agree: the one who asks gets her account if enough guardians do. Your
/// agreement is for this key, until the deadline, and for this one recovery.
#[derive(Debug, Args)]
pub(crate) struct AgreeArgs {
    /// The request that `pcim recover request` wrote
    #[arg(value_name = "FILE")]
    request: PathBuf,
    /// Where the agreement is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl GuardianCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Agree(args) => args.run(context).await,
        }
    }
}

impl AgreeArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let RecoveryRequest { terms, .. } = RecoveryRequest::parse(&read_small(&self.request)?)?;
        let client = context.client().await?;
        let agreement = Agreement::sign(terms, &client.unlocked().keys().account)?;
        client.shutdown().await;
        write_result(&self.out, &serde_json::to_vec_pretty(&agreement)?, false)?;
        let terms = &agreement.terms;
        let lock = match terms.lock {
            true => "; the key that acts now is locked meanwhile",
            false => "",
        };
        let text = format!(
            "agreed       {} is to act for {}{lock}\nuntil        {} (unix seconds)\nagreement    {}\n",
            terms.successor,
            terms.patient,
            terms.deadline,
            self.out.display()
        );
        context.ui.result(&agreement, &text)
    }
}
