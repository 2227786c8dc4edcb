//! `pcim audit`

mod show;

use clap::Args;
use pcim_client::audit::{
    Compared, Difference, Entry, EventKind, Freshness, Index, Query, Standing,
};
use pcim_client::client::Client;
use pcim_client::domain::{Address, ImageDigest};
use serde::Serialize;

use crate::context::{Context, actor};
use crate::failure::Usage;
use crate::parse;

/// Show what the chain recorded about your images and requests
///
/// The contract's logs are kept in the home and brought up to date first (not with --offline); what is shown is then
/// compared with what the contract itself says, and a difference is an error. Without --all, only what concerns you is
/// shown, as a patient, a requestor or a radiologist; with --image, --requester or --patient, whatever they name.
///
/// What the chain can know: who registered an image and who attested it; every request, approval, denial, removal and new
/// share, with its time and its sender's words; and the traces that somebody had written down. What it cannot know: whether
/// and when someone who may open an image opened it, what was done with it, or what was read by other means. Somebody who
/// was removed may have kept a copy. Times are those of the chain's blocks, in UTC. Text from the chain is whatever its
/// sender wrote: characters that could steer a terminal are shown as \u{...}.
#[derive(Debug, Default, Args)]
pub(crate) struct AuditArgs {
    /// Only about this image
    #[arg(long, value_name = "IMAGE")]
    image: Option<ImageDigest>,
    /// Only about requests of this requestor
    #[arg(long, value_name = "ADDRESS|CARD")]
    requester: Option<String>,
    /// Only about images of this patient
    #[arg(long, value_name = "ADDRESS|CARD")]
    patient: Option<String>,
    /// Only these events, by the contract's names of them, such as Approved
    #[arg(long = "event", value_name = "NAME")]
    events: Vec<EventKind>,
    /// Only about requests that stand so now: requested, approved, expired, denied or removed
    #[arg(long, value_name = "STATUS")]
    status: Option<Standing>,
    /// Not before: a day, a time (2026-11-22T23:36:01Z) or unix seconds
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    from: Option<u64>,
    /// Before: a day, a time or unix seconds
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    to: Option<u64>,
    /// Only the latest so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Also what does not concern you
    #[arg(long)]
    all: bool,
    /// Who may open your images now: since when, until when, and why
    #[arg(long, conflicts_with_all = ["mine", "events", "from", "to", "limit"])]
    who: bool,
    /// What you asked for, and how that stands
    #[arg(long, conflicts_with_all = ["events", "from", "to", "limit"])]
    mine: bool,
    /// Ask nothing of the chain: show what is known here, and how old it is
    #[arg(long)]
    offline: bool,
    /// A second provider: everything it tells is compared, log by log
    #[arg(long, value_name = "URL", conflicts_with = "offline")]
    compare_rpc_url: Option<String>,
}

