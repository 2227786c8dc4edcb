//! How the chain's history is written for people: at most 100 columns, nothing that steers a terminal.

use std::collections::BTreeMap;

use pcim_client::audit::{
    Compared, Entry, Freshness, Image, Mark, Standing, UnknownLog, What, escaped, time,
};
use pcim_core::{Address, Event, ImageDigest};
use serde::Serialize;

/// Columns that a line may have.
const WIDTH: usize = 100;
const INDENT: &str = "    ";

/// The known facts of the images that entries are about.
pub(super) type Images = BTreeMap<ImageDigest, Image>;

/// How a requestor stands with an image.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Right {
    pub(super) image: ImageDigest,
    pub(super) requestor: Address,
    pub(super) standing: Standing,
    pub(super) patient: Address,
    pub(super) description: String,
    /// Unix seconds.
    pub(super) requested_at: u64,
    /// Unix seconds; 0 while it is open.
    pub(super) decided_at: u64,
    /// Unix seconds; 0 for never.
    pub(super) expires_at: u64,
    /// The requestor's words.
    pub(super) notes: String,
    /// The patient's words.
    pub(super) reason: Option<String>,
    pub(super) since: Mark,
}

impl Right {
    /// Every request for some images, as it stands at a time.
    pub(super) fn of(images: &Images, now: u64) -> impl Iterator<Item = Self> {
        images.values().flat_map(move |image| {
            image.grants.values().map(move |grant| Self {
                image: image.image,
                requestor: grant.requestor,
                standing: grant.standing(now),
                patient: image.patient,
                description: image.description.clone(),
                requested_at: grant.requested_at,
                decided_at: grant.decided_at,
                expires_at: grant.expires_at,
                notes: grant.notes.clone(),
                reason: grant.reason.clone(),
                since: grant.since,
            })
        })
    }
}

/// The entries by image, in the order in which these first appear; those about no image at the end.
pub(super) fn by_image(entries: &[Entry]) -> Vec<(Option<ImageDigest>, Vec<&Entry>)> {
    let mut order: Vec<Option<ImageDigest>> = Vec::new();
    let mut groups: BTreeMap<Option<ImageDigest>, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        let group = groups.entry(entry.about.image).or_default();
        if group.is_empty() {
            order.push(entry.about.image);
        }
        group.push(entry);
    }
    order.sort_by_key(Option::is_none);
    let group = |image| (image, groups.remove(&image).unwrap_or_default());
    order.into_iter().map(group).collect()
}

/// The entries, image by image.
pub(super) fn timeline(entries: &[Entry], known: &Images) -> String {
    let mut text = String::new();
    for (image, group) in by_image(entries) {
        match image {
            Some(image) => {
                text.push_str(&format!("image {image}\n"));
                if let Some(known) = known.get(&image) {
                    folded(
                        &mut text,
                        &format!("\"{}\"", escaped(known.description.chars())),
                    );
                    text.push_str(&format!(
                        "{INDENT}owner       {}\n{INDENT}radiologist {}\n",
                        known.patient, known.radiologist
                    ));
                }
            }
            None => text.push_str("about no image\n"),
        }
        for entry in group {
            line(&mut text, entry);
        }
        text.push('\n');
    }
    text
}

fn line(text: &mut String, entry: &Entry) {
    let line = format!(
        "  {}  {:<21} {}",
        time(entry.timestamp),
        entry.kind(),
        who(entry).map_or(String::new(), |who| who.to_string())
    );
    text.push_str(line.trim_end());
    text.push('\n');
    if let Some(said) = said(entry) {
        folded(text, &said);
    }
    if let Some(words) = words(entry) {
        folded(text, &format!("\"{words}\""));
    }
}

/// Whom an entry is about besides the image's owner and its radiologist, who stand with the image.
pub(super) fn who(entry: &Entry) -> Option<Address> {
    match (entry.about.requestor, entry.about.image) {
        (None, Some(_)) => None,
        (requestor, _) => requestor.or(entry.about.radiologist),
    }
}

/// Says what an entry holds besides its kind, its parties and its sender's words.
pub(super) fn said(entry: &Entry) -> Option<String> {
    match &entry.what {
        What::Event(event) => details(event),
        What::Unknown { unknown } => not_understood(unknown, entry),
    }
}

/// The sender's words, fit to be shown; a registration's stand with its image.
pub(super) fn words(entry: &Entry) -> Option<String> {
    let words = entry.text().filter(|words| !words.is_empty())?;
    match entry.event() {
        Some(Event::ContractCreated { .. }) => None,
        _ => Some(escaped(words.chars())),
    }
}

