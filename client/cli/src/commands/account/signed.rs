//! `pcim signed`

use clap::{Args, Subcommand};
use pcim_client::SignedFate;
use pcim_ledger::Nonce;

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::Context;

/// Calls that were signed here for others to send.
#[derive(Debug, Subcommand)]
pub(crate) enum SignedCommand {
    List(ListArgs),
    Void(VoidArgs),
}

/// List the calls that were signed in this home, and what became of them
#[derive(Debug, Args)]
pub(crate) struct ListArgs {}

/// Void signed calls, so that nobody can send them any more
///
/// A call that was sent before stays done, and is reported so: the exit code is the same.
#[derive(Debug, Args)]
pub(crate) struct VoidArgs {
    /// Numbers, as `pcim signed list` shows them
    #[arg(value_name = "NUMBER", required = true)]
    numbers: Vec<Nonce>,
    #[command(flatten)]
    sign: SignArgs,
}

impl SignedCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::List(args) => args.run(context).await,
            Self::Void(args) => args.run(context).await,
        }
    }
}

impl ListArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        let calls = client.signed_calls().await?;
        let mut text = String::new();
        for signed in &calls {
            let (call, fate) = (&signed.call, word(signed.fate));
            text.push_str(&format!(
                "{fate:<8}  {} as call {}\n          until {} (unix seconds)\n",
                call.function, call.nonce, call.deadline
            ));
        }
        if calls.is_empty() {
            text.push_str("no call was signed here\n");
        }
        context.ui.result(&calls, text.trim_end())
    }
}

impl VoidArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = self.sign.set(context.client().await?).await?;
        let voided = client.unlocked().void_signed(&self.numbers).await;
        client.shutdown().await;
        let Some(voided) = self.sign.settle(context, voided)? else {
            return Ok(());
        };
        let mut text = String::new();
        for call in &voided.calls {
            let fate = match call.void {
                true => "void",
                false => "done before",
            };
            text.push_str(&format!("{fate:<11}  {}\n", call.nonce));
        }
        voided
            .written
            .iter()
            .for_each(|it| text.push_str(&transaction(it)));
        context.ui.result(&voided, &text)
    }
}

fn word(fate: SignedFate) -> &'static str {
    match fate {
        SignedFate::Open => "open",
        SignedFate::Done => "done",
        SignedFate::Void => "void",
        SignedFate::Expired => "expired",
    }
}
