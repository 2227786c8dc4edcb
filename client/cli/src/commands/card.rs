//! `pcim card`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::papers::card::Card;

use super::write_result;
use crate::context::{Context, read_card};
use crate::ui::printable;

/// Write a contact card: address, certificate and node addresses, signed by both keys
///
/// Give it to those who seal images to you or ask you for one. It names no person.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CardArgs {
    #[command(subcommand)]
    task: Option<CardTask>,
    /// Write it to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
}

/// Tasks on cards of others.
#[derive(Debug, Subcommand)]
enum CardTask {
    Show(ShowArgs),
}

/// Verify a contact card and print whom it is of, to be compared with its holder
///
/// Compare the address and the fingerprint over another channel than the one that the card came by: face to face, or by
/// telephone. Needs neither a home nor a chain.
#[derive(Debug, Args)]
struct ShowArgs {
    /// The card
    card: PathBuf,
}

impl ShowArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let card = read_card(&self.card)?;
        let value = serde_json::json!({
            "address": card.address,
            "fingerprint": card.certificate.fingerprint(),
            "peers": card.peers,
        });
        let peers: String = card
            .peers
            .iter()
            .map(|peer| format!("peer         {}\n", printable(peer)))
            .collect();
        let key = spoken(&card);
        let text = format!("address      {}\nOpenPGP key  {key}\n{peers}", card.address);
        context.ui.result(&value, &text)
    }
}

/// The fingerprint of a card's key in groups that can be read aloud.
pub(crate) fn spoken(card: &Card) -> String {
    let fingerprint = card.certificate.fingerprint();
    let groups: Vec<_> = fingerprint
        .as_bytes()
        .chunks(4)
        .map(String::from_utf8_lossy)
        .collect();
    groups.join(" ")
}

impl CardArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if let Some(CardTask::Show(args)) = &self.task {
            return args.run(context);
        }
        let client = context.client().await?;
        let card = client.unlocked().card().await;
        client.shutdown().await;
        let card = card?;
        let text = serde_json::to_string_pretty(&card)? + "\n";
        match &self.out {
            Some(path) => {
                write_result(path, text.as_bytes(), self.force)?;
                let text = format!("card  {}\n", path.display());
                context
                    .ui
                    .result(&serde_json::json!({ "card": path }), &text)
            }
            None => context.ui.result(&card, &text),
        }
    }
}
