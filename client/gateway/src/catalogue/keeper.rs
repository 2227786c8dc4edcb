//! Keeps the catalogue level with the chain, and opens images for it. It works where the actor is, which stays in one task.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt, iter};
use pcim_client::{Actor, Error, MAX_INSTANCE_BYTES, Openable};
use pcim_core::ImageDigest;
use pcim_dicom::Listing;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::source::Whole;
use super::{Ask, Catalogue, Listed, Refusal, Source};
use crate::log::Log;
use crate::moment::asked;
use crate::settings::Settings;

/// Images that are looked at, and requests that are answered, at the same time.
const LOOKED_AT: usize = 4;
const ANSWERED: usize = 64;
/// Most images that stay open.
const OPEN_MAX: usize = 1024;
/// Most bytes of an image in memory that stays there.
const KEPT_MAX: usize = 256 << 20;
/// After a failure an image is looked at again so much later, twice as much after each further one up to the most.
const AGAIN: Duration = Duration::from_secs(10);
const AGAIN_MAX: Duration = Duration::from_secs(600);

/// What keeps a catalogue.
pub(crate) struct Keeper<'a> {
    actor: &'a Actor,
    catalogue: &'a Catalogue,
    log: &'a Log,
    /// From one look at the chain to the next.
    pause: Duration,
    /// Images that are open, each with the sealed root at which it was opened.
    open: Mutex<HashMap<ImageDigest, (ImageDigest, Source)>>,
    /// Images that could not be looked at: when they are looked at again, and how much later the next time.
    failed: Mutex<BTreeMap<ImageDigest, (Instant, Duration)>>,
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(
        actor: &'a Actor,
        catalogue: &'a Catalogue,
        log: &'a Log,
        settings: &Settings,
    ) -> Self {
        Self {
            actor,
            catalogue,
            log,
            pause: Duration::from_secs(settings.look_seconds),
            open: Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// Works until `stop` says true.
    pub(crate) async fn keep(&self, asks: mpsc::Receiver<Ask>, mut stop: watch::Receiver<bool>) {
        let looking = async {
            loop {
                self.look().await;
                tokio::time::sleep(self.pause).await;
            }
        };
        tokio::select! {
            () = asked(&mut stop) => {}
            () = looking => {}
            () = self.answer(asks) => {}
        }
    }

    /// Answers requests to open images, many at the same time.
    async fn answer(&self, mut asks: mpsc::Receiver<Ask>) {
        let mut work: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + '_>>> =
            FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(()) = work.next(), if !work.is_empty() => {}
                ask = asks.recv(), if work.len() < ANSWERED => {
                    let Some(ask) = ask else { return };
                    work.push(Box::pin(async move {
                        // One that asked and is gone needs no answer.
                        let _ = ask.reply.send(self.open(ask.image).await);
                    }));
                }
            }
        }
    }

    /// Looks which images may be opened, and lists those that are new.
    async fn look(&self) {
        let openable = match self.actor.unlocked().openable().await {
            Ok(openable) => openable,
            Err(error) => {
                self.log.event("catalogue_failed", &[("why", &error)]);
                return;
            }
        };
        let due = |it: &Openable| {
            let failed = lock(&self.failed);
            let again = failed.get(&it.image);
            again.is_none_or(|(again, _)| *again <= Instant::now())
        };
        let new: Vec<_> = self.catalogue.level(&openable);
        let new = iter(new.into_iter().filter(due));
        new.for_each_concurrent(LOOKED_AT, async |it| self.list(&it).await)
            .await;
    }

    /// Lists an image.
    async fn list(&self, image: &Openable) {
        let why = match self.describe(image.image).await {
            Ok(listed) => {
                lock(&self.failed).remove(&image.image);
                if self.catalogue.add(image, listed) {
                    self.log.event("listed", &[("image", &image.image)]);
                    return;
                }
                "its Study Instance UID is that of another patient's study".to_owned()
            }
            Err(refusal) => refusal.to_string(),
        };
        let mut failed = lock(&self.failed);
        let pause = failed.get(&image.image).map_or(AGAIN, |(_, pause)| *pause);
        let (again, next) = (Instant::now() + pause, AGAIN_MAX.min(2 * pause));
        failed.insert(image.image, (again, next));
        let fields: [(&str, &dyn std::fmt::Display); 2] = [("image", &image.image), ("why", &why)];
        self.log.event("not_listed", &fields);
    }

    async fn describe(&self, image: ImageDigest) -> Result<Listed, Refusal> {
        let failed = |error: pcim_dicom::Error| Refusal::Failed(error.to_string());
        match self.open(image).await? {
            Source::Study(opened) => {
                let index = opened.index();
                let manifest = opened.instance(index.instances() + 1).await?;
                let series = index.manifest().series.iter().map(|series| {
                    let files = series.instances.iter();
                    let pairs = files.map(|it| (&*it.sop_class_uid, &*it.sop_instance_uid));
                    (&*series.series_instance_uid, pairs.collect())
                });
                let series: Vec<_> = series.collect();
                let listing = Listing::of_manifest(&series, &manifest).map_err(failed)?;
                let numbered = index.manifest().files().zip(1..);
                let numbers =
                    numbered.map(|(file, number)| (file.sop_instance_uid.clone(), number));
                Ok(Listed {
                    listing,
                    numbers: numbers.collect(),
                })
            }
            Source::Whole(whole) => {
                let (mut listing, mut numbers) = (None::<Listing>, HashMap::new());
                for number in 1..=whole.files() {
                    let Some(file) = whole.file(number) else {
                        continue;
                    };
                    let one = Listing::of_file(file).map_err(failed)?;
                    numbers.extend(one.instances().into_iter().map(|it| (it.instance, number)));
                    match &mut listing {
                        None => listing = Some(one),
                        Some(all) if all.study_uid() == one.study_uid() => all.join(&one),
                        Some(_) => {
                            return Err(Refusal::Failed("it has several studies".to_owned()));
                        }
                    }
                }
                let listing = listing.ok_or(Refusal::Absent)?;
                Ok(Listed { listing, numbers })
            }
        }
    }

    /// Opens an image, if the chain authorizes this home now. One that is open already stays so for as long as its sealed root is
    /// the one that the chain names.
    async fn open(&self, image: ImageDigest) -> Result<Source, Refusal> {
        let actor = self.actor.unlocked();
        let root = match actor.root_to_open(&image).await {
            Ok((root, _)) => Some(root),
            // Opening decides whether it can be opened without the chain.
            Err(error) if error.is_silence() => None,
            Err(error) => {
                lock(&self.open).remove(&image);
                return Err(error.into());
            }
        };
        if let Some((known, source)) = lock(&self.open).get(&image)
            && root == Some(*known)
        {
            return Ok(source.clone());
        }
        let source = match actor.open_at_index(&image).await {
            Ok(opened) => Source::Study(Arc::new(opened)),
            Err(Error::NoIndex { .. }) => {
                let whole = actor
                    .open_whole_in_memory(&image, MAX_INSTANCE_BYTES)
                    .await?;
                let is_small = whole.len() <= KEPT_MAX;
                let source = Source::Whole(Arc::new(Whole::new(whole)?));
                if !is_small {
                    return Ok(source);
                }
                // One that is in memory whole gives way to the next.
                lock(&self.open).retain(|_, (_, it)| matches!(it, Source::Study(_)));
                source
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(root) = root {
            let mut open = lock(&self.open);
            if open.len() >= OPEN_MAX {
                open.clear();
            }
            open.insert(image, (root, source.clone()));
        }
        Ok(source)
    }
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
