//! The events together: the owner of the image that each is about, the reader meant, and the purpose.

use std::collections::{BTreeMap, BTreeSet};

use crate::papers::request::{Notes, Purpose};
use pcim_core::{About, Address, B256, Event, GrantStatus, ImageDigest, LoggedEvent};

/// An event with what earlier and later ones say about it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The event.
    pub logged: &'a LoggedEvent,
    /// The image that it is about.
    pub image: Option<ImageDigest>,
    /// The image's owner, if the registration is among the events or the event names her.
    pub patient: Option<Address>,
    /// The requestor that it is about.
    pub requestor: Option<Address>,
    /// The registered description (modality and body part), not interpreted.
    pub about: Option<&'a str>,
    /// The purpose of the requestor's latest request, if it was a purpose code.
    pub purpose: Option<Purpose>,
    /// True for the opening in an emergency, and for what follows on it until it is removed or decided otherwise, the end included.
    pub emergency: bool,
}

/// How one requestor stands with one image, after all events.
#[derive(Clone, Debug)]
pub struct Right<'a> {
    /// The image.
    pub image: ImageDigest,
    /// The requestor.
    pub requestor: Address,
    /// The image's owner, if her registration is among the events.
    pub patient: Option<Address>,
    /// The registered description, not interpreted.
    pub about: Option<&'a str>,
    /// The purpose of the latest request, if it was a purpose code.
    pub purpose: Option<Purpose>,
    /// Its fate.
    pub status: GrantStatus,
    /// The latest request.
    pub requested_at: Option<u64>,
    /// The latest approval.
    pub approved_at: Option<u64>,
    /// The latest denial or removal.
    pub ended_at: Option<u64>,
    /// The end of the latest approval, in Unix seconds; 0 is never.
    pub expires_at: u64,
    /// The transaction that made it so.
    pub tx: B256,
    /// Its block's time.
    pub at: Option<u64>,
}

impl Right<'_> {
    /// Says whether the requestor may open the image at a moment.
    pub fn is_open(&self, now: u64) -> bool {
        matches!(self.status, GrantStatus::Approved | GrantStatus::Emergency)
            && (self.expires_at == 0 || now < self.expires_at)
    }

    /// Says when the latest approval ended or will end, as far as it is settled.
    pub fn ends(&self) -> Option<u64> {
        let expiry = Some(self.expires_at).filter(|it| *it != 0);
        match self.status {
            GrantStatus::Removed => match (self.ended_at, expiry) {
                (Some(ended), Some(expiry)) => Some(ended.min(expiry)),
                (ended, expiry) => ended.or(expiry),
            },
            GrantStatus::Approved | GrantStatus::Emergency => expiry,
            _ => None,
        }
    }
}

/// A code of [`Purpose`] at the head of a request's notes.
fn purpose_of(info: &str) -> Option<Purpose> {
    Notes::parse(info).purpose.parse().ok()
}

/// Joins every event with the facts that the others add to it, in the same order.
pub fn tell(events: &[LoggedEvent]) -> Vec<Told<'_>> {
    let mut owners: BTreeMap<ImageDigest, Address> = BTreeMap::new();
    let mut abouts: BTreeMap<ImageDigest, &str> = BTreeMap::new();
    let mut purposes: BTreeMap<(ImageDigest, Address), Option<Purpose>> = BTreeMap::new();
    let mut emergencies: BTreeSet<(ImageDigest, Address)> = BTreeSet::new();
    let mut told = Vec::with_capacity(events.len());
    for (number, logged) in events.iter().enumerate() {
        let About {
            image,
            patient,
            mut requestor,
            ..
        } = logged.event.about();
        if requestor.is_none()
            && matches!(
                logged.event,
                Event::Requestaccepted { .. } | Event::Requestdenied { .. }
            )
        {
            // Whom it is about, the log behind it says.
            requestor = events
                .get(number + 1)
                .filter(|next| next.tx == logged.tx && next.event.about().image == image)
                .and_then(|next| next.event.about().requestor);
        }
        if let Some(image) = image {
            if let Some(patient) = patient {
                owners.entry(image).or_insert(patient);
            }
            if let Event::ContractCreated { info, .. } = &logged.event {
                abouts.entry(image).or_insert(info);
            }
            if let (Event::RequestedForApproval { info, .. }, Some(requestor)) =
                (&logged.event, requestor)
            {
                purposes.insert((image, requestor), purpose_of(info));
            }
        }
        let pair = image.zip(requestor);
        if let (Event::EmergencyOpened { .. }, Some(pair)) = (&logged.event, pair) {
            emergencies.insert(pair);
        }
        let emergency = pair.is_some_and(|pair| emergencies.contains(&pair));
        if let (
            Event::UserRemoved { .. }
            | Event::Approved { .. }
            | Event::RequestedForApproval { .. }
            | Event::Requestdenied { .. },
            Some(pair),
        ) = (&logged.event, pair)
        {
            emergencies.remove(&pair);
        }
        told.push(Told {
            emergency,
            logged,
            image,
            patient: patient.or_else(|| owners.get(&image?).copied()),
            requestor,
            about: image.and_then(|image| abouts.get(&image).copied()),
            purpose: image
                .zip(requestor)
                .and_then(|key| purposes.get(&key).copied().flatten()),
        });
    }
    told
}

/// Finds how every requestor stands with every image, by image and requestor.
pub fn rights(events: &[LoggedEvent]) -> Vec<Right<'_>> {
    let mut rights: BTreeMap<(ImageDigest, Address), Right<'_>> = BTreeMap::new();
    // A reason follows what ended the right, and says nothing new about it.
    for told in tell(events) {
        let (Some(image), Some(requestor)) = (told.image, told.requestor) else {
            continue;
        };
        let (event, at) = (&told.logged.event, told.logged.timestamp);
        let status = match event {
            Event::RequestedForApproval { .. } => GrantStatus::Requested,
            Event::Approved { .. } | Event::Reshared { .. } => GrantStatus::Approved,
            Event::EmergencyOpened { .. } => GrantStatus::Emergency,
            Event::Requestdenied { .. } => GrantStatus::Denied,
            Event::UserRemoved { .. } => GrantStatus::Removed,
            _ => continue,
        };
        let right = rights.entry((image, requestor)).or_insert(Right {
            image,
            requestor,
            patient: None,
            about: None,
            purpose: None,
            status,
            requested_at: None,
            approved_at: None,
            ended_at: None,
            expires_at: 0,
            tx: told.logged.tx,
            at,
        });
        (right.status, right.tx, right.at) = (status, told.logged.tx, at);
        (right.patient, right.about, right.purpose) = (told.patient, told.about, told.purpose);
        match event {
            Event::RequestedForApproval { .. } => {
                right.requested_at = at;
                (right.approved_at, right.ended_at, right.expires_at) = (None, None, 0);
            }
            Event::Approved { expires_at, .. } => {
                (right.approved_at, right.ended_at, right.expires_at) = (at, None, *expires_at);
            }
            Event::EmergencyOpened { until, .. } => right.expires_at = *until,
            Event::Reshared { expires_at, .. } => right.expires_at = *expires_at,
            _ => right.ended_at = at,
        }
    }
    rights.into_values().collect()
}
