//! `pcim guardian`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::backup::Given;
use pcim_client::papers::guardian::Drill;
use pcim_client::papers::recovery::RecoveryRequest;
use pcim_core::date::time;

use crate::commands::backup::release::{ToArgs, release};
use crate::commands::write_result;
use crate::context::{Context, actor, read_small};

/// A guardian's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum GuardianCommand {
    Accept(GuardianAcceptArgs),
    Agree(AgreeArgs),
    Drill(DrillArgs),
    Release(ShareReleaseArgs),
}

/// Accept to be a patient's guardian, by a key that is for her alone
///
/// The key stays in this home, and in its backups. Give her the file: `pcim patient guardians` takes those of all who accepted.
/// Doing it again gives the same key.
#[derive(Debug, Args)]
pub(crate) struct GuardianAcceptArgs {
    /// The patient's address or contact card
    #[arg(value_name = "ADDRESS|CARD")]
    patient: String,
    /// Where the acceptance is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
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
    /// Sign with this home's own key, though one was made for her: she named your card
    #[arg(long)]
    own_key: bool,
}

/// Answer a patient's drill: show that you could help her
///
/// The signature would change nothing if it were sent; a drill that would change something is refused. The share is not given: only a
/// hash that nobody could make without it.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    /// The drill that `pcim recover drill` wrote
    #[arg(value_name = "FILE")]
    drill: PathBuf,
    /// The letter with the share that you were given
    #[arg(long, value_name = "LETTER")]
    share: Option<PathBuf>,
    /// Where the answer is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Sign with this home's own key, though one was made for her: she named your card
    #[arg(long)]
    own_key: bool,
}

/// Seal your share to the card of a patient's new key, once a recovery made it act
///
/// Before that the chain knows nothing of the key, and the share is not given; `pcim backup release` gives it on your word alone.
#[derive(Debug, Args)]
pub(crate) struct ShareReleaseArgs {
    /// The letter with the share that you were given
    #[arg(value_name = "LETTER")]
    share: PathBuf,
    #[command(flatten)]
    to: ToArgs,
}

impl GuardianCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Accept(args) => args.run(context).await,
            Self::Agree(args) => args.run(context).await,
            Self::Drill(args) => args.run(context).await,
            Self::Release(args) => args.run(context).await,
        }
    }
}

impl GuardianAcceptArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let patient = actor(&self.patient)?;
        let client = context.client().await?;
        let accepted = client.unlocked().accept_guardianship(patient);
        client.shutdown().await;
        let accepted = accepted?;
        write_result(&self.out, &serde_json::to_vec_pretty(&accepted)?, false)?;
        let text = format!(
            "patient      {patient}\nguardian     {}\nacceptance   {}\n",
            accepted.guardian,
            self.out.display()
        );
        context.ui.result(&accepted, &text)
    }
}

impl AgreeArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let RecoveryRequest { terms, .. } = RecoveryRequest::parse(&read_small(&self.request)?)?;
        let client = context.client().await?;
        let agreement = client.unlocked().agree(terms, self.own_key);
        client.shutdown().await;
        let agreement = agreement?;
        write_result(&self.out, &serde_json::to_vec_pretty(&agreement)?, false)?;
        let terms = &agreement.terms;
        let lock = match terms.lock {
            true => "; the key that acts now is locked meanwhile",
            false => "",
        };
        let text = format!(
            "agreed       {} is to act for {}{lock}\nuntil        {}\nagreement    {}\n",
            terms.successor,
            terms.patient,
            time(terms.deadline),
            self.out.display()
        );
        context.ui.result(&agreement, &text)
    }
}

impl DrillArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let drill = Drill::parse(&read_small(&self.drill)?)?;
        let share = self.share.as_deref().map(read_small).transpose()?;
        let client = context.client().await?;
        let answer = client
            .unlocked()
            .answer_drill(&drill, share.as_deref(), self.own_key)
            .await;
        client.shutdown().await;
        let answer = answer?;
        write_result(&self.out, &serde_json::to_vec_pretty(&answer)?, false)?;
        let share = match answer.share {
            Some(shown) => format!("share {}", shown.index),
            None => "no share".to_owned(),
        };
        let text = format!(
            "patient      {}\nguardian     {}, with {share}\nanswer       {}\n",
            drill.terms.patient,
            answer.agreement.guardian,
            self.out.display()
        );
        context.ui.result(&answer, &text)
    }
}

impl ShareReleaseArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let share = read_small(&self.share)?;
        release(context, Given::Share(&share), &self.to, Some(0)).await
    }
}