/// The logs and the contract, or two providers, do not say the same.
#[derive(Debug, thiserror::Error)]
#[error("the logs and the contract differ in {count} places; first: {first}")]
pub(crate) struct NotTheSame {
    count: usize,
    first: Difference,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    freshness: &'a Freshness,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<Compared>,
    /// Whether the contract was asked whether it says the same.
    checked: bool,
    differences: &'a [Difference],
    #[serde(flatten)]
    shown: Shown<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Shown<'a> {
    Entries(&'a [Entry]),
    Who(&'a [show::Right]),
    Mine(&'a [show::Right]),
}

impl AuditArgs {
    /// About one image, or all.
    pub(crate) fn of(image: Option<ImageDigest>) -> Self {
        Self {
            image,
            ..Self::default()
        }
    }

    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        let query = self.query(&client)?;
        let index = match self.offline {
            true => client.audit_index()?,
            false => client.audit_synced().await?.0,
        };
        if let Some(reason) = index.rebuilt() {
            let text =
                format!("the index of the chain's history was damaged ({reason}): read anew");
            context.ui.note(&text);
        }
        let freshness = index.freshness()?;
        if freshness.block.is_none() {
            let text = "nothing of the chain is known here yet: run it once without --offline";
            return Err(Usage(text.to_owned()).into());
        }
        let compared = match &self.compare_rpc_url {
            Some(url) => {
                let second = client.second_ledger(url.clone()).await?;
                Some(index.compare(&second).await?)
            }
            None => None,
        };
        let unknown = index.entries(&Query {
            kinds: vec![EventKind::Unknown],
            ..Query::default()
        })?;
        if !unknown.is_empty() {
            context.ui.note(&format!(
                "note: {} logs of the contract are not understood; see `pcim audit --all --event Unknown`",
                unknown.len()
            ));
        }
        let me = client.address();
        let (images, shown, text);
        let (entries, rights);
        if self.who || self.mine {
            (rights, images) = self.rights(&index, me, freshness.block_time)?;
            text = show::rights(&rights, self.mine);
            shown = match self.mine {
                true => Shown::Mine(&rights),
                false => Shown::Who(&rights),
            };
        } else {
            entries = index.entries(&query)?;
            images = entries.iter().filter_map(|it| it.about.image).collect();
            text = show::timeline(&entries, &index.state(&about(&query))?);
            shown = Shown::Entries(&entries);
        }
        let differences = match self.offline {
            true => Vec::new(),
            false => check(&client, &index, images).await?,
        };
        let report = Report {
            freshness: &freshness,
            compared,
            checked: !self.offline,
            differences: &differences,
            shown,
        };
        let text = text + &show::freshness(&freshness, !self.offline, compared);
        context.ui.result(&report, &text)?;
        client.shutdown().await;
        for difference in &differences {
            context.ui.note(&format!("difference: {difference}"));
        }
        let count = differences.len();
        match differences.into_iter().next() {
            None => Ok(()),
            Some(first) => Err(NotTheSame { count, first }.into()),
        }
    }

    fn query(&self, client: &Client) -> anyhow::Result<Query> {
        let party = |text: &Option<String>| text.as_deref().map(actor).transpose();
        let (requester, patient) = (party(&self.requester)?, party(&self.patient)?);
        let named = self.image.is_some() || requester.is_some() || patient.is_some();
        Ok(Query {
            image: self.image,
            requester,
            patient,
            party: (!self.all && !named).then(|| client.address()),
            kinds: self.events.clone(),
            standing: self.status,
            from: self.from,
            to: self.to,
            limit: self.limit,
            ..Query::default()
        })
    }

    /// Who may open the patient's images, or what a requestor asked for; and all images that were looked at.
    fn rights(
        &self,
        index: &Index,
        me: Address,
        now: u64,
    ) -> anyhow::Result<(Vec<show::Right>, Vec<ImageDigest>)> {
        let named = self.requester.as_deref().map(actor).transpose()?;
        let patient = self.patient.as_deref().map(actor).transpose()?;
        let requester = named.or(self.mine.then_some(me));
        let state = index.state(&Query {
            image: self.image,
            patient: patient.or((!self.all && !self.mine).then_some(me)),
            asked_by: requester.filter(|_| self.mine),
            ..Query::default()
        })?;
        let wanted = self.status.or((!self.mine).then_some(Standing::Approved));
        let rights = show::Right::of(&state, now)
            .filter(|right| requester.is_none_or(|it| it == right.requester))
            .filter(|right| wanted.is_none_or(|it| it == right.standing));
        Ok((rights.collect(), state.images.keys().copied().collect()))
    }
}

/// What has to be known to show the entries of a query: all about the same images.
fn about(query: &Query) -> Query {
    Query {
        image: query.image,
        kinds: vec![EventKind::ContractCreated],
        ..Query::default()
    }
}

/// Compares what is shown with the contract's views.
async fn check(
    client: &Client,
    index: &Index,
    mut images: Vec<ImageDigest>,
) -> anyhow::Result<Vec<Difference>> {
    images.sort_unstable();
    images.dedup();
    Ok(index.check(client.ledger().await?, &images).await?)
}
