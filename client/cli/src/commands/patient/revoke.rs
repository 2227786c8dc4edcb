//! `pcim patient revoke`

use clap::Args;
use pcim_client::{Actor, Error, Outcome, Resealed, Written};
use pcim_core::{Address, ImageDigest};
use serde::Serialize;

use super::delegated::ForArgs;
use super::pairs::{Pairs, shown};
use super::replicas::{self, AwaitReplicas};
use crate::commands::sign::SignArgs;
use crate::commands::{Finality, Taken, transaction};
use crate::context::Context;
use crate::failure::Usage;
use crate::names;

/// Withdraw an approval or an open request
///
/// The chain stops authorizing the requestor and this node drops the requestor's header. A requestor who
/// has opened the image before may have kept it; nothing can take that back. Several removals are one
/// transaction: all or none. With --sign-only the header stays until the removal is on the chain: `pcim node`,
/// while it runs, and `pcim resume` look for that.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    pairs: Pairs,
    /// Also seal the image again, for the readers that remain: under a new key, as a new body
    ///
    /// Their approvals go on, each with a root of its own on the chain; the old body and all its headers are dropped from
    /// this node, so that the removed requestor finds nothing here. Other nodes keep the old body until they drop it.
    /// A reader of the image may have kept it, or its key: sealing again cannot take that back either.
    /// It costs a transaction for each remaining reader and one for the image, and is gone on with after a crash by
    /// `pcim resume`.
    #[arg(long, conflicts_with_all = ["sign_only", "file", "served"])]
    rekey: bool,
    #[command(flatten)]
    delegated: ForArgs,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    replicas: AwaitReplicas,
}

/// A removal, and what followed from it.
#[derive(Serialize)]
struct Revoked {
    #[serde(flatten)]
    written: Option<Written>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rekeyed: Option<Resealed>,
}

impl RevokeArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let pairs = self.pairs.read(&self.sign)?;
        if !self.pairs.confirmed(context, "revoke", &pairs)? {
            return Ok(());
        }
        let ([(image, requestor)], false) = (pairs.as_slice(), self.pairs.in_file()) else {
            if self.rekey {
                return Err(Usage("--rekey is for one removal at a time".to_owned()).into());
            }
            let client = self.delegated.set(context.client().await?).await?;
            let endings = client.patient().revoke_all(&pairs).await;
            let ended = match endings {
                Ok(endings) => {
                    let finality = Finality::of(&client, &endings.written).await;
                    Ok((endings, finality))
                }
                Err(error) => Err(error),
            };
            client.shutdown().await;
            let (endings, finality) = ended?;
            return shown("revoked", context, &endings, finality);
        };
        let client = self.delegated.set(context.client().await?).await?;
        let client = self.sign.set(client).await?;
        let revoked = self.revoke(&client, image, *requestor).await;
        let waited = match &revoked {
            Ok(Outcome::Mined(Revoked {
                rekeyed: Some(rekeyed),
                ..
            })) => self.replicas.wait(&client, &rekeyed.root).await,
            _ => Ok(None),
        };
        let finality = match &revoked {
            Ok(Outcome::Mined(Revoked {
                written: Some(written),
                ..
            })) => Some(Finality::of(&client, written).await),
            _ => None,
        };
        client.shutdown().await;
        let Some(revoked) = self.sign.settle(context, revoked)? else {
            return Ok(());
        };
        let mut text = format!("revoked      {}\n", names::shown(*requestor));
        if let Some(written) = &revoked.written {
            text.push_str(&transaction(written));
        }
        text.push_str(finality.map_or("", Finality::line));
        if let Some(rekeyed) = &revoked.rekeyed {
            text.push_str(&resealed(context, rekeyed));
        }
        text.push_str(&replicas::line(*waited.as_ref().unwrap_or(&None)));
        if revoked.rekeyed.is_some() && !matches!(waited, Ok(Some(1..))) {
            context.ui.note(
                "note: the new body is on this node alone: let `pcim node` run until followers have it (--replicas N waits)",
            );
        }
        let what = &revoked;
        context.ui.result(&Taken { what, finality }, &text)?;
        waited.map(drop)
    }

    async fn revoke(
        &self,
        client: &Actor,
        image: &ImageDigest,
        requestor: Address,
    ) -> Result<Outcome<Revoked>, Error> {
        if !self.rekey {
            return Ok(match client.patient().revoke(image, requestor).await? {
                Outcome::Mined(written) => Outcome::Mined(Revoked {
                    written: Some(written),
                    rekeyed: None,
                }),
                Outcome::Signed(call) => Outcome::Signed(call),
            });
        }
        let (written, rekeyed) = client.patient().revoke_and_rekey(image, requestor).await?;
        Ok(Outcome::Mined(Revoked {
            written,
            rekeyed: Some(rekeyed),
        }))
    }
}

/// Makes the lines about an image that was sealed again.
pub(crate) fn resealed(context: &Context, resealed: &Resealed) -> String {
    let mut text = format!(
        "sealed again  {} ({} bytes)\n",
        resealed.root, resealed.body_bytes
    );
    for reader in &resealed.readers {
        text.push_str(&format!(
            "shared again  {} as {}\n",
            reader.requestor, reader.shared_image
        ));
    }
    for reader in &resealed.left_out {
        context.ui.note(&format!(
            "note: {} is authorized and was given no new root: {}; revoke, and let them ask again",
            reader.requestor,
            crate::ui::printable(&reader.why)
        ));
    }
    text
}
