//! `pcim patient open`

use std::path::PathBuf;

use clap::Args;
use pcim_client::client::{OpenedFile, Target};
use pcim_client::domain::ImageDigest;

use crate::context::Context;

/// Open an image of your own
///
/// A study of several files opens as one tar.
#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// The image
    image: ImageDigest,
    /// Where it is written
    #[arg(long, value_name = "FILE")]
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
        let client = context.client().await?;
        let opened = client.open_own(&self.image, &target).await;
        client.shutdown().await;
        let opened = opened?;
        context.ui.result(&opened, &opened_text(&opened))
    }
}

/// The lines that tell of an opened image.
pub(crate) fn opened_text(opened: &OpenedFile) -> String {
    let mut text = format!(
        "file         {} ({} bytes)\nsha-256      {}\nradiologist  {}\nsigned by    {}\n",
        opened.path.display(),
        opened.bytes,
        opened.sha256,
        opened.radiologist,
        opened.signer
    );
    if let Some(predecessor) = &opened.predecessor {
        text.push_str(&format!("replaces     {predecessor}\n"));
    }
    text
}
