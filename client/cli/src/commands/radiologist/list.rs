//! `pcim radiologist list` and `send`

use std::path::PathBuf;

use clap::Args;
use pcim_client::papers::card::Card;
use pcim_client::{Actor, Fetched, HandedOver, LeftMail};
use pcim_core::date::time;
use pcim_core::{Address, ImageDigest};

use crate::context::{Context, read_card};
use crate::names;
use crate::ui::printable;

/// List the images this home sealed, and how far each handover came
///
/// Sealed, left with followers, fetched by the patient's home, registered on the chain. Fetched is the followers' word.
#[derive(Debug, Args)]
pub(crate) struct HandedListArgs {}

/// Leave a handover with the followers again, or for the first time
///
/// `pcim radiologist seal` does so itself; this is for one that no follower took, or that its patient has lost.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The sealed image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// The patient's contact card
    #[arg(long, value_name = "CARD")]
    to: PathBuf,
    /// The handover's file [default: where sealing wrote it]
    #[arg(long, value_name = "FILE")]
    handover: Option<PathBuf>,
}

impl HandedListArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        let listed = client.radiologist().handed_over().await;
        client.shutdown().await;
        let (listed, silent) = listed?;
        if let Some(error) = silent {
            let why = printable(&error.to_string());
            context
                .ui
                .note(&format!("note: what is registered is not known: {why}"));
        }
        if listed.is_empty() {
            context
                .ui
                .remark("no image is sealed yet: `pcim radiologist seal PATH --to CARD`");
        }
        let text: String = listed.iter().map(shown).collect();
        context.ui.result(&listed, &text)
    }
}

impl SendArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let to = read_card(&self.to)?;
        let client = context.client().await?;
        let left = client
            .radiologist()
            .leave_handover(&self.image, self.handover.as_deref(), &to)
            .await;
        client.shutdown().await;
        let left = left?;
        say_refused(context, &left);
        context.ui.result(&left, &left_text(&left))
    }
}

/// Leaves the handovers of images that were sealed now with the followers, if the network names some. That no follower takes
/// one is a note: its file is there.
pub(super) async fn leave(
    context: &Context,
    client: &Actor,
    images: &[ImageDigest],
    to: &Card,
) -> anyhow::Result<Option<LeftMail>> {
    if client.mailboxes()?.is_empty() {
        return Ok(None);
    }
    let mut last = None;
    for image in images {
        match client.radiologist().leave_handover(image, None, to).await {
            Ok(left) => {
                say_refused(context, &left);
                last = Some(left);
            }
            Err(error) => {
                let why = printable(&error.to_string());
                context.ui.note(&format!(
                    "note: the handover is only in its file: {why}; `pcim radiologist send` tries again"
                ));
            }
        }
    }
    Ok(last)
}

fn say_refused(context: &Context, left: &LeftMail) {
    for why in &left.refused {
        let why = printable(why);
        context
            .ui
            .note(&format!("note: one follower does not keep it: {why}"));
    }
}

/// A handover that was left, for people.
pub(super) fn left_text(left: &LeftMail) -> String {
    let count = left.followers.len();
    let until = time(left.until);
    format!("left         with {count} followers until {until}\n")
}

/// An image, for people.
fn shown(one: &HandedOver) -> String {
    let patient = one.patient.parse::<Address>().map(names::shown);
    let patient = patient.unwrap_or_else(|_| printable(&one.patient));
    let mut text = format!("image        {}\nfor          {patient}\n", one.image);
    let mut put = |what: &str, words: String| text.push_str(&format!("{what:<13}{words}\n"));
    if !one.description.is_empty() {
        put("description", printable(&one.description));
    }
    if let Some(at) = one.sealed_at {
        put("sealed", time(at));
    }
    if let Some(at) = one.left_at {
        put("left", time(at));
    }
    match (one.fetched, one.registered_at) {
        (Some(Fetched::Yes(at)), _) => put("fetched", time(at)),
        (_, Some(_)) => {}
        (Some(Fetched::Waits), _) => put("fetched", "not yet".to_owned()),
        (Some(Fetched::Unknown), _) => put("fetched", "no follower knows of it now".to_owned()),
        (None, _) => {}
    }
    match one.registered_at {
        Some(at) => put("registered", time(at)),
        None => put("registered", "no".to_owned()),
    }
    text.push('\n');
    text
}
