//! `pcim patient approve`

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::{Actor, Approvals, Decision, Outcome, Resealed, Reviewed};
use pcim_core::date::{now, time};
use pcim_core::{Address, BlockDigest, GrantStatus, ImageDigest};
use serde::Serialize;

use super::delegated::ForArgs;
use super::pairs::Pairs;
use super::replicas::{self, AwaitReplicas};
use super::revoke::resealed;
use crate::commands::sign::SignArgs;
use crate::commands::transaction;
use crate::contacts;
use crate::context::{Context, read_small};
use crate::failure::Usage;
use crate::names;
use crate::parse::{self, Expiry};

/// Oldest request that is approved without more, in days.
const MAX_AGE_DAYS: u64 = 90;

/// Let requestors open images
///
/// Adds a header of less than 2 KiB for each requestor; the image itself is neither encrypted nor
/// uploaded again. Serve it with `pcim node`. Several approvals are one transaction: all or none.
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    pairs: Pairs,
    /// Approve the requests of this list and no others: what `pcim --json patient requests` printed, with the entries taken
    /// out that you do not approve
    ///
    /// Nothing is approved if one of them has changed since: another certificate, or a newer request.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pairs", "file", "sign_only"])]
    reviewed: Option<PathBuf>,
    /// The requestor's certificate as `pcim patient requests` showed it; a request that names another is refused
    #[arg(long, value_name = "CID", conflicts_with_all = ["reviewed", "file"])]
    certificate: Option<BlockDigest>,
    /// When the approval ends: 12h or 30d from now, a day (2027-01-31, its end in UTC), a moment, or `never`
    #[arg(long, value_name = "WHEN", default_value = "30d", value_parser = parse::approval_end)]
    expires: Expiry,
    /// Approve a request that is older than 90 days
    #[arg(long)]
    old: bool,
    /// If the requestor's certificate does not accept the image's encryption (SEIPDv2), seal the image again as SEIPDv1
    ///
    /// For all its readers: the other approvals go on, each with a root of its own on the chain, and the old body is
    /// dropped from this node. Without this option such a request is refused. For one approval at a time.
    #[arg(long, conflicts_with_all = ["reviewed", "file", "sign_only", "served"])]
    reseal_v1: bool,
    #[command(flatten)]
    delegated: ForArgs,
    #[command(flatten)]
    sign: SignArgs,
    #[command(flatten)]
    replicas: AwaitReplicas,
}

/// An approval, and what had to be done for it.
#[derive(Serialize)]
struct Approved {
    #[serde(flatten)]
    decision: Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    resealed: Option<Resealed>,
    /// How many other nodes hold the shared root, if that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<usize>,
}

/// Several approvals.
#[derive(Serialize)]
struct AllApproved {
    #[serde(flatten)]
    approvals: Approvals,
    /// For each approval, if that was waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    replicas: Option<Vec<usize>>,
}

