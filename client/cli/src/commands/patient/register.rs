//! `pcim patient register`

use std::path::PathBuf;

use clap::Args;
use pcim_client::{Outcome, Registered};
use serde::Serialize;

use super::replicas::{self, AwaitReplicas};
use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, read_small};
use crate::ui::printable;

/// Register the image of a handover as yours
///
/// First the handover is opened and verified, the image fetched from the radiologist's node, opened,
/// its signature verified, and a copy kept here; only then the registration is written on the chain.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// The handover file
    handover: PathBuf,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    replicas: AwaitReplicas,
}

/// A registration, and what was waited for.
#[derive(Serialize)]
struct Done {
    #[serde(flatten)]
    registered: Registered,
    /// How many other nodes hold the image, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<usize>,
}

impl RegisterArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let handover = read_small(&self.handover)?;
        let client = self.sign.set(context.client().await?).await?;
        let registered = client.patient().register(&handover).await;
        let replicas = match &registered {
            Ok(Outcome::Mined(done)) => self.replicas.wait(&client, &done.image).await,
            Ok(Outcome::Signed(_)) | Err(_) => Ok(None),
        };
        client.shutdown().await;
        let Some(registered) = self.sign.settle(context, registered)? else {
            return Ok(());
        };
        let replaces = match &registered.predecessor {
            Some(predecessor) => format!("replaces     {predecessor}\n"),
            None => String::new(),
        };
        let identity = match &registered.identity {
            Some(image) => format!("identity     {image}, which has a handover of its own\n"),
            None => String::new(),
        };
        let text = format!(
            "image        {}\nradiologist  {}\ndescription  {}\n{replaces}{identity}{}{}",
            registered.image,
            registered.radiologist,
            printable(&registered.description),
            transaction(&registered.written),
            replicas::line(*replicas.as_ref().unwrap_or(&None))
        );
        let done = Done {
            registered,
            replicas: *replicas.as_ref().unwrap_or(&None),
        };
        context.ui.result(&done, &text)?;
        replicas.map(drop)
    }
}
