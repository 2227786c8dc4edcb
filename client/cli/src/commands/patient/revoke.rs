//! `pcim patient revoke`

use clap::Args;
use pcim_client::client::{Client, Error, Resealed, Written};
use pcim_client::domain::{Address, ImageDigest};
use serde::Serialize;

use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::Context;
use crate::parse;

/// Withdraw an approval or an open request
///
/// The chain stops authorizing the requestor and this node drops the requestor's header. Someone who
/// has opened the image before may have kept it; nothing can take that back. With --sign-only the header
/// stays: without the chain's word it goes to nobody new through this program, but the node has it still.
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The image
    image: ImageDigest,
    /// The requestor
    #[arg(value_parser = parse::address)]
    requester: Address,
    /// Also seal the image anew, for the readers that remain: under a new key, as a new body
    ///
    /// Their approvals go on, each with a root of its own on the chain; the old body and all its headers are dropped from
    /// this node, so that the removed requestor finds nothing here. Other nodes keep the old body until they drop it.
    /// Whoever has read the image may have kept it, or its key: sealing anew cannot take that back either.
    /// It costs a transaction for each remaining reader and one for the image, and is gone on with after a crash by
    /// `pcim resume`.
    #[arg(long, conflicts_with = "sign_only")]
    rekey: bool,
    #[command(flatten)]
    sign: SignArgs,
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
        let client = self.sign.set(context.client().await?).await?;
        let revoked = self.revoke(&client).await;
        client.shutdown().await;
        let Some(revoked) = self.sign.settle(context, revoked)? else {
            return Ok(());
        };
        let mut text = format!("revoked      {}\n", self.requester);
        if let Some(written) = &revoked.written {
            text.push_str(&transaction(written));
        }
        if let Some(rekeyed) = &revoked.rekeyed {
            text.push_str(&resealed(context, rekeyed));
        }
        context.ui.result(&revoked, &text)
    }

    async fn revoke(&self, client: &Client) -> Result<Revoked, Error> {
        if !self.rekey {
            let written = client.revoke(&self.image, self.requester).await?;
            return Ok(Revoked {
                written: Some(written),
                rekeyed: None,
            });
        }
        let (written, rekeyed) = client.revoke_and_rekey(&self.image, self.requester).await?;
        Ok(Revoked {
            written,
            rekeyed: Some(rekeyed),
        })
    }
}

/// The lines that tell of an image that was sealed anew.
pub(crate) fn resealed(context: &Context, resealed: &Resealed) -> String {
    let mut text = format!(
        "sealed anew  {} ({} bytes)\n",
        resealed.root, resealed.body_bytes
    );
    for reader in &resealed.readers {
        text.push_str(&format!(
            "shared anew  {} as {}\n",
            reader.requester, reader.shared_image
        ));
    }
    for reader in &resealed.left_out {
        context.ui.note(&format!(
            "note: {} is authorized and was given no new root: {}; revoke, and let them ask again",
            reader.requester,
            crate::ui::printable(&reader.why)
        ));
    }
    text
}
