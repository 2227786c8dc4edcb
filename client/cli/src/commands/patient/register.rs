//! `pcim patient register`

use std::path::PathBuf;

use clap::Args;

use crate::commands::transaction;
use crate::context::{Context, read_small};
use crate::ui::printable;

/// Register the image of a handover as yours
///
/// First the handover is opened and verified, the image fetched from the radiologist's node, opened,
/// its signature verified, and a copy kept here; only then the chain is told.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The handover file
    handover: PathBuf,
}

impl RegisterArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let handover = read_small(&self.handover)?;
        let mut client = context.client().await?;
        let registered = client.register(&handover).await;
        client.shutdown().await;
        let registered = registered?;
        let replaces = match &registered.predecessor {
            Some(predecessor) => format!("replaces     {predecessor}\n"),
            None => String::new(),
        };
        let text = format!(
            "image        {}\nradiologist  {}\ndescription  {}\n{replaces}{}",
            registered.image,
            registered.radiologist,
            printable(&registered.description),
            transaction(&registered.written)
        );
        context.ui.result(&registered, &text)
    }
}
