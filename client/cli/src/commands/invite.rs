//! `pcim invite` and `pcim join`

use std::time::Duration;

use clap::Args;
use pcim_client::home::Home;
use pcim_client::network::verify;
use pcim_client::papers::card::Card;
use pcim_client::papers::network::NetworkFile;
use pcim_client::{Actor, Error, Invited};
use pcim_core::Address;
use pcim_core::date::{now, time};
use serde::Serialize;
use serde_json::json;

use super::card::words_of;
use crate::context::{Context, interrupted};
use crate::failure::Usage;
use crate::ui::printable;

/// How often answers are looked for.
const LOOK: Duration = Duration::from_secs(2);

/// Invite a person by eight words, to exchange contact cards and the network file
///
/// Read the words to the other person, or let the QR code be scanned: `pcim join` takes either. The followers of the network
/// carry card and network file, encrypted under the words, and learn neither. The first who answers becomes a contact of this
/// home; compare the twelve words of the card before anything is sealed to it.
#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// Your name for the other person
    #[arg(long, required_unless_present = "answers")]
    name: Option<String>,
    /// How long the words are good
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = ["15m", "7d"])]
    lasts: String,
    /// Look who has answered this home's invitations
    #[arg(long, conflicts_with_all = ["name", "lasts"])]
    answers: bool,
    /// Wait until all are answered or over
    #[arg(long, requires = "answers")]
    until_answered: bool,
}

/// Answer an invitation: keep the inviter's card, join the network, and send your own card
///
/// The followers are those that the invitation's text names, or those of this home's network. A home without a network joins
/// the inviter's, verified as `pcim network join` does.
#[derive(Debug, Args)]
pub(crate) struct JoinCodeArgs {
    /// The eight words, or the text of the QR code
    #[arg(required = true, value_name = "CODE")]
    code: Vec<String>,
    /// Your name for the inviter
    #[arg(long)]
    name: String,
}

/// An invitation, and who answered.
#[derive(Serialize)]
struct Shown {
    name: String,
    expires_at: u64,
    answered: Option<Address>,
    words: Option<String>,
    others: Vec<Address>,
}

impl InviteArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let done = match &self.name {
            Some(name) => self.invite(context, &client, name).await,
            None => self.answers(context, &client).await,
        };
        client.shutdown().await;
        done
    }

    async fn invite(&self, context: &Context, client: &Actor, name: &str) -> anyhow::Result<()> {
        refuse_taken(client.home(), name)?;
        let life = match self.lasts.as_str() {
            "7d" => 7 * 86_400,
            _ => 15 * 60,
        };
        let made = client.unlocked().invite(name, life).await?;
        let value = json!({
            "words": *made.words, "text": *made.text, "expires_at": made.expires_at,
        });
        let (first, second) = halves(&made.words, 4);
        let text = format!(
            "{}\nwords        {first}\n            {second}\nor the text  {}\nuntil        {}\n",
            made.qr(),
            *made.text,
            time(made.expires_at)
        );
        context.ui.result(&value, &text)?;
        context
            .ui
            .remark("`pcim invite --answers --until-answered` shows who has answered");
        Ok(())
    }

    async fn answers(&self, context: &Context, client: &Actor) -> anyhow::Result<()> {
        let mut found = client.unlocked().look_for_answers().await?;
        let waits = |all: &[Invited]| {
            let time = now();
            all.iter()
                .any(|it| it.answered.is_none() && it.expires_at > time)
        };
        while self.until_answered && waits(&found) {
            tokio::select! {
                () = interrupted() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
            let again = client.unlocked().look_for_answers().await?;
            // A card is shown once.
            for mut next in again {
                match found.iter_mut().find(|it| it.name == next.name) {
                    Some(known) => {
                        next.card = next.card.or(known.card.take());
                        *known = next;
                    }
                    None => found.push(next),
                }
            }
        }
        if found.is_empty() {
            context
                .ui
                .remark("no invitation is open: `pcim invite --name NAME`");
        }
        let mut text = String::new();
        for one in &found {
            text.push_str(&told(one));
            if !one.others.is_empty() {
                context.ui.note(&format!(
                    "warning: others answered this invitation, too: the words were known to more than one. Compare the twelve \
                     words of `{}` by telephone, or remove that contact",
                    printable(&one.name)
                ));
            }
        }
        let shown: Vec<_> = found.iter().map(shown).collect();
        context.ui.result(&shown, &text)
    }
}