impl ApproveArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let reviewed = self.reviewed.as_deref().map(read_reviewed).transpose()?;
        let pairs = match &reviewed {
            Some(list) => list.iter().map(|it| (it.image, it.requestor)).collect(),
            None => self.pairs.read(&self.sign)?,
        };
        if !self.pairs.confirmed(context, "approve", &pairs)? {
            return Ok(());
        }
        let client = self.delegated.set(context.client().await?).await?;
        let client = self.sign.set(client).await?;
        let shown = match self
            .check(context, &client, &pairs, reviewed.as_deref())
            .await
        {
            Ok(()) => match pairs.as_slice() {
                [(image, requestor)] if !self.pairs.in_file() && reviewed.is_none() => {
                    self.one(context, &client, image, *requestor).await
                }
                pairs => self.many(context, &client, pairs).await,
            },
            Err(error) => Err(error),
        };
        client.shutdown().await;
        shown
    }

    /// Refuses requests that have changed since they were reviewed, and old ones.
    async fn check(
        &self,
        context: &Context,
        client: &Actor,
        pairs: &[(ImageDigest, Address)],
        reviewed: Option<&[Reviewed]>,
    ) -> anyhow::Result<()> {
        if let Some(reviewed) = reviewed {
            client.patient().check_reviewed(reviewed).await?;
        }
        self.check_cards(context, client, pairs).await?;
        if self.old {
            return Ok(());
        }
        let ledger = client.ledger().await?;
        let now = ledger.now().await?;
        for (image, requestor) in pairs {
            let grant = ledger.grant(image, *requestor).await?;
            let days = now.saturating_sub(grant.requested_at) / 86_400;
            if grant.status == GrantStatus::Requested && days > MAX_AGE_DAYS {
                let text = format!(
                    "the request of {requestor} for image {image} is {days} days old, and more may have changed than the \
                     request: ask whether it still holds, or give --old"
                );
                return Err(Usage(text).into());
            }
        }
        Ok(())
    }

    /// Refuses a requestor whose card lies among the contacts and whose request names another certificate, unless the
    /// certificate is named here: the account may be another's by now.
    async fn check_cards(
        &self,
        context: &Context,
        client: &Actor,
        pairs: &[(ImageDigest, Address)],
    ) -> anyhow::Result<()> {
        if self.certificate.is_some() {
            return Ok(());
        }
        let contacts = contacts::read(context.ui, &client.home().contacts_dir())?;
        for (image, requestor) in pairs {
            if contacts.name(*requestor).is_none() {
                continue;
            }
            let patient = client.patient();
            let fingerprint = match patient.requested_fingerprint(image, *requestor).await {
                // Decided already, or away: what approves says so.
                Err(_) => continue,
                Ok(fingerprint) => fingerprint,
            };
            if contacts.vouches(*requestor, &fingerprint) == Some(false) {
                let text = format!(
                    "the request of {requestor} for image {image} names another certificate ({fingerprint}) than the card that you \
                     have of this account: ask for a new card, or name the certificate with --certificate"
                );
                return Err(Usage(text).into());
            }
        }
        Ok(())
    }

    async fn one(
        &self,
        context: &Context,
        client: &Actor,
        image: &ImageDigest,
        requestor: Address,
    ) -> anyhow::Result<()> {
        let expires_at = self.expires_at(context, client).await?;
        let approved = match self.reseal_v1 {
            true => client
                .patient()
                .approve_resealing(image, requestor, self.certificate, expires_at)
                .await
                .map(|(resealed, decision)| with_reseal(decision, resealed)),
            false => client
                .patient()
                .approve_certificate(image, requestor, self.certificate, expires_at)
                .await
                .map(|decision| with_reseal(decision, None)),
        };
        let Some((decision, anew)) = self.sign.settle(context, approved)? else {
            return Ok(());
        };
        let mut text = decision_text(&decision);
        if let Some(anew) = &anew {
            text.push_str(&resealed(context, anew));
        }
        let waited = self.replicas.wait(client, &decision.shared_image).await;
        let found = *waited.as_ref().unwrap_or(&None);
        text.push_str(&replicas::line(found));
        let approved = Approved {
            decision,
            resealed: anew,
            replicas: found,
        };
        context.ui.result(&approved, &text)?;
        waited.map(drop)
    }

    async fn many(
        &self,
        context: &Context,
        client: &Actor,
        pairs: &[(ImageDigest, Address)],
    ) -> anyhow::Result<()> {
        if self.certificate.is_some() {
            let text = "--certificate is for one approval at a time";
            return Err(Usage(text.to_owned()).into());
        }
        if self.reseal_v1 {
            let text = "--reseal-v1 is for one approval at a time";
            return Err(Usage(text.to_owned()).into());
        }
        let expires_at = self.expires_at(context, client).await?;
        let approvals = client.patient().approve_all(pairs, expires_at).await?;
        let mut text = approvals_text(&approvals);
        let roots = approvals.approvals.iter().map(|one| one.shared_image);
        let waited = self.replicas.wait_for_all(client, roots).await;
        let found = waited.as_ref().ok().cloned().flatten();
        for complete in found.iter().flatten() {
            text.push_str(&replicas::line(Some(*complete)));
        }
        let all = AllApproved {
            approvals,
            replicas: found,
        };
        context.ui.result(&all, &text)?;
        waited.map(drop)
    }

    async fn expires_at(&self, context: &Context, client: &Actor) -> anyhow::Result<u64> {
        let wished = end_of(self.expires, client).await?;
        Ok(self.delegated.end(context, client, wished))
    }
}

/// The moment at which an access ends.
pub(super) async fn end_of(expires: Expiry, client: &Actor) -> anyhow::Result<u64> {
    Ok(match expires {
        Expiry::At(moment) => moment,
        Expiry::After(seconds) => {
            // A chain without transactions stops at the time of its last block.
            client.ledger().await?.now().await?.max(now()) + u64::from(seconds)
        }
    })
}

/// Reads a list of reviewed requests.
fn read_reviewed(path: &Path) -> anyhow::Result<Vec<Reviewed>> {
    let list = serde_json::from_slice(&read_small(path)?);
    Ok(list.map_err(|error| {
        let path = path.display();
        Usage(format!(
            "{path}: not what `pcim --json patient requests` prints: {error}"
        ))
    })?)
}

/// A decision with what had to be sealed again for it.
fn with_reseal(
    decision: Outcome<Decision>,
    resealed: Option<Resealed>,
) -> Outcome<(Decision, Option<Resealed>)> {
    match decision {
        Outcome::Mined(decision) => Outcome::Mined((decision, resealed)),
        Outcome::Signed(call) => Outcome::Signed(call),
    }
}

fn moment(expires_at: u64) -> String {
    match expires_at {
        0 => "never".to_owned(),
        moment => time(moment),
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
            "image        {}\nrequestor    {}\nshared as    {}\nexpires      {}\n\n",
            approval.image,
            names::shown(approval.requestor),
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
