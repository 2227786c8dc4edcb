//! `pcim recover image`

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::{Outcome, Rescue};
use pcim_core::ImageDigest;
use serde_json::json;

use crate::commands::{transaction, write_result};
use crate::context::{Context, read_card, read_small};
use crate::failure::Usage;
use crate::names;

/// Get an image's key back for a recovered account, from a reader or from custodians
///
/// A reader who may open the image gives --to, the card of the patient's new key, which must act since seven days, and --words,
/// the card's twelve words as its holder reads them over the telephone. The patient takes the letter with --from, or the letters of
/// custodians (`pcim custodian consent`) with --consent: the whole image is opened and verified, kept here, and recorded on the chain.
#[derive(Debug, Args)]
pub(crate) struct RecoverImageArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// Contact card of the patient's new key
    #[arg(long, value_name = "CARD", requires_all = ["words", "out"])]
    to: Option<PathBuf>,
    /// The twelve words of that card
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// File for the letter
    #[arg(long, value_name = "FILE", requires = "to")]
    out: Option<PathBuf>,
    /// A reader's letter
    #[arg(long, value_name = "LETTER", conflicts_with_all = ["to", "consent"])]
    from: Option<PathBuf>,
    /// A custodian's letter; once for each of those that are enough
    #[arg(long, value_name = "LETTER", conflicts_with = "to")]
    consent: Vec<PathBuf>,
}

impl RecoverImageArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if let (Some(to), Some(out)) = (&self.to, &self.out) {
            return self.give(context, to, out).await;
        }
        let letters = read_letters(&self.consent)?;
        let letter = self.from.as_deref().map(read_small).transpose()?;
        let rescue = match (&letter, letters.is_empty()) {
            (Some(letter), _) => Rescue::Reader(letter),
            (None, false) => Rescue::Custodians(&letters),
            (None, true) => {
                let text = "give --to with --words and --out, or --from, or --consent";
                return Err(Usage(text.to_owned()).into());
            }
        };
        let client = context.client().await?;
        let done = client.patient().recover_image(&self.image, rescue).await;
        client.shutdown().await;
        let image = self.image;
        match done?.and_then(Outcome::mined) {
            Some(written) => {
                let text = format!("recovered    {image}\n{}", transaction(&written));
                context.ui.result(&written, &text)
            }
            None => {
                let text = format!("nothing to do: this home opens {image}\n");
                context.ui.result(&json!({ "image": image }), &text)
            }
        }
    }

    async fn give(&self, context: &Context, to: &Path, out: &Path) -> anyhow::Result<()> {
        let to = read_card(to)?;
        let client = context.client().await?;
        let letter = client
            .unlocked()
            .give_back(&self.image, &to, self.words.as_deref())
            .await;
        client.shutdown().await;
        write_result(out, &letter?, false)?;
        let (image, shown) = (self.image, names::shown(to.address));
        let text = format!(
            "image        {image}\nto           {shown}\nletter       {}\n",
            out.display()
        );
        let value =
            json!({ "image": image, "to": to.address, "letter": out.display().to_string() });
        context.ui.result(&value, &text)
    }
}

/// Reads letters.
pub(crate) fn read_letters(paths: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    paths.iter().map(|path| read_small(path)).collect()
}
