//! `pcim patient approve`

use std::path::PathBuf;

use clap::Args;
use pcim_client::client::{Approvals, Client, Decision};
use pcim_client::domain::{Address, BlockDigest, ImageDigest};

use super::replicas::{self, AwaitReplicas};
use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::context::{Context, read_small};
use crate::failure::Usage;
use crate::parse::{self, Expiry};

/// Let requestors open images
///
/// Adds a header of less than 1 KiB for each requestor; the image itself is neither encrypted nor
/// uploaded again. Serve it with `pcim node`. Several approvals are one transaction: all or none.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The image and the requestor; more such pairs may follow
    #[arg(value_name = "IMAGE REQUESTER", required_unless_present_any = ["all", "file"])]
    pairs: Vec<String>,
    /// Approve every open request for your images
    #[arg(long, conflicts_with_all = ["pairs", "file", "sign_only"])]
    all: bool,
    /// Approve the pairs in this file, one `IMAGE REQUESTER` to a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pairs", "sign_only"])]
    file: Option<PathBuf>,
    /// The requestor's certificate as `pcim patient requests` showed it; a request that names another is refused
    #[arg(long, value_name = "CID", conflicts_with_all = ["all", "file"])]
    certificate: Option<BlockDigest>,
    /// When the approval ends: 12h or 30d from now, or unix seconds [default: never]
    #[arg(long, value_name = "WHEN", value_parser = parse::expiry)]
    expires: Option<Expiry>,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    replicas: AwaitReplicas,
}

impl ApproveArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let mut words: Vec<String> = self.pairs.clone();
        if let Some(file) = &self.file {
            let text = String::from_utf8(read_small(file)?)
                .map_err(|_| Usage(format!("{}: not text", file.display())))?;
            words = text.split_whitespace().map(str::to_owned).collect();
        }
        let pairs = pairs(&words)?;
        if self.sign.is_wanted() && pairs.len() != 1 {
            let text = "--sign-only signs one approval at a time";
            return Err(Usage(text.to_owned()).into());
        }
        let client = self.sign.set(context.client().await?).await?;
        let shown = match pairs.as_slice() {
            [(image, requester)] if self.file.is_none() => {
                self.one(context, &client, image, *requester).await
            }
            pairs => self.many(context, &client, pairs).await,
        };
        client.shutdown().await;
        shown
    }

    async fn one(
        &self,
        context: &Context,
        client: &Client,
        image: &ImageDigest,
        requester: Address,
    ) -> anyhow::Result<()> {
        let expires_at = self.expires_at(client).await?;
        let decision = client
            .approve_certificate(image, requester, self.certificate, expires_at)
            .await;
        let Some(decision) = self.sign.settle(context, decision)? else {
            return Ok(());
        };
        let replicas = self.replicas.wait(client, &decision.shared_image).await;
        let line = replicas::line(*replicas.as_ref().unwrap_or(&None));
        context
            .ui
            .result(&decision, &(decision_text(&decision) + &line))?;
        replicas.map(drop)
    }

    async fn many(
        &self,
        context: &Context,
        client: &Client,
        pairs: &[(ImageDigest, Address)],
    ) -> anyhow::Result<()> {
        if self.certificate.is_some() {
            let text = "--certificate is for one approval at a time";
            return Err(Usage(text.to_owned()).into());
        }
        let expires_at = self.expires_at(client).await?;
        let approvals = match self.all {
            true => {
                client
                    .approve_all(&client.open_requests().await?, expires_at)
                    .await
            }
            false => client.approve_all(pairs, expires_at).await,
        };
        let Some(approvals) = self.sign.settle(context, approvals)? else {
            return Ok(());
        };
        context.ui.result(&approvals, &approvals_text(&approvals))?;
        for approval in &approvals.approvals {
            self.replicas.wait(client, &approval.shared_image).await?;
        }
        Ok(())
    }

    async fn expires_at(&self, client: &Client) -> anyhow::Result<u64> {
        Ok(match self.expires {
            None => 0,
            Some(Expiry::At(moment)) => moment,
            Some(Expiry::After(seconds)) => {
                client.ledger().await?.now().await? + u64::from(seconds)
            }
        })
    }
}

fn pairs(words: &[String]) -> anyhow::Result<Vec<(ImageDigest, Address)>> {
    let mut pairs = Vec::new();
    for pair in words.chunks(2) {
        let [image, requester] = pair else {
            let text = format!(
                "`{}` names no requestor: wanted IMAGE REQUESTER",
                pair.concat()
            );
            return Err(Usage(text).into());
        };
        let image = image
            .parse()
            .map_err(|error| Usage(format!("`{image}`: {error}")))?;
        pairs.push((image, parse::address(requester).map_err(Usage)?));
    }
    Ok(pairs)
}

fn moment(expires_at: u64) -> String {
    match expires_at {
        0 => "never".to_owned(),
        moment => format!("{moment} (unix seconds)"),
    }
}

fn decision_text(decision: &Decision) -> String {
    format!(
        "shared as    {}\nexpires      {}\nnew blocks   {} bytes\n{}",
        decision.shared_image,
        moment(decision.expires_at),
        decision.new_bytes,
        transaction(&decision.written)
    )
}

fn approvals_text(approvals: &Approvals) -> String {
    let mut text = String::new();
    for approval in &approvals.approvals {
        text.push_str(&format!(
            "image        {}\nrequester    {}\nshared as    {}\nexpires      {}\n\n",
            approval.image,
            approval.requester,
            approval.shared_image,
            moment(approval.expires_at)
        ));
    }
    text.push_str(&format!(
        "new blocks   {} bytes\n{}",
        approvals.new_bytes,
        transaction(&approvals.written)
    ));
    text
}
