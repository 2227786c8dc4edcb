//! `pcim audit`

mod show;
mod table;

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use pcim_client::Session;
use pcim_client::audit::report::{self, Table};
use pcim_client::audit::{
    Compared, Difference, Entry, EventKind, Freshness, ImageQuery, Index, Query, Standing,
};
use pcim_core::{Address, ImageDigest};
use serde::Serialize;

use super::write_result;
use crate::context::{Context, actor};
use crate::failure::{NotTheSame, Usage};
use crate::names;
use crate::parse;
use crate::ui::printable;

/// Images up to this number are compared with the contract without a word.
const MANY: usize = 500;

/// Show what the chain recorded about your images and requests
///
/// The contract's logs are kept in the home and brought up to date first (not with --offline); what is shown is then
/// compared with what the contract itself says, and a difference is an error. Without --all, only what concerns you is
/// shown, as a patient, a requestor or a radiologist; with --image, --requestor or --patient, whatever they name.
///
/// The chain can know: who registered an image and who attested it; every request, approval, denial, removal and new
/// share, with its time and its sender's words; and the recorded traces. It cannot know: whether and when a
/// requestor who may open an image opened it, what was done with it, or what was read by other means. A removed requestor
/// may have kept a copy. Times are those of the chain's blocks, in UTC. Text from the chain is whatever its
/// sender wrote: characters that could steer a terminal are shown as \u{...}. In CSV a field that a spreadsheet would take
/// for a formula (it begins with =, +, - or @) has an apostrophe in front.
#[derive(Debug, Default, Args)]
pub(crate) struct AuditArgs {
    /// Only about this image
    #[arg(value_parser = names::image, long, value_name = "IMAGE")]
    image: Option<ImageDigest>,
    /// Only about requests of this requestor
    #[arg(long, alias = "requester", value_name = "ADDRESS|CARD")]
    requestor: Option<String>,
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
    /// Only the latest, at most this number
    #[arg(long, value_name = "NUMBER")]
    limit: Option<usize>,
    /// Also what does not concern you
    #[arg(long)]
    all: bool,
    /// Show who may open your images now: since when, until when, and why
    #[arg(long, conflicts_with_all = ["mine", "events", "from", "to", "limit"])]
    who: bool,
    /// Show your own requests, and how they stand
    #[arg(long, conflicts_with_all = ["events", "from", "to", "limit"])]
    mine: bool,
    /// Ask nothing of the chain: show what is known here, and how old it is
    #[arg(long)]
    offline: bool,
    /// A second provider: everything it tells is compared, log by log
    #[arg(long, value_name = "URL", conflicts_with = "offline")]
    compare_rpc_url: Option<String>,
    /// As CSV (RFC 4180)
    #[arg(long, conflicts_with = "html")]
    csv: bool,
    /// Write a page to read and print, all in one file without script
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replace the page if it is there
    #[arg(long, requires = "html")]
    force: bool,
}

