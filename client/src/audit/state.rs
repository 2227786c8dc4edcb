//! The sum of the entries: images and their readers, at the last entry that was applied. A fold, and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::entry::Entry;
use crate::audit::query::Standing;
use pcim_core::{Address, B256, BlockDigest, Event, GrantStatus, ImageDigest, Seal};

/// The state that the entries come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Every registered image.
    pub images: BTreeMap<ImageDigest, Image>,
}

/// The contract's bit of a retracted image.
const RETRACTED: u8 = 2;

/// The facts of a registration or an import.
struct Registered {
    radiologist: Address,
    seal: Seal,
    at: u64,
    flags: u8,
    of_version_2: bool,
}

/// An entry's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mark {
    /// The block's number.
    pub block: u64,
    /// The log's place in its block.
    pub log_index: u64,
    /// The block's time, unix seconds.
    pub timestamp: u64,
    /// The transaction's hash.
    pub tx: B256,
}

/// A registered image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Image {
    /// As registered.
    pub image: ImageDigest,
    /// Its owner.
    pub patient: Address,
    /// The radiologist who attested it; zero for an imported image, which was attested at the predecessor.
    pub radiologist: Address,
    /// The attested seal; zero for an imported image.
    pub seal: Seal,
    /// The text given at registration, as it came.
    pub description: String,
    /// Unix seconds.
    pub registered_at: u64,
    /// The entry that registered it.
    pub registered: Mark,
    /// The sealed root that its patient announced last.
    pub root: ImageDigest,
    /// Approvals a window; 0 is no limit.
    pub approval_limit: u32,
    /// The window's length in seconds.
    pub window_seconds: u32,
    /// 1 withdrawn, 2 retracted: then nobody but the patient has access.
    pub flags: u8,
    /// Raised by what is decided on the image; 0 at version 1 of the contract.
    pub round: u32,
    /// True if the contract is of version 2.
    #[serde(skip)]
    pub of_version_2: bool,
    /// The requests for it, and their status.
    pub grants: BTreeMap<Address, Grant>,
}

/// A request, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The requestor.
    pub requestor: Address,
    /// As the contract keeps it: an approval that ended by itself is still `Approved`. See [`Grant::standing`].
    pub status: GrantStatus,
    /// When the request was opened, unix seconds.
    pub requested_at: u64,
    /// When it was approved, denied or removed, unix seconds; 0 while it is open.
    pub decided_at: u64,
    /// When the approval ends, unix seconds; 0 if it has no end.
    pub expires_at: u64,
    /// The block of the requestor's certificate.
    pub public_key: BlockDigest,
    /// The requestor's own sealed root, while it is approved.
    pub shared_image: Option<ImageDigest>,
    /// The request's notes, as they came: a purpose code, and perhaps a document's CID.
    pub notes: String,
    /// The patient's words to the last decision, as they came.
    pub reason: Option<String>,
    /// Since which entry it stands so.
    pub since: Mark,
    /// How often the requestor was traced and found authorized.
    pub traced_authorized: u64,
    /// How often the requestor was traced and found not authorized.
    pub traced_refused: u64,
}

impl Grant {
    /// Says how the request stands at a time, unix seconds.
    pub fn standing(&self, now: u64) -> Standing {
        match self.status {
            GrantStatus::Approved if self.expires_at != 0 && self.expires_at <= now => {
                Standing::Expired
            }
            GrantStatus::Approved => Standing::Approved,
            GrantStatus::Emergency if self.expires_at <= now => Standing::Expired,
            GrantStatus::Emergency => Standing::Emergency,
            GrantStatus::Denied => Standing::Denied,
            GrantStatus::Removed => Standing::Removed,
            GrantStatus::None | GrantStatus::Requested => Standing::Requested,
        }
    }

    /// Says whether the requestor may open the image at a time, unix seconds, unless it is withdrawn or retracted.
    pub fn is_authorized(&self, now: u64) -> bool {
        matches!(self.standing(now), Standing::Approved | Standing::Emergency)
    }
}

impl From<&Entry> for Mark {
    fn from(entry: &Entry) -> Self {
        Self {
            block: entry.block,
            log_index: entry.log_index,
            timestamp: entry.timestamp,
            tx: entry.tx,
        }
    }
}

