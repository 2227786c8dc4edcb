//! `pcim card`

use std::path::PathBuf;

use clap::Args;

use super::write_result;
use crate::context::Context;

/// Write a contact card: address, certificate and node addresses, signed by both keys
///
/// Give it to those who seal images to you or ask you for one. It names no person.
#[derive(Debug, Args)]
pub(crate) struct CardArgs {
    /// Write it to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
}

impl CardArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
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
