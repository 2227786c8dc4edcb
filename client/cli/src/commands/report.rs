//! `pcim report`

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use pcim_client::Session;
use pcim_client::audit::report::{self, Contacts, Facts, Right, Table, Told};
use pcim_core::{Address, ImageDigest};
use serde_json::Value;

use super::audit::say_rebuilt;
use super::write_result;
use crate::contacts;
use crate::context::Context;
use crate::failure::Usage;
use crate::names;
use crate::ui::printable;

/// Write a report about your images, in a form that others know
///
/// A patient's reports are about the images that she registered; anybody else's about what names them. Nothing is sent; if
/// the chain does not answer, the report is of what was read last, and says so.
/// Names come from contact cards alone: files `NAME.card` in the folder `contacts` of the home, each verified; the name is
/// your own name for its holder, since a card names nobody. A party without a card there is an address. In every form
/// texts from the chain are shown with their control characters written out (`\u{1b}`); in CSV a field that a spreadsheet
/// would take for a formula (it begins with =, +, - or @) has an apostrophe in front; a page of HTML holds no script and
/// loads nothing. None of these is a legal statement.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Which report
    kind: Kind,
    /// Only about this image
    #[arg(value_parser = names::image, long, value_name = "IMAGE")]
    image: Option<ImageDigest>,
    /// Everything on the contract, about any patient
    #[arg(long, conflicts_with = "image")]
    all: bool,
    /// As CSV (RFC 4180)
    #[arg(long, conflicts_with = "html")]
    csv: bool,
    /// As a page to read and print, all in one file
    #[arg(long)]
    html: bool,
    /// Write it to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Folder with the contact cards of whom you call by name [default: contacts in the home]
    #[arg(long, value_name = "DIR")]
    contacts: Option<PathBuf>,
}

/// The reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// FHIR R5 AuditEvent for each log, after IHE BALP (JSON; the timeline with --csv and --html)
    Fhir,
    /// FHIR R5 Consent for each image and requestor, after IHE PCF (JSON; who may open what with --csv and --html)
    Consent,
    /// Accounting of disclosures in the style of 45 CFR 164.528: six years, a courtesy report
    Disclosures,
    /// Accesses with actor, image and time, after Article 9 of Regulation (EU) 2025/327 (EHDS): three years, or all with
    /// --all
    Ehds,
}

impl ReportArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if context.ui.is_json() && (self.csv || self.html) {
            return Err(Usage("--json cannot be used with --csv or --html".to_owned()).into());
        }
        let client = context.reader()?;
        let contacts = self.contacts(context, &client)?;
        let chain = client.auditor().chain_story().await?;
        say_rebuilt(context, chain.rebuilt.as_deref());
        if let Some(why) = &chain.stale {
            let why = printable(why);
            context.ui.note(&format!(
                "note: the chain does not answer; as of block {}: {why}",
                chain.block
            ));
        }
        if chain.unknown > 0 {
            context.ui.note(&format!(
                "note: {} logs of the contract are not understood and not in the report, which says so; update pcim",
                chain.unknown
            ));
        }
        let deployment = client.deployment()?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let facts = Facts {
            chain_id: deployment.chain_id,
            contract: deployment.contract,
            events: &chain.events,
            unknown: chain.unknown,
            block: chain.block,
            now: now.as_secs(),
            contacts: &contacts,
        };
        let text = self.text(context, &facts, client.patient_address())?;
        client.shutdown().await;
        match &self.out {
            None => context.ui.document(text.as_bytes()),
            Some(path) => {
                write_result(path, text.as_bytes(), self.force)?;
                let told = format!("report  {}\n", path.display());
                let value = serde_json::json!({ "report": path.display().to_string() });
                context.ui.result(&value, &told)
            }
        }
    }

    fn text(&self, context: &Context, facts: &Facts<'_>, me: Address) -> anyhow::Result<String> {
        let wanted =
            |image: Option<ImageDigest>, patient: Option<Address>, requestor: Option<Address>| {
                let about_me = self.all || patient == Some(me) || requestor == Some(me);
                about_me && self.image.is_none_or(|only| image == Some(only))
            };
        let told = |told: &Told<'_>| wanted(told.image, told.patient, told.requestor);
        let right =
            |right: &Right<'_>| wanted(Some(right.image), right.patient, Some(right.requestor));
        let table: Table = match self.kind {
            Kind::Fhir if !self.csv && !self.html => {
                return json(&report::audit_events(facts, told));
            }
            Kind::Consent if !self.csv && !self.html => {
                return json(&report::consents(facts, right));
            }
            Kind::Fhir => report::timeline(facts, told),
            Kind::Consent => report::rights_table(facts, right),
            Kind::Disclosures => report::disclosures(facts, told),
            Kind::Ehds => report::accesses(facts, self.all, told),
        };
        Ok(match (self.csv, self.html) {
            (true, _) => {
                for remark in &table.remarks {
                    context.ui.note(&format!("note: {remark}"));
                }
                report::csv(&table)
            }
            (_, true) => report::html(&table),
            _ if context.ui.is_json() => json(&serde_json::to_value(&table)?)?,
            _ => plain(&table),
        })
    }

    /// Reads the cards of the folder that was named, or of the home.
    fn contacts(&self, context: &Context, client: &Session) -> anyhow::Result<Contacts> {
        match &self.contacts {
            Some(dir) if !dir.is_dir() => {
                Err(Usage(format!("{} is not a folder", dir.display())).into())
            }
            Some(dir) => contacts::read(context.ui, dir),
            None => contacts::read(context.ui, &client.home().contacts_dir()),
        }
    }
}

/// The owner's name for the holder of a card.
fn json(value: &Value) -> anyhow::Result<String> {
    Ok(report::visible_json(&serde_json::to_string_pretty(value)?) + "\n")
}

/// A table for a terminal: a block of lines for each row.
fn plain(table: &Table) -> String {
    let mut text = format!("{}\n", table.title);
    for remark in &table.remarks {
        text.push_str(&format!("  {remark}\n"));
    }
    let width = table
        .columns
        .iter()
        .map(|column| column.len())
        .max()
        .unwrap_or_default();
    for row in &table.rows {
        text.push('\n');
        for (column, field) in table.columns.iter().zip(row) {
            text.push_str(&format!("{column:width$}  {field}\n"));
        }
    }
    if table.rows.is_empty() {
        text.push_str("\nNothing to list.\n");
    }
    text
}
