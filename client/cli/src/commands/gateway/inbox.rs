//! `pcim gateway inbox`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::audit::report::utc;
use pcim_client::papers::card::CardDocument;
use pcim_gateway::{Entry, Reply, Request, ask};

use super::{ConfigArg, open};
use crate::context::{Context, read_card, read_small};
use crate::failure::FromInbox;
use crate::ui::printable;

/// A request to the inbox.
#[derive(Debug, Subcommand)]
pub(crate) enum InboxCommand {
    List(InboxListArgs),
    Show(OneArgs),
    Assign(AssignArgs),
    Seal(SealNowArgs),
    Reject(RejectArgs),
}

/// List the studies that have arrived, and why each waits
///
/// It names patients. The running gateway is asked; without one the home's passphrase is wanted.
#[derive(Debug, Args)]
pub(crate) struct InboxListArgs {
    /// List those too that were sealed or rejected
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    config: ConfigArg,
}

/// Show a study with its identifiers
#[derive(Debug, Args)]
pub(crate) struct OneArgs {
    /// Its number
    #[arg(value_name = "STUDY")]
    study: u64,
    #[command(flatten)]
    config: ConfigArg,
}

/// Assign a study to a patient, whatever the rules say
///
/// It is sealed by the rules then, unless one of them holds it: `seal` does so in any case.
#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    #[command(flatten)]
    one: OneArgs,
    /// The patient's contact card
    #[arg(long, value_name = "CARD")]
    to: PathBuf,
}

/// Seal a study now, whatever it waits for
///
/// De-identified as the rule says that fits, or for `care` if none does. A study without a patient's card, or of several
/// patients, is refused. Prints the image and the handover.
#[derive(Debug, Args)]
pub(crate) struct SealNowArgs {
    #[command(flatten)]
    one: OneArgs,
}

/// Reject a study: its objects are deleted
///
/// A sender that sends it again starts a new one.
#[derive(Debug, Args)]
pub(crate) struct RejectArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl InboxCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let (request, config) = match self {
            Self::List(args) => (Request::List { all: args.all }, &args.config),
            Self::Show(args) => (Request::Show { study: args.study }, &args.config),
            Self::Assign(args) => {
                // Signatures first: a card that does not verify is refused here, by name.
                read_card(&args.to)?;
                let card: CardDocument = serde_json::from_slice(&read_small(&args.to)?)?;
                let study = args.one.study;
                let card = Box::new(card);
                (Request::Assign { study, card }, &args.one.config)
            }
            Self::Seal(args) => {
                let study = args.one.study;
                (Request::Seal { study }, &args.one.config)
            }
            Self::Reject(args) => {
                let (study, reason) = (args.one.study, args.reason.clone());
                (Request::Reject { study, reason }, &args.one.config)
            }
        };
        let home = context.home_dir()?;
        let reply = match ask(&home, &request).await? {
            Some(reply) => reply,
            None => {
                let settings = config.settings(&home)?;
                let (gateway, _) = open(context, settings, false).await?;
                let reply = gateway.inbox(request).await;
                gateway.shutdown().await;
                reply
            }
        };
        match reply {
            Reply::Studies(entries) => {
                let text: String = entries.iter().map(line).collect();
                context.ui.result(&entries, &text)
            }
            Reply::Study(entry) => context.ui.result(&entry, &page(&entry)),
            Reply::Refused { why, hints } => Err(FromInbox { why, hints }.into()),
            Reply::Reloaded(_) => Err(super::another_answer()),
        }
    }
}

/// A study in a list.
fn line(entry: &Entry) -> String {
    let modalities = entry.modalities.join(",");
    let words = [
        &entry.state,
        &entry.patient_id,
        &entry.patient_name,
        &modalities,
    ];
    let [state, id, name, modalities] = words.map(|text| printable(text));
    let why = entry.reason.as_deref().map(printable);
    let why = why.map_or_else(String::new, |why| format!("  {why}"));
    let (study, objects) = (entry.study, entry.objects);
    format!("{study:>5}  {state:<8}  {objects:>5} {modalities:<5}  {id}  {name}{why}\n")
}

/// A study by itself.
fn page(entry: &Entry) -> String {
    let mut text = String::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            text.push_str(&format!("{name:<13}{}\n", printable(value)));
        }
    };
    put("study", &entry.study.to_string());
    put("state", &entry.state);
    put("reason", entry.reason.as_deref().unwrap_or_default());
    put("patient", &entry.patient_name);
    put("patient id", &entry.patient_id);
    put("born", &entry.birth_date);
    put("study date", &entry.study_date);
    put("description", &entry.description);
    put("accession", &entry.accession);
    put("study uid", &entry.study_uid);
    put("modalities", &entry.modalities.join(" "));
    put(
        "objects",
        &format!("{} ({} bytes)", entry.objects, entry.bytes),
    );
    put("sender", &entry.sender);
    put("first", &utc(entry.first));
    put("newest", &utc(entry.newest));
    put("rule", entry.rule.as_deref().unwrap_or_default());
    put("sealed to", entry.patient.as_deref().unwrap_or_default());
    put("image", entry.image.as_deref().unwrap_or_default());
    let handover = entry
        .handover
        .as_ref()
        .map(|path| path.display().to_string());
    put("handover", &handover.unwrap_or_default());
    for instance in &entry.conflicts {
        put("came twice", instance);
    }
    text
}