fn refuse_taken(home: &Home, name: &str) -> anyhow::Result<()> {
    let contacts = crate::names::contacts_in(&home.contacts_dir());
    match contacts.iter().any(|(known, _)| known == name) {
        true => {
            let name = printable(name);
            Err(Usage(format!(
                "a contact is called `{name}` already: give another --name"
            ))
            .into())
        }
        false => Ok(()),
    }
}

fn shown(one: &Invited) -> Shown {
    Shown {
        name: one.name.clone(),
        expires_at: one.expires_at,
        answered: one.answered,
        words: one.card.as_ref().map(Card::words),
        others: one.others.clone(),
    }
}

/// An invitation, for people.
fn told(one: &Invited) -> String {
    let name = printable(&one.name);
    let mut text = match one.answered {
        Some(address) => format!("contact      {name}\naddress      {address}\n"),
        None if one.expires_at <= now() => format!("contact      {name}, who did not answer\n"),
        None => {
            let until = time(one.expires_at);
            format!("contact      {name}, not yet; until {until}\n")
        }
    };
    text.extend(one.card.as_ref().map(words_of));
    for other in &one.others {
        text.push_str(&format!("ALSO         {other}\n"));
    }
    text
}

/// Words on two lines: the first `count`, and the rest.
fn halves(words: &str, count: usize) -> (&str, &str) {
    let at = words.match_indices(' ').nth(count - 1).map(|(at, _)| at);
    words.split_at(at.unwrap_or(words.len()))
}

impl JoinCodeArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let done = self.join(context, &client).await;
        client.shutdown().await;
        done
    }

    async fn join(&self, context: &Context, client: &Actor) -> anyhow::Result<()> {
        let home = client.home();
        refuse_taken(home, &self.name)?;
        let joined = client.unlocked().find_offer(&self.code.join(" ")).await?;
        let network = match &joined.network {
            Some(file) => join_network(context, client, file).await?,
            None => None,
        };
        client.unlocked().answer_offer(&joined).await?;
        let json = serde_json::to_vec_pretty(&joined.document)?;
        home.put_contact(&self.name, &json, false)?;
        let (name, address) = (printable(&self.name), joined.inviter.address);
        let words = words_of(&joined.inviter);
        let mut text = format!("contact      {name}\naddress      {address}\n{words}");
        text.extend(
            network
                .as_ref()
                .map(|name| format!("network      {name}\n")),
        );
        let value = json!({
            "name": self.name, "address": address, "words": joined.inviter.words(), "network": network,
        });
        context.ui.result(&value, &text)?;
        context.ui.note(
            "note: compare the twelve words with the inviter, by telephone or face to face, before anything is sealed",
        );
        Ok(())
    }
}

/// Joins the inviter's network, if the home has none or this one; tells its name if it was joined.
async fn join_network(
    context: &Context,
    client: &Actor,
    file: &NetworkFile,
) -> anyhow::Result<Option<String>> {
    let home = client.home();
    if let Some(known) = client.network()? {
        if known.name != file.name {
            let (own, theirs) = (&known.name, &file.name);
            context.ui.note(&format!(
                "note: this home stays in network {own}; the inviter's is {theirs}"
            ));
            return Ok(None);
        }
        if file.check_renewal(&known, false).is_err() {
            return Ok(None);
        }
    }
    let answers = verify(file, now()).await.map_err(Error::from)?;
    super::network::tell_answers(context, &answers);
    home.join_network(file)?;
    Ok(Some(file.name.clone()))
}
