//! `pcim patient history`

use clap::Args;
use pcim_core::ImageDigest;
use pcim_core::date::time;

use crate::context::Context;
use crate::names;
use crate::ui::printable;

/// List the versions of an image, from this one back to the first
///
/// A radiologist who seals a changed image names the one that it replaces in the signature (`pcim radiologist seal
/// --replaces`). Each version is opened and its signature verified against what was attested; an image that names another
/// patient's, or whose predecessors come round again, is refused. The walk ends at a version that is not registered, or of
/// which nobody has the blocks now.
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
}

impl HistoryArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let versions = client.patient().history(&self.image).await;
        client.shutdown().await;
        let versions = versions?;
        let mut text = String::new();
        for version in &versions {
            text.push_str(&format!("image        {}\n", version.image));
            match version.registered_at {
                Some(moment) => text.push_str(&format!("registered   {}\n", time(moment))),
                None => text.push_str("registered   no: its signature cannot be verified\n"),
            }
            if let Some(signer) = &version.signer {
                text.push_str(&format!("signed by    {signer}\n"));
            }
            if let Some(why) = &version.not_opened {
                text.push_str(&format!("not opened   {}\n", printable(why)));
            }
            text.push('\n');
        }
        context.ui.result(&versions, text.trim_end())
    }
}