impl State {
    /// Applies entries, which are in the order of the chain.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut state = Self::default();
        entries.into_iter().for_each(|entry| state.apply(entry));
        state
    }

    /// Applies the next entry.
    pub fn apply(&mut self, entry: &Entry) {
        let mark = Mark::from(entry);
        let Some(event) = entry.event() else {
            return;
        };
        match event {
            Event::ContractCreated {
                patient,
                image,
                radiologist,
                seal,
                attestation,
                info,
                ..
            } => {
                let of_version_2 = attestation.is_some();
                match self.images.get_mut(image) {
                    None => {
                        let registered = Registered {
                            radiologist: *radiologist,
                            seal: *seal,
                            at: mark.timestamp,
                            flags: 0,
                            of_version_2,
                        };
                        self.register(image, *patient, registered, info, mark);
                    }
                    // Attested again after a retraction.
                    Some(known) if of_version_2 => {
                        known.radiologist = *radiologist;
                        known.seal = *seal;
                        known.description.clone_from(info);
                        known.registered_at = mark.timestamp;
                        known.registered = mark;
                        known.flags &= !RETRACTED;
                    }
                    Some(_) => {}
                }
            }
            Event::ImageImported {
                patient,
                image,
                registered_at,
                flags,
                ..
            } => {
                let registered = Registered {
                    radiologist: Address::ZERO,
                    seal: Seal([0; 32]),
                    at: *registered_at,
                    flags: *flags,
                    of_version_2: true,
                };
                self.register(image, *patient, registered, "", mark);
            }
            Event::ImageFlagged {
                image,
                flags,
                round,
                ..
            } => {
                if let Some(known) = self.images.get_mut(image) {
                    (known.flags, known.round) = (*flags, *round);
                }
            }
            Event::ImageResealed {
                image, root, round, ..
            } => {
                if let Some(known) = self.images.get_mut(image) {
                    known.root = *root;
                    known.round = round.unwrap_or_default();
                }
            }
            Event::ApprovalLimitSet {
                image,
                approvals,
                window_seconds,
                round,
            } => {
                if let Some(known) = self.images.get_mut(image) {
                    known.approval_limit = *approvals;
                    known.window_seconds = *window_seconds;
                    known.round = round.unwrap_or_default();
                }
            }
            Event::RequestedForApproval {
                requestor,
                image,
                public_key,
                info,
                ..
            } => self.request(image, *requestor, *public_key, info, mark),
            other => self.decide(other, entry, mark),
        }
    }

    fn register(
        &mut self,
        image: &ImageDigest,
        patient: Address,
        registered: Registered,
        description: &str,
        mark: Mark,
    ) {
        let new = || Image {
            image: *image,
            patient,
            radiologist: registered.radiologist,
            seal: registered.seal,
            description: description.to_owned(),
            registered_at: registered.at,
            registered: mark,
            root: *image,
            approval_limit: 0,
            window_seconds: 0,
            flags: registered.flags,
            round: 0,
            of_version_2: registered.of_version_2,
            grants: BTreeMap::new(),
        };
        self.images.entry(*image).or_insert_with(new);
    }

    fn request(
        &mut self,
        image: &ImageDigest,
        requestor: Address,
        public_key: BlockDigest,
        notes: &str,
        mark: Mark,
    ) {
        let Some(known) = self.images.get_mut(image) else {
            return;
        };
        let before = known.grants.get(&requestor);
        // At version 1 a new key for an open request does not open it again.
        let open =
            before.filter(|grant| grant.status == GrantStatus::Requested && !known.of_version_2);
        let grant = Grant {
            requestor,
            status: GrantStatus::Requested,
            requested_at: open.map_or(mark.timestamp, |grant| grant.requested_at),
            decided_at: 0,
            expires_at: 0,
            public_key,
            shared_image: None,
            notes: notes.to_owned(),
            reason: None,
            since: mark,
            traced_authorized: before.map_or(0, |grant| grant.traced_authorized),
            traced_refused: before.map_or(0, |grant| grant.traced_refused),
        };
        known.grants.insert(requestor, grant);
    }

    /// A change of a request that is there.
    fn decide(&mut self, event: &Event, entry: &Entry, mark: Mark) {
        let (Some(image), Some(requestor)) = (entry.about.image, entry.about.requestor) else {
            return;
        };
        let Some(known) = self.images.get_mut(&image) else {
            return;
        };
        let of_version_2 = known.of_version_2;
        let Some(grant) = known.grants.get_mut(&requestor) else {
            return;
        };
        let decided = |grant: &mut Grant, status| {
            grant.status = status;
            // A clock that goes back does not take decisions back with it.
            grant.decided_at = match of_version_2 {
                true => mark.timestamp.max(grant.requested_at).max(grant.decided_at),
                false => mark.timestamp,
            };
            grant.since = mark;
        };
        match event {
            Event::Approved {
                shared_image,
                expires_at,
                info,
                ..
            } => {
                decided(grant, GrantStatus::Approved);
                grant.shared_image = Some(*shared_image);
                grant.expires_at = *expires_at;
                grant.reason = Some(info.clone());
            }
            Event::Reshared {
                shared_image,
                expires_at,
                ..
            } => {
                grant.shared_image = Some(*shared_image);
                grant.expires_at = *expires_at;
                if of_version_2 {
                    grant.decided_at = mark.timestamp;
                }
                grant.since = mark;
            }
            Event::EmergencyOpened { until, .. } => {
                decided(grant, GrantStatus::Emergency);
                grant.expires_at = *until;
            }
            Event::Requestdenied { .. } => decided(grant, GrantStatus::Denied),
            Event::UserRemoved { .. } => {
                decided(grant, GrantStatus::Removed);
                grant.shared_image = None;
            }
            Event::Reason { info, .. } => grant.reason = Some(info.clone()),
            Event::AuthorizationSuccess { .. } => grant.traced_authorized += 1,
            Event::AuthorizationFailed { .. } => grant.traced_refused += 1,
            _ => {}
        }
    }
}
