//! The rules at work. Every event is seen once, in the order of the chain.
//!
//! The clock is the chain's, and only goes forward: an event that claims to be earlier than one before it, or whose time is
//! no date, happens at the latest time seen. So a clock that runs backwards can make a rule speak early, never keep silent.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::audit::entry::{Entry, EventKind, What};
use crate::audit::report::text::{instant, visible};
use crate::audit::watch::file::{Rule, Scope, UNKNOWN, When};
use pcim_core::{About, Address, Event, GrantStatus, ImageDigest};

/// The address and the images that are the home's own.
#[derive(Clone, Debug, Default)]
pub struct Mine {
    /// This home's address.
    pub address: Address,
    /// The patient for whom it acts.
    pub patient: Address,
    /// The images that it knows, and whose they are to its knowledge.
    pub images: BTreeMap<ImageDigest, Address>,
}

/// A rule's word about an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// The rule's name.
    pub rule: String,
    /// Why it speaks, in one line that steers no terminal.
    pub reason: String,
    /// The image that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageDigest>,
    /// The requestor that it is about.
    #[serde(rename = "requester", skip_serializing_if = "Option::is_none")]
    pub requestor: Option<Address>,
    /// The log that made it speak, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Entry>,
    /// Which rule it is.
    #[serde(skip)]
    pub number: usize,
}

/// The rules, and what they remember of the events so far.
#[derive(Clone, Debug)]
pub struct Watcher {
    rules: Vec<Rule>,
    mine: Mine,
    clock: u64,
    rights: BTreeMap<(ImageDigest, Address), Right>,
    limits: BTreeMap<ImageDigest, Limit>,
    /// The times of the latest requests, for each rule that counts them.
    requests: BTreeMap<(usize, Address), VecDeque<u64>>,
}

#[derive(Clone, Copy, Debug)]
struct Right {
    status: GrantStatus,
    expires_at: u64,
}

#[derive(Clone, Copy, Debug)]
struct Limit {
    approvals: u32,
    window: u64,
    start: u64,
    used: u32,
}

impl Watcher {
    /// Rules that have seen nothing yet.
    pub fn new(rules: Vec<Rule>, mine: Mine) -> Self {
        Self {
            rules,
            mine,
            clock: 0,
            rights: BTreeMap::new(),
            limits: BTreeMap::new(),
            requests: BTreeMap::new(),
        }
    }

    /// Returns the rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Takes in what else this home knows by now.
    pub fn know(&mut self, mine: Mine) {
        self.mine = mine;
    }

    /// Sees the next log. Returns the rules' alerts, in their order.
    pub fn see(&mut self, entry: &Entry) -> Vec<Alert> {
        // Seconds that are no date would put off every window for good.
        if instant(entry.timestamp).is_some() {
            self.clock = self.clock.max(entry.timestamp);
        }
        let about = &entry.about;
        let before = about
            .image
            .zip(about.requestor)
            .and_then(|key| self.rights.get(&key).copied());
        if let Some(event) = entry.event() {
            self.remember(event);
        }
        let mut alerts = Vec::new();
        for number in 0..self.rules.len() {
            let reason = match &entry.what {
                What::Event(event) => self.speaks(number, event, about, before),
                What::Unknown { unknown } => {
                    let topic = unknown.topics.first().map(|topic| format!(" {topic}"));
                    let topic = topic.unwrap_or_default();
                    self.wants_unknown(number)
                        .then(|| format!("a log that this program does not understand{topic}"))
                }
            };
            if let Some(reason) = reason {
                alerts.push(Alert {
                    rule: self.rules[number].name.clone(),
                    reason,
                    image: about.image,
                    requestor: about.requestor,
                    event: Some(entry.clone()),
                    number,
                });
            }
        }
        alerts
    }

    /// Returns the rules' alerts about the seconds that the contract's program has left.
    pub fn program_left(&self, left: u64) -> Vec<Alert> {
        let rules = self.rules.iter().enumerate();
        let near = rules.filter(
            |(_, rule)| matches!(rule.when, When::ProgramNearExpiry { within } if left <= within),
        );
        let alerts = near.map(|(number, rule)| Alert {
            rule: rule.name.clone(),
            reason: match left {
                0 => "the contract's program has expired".to_owned(),
                left => format!("the contract's program expires in {} days", left / 86_400),
            },
            image: None,
            requestor: None,
            event: None,
            number,
        });
        alerts.collect()
    }

    /// Says whether a rule is about logs that are none of the known events.
    fn wants_unknown(&self, number: usize) -> bool {
        let rule = &self.rules[number];
        match &rule.when {
            When::Event(names) => {
                rule.scope == Scope::All && names.is_empty() || names.iter().any(|it| it == UNKNOWN)
            }
            _ => false,
        }
    }

