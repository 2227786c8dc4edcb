//! `pcim patient register`

use std::path::PathBuf;

use clap::Args;
use pcim_client::mail::wire::MailId;
use pcim_client::{Actor, Error, Outcome, Registered, Written};
use pcim_core::ImageDigest;
use serde::Serialize;

use super::inbox;
use super::replicas::{self, AwaitReplicas};
use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, read_small};
use crate::names;
use crate::ui::printable;

/// Register the image of a handover as yours
///
/// First the handover is opened and verified, the image fetched from the radiologist's node, opened,
/// its signature verified, and a copy kept here; only then the registration is written on the chain.
#[derive(Debug, Args)]
pub(crate) struct RegisterArgs {
    /// A handover file; or, of the inbox, the letter's id, its image, or the name of its sender
    handover: PathBuf,
    /// Modality and body part codes for the chain, readable by everyone [default: the handover's]
    #[arg(long, value_name = "CODES")]
    description: Option<String>,
    /// Write no description on the chain
    #[arg(long, conflicts_with = "description")]
    no_description: bool,
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
    /// The transaction by which the home's custodians got their shares, if it has custodians.
    #[serde(skip_serializing_if = "Option::is_none")]
    entrusted: Option<Written>,
}

/// Gives the home's custodians their shares of a new image.
async fn entrust(client: &Actor, image: &ImageDigest) -> Result<Option<Written>, Error> {
    if client.custodians()?.is_none() {
        return Ok(None);
    }
    let entrusted = client.patient().entrust(image).await?;
    Ok(entrusted.and_then(Outcome::mined))
}

/// The handover of the letter that is meant, and the letter.
async fn of_inbox(client: &Actor, meant: &str) -> anyhow::Result<(Vec<u8>, MailId)> {
    let patient = client.patient();
    let items = patient.inbox().await?;
    let letter = inbox::find(&items, meant)?.id;
    Ok((patient.mailed_handover(&letter)?, letter))
}

impl RegisterArgs {
    /// Registers, after it has said which words everyone will read.
    async fn register(
        &self,
        context: &Context,
        client: &Actor,
        handover: &[u8],
    ) -> Result<Outcome<Registered>, Error> {
        let patient = client.patient();
        let description = match (self.no_description, &self.description) {
            (true, _) => String::new(),
            (false, Some(own)) => own.clone(),
            (false, None) => patient.description_of(handover).await?,
        };
        if !description.is_empty() {
            let shown = printable(&description);
            let text = format!("note: on the chain, for everyone to read: `{shown}`");
            context.ui.note(&text);
        }
        patient.register(handover, Some(&description)).await
    }

    /// What is meant of the inbox, if no file is.
    fn mailed(&self) -> Option<&str> {
        let text = self.handover.to_str()?;
        (!self.handover.exists() && !text.contains(['/', '\\', '.'])).then_some(text)
    }

    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mailed = self.mailed();
        let file = match mailed {
            Some(_) => None,
            None => Some(read_small(&self.handover)?),
        };
        let client = self.sign.set(context.client().await?).await?;
        let (handover, letter) = match (file, mailed) {
            (Some(file), _) => (file, None),
            (None, meant) => match of_inbox(&client, meant.unwrap_or_default()).await {
                Ok((handover, letter)) => (handover, Some(letter)),
                Err(error) => {
                    client.shutdown().await;
                    return Err(error);
                }
            },
        };
        let registered = self.register(context, &client, &handover).await;
        if let (Ok(Outcome::Mined(_)), Some(letter)) = (&registered, letter) {
            client.home().remove_mail(&letter)?;
        }
        let replicas = match &registered {
            Ok(Outcome::Mined(done)) => self.replicas.wait(&client, &done.image).await,
            Ok(Outcome::Signed(_)) | Err(_) => Ok(None),
        };
        let entrusted = match &registered {
            Ok(Outcome::Mined(done)) => entrust(&client, &done.image).await,
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
            "image        {}\nradiologist  {}\ndescription  {}\n{replaces}{identity}{}{}{}",
            registered.image,
            names::shown(registered.radiologist),
            printable(&registered.description),
            transaction(&registered.written),
            replicas::line(*replicas.as_ref().unwrap_or(&None)),
            match &entrusted {
                Ok(Some(written)) =>
                    format!("custodians   have their shares\n{}", transaction(written)),
                Ok(None) | Err(_) => String::new(),
            }
        );
        let done = Done {
            registered,
            replicas: *replicas.as_ref().unwrap_or(&None),
            entrusted: entrusted.as_ref().ok().cloned().flatten(),
        };
        context.ui.result(&done, &text)?;
        replicas.map(drop)?;
        Ok(entrusted.map(drop)?)
    }
}