/// The document that `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    freshness: &'a Freshness,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared: Option<Compared>,
    /// True if the contract was asked whether it says the same.
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
        if context.ui.is_json() && (self.csv || self.html.is_some()) {
            return Err(Usage("--json cannot be used with --csv or --html".to_owned()).into());
        }
        let client = context.reader()?;
        let answered = self.answer(context, &client).await;
        client.shutdown().await;
        let differences = answered?;
        for difference in &differences {
            context.ui.note(&format!("difference: {difference}"));
        }
        let count = differences.len();
        match differences.into_iter().next() {
            None => Ok(()),
            Some(first) => Err(NotTheSame { count, first }.into()),
        }
    }

    /// Shows what is known; returns where the contract says something else.
    async fn answer(&self, context: &Context, client: &Session) -> anyhow::Result<Vec<Difference>> {
        let query = self.query(client)?;
        let index = match self.offline {
            true => client.auditor().audit_index()?,
            false => client.auditor().audit_synced().await?.0,
        };
        say_rebuilt(context, index.rebuilt());
        let freshness = read_before(&index)?;
        let compared = match &self.compare_rpc_url {
            Some(url) => {
                let second = client.auditor().second_ledger(url.clone()).await?;
                Some(index.compare(&second).await?)
            }
            None => None,
        };
        let unknown = index.count(&Query {
            kinds: vec![EventKind::Unknown],
            ..Query::default()
        })?;
        if unknown > 0 {
            context.ui.note(&format!(
                "note: {unknown} logs of the contract are not understood; see `pcim audit --all --event Unknown`"
            ));
        }
        let answer = match self.who || self.mine {
            true => self.rights(&index, client.patient_address(), freshness.block_time)?,
            false => Answer::timeline(&index, index.entries(&query)?)?,
        };
        let differences = match self.offline {
            true => Vec::new(),
            false => {
                let images = &answer.images;
                if images.len() > MANY {
                    context.ui.note(&format!(
                        "note: comparing {} images with the contract, some requests each; --offline leaves that out",
                        images.len()
                    ));
                }
                index.check(client.ledger().await?, images).await?
            }
        };
        let origin = show::freshness(&freshness, !self.offline, compared);
        if self.csv || self.html.is_some() {
            let mut table = answer.table();
            table.remarks.extend(origin.lines().map(str::to_owned));
            if unknown > 0 {
                let text = format!("{unknown} logs of the contract are not understood");
                table.remarks.push(text);
            }
            let differs = |it: &Difference| format!("The contract says something else: {it}");
            table.remarks.extend(differences.iter().map(differs));
            self.write(context, &table)?;
        } else {
            let report = Report {
                freshness: &freshness,
                compared,
                checked: !self.offline,
                differences: &differences,
                shown: answer.shown(),
            };
            context.ui.result(&report, &(answer.text() + &origin))?;
        }
        Ok(differences)
    }

    /// Writes the table as what was asked for.
    fn write(&self, context: &Context, table: &Table) -> anyhow::Result<()> {
        match &self.html {
            Some(path) => {
                write_result(path, report::html(table).as_bytes(), self.force)?;
                let told = format!("page  {}\n", path.display());
                context.ui.result(
                    &serde_json::json!({ "page": path.display().to_string() }),
                    &told,
                )
            }
            None => {
                for remark in &table.remarks {
                    context.ui.note(&format!("note: {remark}"));
                }
                context.ui.document(report::csv(table).as_bytes())
            }
        }
    }

    fn query(&self, client: &Session) -> anyhow::Result<Query> {
        let party = |text: &Option<String>| text.as_deref().map(actor).transpose();
        let (requestor, patient) = (party(&self.requestor)?, party(&self.patient)?);
        let named = self.image.is_some() || requestor.is_some() || patient.is_some();
        Ok(Query {
            image: self.image,
            requestor,
            patient,
            party: (!self.all && !named).then(|| client.patient_address()),
            kinds: self.events.clone(),
            standing: self.status,
            from: self.from,
            to: self.to,
            limit: self.limit,
            ..Query::default()
        })
    }

    /// Lists the readers of the patient's images, or what a requestor asked for.
    fn rights(&self, index: &Index, me: Address, now: u64) -> anyhow::Result<Answer> {
        let named = self.requestor.as_deref().map(actor).transpose()?;
        let patient = self.patient.as_deref().map(actor).transpose()?;
        let requestor = named.or(self.mine.then_some(me));
        let known = index.images(&ImageQuery {
            images: self.image.map(|image| vec![image]),
            patient: patient.or((!self.all && !self.mine).then_some(me)),
            asked_by: requestor.filter(|_| self.mine),
            ..ImageQuery::default()
        })?;
        let open = [Standing::Approved, Standing::Emergency];
        let wanted: &[Standing] = match &self.status {
            Some(status) => std::slice::from_ref(status),
            None if self.mine => &Standing::ALL,
            None => &open,
        };
        let rights = show::Right::of(&known, now)
            .filter(|right| requestor.is_none_or(|it| it == right.requestor))
            .filter(|right| wanted.contains(&right.standing));
        Ok(Answer {
            kind: match self.mine {
                true => Kind::Mine(rights.collect()),
                false => Kind::Who(rights.collect()),
            },
            images: known.keys().copied().collect(),
        })
    }
}

/// Looks for the entries, and the images that they are about.
struct Answer {
    kind: Kind,
    images: Vec<ImageDigest>,
}

enum Kind {
    Timeline(Vec<Entry>, show::Images),
    Who(Vec<show::Right>),
    Mine(Vec<show::Right>),
}

impl Answer {
    fn timeline(index: &Index, entries: Vec<Entry>) -> anyhow::Result<Self> {
        let images: BTreeSet<_> = entries.iter().filter_map(|it| it.about.image).collect();
        let images: Vec<ImageDigest> = images.into_iter().collect();
        let known = index.images(&ImageQuery {
            images: Some(images.clone()),
            ..ImageQuery::default()
        })?;
        Ok(Self {
            kind: Kind::Timeline(entries, known),
            images,
        })
    }

    fn text(&self) -> String {
        match &self.kind {
            Kind::Timeline(entries, known) => show::timeline(entries, known),
            Kind::Who(rights) => show::rights(rights, false),
            Kind::Mine(rights) => show::rights(rights, true),
        }
    }

    fn shown(&self) -> Shown<'_> {
        match &self.kind {
            Kind::Timeline(entries, _) => Shown::Entries(entries),
            Kind::Who(rights) => Shown::Who(rights),
            Kind::Mine(rights) => Shown::Mine(rights),
        }
    }

    fn table(&self) -> Table {
        match &self.kind {
            Kind::Timeline(entries, known) => table::timeline(entries, known),
            Kind::Who(rights) => table::rights("Who may open the images", rights),
            Kind::Mine(rights) => table::rights("What was asked for, and how it stands", rights),
        }
    }
}

/// How far the index has come, if anything was ever read.
pub(crate) fn read_before(index: &Index) -> anyhow::Result<Freshness> {
    let freshness = index.freshness()?;
    match freshness.block {
        Some(_) => Ok(freshness),
        None => {
            let text = "nothing of the chain is known here yet: run it once without --offline";
            Err(Usage(text.to_owned()).into())
        }
    }
}

/// Says that the index was read again from the start, if it was.
pub(crate) fn say_rebuilt(context: &Context, reason: Option<&str>) {
    if let Some(reason) = reason {
        context.ui.note(&format!(
            "note: the index of the chain's history was damaged ({}): it is read again",
            printable(reason)
        ));
    }
}