fn details(event: &Event) -> Option<String> {
    Some(match event {
        Event::Approved { expires_at, .. } | Event::Reshared { expires_at, .. } => {
            until(*expires_at)
        }
        Event::ImageResealed { root, .. } => format!("sealed again as {root}"),
        Event::EmergencyOpened { until: end, .. } => format!("in an emergency, {}", until(*end)),
        Event::ImageFlagged { flags: 0, .. } => "in use again".to_owned(),
        Event::ImageFlagged { flags, by, .. } => {
            format!("{} (sent by {by})", pcim_ledger::ImageFlags(*flags))
        }
        Event::Acted { by, .. } => format!("decided by {by}"),
        Event::AccountMoved { from, to, .. } => format!("from {from} to {to}"),
        Event::ConsortiumOffered { from, to } => format!("from {from} to {to}"),
        Event::AccountChanged { kind, ripe, by, .. } => {
            let kind = match kind {
                1 => "guardians",
                2 => "move",
                3 => "emergency desk",
                4 | 5 => "recovery",
                6 => "cancelled",
                7 => "finished",
                8 => "delegate",
                _ => "taken over from the predecessor",
            };
            match ripe {
                0 => format!("{kind} (sent by {by})"),
                ripe => format!("{kind}, ripe {} (sent by {by})", time(*ripe)),
            }
        }
        Event::ApprovalLimitSet { approvals: 0, .. } => "no limit from now on".to_owned(),
        Event::ApprovalLimitSet {
            approvals,
            window_seconds,
            ..
        } => format!("at most {approvals} approvals in {window_seconds} s"),
        Event::RadiologistAccredited { accredited, .. } => match accredited {
            true => "may attest from now on".to_owned(),
            false => "may no longer attest".to_owned(),
        },
        Event::ConsortiumTransferred { from, to } => format!("from {from} to {to}"),
        _ => return None,
    })
}

fn not_understood(unknown: &UnknownLog, entry: &Entry) -> Option<String> {
    let why = match &unknown.reason {
        Some(reason) => format!("a log of the wrong shape: {}", escaped(reason.chars())),
        None => "an event that this program does not know".to_owned(),
    };
    let first = unknown.topics.first();
    let first = first.map_or("no topic".to_owned(), |topic| topic.to_string());
    Some(format!(
        "{why}; {first}, {} bytes, log {} of block {}, transaction {}",
        unknown.data.len(),
        entry.log_index,
        entry.block,
        entry.tx
    ))
}

pub(super) fn until(expires_at: u64) -> String {
    match expires_at {
        0 => "until it is removed".to_owned(),
        end => format!("until {}", time(end)),
    }
}

/// Lists readers and their images, or what a requestor asked for.
pub(super) fn rights(rights: &[Right], mine: bool) -> String {
    let mut text = String::new();
    let mut last = None;
    for right in rights {
        if last != Some(right.image) {
            text.push_str(&format!("image {}\n", right.image));
            folded(
                &mut text,
                &format!("\"{}\"", escaped(right.description.chars())),
            );
            if mine {
                text.push_str(&format!("{INDENT}owner {}\n", right.patient));
            }
            last = Some(right.image);
        }
        text.push_str(&format!("  {}  {}\n", right.requestor, right.standing));
        let mut when = format!("asked {}", time(right.requested_at));
        if right.decided_at != 0 {
            when.push_str(&format!(", decided {}", time(right.decided_at)));
        }
        if matches!(
            right.standing,
            Standing::Approved | Standing::Expired | Standing::Emergency
        ) {
            when.push_str(&format!(", {}", until(right.expires_at)));
        }
        folded(&mut text, &when);
        folded(
            &mut text,
            &format!("for \"{}\"", escaped(right.notes.chars())),
        );
        if let Some(reason) = &right.reason {
            folded(
                &mut text,
                &format!("patient: \"{}\"", escaped(reason.chars())),
            );
        }
    }
    if rights.is_empty() {
        text.push_str(match mine {
            true => "nothing was asked for\n",
            false => "nobody but the owner\n",
        });
    }
    text.push('\n');
    text
}

/// How much of the chain this is.
pub(super) fn freshness(
    freshness: &Freshness,
    checked: bool,
    compared: Option<Compared>,
) -> String {
    let block = freshness.block.unwrap_or_default();
    let mut text = format!(
        "as of block {block} of {}, read {}\n",
        time(freshness.block_time),
        time(freshness.synced_at)
    );
    text.push_str(match checked {
        true => "compared with what the contract says of these images\n",
        false => "offline: not compared with the contract\n",
    });
    if let Some(compared) = compared {
        text.push_str(&format!(
            "the second provider tells the same {} logs\n",
            compared.logs
        ));
    }
    text
}

/// Adds words below a line, folded to the width.
fn folded(text: &mut String, words: &str) {
    let letters: Vec<char> = words.chars().collect();
    for piece in letters.chunks(WIDTH - INDENT.len()) {
        text.push_str(INDENT);
        text.extend(piece);
        text.push('\n');
    }
}