    fn remember(&mut self, event: &Event) {
        let right = |status, expires_at| Right { status, expires_at };
        match *event {
            Event::RequestedForApproval {
                requestor, image, ..
            } => {
                self.rights
                    .insert((image, requestor), right(GrantStatus::Requested, 0));
            }
            Event::Approved {
                requestor,
                image,
                expires_at,
                ..
            } => {
                self.rights
                    .insert((image, requestor), right(GrantStatus::Approved, expires_at));
                let clock = self.clock;
                if let Some(limit) = self.limits.get_mut(&image) {
                    if limit.used == 0 || clock >= limit.start.saturating_add(limit.window) {
                        (limit.start, limit.used) = (clock, 1);
                    } else {
                        limit.used = limit.used.saturating_add(1);
                    }
                }
            }
            Event::Reshared {
                requestor,
                image,
                expires_at,
                ..
            } => {
                self.rights
                    .insert((image, requestor), right(GrantStatus::Approved, expires_at));
            }
            Event::EmergencyOpened {
                requestor,
                image,
                until,
                ..
            } => {
                self.rights
                    .insert((image, requestor), right(GrantStatus::Emergency, until));
            }
            Event::UserRemoved {
                requestor, image, ..
            } => {
                self.rights
                    .insert((image, requestor), right(GrantStatus::Removed, 0));
            }
            Event::Reason {
                requestor, image, ..
            } => {
                // Behind a denial; behind a removal nothing is new.
                if let Some(right) = self.rights.get_mut(&(image, requestor))
                    && right.status == GrantStatus::Requested
                {
                    right.status = GrantStatus::Denied;
                }
            }
            Event::ApprovalLimitSet {
                image,
                approvals,
                window_seconds,
                ..
            } => {
                let limit = Limit {
                    approvals,
                    window: window_seconds.into(),
                    start: 0,
                    used: 0,
                };
                if approvals == 0 {
                    self.limits.remove(&image);
                } else {
                    self.limits.insert(image, limit);
                }
            }
            _ => {}
        }
    }

    /// Says whether an event concerns this home.
    fn is_mine(&self, about: &About) -> bool {
        let me = Some(self.mine.address);
        about.patient == me
            || about.patient == Some(self.mine.patient)
            || about.requestor == me
            || about
                .image
                .is_some_and(|image| self.mine.images.contains_key(&image))
    }

    /// Why a rule speaks, if it does.
    fn speaks(
        &mut self,
        number: usize,
        event: &Event,
        about: &About,
        before: Option<Right>,
    ) -> Option<String> {
        let rule = &self.rules[number];
        if rule.scope == Scope::Mine && !self.is_mine(about) {
            // What concerns the whole contract concerns everybody.
            let of_all = matches!(
                event,
                Event::ConsortiumTransferred { .. } | Event::RadiologistAccredited { .. }
            );
            if !of_all {
                return None;
            }
        }
        match (&rule.when, event) {
            (When::Event(names), event) => {
                let name = EventKind::of(event).name();
                let wanted = names.is_empty() || names.iter().any(|it| it == name);
                let text = visible(event.text().unwrap_or_default());
                wanted.then(|| match text.is_empty() {
                    true => name.to_owned(),
                    false => format!("{name}: {text}"),
                })
            }
            (
                &When::ManyRequests { count, within },
                &Event::RequestedForApproval { requestor, .. },
            ) => {
                let times = self.requests.entry((number, requestor)).or_default();
                times.push_back(self.clock);
                while times.front().is_some_and(|at| self.clock - at >= within) {
                    times.pop_front();
                }
                let full = times.len() >= count as usize;
                full.then(|| {
                    times.clear();
                    format!("{requestor} asked {count} times within {within} seconds")
                })
            }
            (When::UseAfterEnd, Event::AuthorizationFailed { requestor, .. }) => {
                let why = match before {
                    Some(Right {
                        status: GrantStatus::Removed,
                        ..
                    }) => "the access was removed",
                    Some(Right {
                        status: GrantStatus::Denied,
                        ..
                    }) => "the request was denied",
                    Some(Right {
                        status: GrantStatus::Approved,
                        expires_at: 1..,
                    }) => "the approval expired",
                    Some(Right {
                        status: GrantStatus::Approved,
                        ..
                    }) => "though the events say that it is approved",
                    Some(Right {
                        status: GrantStatus::Emergency,
                        ..
                    }) => "the emergency access ended",
                    Some(Right {
                        status: GrantStatus::Requested,
                        ..
                    }) => "the request is not decided",
                    _ => "nothing was ever approved",
                };
                Some(format!("{requestor} was found not authorized: {why}"))
            }
            (
                When::UseAfterEnd,
                Event::AuthorizationSuccess {
                    requestor, patient, ..
                },
            ) => {
                let ended = before.is_some_and(|right| {
                    matches!(right.status, GrantStatus::Removed | GrantStatus::Denied)
                });
                (ended && requestor != patient).then(|| {
                    format!("{requestor} was found authorized, though the access had ended")
                })
            }
            (When::LimitReached, Event::Approved { image, .. }) => {
                let limit = self.limits.get(image)?;
                (limit.used == limit.approvals).then(|| {
                    let (approvals, window) = (limit.approvals, limit.window);
                    format!("{approvals} approvals within {window} seconds: the limit is reached")
                })
            }
            (When::RegisteredByAnother, Event::ContractCreated { patient, image, .. }) => {
                let owner = self.mine.images.get(image)?;
                (owner != patient).then(|| format!("{patient} registered an image of {owner}"))
            }
            (When::ConsortiumChanged, Event::ConsortiumTransferred { from, to }) => {
                Some(format!("the consortium was {from} and is {to}"))
            }
            _ => None,
        }
    }
}
