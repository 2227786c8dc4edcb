//! `pcim card`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::Actor;
use pcim_client::home::Home;
use pcim_client::papers::card::Card;
use pcim_core::date::{now, time};
use serde_json::json;

use super::doctor::is_here_only;
use super::write_result;
use crate::context::{Context, read_card, read_card_file, read_small};
use crate::failure::Usage;
use crate::names;
use crate::ui::printable;

/// Write a contact card: address, certificate and node addresses, signed by both keys
///
/// Give it to those who seal images to you or ask you for one. It names no person.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct CardArgs {
    #[command(subcommand)]
    task: Option<CardTask>,
    /// Write it to a file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Draw a new token for mail: what comes with cards given before counts as from strangers
    #[arg(long)]
    renew_token: bool,
}

/// Tasks on cards of others.
#[derive(Debug, Subcommand)]
enum CardTask {
    Show(ShowArgs),
    Add(AddArgs),
    List(ListArgs),
    Remove(RemoveArgs),
}

/// Verify a contact card and print whom it is of, to be compared with its holder
///
/// Compare the address and the fingerprint over another channel than the one that the card came by: face to face, or by
/// telephone. Needs neither a home nor a chain.
#[derive(Debug, Args)]
struct ShowArgs {
    /// The card, or the name of a contact
    #[arg(value_name = "CARD")]
    card: PathBuf,
}

/// Call the owner of a card by a name: a contact of this home
///
/// From then on the name stands beside the address, and is taken in its place. It stays in this home.
#[derive(Debug, Args)]
struct AddArgs {
    /// The card
    #[arg(value_name = "FILE")]
    card: PathBuf,
    /// The name
    #[arg(long)]
    name: String,
    /// Replace the card of that name
    #[arg(long)]
    force: bool,
}

/// List the contacts of this home
#[derive(Debug, Args)]
struct ListArgs {}

/// Forget a contact
#[derive(Debug, Args)]
struct RemoveArgs {
    /// Its name
    #[arg(value_name = "CARD")]
    name: String,
}

impl CardTask {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Show(args) => args.run(context),
            Self::Add(args) => args.run(context),
            Self::List(args) => args.run(context),
            Self::Remove(args) => args.run(context),
        }
    }
}

impl AddArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let card = read_card_file(&self.card)?;
        let home = Home::open(&context.home_dir()?)?;
        if !home.put_contact(&self.name, &read_small(&self.card)?, self.force)? {
            let name = printable(&self.name);
            let text =
                format!("another contact is called `{name}`: give another --name, or --force");
            return Err(Usage(text).into());
        }
        let text = format!("contact      {}\n{}", printable(&self.name), text(&card));
        context.ui.result(
            &json!({ "name": self.name, "address": card.address }),
            &text,
        )
    }
}

impl ListArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let (mut listed, mut text) = (Vec::new(), String::new());
        for (name, path) in names::contacts_in(&home.contacts_dir()) {
            match read_card_file(&path) {
                Ok(card) => {
                    text.push_str(&format!("{}  {}\n", card.address, printable(&name)));
                    listed.push(json!({ "name": name, "address": card.address }));
                }
                Err(error) => {
                    let why = printable(&format!("{error:#}"));
                    context
                        .ui
                        .note(&format!("note: a card that is no good: {why}"));
                }
            }
        }
        if listed.is_empty() {
            context
                .ui
                .remark("no contact yet: `pcim card add FILE --name NAME`");
        }
        context.ui.result(&listed, &text)
    }
}

impl RemoveArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let home = Home::open(&context.home_dir()?)?;
        let name = printable(&self.name);
        if !home.remove_contact(&self.name)? {
            return Err(Usage(format!("no contact is called `{name}`")).into());
        }
        context.ui.result(
            &json!({ "removed": self.name }),
            &format!("removed      {name}\n"),
        )
    }
}

impl ShowArgs {
    fn run(&self, context: &Context) -> anyhow::Result<()> {
        let card = read_card(&self.card)?;
        let value = json!({
            "address": card.address,
            "fingerprint": card.certificate.fingerprint(),
            "words": card.words(),
            "peers": card.peers,
            "issued_at": card.dates.map(|dates| dates.issued_at),
            "expires_at": card.dates.map(|dates| dates.expires_at),
        });
        if card.is_expired(now()) {
            context
                .ui
                .note("note: the card is past its end: ask its holder for a new one");
        }
        context.ui.result(&value, &text(&card))
    }
}

/// A card, for people.
fn text(card: &Card) -> String {
    let (key, words) = (spoken(card), words_of(card));
    let peers: String = card
        .peers
        .iter()
        .map(|peer| format!("peer         {}\n", printable(peer)))
        .collect();
    let dates = card.dates.map_or(String::new(), |dates| {
        let (issued, expires) = (time(dates.issued_at), time(dates.expires_at));
        format!("issued       {issued}\nexpires      {expires}\n")
    });
    format!(
        "address      {}\nOpenPGP key  {key}\n{words}{dates}{peers}",
        card.address
    )
}

/// The twelve words of a card, on two lines.
pub(crate) fn words_of(card: &Card) -> String {
    let words = card.words();
    let (first, second) = words.split_at(words.match_indices(' ').nth(5).map_or(0, |(at, _)| at));
    format!("words        {first}\n            {second}\n")
}

/// The fingerprint of a card's key in groups that can be read aloud.
pub(crate) fn spoken(card: &Card) -> String {
    let fingerprint = card.certificate.fingerprint();
    let groups: Vec<_> = fingerprint
        .as_bytes()
        .chunks(4)
        .map(String::from_utf8_lossy)
        .collect();
    groups.join(" ")
}

impl CardArgs {
    /// Shows the token to the network's followers; false if there are some and none was reached.
    async fn show_token(&self, client: &Actor) -> bool {
        match client.mailboxes() {
            Ok(mailboxes) if mailboxes.is_empty() => true,
            _ => client
                .unlocked()
                .show_token()
                .await
                .is_ok_and(|count| count > 0),
        }
    }

    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if let Some(task) = &self.task {
            return task.run(context);
        }
        let client = context.client().await?;
        if self.renew_token {
            client.home().push_token(true)?;
        }
        let card = client.unlocked().card().await;
        let shown = self.show_token(&client).await;
        client.shutdown().await;
        let card = card?;
        if !shown {
            context.ui.note(
                "note: no follower was shown the token of this card; `pcim patient inbox` shows it to them",
            );
        }
        if is_here_only(card.peers()) {
            context.ui.note(
                "note: the card names no address at which others can reach this node; see `pcim doctor`",
            );
        }
        let text = serde_json::to_string_pretty(&card)? + "\n";
        match &self.out {
            Some(path) => {
                write_result(path, text.as_bytes(), self.force)?;
                let text = format!("card  {}\n", path.display());
                context
                    .ui
                    .result(&json!({ "card": path.display().to_string() }), &text)
            }
            None => context.ui.result(&card, &text),
        }
    }
}
