//! `pcim account`

use clap::{Args, Subcommand};
use pcim_client::Error;
use pcim_core::Address;
use serde_json::json;

use super::rotate::RotateKeyArgs;
use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, actor};
use crate::parse;

/// The account's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    Show(ShowArgs),
    Move(MoveArgs),
    Finish(FinishArgs),
    Cancel(CancelArgs),
    RotateKey(RotateKeyArgs),
}

/// Show who acts for a patient, her guardians and desk, and what is pending
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The patient [default: this home's]
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    patient: Option<Address>,
}

/// Hand your account to another key, for a child that grows up or a key that is to be replaced
///
/// Nothing changes before the other key's home takes it with `pcim account finish`: at once if you have no guardians, else
/// after their hours, and within 30 days. Then your key decides nothing any more. Headers stay sealed to your OpenPGP key.
#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// The other key's address or contact card
    #[arg(value_name = "ADDRESS|CARD")]
    to: String,
    #[command(flatten)]
    sign: SignArgs,
}

/// Put a pending change into effect, once it is ripe
///
/// Of guardians and desks anyone may; of a move or a recovery the successor, whose home acts for the patient from then on.
#[derive(Debug, Args)]
pub(crate) struct FinishArgs {
    /// The patient [default: this home's]
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    patient: Option<Address>,
    #[command(flatten)]
    sign: SignArgs,
}

/// End the change of your account that is pending
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    sign: SignArgs,
}

impl AccountCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Show(args) => args.run(context).await,
            Self::Move(args) => args.run(context).await,
            Self::Finish(args) => args.run(context).await,
            Self::Cancel(args) => args.run(context).await,
            Self::RotateKey(args) => args.run(context).await,
        }
    }
}

impl ShowArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        let standing = client.account_of(self.patient).await?;
        context.ui.result(&standing, &super::text(&standing))
    }
}

impl MoveArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let to = actor(&self.to)?;
        let client = self.sign.set(context.client().await?).await?;
        let moved = client.patient().move_account(to).await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, moved)? else {
            return Ok(());
        };
        let text = format!("handed to    {to}\n{}", transaction(&written));
        context.ui.result(&written, &text)
    }
}

impl FinishArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        finish(context, self.patient, &self.sign).await
    }
}

/// Finishes a change.
pub(super) async fn finish(
    context: &Context,
    patient: Option<Address>,
    sign: &SignArgs,
) -> anyhow::Result<()> {
    let client = sign.set(context.client().await?).await?;
    let patient = patient.unwrap_or(client.patient_address());
    let acted = client.patient_address() == patient;
    let unlocked = client.unlocked();
    let mut finished = unlocked.finish_change(patient).await;
    // It was finished before, and this home does not act on it yet: other providers had not confirmed it.
    if matches!(finished, Err(Error::NothingPending { .. })) && !acted {
        match unlocked.act_for(patient).await {
            Ok(true) => {
                client.shutdown().await;
                let text = format!("acts for     {patient}\n");
                return context.ui.result(&json!({ "acts_for": patient }), &text);
            }
            Ok(false) => {}
            Err(error) => finished = Err(error),
        }
    }
    client.shutdown().await;
    let Some(written) = sign.settle(context, finished)? else {
        return Ok(());
    };
    let text = format!("finished     {patient}\n{}", transaction(&written));
    context.ui.result(&written, &text)
}

impl CancelArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let cancelled = client.patient().cancel_change().await;
        client.shutdown().await;
        let Some(written) = self.sign.settle(context, cancelled)? else {
            return Ok(());
        };
        context.ui.result(&written, &transaction(&written))
    }
}
