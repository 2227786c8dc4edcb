//! The images that this home may open, as studies that are searched and retrieved.
//!
//! The list is kept level with the chain by the [`keeper`]; every image that is opened is asked for again, so that an access
//! that ended opens nothing, however old the list is.

pub(crate) mod chosen;
pub(crate) mod keeper;
mod source;
#[cfg(test)]
pub(crate) mod standing;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use pcim_client::Openable;
use pcim_core::{Address, ImageDigest};
use pcim_dicom::query::{Answers, Found, Query, SearchIdentifier};
use pcim_dicom::web::Instance;
use pcim_dicom::{ListedInstance, Listing};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

#[cfg(test)]
pub(crate) use source::Whole;
pub(crate) use source::{Refusal, Source};

/// Mebibytes of instances that are in memory at the same time, to be sent.
const ROOM: u32 = 1024;
/// Most requests that wait for an image to be opened.
const ASKS: usize = 256;
/// Most instances that stay in memory for further frames of theirs, and the most bytes of one.
const RECENT: usize = 4;
const RECENT_BYTES: usize = 64 << 20;

/// The studies of the images that may be opened.
pub(crate) struct Catalogue {
    known: RwLock<Known>,
    asks: mpsc::Sender<Ask>,
    room: Arc<Semaphore>,
    recent: Mutex<VecDeque<(Slot, Arc<Instance>)>>,
}

/// A request to open an image.
pub(crate) struct Ask {
    pub(crate) image: ImageDigest,
    pub(crate) reply: oneshot::Sender<Result<Source, Refusal>>,
}

/// An instance's place: its image, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot {
    pub(crate) image: ImageDigest,
    pub(crate) number: usize,
}

/// The part of the catalogue that an address names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope<'a> {
    pub(crate) study: Option<&'a str>,
    pub(crate) series: Option<&'a str>,
    pub(crate) instance: Option<&'a str>,
}

/// An instance of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) series: String,
    /// SOP Class UID.
    pub(crate) class: String,
    pub(crate) instance: String,
    pub(crate) slot: Slot,
}

/// An image that was looked at.
pub(crate) struct Listed {
    pub(crate) listing: Listing,
    /// The number of each instance, by its UID.
    pub(crate) numbers: HashMap<String, usize>,
}

#[derive(Default)]
struct Known {
    images: BTreeMap<ImageDigest, Image>,
    /// By Study Instance UID.
    studies: BTreeMap<String, Study>,
}

struct Image {
    listed: Listed,
    study: String,
    patient: Address,
    registered_at: u64,
    is_open: bool,
}

/// The images of one study, all of one patient.
struct Study {
    images: Vec<ImageDigest>,
    /// Of those that are open; none if there are none.
    listing: Option<Listing>,
}

