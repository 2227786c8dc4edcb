//! `pcim patient inbox`

use clap::{Args, Subcommand};
use pcim_client::mail::wire::MailId;
use pcim_client::{Actor, InboxItem};
use pcim_core::date::time;
use serde_json::json;

use crate::context::Context;
use crate::failure::Usage;
use crate::names;
use crate::ui::printable;

/// Characters of an id that are shown.
const SHOWN_DIGITS: usize = 12;
/// Fewest characters of the beginning of an id.
const LEAST_DIGITS: usize = 4;

/// Fetch your mail from the followers, and list the handovers that wait
///
/// Radiologists leave handovers with the followers that the network file names; these keep them for 30 days and cannot read
/// them. Each is verified here: who signed it, for whom, and whether that account is accredited. `pcim patient register` takes
/// the id, the image or the sender's name in place of a file.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct InboxArgs {
    #[command(subcommand)]
    task: Option<InboxTask>,
    /// List what was fetched before; ask no follower
    #[arg(long)]
    offline: bool,
}

/// Tasks on letters.
#[derive(Debug, Subcommand)]
enum InboxTask {
    Drop(DropArgs),
}

/// Forget a letter that you do not want to register
#[derive(Debug, Args)]
struct DropArgs {
    /// Its id, or the beginning of it
    id: String,
}

impl InboxArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let done = match &self.task {
            Some(InboxTask::Drop(args)) => drop_letter(context, &client, &args.id).await,
            None => self.list(context, &client).await,
        };
        client.shutdown().await;
        done
    }

    async fn list(&self, context: &Context, client: &Actor) -> anyhow::Result<()> {
        if !self.offline {
            fetch(context, client).await?;
        }
        let items = client.patient().inbox().await?;
        if items.is_empty() {
            context
                .ui
                .remark("no letter is here; a radiologist leaves one with `pcim radiologist seal`");
        }
        let text: String = items.iter().map(shown).collect();
        context.ui.result(&items, &text)
    }
}

/// Fetches, and says what came of it.
async fn fetch(context: &Context, client: &Actor) -> anyhow::Result<()> {
    let fetched = client.unlocked().fetch_mail().await?;
    for why in &fetched.silent {
        context
            .ui
            .note(&format!("note: not fetched: {}", printable(why)));
    }
    if fetched.no_good > 0 {
        let count = fetched.no_good;
        context.ui.note(&format!(
            "note: {count} documents were no letters to this home, and were dropped"
        ));
    }
    if fetched.is_full {
        context
            .ui
            .note("note: the inbox is full: register or drop letters, and more are fetched");
    }
    Ok(())
}

async fn drop_letter(context: &Context, client: &Actor, id: &str) -> anyhow::Result<()> {
    let items = client.patient().inbox().await?;
    let found: Vec<_> = items.iter().filter(|item| begins(item, id)).collect();
    let [item] = found[..] else {
        return Err(none_or_several(&found, id));
    };
    client.home().remove_mail(&item.id)?;
    let id = hex_of(&item.id);
    context
        .ui
        .result(&json!({ "dropped": id }), &format!("dropped      {id}\n"))
}

/// Finds the one letter that is meant: by its id, its image, or the name or address of its sender. A letter that cannot be registered
/// is found by its id alone.
pub(super) fn find<'i>(items: &'i [InboxItem], text: &str) -> anyhow::Result<&'i InboxItem> {
    let by_id: Vec<_> = items.iter().filter(|item| begins(item, text)).collect();
    if let [item] = by_id[..] {
        return Ok(item);
    }
    let waits = |item: &&InboxItem| item.problem.is_none() && item.registered != Some(true);
    let is_image = |item: &&InboxItem| {
        let image = item.image.map(|image| image.to_string());
        let digits = text.len() > "bafybei".len() && text.starts_with("bafybei");
        digits && image.is_some_and(|image| image.starts_with(text))
    };
    let sender = names::person(text).ok();
    let is_sender = |item: &&InboxItem| sender.is_some() && item.sender == sender;
    let found = items.iter().filter(waits);
    let found: Vec<_> = found
        .filter(|item| is_image(item) || is_sender(item))
        .collect();
    match found[..] {
        [item] => Ok(item),
        _ => Err(none_or_several(&found, text)),
    }
}

fn begins(item: &InboxItem, text: &str) -> bool {
    text.len() >= LEAST_DIGITS && hex_of(&item.id).starts_with(text)
}

fn none_or_several(found: &[&InboxItem], text: &str) -> anyhow::Error {
    let text = printable(text);
    let ids: Vec<_> = found.iter().map(|item| short(&item.id)).collect();
    Usage(match ids.is_empty() {
        true => {
            format!("`{text}` is neither a file nor a letter of the inbox (`pcim patient inbox`)")
        }
        false => format!("several letters are meant: {}", ids.join(", ")),
    })
    .into()
}

/// A letter, for people.
fn shown(item: &InboxItem) -> String {
    let mut text = format!("letter       {}\n", short(&item.id));
    if let Some(sender) = item.sender {
        text.push_str(&format!("from         {}\n", names::shown(sender)));
    }
    if let Some(sent_at) = item.sent_at {
        text.push_str(&format!("sent         {}\n", time(sent_at)));
    }
    if let Some(image) = item.image {
        text.push_str(&format!("image        {image}\n"));
    }
    if !item.description.is_empty() {
        let description = printable(&item.description);
        text.push_str(&format!("description  {description}\n"));
    }
    let standing = match (item.accredited, item.registered) {
        _ if item.problem.is_some() => printable(item.problem.as_deref().unwrap_or_default()),
        (_, Some(true)) => "registered already".to_owned(),
        (Some(true), _) => "signed by an accredited radiologist".to_owned(),
        (Some(false), _) => "NOT ACCREDITED: it cannot be registered".to_owned(),
        (None, _) => "not known: the chain does not answer".to_owned(),
    };
    text.push_str(&format!("standing     {standing}\n\n"));
    text
}

fn short(id: &MailId) -> String {
    hex_of(id)[..SHOWN_DIGITS].to_owned()
}

fn hex_of(id: &MailId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
