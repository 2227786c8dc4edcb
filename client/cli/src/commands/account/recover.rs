//! `pcim recover`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::papers::recovery::{Agreement, RecoveryRequest};
use pcim_core::Address;

use super::drill::RecoverDrillArgs;
use super::moves::finish;
use super::read_set;
use super::rescue::RecoverImageArgs;
use crate::commands::sign::SignArgs;
use crate::commands::{transaction, write_result};
use crate::context::{Context, read_small};
use crate::failure::Usage;
use crate::parse;

/// A recovery's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum RecoverCommand {
    Request(RecoverRequestArgs),
    Start(StartArgs),
    Finish(RecoverFinishArgs),
    Image(RecoverImageArgs),
    Drill(RecoverDrillArgs),
}

/// Ask guardians to let this home's key act for a patient
///
/// Each guardian looks at the file and answers with `pcim guardian agree`.
#[derive(Debug, Args)]
pub(crate) struct RecoverRequestArgs {
    /// The patient: the address that she began with
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    patient: Address,
    /// Lock the key that acts now until the recovery is finished: for a stolen key
    #[arg(long)]
    lock: bool,
    /// How long guardians have to agree, at most 30d
    #[arg(long, value_name = "TIME", value_parser = parse::seconds, default_value = "14d")]
    lasts: u32,
    /// Where the request is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Start a recovery with the agreements of enough guardians
///
/// Then their hours pass, in which the key that acts can cancel it unless it is locked.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The agreements
    #[arg(value_name = "FILE", required = true)]
    agreements: Vec<PathBuf>,
    /// The guardians with threshold and salt, which every guardian has (`pcim patient guardians`)
    #[arg(long, value_name = "FILE")]
    set: PathBuf,
}

/// Take the account over, once the guardians' hours have passed
#[derive(Debug, Args)]
pub(crate) struct RecoverFinishArgs {
    /// The patient
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    patient: Address,
    #[command(flatten)]
    sign: SignArgs,
}

impl RecoverCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Request(args) => args.run(context).await,
            Self::Start(args) => args.run(context).await,
            Self::Finish(args) => finish(context, Some(args.patient), &args.sign).await,
            Self::Image(args) => args.run(context).await,
            Self::Drill(args) => args.run(context).await,
        }
    }
}

impl RecoverRequestArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        let lasts = u64::from(self.lasts);
        let terms = client.recovery_terms(self.patient, self.lock, lasts);
        let request = RecoveryRequest::new(terms.await?);
        write_result(&self.out, &serde_json::to_vec_pretty(&request)?, false)?;
        let text = format!(
            "patient      {}\nsuccessor    {}\nrequest      {}\n",
            request.terms.patient,
            request.terms.successor,
            self.out.display()
        );
        context.ui.result(&request, &text)
    }
}

impl StartArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let set = read_set(&self.set)?;
        let mut agreed: Vec<Agreement> = Vec::new();
        for path in &self.agreements {
            let agreement = Agreement::parse(&read_small(path)?)?;
            if let Some(first) = agreed.first()
                && first.terms != agreement.terms
            {
                let text = format!("{} agrees to another recovery", path.display());
                return Err(Usage(text).into());
            }
            agreed.push(agreement);
        }
        let first = agreed.first().map(|it| it.terms.clone());
        let terms = first.ok_or_else(|| Usage("no agreement was given".to_owned()))?;
        let agreed: Vec<_> = agreed
            .into_iter()
            .map(|it| (it.guardian, it.signature.into()))
            .collect();
        let client = context.client().await?;
        let started = client
            .unlocked()
            .start_recovery(&terms, &set, &agreed)
            .await;
        let standing = client.account_of(Some(terms.patient)).await;
        client.shutdown().await;
        let written = started?;
        let text = format!("{}{}", super::text(&standing?), transaction(&written));
        context.ui.result(&written, &text)
    }
}