impl Catalogue {
    /// Makes an empty one; the requests to open images come out of the receiver.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, asked) = mpsc::channel(ASKS);
        let own = Self {
            known: RwLock::default(),
            asks,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            recent: Mutex::default(),
        };
        (own, asked)
    }

    /// Searches; `use_found` makes the answer while the catalogue stands still.
    pub(crate) fn search<T>(&self, query: &Query, use_found: impl FnOnce(Found<'_>) -> T) -> T {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let listings = known.studies.values().filter_map(|it| it.listing.as_ref());
        use_found(query.find(listings))
    }

    /// Answers an identifier of C-FIND; `ae` is the title under which it is retrieved.
    pub(crate) fn identify(&self, identifier: &SearchIdentifier, ae: &str) -> Answers {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let listings = known.studies.values().filter_map(|it| it.listing.as_ref());
        identifier.answers(listings, ae)
    }

    /// The studies of a patient, by UID.
    pub(crate) fn studies_of_patient(&self, id: &str) -> Vec<String> {
        let mut studies = Vec::new();
        loop {
            let query = Query::of_patient(id, studies.len());
            let remaining = self.search(&query, |found| {
                studies.extend(found.matches.iter().map(|it| it.study_uid()));
                found.remaining
            });
            if remaining == 0 {
                return studies;
            }
        }
    }

    /// Makes something of each study that may be opened, or of the one of this UID: of `count` at most; with it how many there are.
    pub(crate) fn studies_of<T>(
        &self,
        uid: Option<&str>,
        count: usize,
        made: impl Fn(&Listing) -> T,
    ) -> (Vec<T>, usize) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let studies: Vec<&Listing> = match uid {
            Some(uid) => known
                .studies
                .get(uid)
                .and_then(|it| it.listing.as_ref())
                .into_iter()
                .collect(),
            None => known
                .studies
                .values()
                .filter_map(|it| it.listing.as_ref())
                .collect(),
        };
        let page = studies.iter().take(count).map(|it| made(it)).collect();
        (page, studies.len())
    }

    /// The instances that an address names, in order: of the images that are open, or, without those, of images that were.
    pub(crate) fn members(&self, scope: Scope<'_>) -> Vec<Member> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(study) = scope.study.and_then(|uid| known.studies.get(uid)) else {
            return Vec::new();
        };
        let of = |is_open: bool| {
            let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
            for image in &study.images {
                let Some(of_image) = known.images.get(image).filter(|it| it.is_open == is_open)
                else {
                    continue;
                };
                for it in of_image.listed.listing.instances() {
                    let ListedInstance {
                        series,
                        class,
                        instance,
                    } = it;
                    let wanted = scope.series.is_none_or(|it| it == series)
                        && scope.instance.is_none_or(|it| it == instance);
                    let number = of_image.listed.numbers.get(&instance);
                    let Some(number) = number.filter(|_| wanted) else {
                        continue;
                    };
                    if seen.insert(instance.clone()) {
                        let slot = Slot {
                            image: *image,
                            number: *number,
                        };
                        all.push(Member {
                            series,
                            class,
                            instance,
                            slot,
                        });
                    }
                }
            }
            all
        };
        let open = of(true);
        match open.is_empty() {
            true => of(false),
            false => open,
        }
    }

    /// Opens an image, if the chain authorizes this home now.
    pub(crate) async fn open(&self, image: ImageDigest) -> Result<Source, Refusal> {
        let (reply, answer) = oneshot::channel();
        let ended = || Refusal::Unreachable("the gateway is about to end".to_owned());
        let ask = Ask { image, reply };
        self.asks.send(ask).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// Waits until so many bytes may be in memory.
    pub(crate) async fn room_for(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let mebibytes = u32::try_from(bytes.div_ceil(1 << 20)).unwrap_or(ROOM);
        let permits = mebibytes.clamp(1, ROOM);
        Arc::clone(&self.room)
            .acquire_many_owned(permits)
            .await
            .ok()
    }

    /// An instance that was read a moment ago.
    pub(crate) fn recent(&self, slot: Slot) -> Option<Arc<Instance>> {
        let recent = self.recents();
        let found = recent.iter().find(|(known, _)| *known == slot);
        found.map(|(_, instance)| Arc::clone(instance))
    }

    /// Keeps an instance of so many bytes for further frames of its.
    pub(crate) fn remember(&self, slot: Slot, instance: &Arc<Instance>, bytes: usize) {
        if bytes > RECENT_BYTES {
            return;
        }
        let mut recent = self.recents();
        recent.retain(|(known, _)| *known != slot);
        recent.push_front((slot, Arc::clone(instance)));
        recent.truncate(RECENT);
    }

    fn recents(&self) -> MutexGuard<'_, VecDeque<(Slot, Arc<Instance>)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says which images may be opened now; returns those that were not listed yet.
    pub(crate) fn level(&self, openable: &[Openable]) -> Vec<Openable> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let open: BTreeSet<_> = openable.iter().map(|it| it.image).collect();
        let mut changed = BTreeSet::new();
        for (digest, image) in &mut known.images {
            if image.is_open != open.contains(digest) {
                image.is_open = !image.is_open;
                changed.insert(image.study.clone());
            }
        }
        for study in changed {
            known.relist(&study);
        }
        let new = openable.iter();
        let new = new.filter(|it| !known.images.contains_key(&it.image));
        new.copied().collect()
    }

    /// Adds an image that was looked at; false if its study is another patient's.
    pub(crate) fn add(&self, image: &Openable, listed: Listed) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let study = listed.listing.study_uid();
        let others = known.studies.get(&study).map(|it| &it.images);
        let mut others = others.into_iter().flatten();
        // A UID is unique (PS3.5 §9); where it is not, the study that came first keeps it.
        let is_theirs = |it: &&ImageDigest| {
            let other = known.images.get(*it);
            other.is_some_and(|other| other.patient != image.patient)
        };
        let is_known = others.clone().any(|it| *it == image.image);
        if others.any(|it| is_theirs(&it)) {
            return false;
        }
        let of_image = Image {
            listed,
            study: study.clone(),
            patient: image.patient,
            registered_at: image.registered_at,
            is_open: true,
        };
        known.images.insert(image.image, of_image);
        let entry = known.studies.entry(study.clone());
        let entry = entry.or_insert(Study {
            images: Vec::new(),
            listing: None,
        });
        if !is_known {
            entry.images.push(image.image);
        }
        known.relist(&study);
        true
    }

    /// Counts the studies that may be opened.
    pub(crate) fn studies(&self) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let open = known.studies.values().filter(|it| it.listing.is_some());
        open.count()
    }
}

impl Known {
    /// Makes a study's listing of those of its images that are open, the oldest first.
    fn relist(&mut self, uid: &str) {
        let Some(study) = self.studies.get_mut(uid) else {
            return;
        };
        let images = &self.images;
        let age = |it: &ImageDigest| images.get(it).map(|image| (image.registered_at, *it));
        study.images.sort_by_key(age);
        let open = study.images.iter().filter_map(|it| images.get(it));
        let mut open = open.filter(|it| it.is_open).map(|it| &it.listed.listing);
        study.listing = open.next().cloned().map(|mut first| {
            open.for_each(|it| first.join(it));
            first
        });
    }
}
