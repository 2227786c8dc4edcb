//! `pcim patient open`

use std::path::PathBuf;

use clap::Args;
use pcim_client::{OpenedFile, Target};
use pcim_core::ImageDigest;

use crate::context::{Context, read_small};
use crate::failure::Usage;
use crate::names;

/// Open an image of your own
///
/// A study of several files opens as a folder, once all of it agrees with its manifest; it is kept as a tar if the name
/// after --out ends in .tar. With --handover what the handover names is opened and kept here without being registered,
/// such as the document with the names behind an image's pseudonyms. The image's description of itself (modality, body part,
/// date of the study) and its radiologist are recorded in this home, encrypted, for `pcim search`; not those of a study kept
/// as a tar.
#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The image
    #[arg(value_parser = names::image, required_unless_present = "handover")]
    image: Option<ImageDigest>,
    /// A handover, in the place of the image
    #[arg(long, value_name = "HANDOVER", conflicts_with = "image")]
    handover: Option<PathBuf>,
    /// Open it though its radiologist is not accredited
    #[arg(long, requires = "handover")]
    unaccredited: bool,
    /// Where it is written: a file, or the folder of a study
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

impl OpenArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let target = Target {
            path: self.out.clone(),
            overwrite: self.force,
        };
        let handover = match &self.handover {
            Some(path) => Some(read_small(path)?),
            None => None,
        };
        let client = context.client().await?;
        let opened = match (&handover, &self.image) {
            (Some(handover), _) => {
                let patient = client.patient();
                patient
                    .open_handover(handover, !self.unaccredited, &target)
                    .await
            }
            (None, Some(image)) => client.patient().open_own(image, &target).await,
            (None, None) => return Err(Usage("neither an image nor a handover".to_owned()).into()),
        };
        client.shutdown().await;
        let opened = opened?;
        context.ui.result(&opened, &opened_text(&opened))
    }
}

/// The lines that tell of an opened image.
pub(crate) fn opened_text(opened: &OpenedFile) -> String {
    let mut text = format!(
        "opened       {} ({}, {} bytes)\nsha-256      {}\nradiologist  {}\nsigned by    {}\n",
        opened.path.display(),
        opened.contents,
        opened.bytes,
        opened.sha256,
        names::shown(opened.radiologist),
        opened.signer
    );
    if let Some(predecessor) = &opened.predecessor {
        text.push_str(&format!("replaces     {predecessor}\n"));
    }
    text
}
