//! `pcim requestor fetch`

use std::path::PathBuf;

use clap::Args;
use pcim_client::Target;
use pcim_core::ImageDigest;

use crate::commands::patient::open::opened_text;
use crate::commands::transaction;
use crate::context::Context;
use crate::names;

/// Fetch and open an image the patient has approved
///
/// Refused with exit code 4, before anything is fetched, unless the chain authorizes this home now.
/// The file appears only when everything was verified: what was opened carries the radiologist's
/// signature that was attested. A study of several files opens as a folder, once all of it agrees with its
/// manifest; it is kept as a tar if the name after --out ends in .tar. The image's description of itself (modality, body
/// part, date of the study) and its radiologist are recorded in this home, encrypted, for `pcim search`; not those of a
/// study kept as a tar.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// Where it is written: a file, or the folder of a study
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Also write on the chain that this home has opened the image
    ///
    /// A transaction (`trace_authorization`) sent once the image is here and verified; the file appears when it is mined.
    /// One for each fetch: a fetch that is cut off and given again within a day goes on with the same transaction. The
    /// chain can know that this address was authorized at that moment and said that it opened the image. It cannot know
    /// whether anybody looked, how often, what became of the file, or who opens the image by other means: an authorized
    /// requestor can decrypt it without a receipt, with this program or another. So a receipt shows an access, and a
    /// missing one shows nothing.
    #[arg(long)]
    receipt: bool,
}

impl FetchArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let target = Target {
            path: self.out.clone(),
            overwrite: self.force,
        };
        let client = context.client().await?;
        if self.receipt {
            let fetched = client
                .requestor()
                .fetch_with_receipt(&self.image, &target)
                .await;
            client.shutdown().await;
            let fetched = fetched?;
            let opened = opened_text(&fetched.opened);
            let text = format!("{opened}receipt:\n{}", transaction(&fetched.receipt));
            return context.ui.result(&fetched, &text);
        }
        let opened = client.requestor().fetch(&self.image, &target).await;
        client.shutdown().await;
        let opened = opened?;
        context.ui.result(&opened, &opened_text(&opened))
    }
}
