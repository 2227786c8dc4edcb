//! `pcim custodian`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::ConsentReason;
use pcim_core::ImageDigest;

use super::emergency::CustodianDrillArgs;
use crate::commands::write_result;
use crate::context::{Context, read_card};
use crate::names;

/// A custodian's commands.
#[derive(Debug, Subcommand)]
pub(crate) enum CustodianCommand {
    Consent(ConsentArgs),
    Drill(CustodianDrillArgs),
}

/// Give your share of an image's key to one whom an emergency let in, or to the patient's new key
///
/// Looks at the chain first: the patient's desk must have opened the image to the holder of this card, or the card's key must act
/// for the patient since seven days; then give --words as the card's holder reads them to you over the telephone. The share is
/// for this image and this card alone; enough custodians' shares open the image.
#[derive(Debug, Args)]
pub(crate) struct ConsentArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// Contact card of the one who gets it
    #[arg(long, value_name = "CARD")]
    to: PathBuf,
    /// The twelve words of that card, for a patient's new key
    #[arg(long, value_name = "WORDS")]
    words: Option<String>,
    /// File for the letter
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

impl CustodianCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Consent(args) => args.run(context).await,
            Self::Drill(args) => args.run(context).await,
        }
    }
}

impl ConsentArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let to = read_card(&self.to)?;
        let client = context.client().await?;
        let consent = client
            .unlocked()
            .consent(&self.image, &to, self.words.as_deref())
            .await;
        client.shutdown().await;
        let consent = consent?;
        write_result(&self.out, &consent.letter, self.force)?;
        let why = match consent.reason {
            ConsentReason::Emergency => "an emergency, as the chain says",
            ConsentReason::Recovery => "the patient's recovered account",
        };
        let text = format!(
            "image        {}\nof           {}\nshare        {}; {} open it\nto           {}\nfor          {why}\nletter       {}\n",
            consent.image,
            names::shown(consent.patient),
            consent.share,
            consent.threshold,
            names::shown(consent.to),
            self.out.display()
        );
        context.ui.result(&consent, &text)
    }
}
