//! `pcim requestor fetch`

use std::path::PathBuf;

use clap::Args;
use pcim_client::client::Target;
use pcim_client::domain::ImageDigest;

use crate::commands::patient::open::opened_text;
use crate::context::Context;

/// Fetch and open an image the patient has approved
///
/// Refused with exit code 4, before anything is fetched, unless the chain authorizes this home now.
/// The file appears only when everything was verified: what was opened carries the radiologist's
/// signature that was attested. A study of several files opens as a folder, once all of it agrees with its
/// manifest; it is kept as a tar if the name after --out ends in .tar.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// The image
    image: ImageDigest,
    /// Where it is written: a file, or the folder of a study
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

impl FetchArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let target = Target {
            path: self.out.clone(),
            overwrite: self.force,
        };
        let client = context.client().await?;
        let opened = client.fetch(&self.image, &target).await;
        client.shutdown().await;
        let opened = opened?;
        context.ui.result(&opened, &opened_text(&opened))
    }
}
