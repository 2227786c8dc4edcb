//! `pcim patient rekey`

use clap::Args;
use pcim_client::Resealed;
use pcim_client::home::Home;
use pcim_core::ImageDigest;
use serde::Serialize;

use super::revoke::resealed;
use crate::context::Context;
use crate::names;

/// Seal your images again under new keys
///
/// With --pq: your OpenPGP key gets a subkey for ML-KEM-768+X25519 if it has none (give your contact card out again then),
/// and each image whose header an old key opens is sealed again for you and the readers that remain. Bodies and headers that
/// others copied before stay as they are. An image costs a transaction, and one for each reader; what was killed is gone on
/// with by the same command.
#[derive(Debug, Args)]
pub(crate) struct RekeyArgs {
    /// The images [default: all that you registered]
    #[arg(value_parser = names::image)]
    image: Vec<ImageDigest>,
    /// For encryption that withstands quantum computers
    #[arg(long, required = true)]
    pq: bool,
}

/// The images that were sealed again.
#[derive(Serialize)]
struct Rekeyed {
    /// Whether the key got a subkey.
    subkey_added: bool,
    rekeyed: Vec<Resealed>,
    /// Those that were post-quantum already.
    unchanged: Vec<ImageDigest>,
}

impl RekeyArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let subkey_added = self.pq && add_subkey(context).await?;
        let client = context.client().await?;
        let mut done = Rekeyed {
            subkey_added,
            rekeyed: Vec::new(),
            unchanged: Vec::new(),
        };
        let work = async {
            let images = match self.image.is_empty() {
                true => client
                    .auditor()
                    .images()
                    .await?
                    .iter()
                    .map(|own| own.image)
                    .collect(),
                false => self.image.clone(),
            };
            for image in images {
                match client.patient().rekey_post_quantum(&image).await? {
                    Some(resealed) => done.rekeyed.push(resealed),
                    None => done.unchanged.push(image),
                }
            }
            Ok::<_, pcim_client::Error>(())
        };
        let worked = work.await;
        client.shutdown().await;
        worked?;
        let mut text = String::new();
        if subkey_added {
            text.push_str(
                "OpenPGP key  got a post-quantum subkey: give your contact card out again\n",
            );
        }
        for image in &done.rekeyed {
            text.push_str(&format!(
                "image         {}\n{}",
                image.image,
                resealed(context, image)
            ));
        }
        for image in &done.unchanged {
            text.push_str(&format!("unchanged     {image}\n"));
        }
        context.ui.result(&done, &text)
    }
}

/// Adds the subkey before the keys are unlocked for the rest.
async fn add_subkey(context: &Context) -> anyhow::Result<bool> {
    let home = Home::open(&context.home_dir()?)?;
    if home.openpgp()?.certificate().is_post_quantum() {
        return Ok(false);
    }
    let passphrase = context.passphrase("Passphrase: ")?;
    // The key that it holds is about to be another.
    crate::agent::forget(&home).await;
    let added = tokio::task::spawn_blocking(move || home.add_post_quantum_subkey(&passphrase));
    Ok(added.await??)
}
