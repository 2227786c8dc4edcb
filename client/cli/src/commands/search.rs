//! `pcim search`

use std::collections::BTreeMap;

use clap::Args;
use pcim_client::Note;
use pcim_client::audit::{Image, ImageQuery, escaped, time};
use pcim_core::{Address, ImageDigest};
use serde::Serialize;

use super::audit::{read_before, say_rebuilt};
use crate::context::{Context, actor};
use crate::names;
use crate::parse;

/// Find your images, by what the chain and your own notes say of them
///
/// Yours are those that you registered, attested or asked for. Looks in the contract's logs as they are kept in the home
/// (brought up to date first, not with --offline) and in the home's own notes, which `pcim patient register`, `pcim patient
/// open`, `pcim requestor fetch` and `pcim patient note` write. Notes are encrypted: to look in them, the
/// passphrase is needed. Every word and every option has to fit.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// Words that the description or a note contains, in any case
    words: Vec<String>,
    /// The modality's code, such as CT
    #[arg(long, value_name = "CODE")]
    modality: Option<String>,
    /// The body part's code, such as CHEST
    #[arg(long, value_name = "CODE")]
    body_part: Option<String>,
    /// Attested by this radiologist
    #[arg(long, value_name = "ADDRESS|CARD")]
    radiologist: Option<String>,
    /// Asked for by this requestor
    #[arg(long, alias = "requester", value_name = "ADDRESS|CARD")]
    requestor: Option<String>,
    /// Registered not before: a day, a time (2026-11-22T23:36:01Z) or unix seconds
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    from: Option<u64>,
    /// Registered before: a day, a time or unix seconds
    #[arg(long, value_name = "TIME", value_parser = parse::moment)]
    to: Option<u64>,
    /// Ask nothing of the chain
    #[arg(long)]
    offline: bool,
    /// Look at what the chain says only: no passphrase is needed
    #[arg(long)]
    no_notes: bool,
}

/// An image that was found.
#[derive(Serialize)]
struct Found<'a> {
    image: ImageDigest,
    /// Unix seconds.
    registered_at: u64,
    patient: Address,
    radiologist: Address,
    description: &'a str,
    notes: Vec<&'a Note>,
    requestors: Vec<Address>,
}

impl SearchArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let party = |text: &Option<String>| text.as_deref().map(actor).transpose();
        let (radiologist, requestor) = (party(&self.radiologist)?, party(&self.requestor)?);
        let mut session = context.reader()?;
        let mut notes = BTreeMap::new();
        if session.has_notes() && !self.no_notes {
            session.shutdown().await;
            let actor = context.client().await?;
            notes = actor.unlocked().notes()?;
            session = actor.into_session();
        }
        let index = match self.offline {
            true => session.auditor().audit_index()?,
            false => session.auditor().audit_synced().await?.0,
        };
        say_rebuilt(context, index.rebuilt());
        let freshness = read_before(&index)?;
        let images = index.images(&ImageQuery {
            party: Some(session.patient_address()),
            ..ImageQuery::default()
        })?;
        session.shutdown().await;
        let none = Vec::new();
        let mut found: Vec<Found> = images
            .values()
            .filter(|image| {
                radiologist.is_none_or(|it| image.radiologist == it)
                    && requestor.is_none_or(|it| image.grants.contains_key(&it))
                    && self.from.is_none_or(|from| image.registered_at >= from)
                    && self.to.is_none_or(|to| image.registered_at < to)
            })
            .map(|image| (image, notes.get(&image.image).unwrap_or(&none)))
            .filter(|(image, notes)| self.says(image, notes))
            .map(|(image, notes)| Found {
                image: image.image,
                registered_at: image.registered_at,
                patient: image.patient,
                radiologist: image.radiologist,
                description: &image.description,
                notes: notes.iter().collect(),
                requestors: image.grants.keys().copied().collect(),
            })
            .collect();
        found.sort_by_key(|found| found.registered_at);
        let mut text = String::new();
        for image in &found {
            text.push_str(&format!(
                "{}\n  {}  {}\n",
                image.image,
                time(image.registered_at),
                escaped(image.description.chars())
            ));
            let people = [
                ("radiologist", image.radiologist),
                ("patient", image.patient),
            ];
            let asked = image.requestors.iter().map(|it| ("requestor", *it));
            for (role, address) in people.into_iter().chain(asked) {
                if let Some(name) = names::name_of(address) {
                    text.push_str(&format!("  {role}: {name}\n"));
                }
            }
            for note in &image.notes {
                text.push_str(&format!("  note: {}\n", escaped(note.text.chars())));
            }
        }
        context.ui.note(&format!(
            "{} of {} images, as of {}",
            found.len(),
            images.len(),
            time(freshness.block_time)
        ));
        context.ui.result(&found, &text)
    }

    /// Says whether the description and the notes have the wanted codes and words.
    fn says(&self, image: &Image, notes: &[Note]) -> bool {
        let texts = || {
            let notes = notes.iter().map(|note| note.text.as_str());
            notes.chain([image.description.as_str()])
        };
        let has_code = |code: &Option<String>| {
            code.as_deref().is_none_or(|code| {
                let mut codes =
                    texts().flat_map(|text| text.split([' ', ',', '/', '+', ';', '\\']));
                codes.any(|found| found.eq_ignore_ascii_case(code))
            })
        };
        let has_word = |word: &String| {
            let word = word.to_lowercase();
            texts().any(|text| text.to_lowercase().contains(&word))
        };
        has_code(&self.modality) && has_code(&self.body_part) && self.words.iter().all(has_word)
    }
}
