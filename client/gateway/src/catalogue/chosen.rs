//! The instances of a request, each read into memory as it is needed.

use std::collections::HashMap;
use std::sync::Arc;

use pcim_core::ImageDigest;
use pcim_dicom::web::Instance;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::{Catalogue, Member, Refusal, Scope, Source};

/// The instances of a request, and their images, open.
#[derive(Default)]
pub(crate) struct Chosen {
    pub(crate) members: Vec<Member>,
    pub(crate) sources: HashMap<ImageDigest, Source>,
}

/// An instance in memory, and the room that it takes there.
pub(crate) struct Held {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Chosen {
    /// Finds what an address names, as [`of_all`](Self::of_all).
    pub(crate) async fn of(catalogue: &Catalogue, scope: Scope<'_>) -> Result<Self, Refusal> {
        Self::of_all(catalogue, &[scope]).await
    }

    /// Finds what is named, and asks the chain for each image whether it may be opened now.
    pub(crate) async fn of_all(
        catalogue: &Catalogue,
        scopes: &[Scope<'_>],
    ) -> Result<Self, Refusal> {
        let members = scopes.iter().flat_map(|scope| catalogue.members(*scope));
        let mut members: Vec<Member> = members.collect();
        let (mut sources, mut refusal) = (HashMap::new(), Refusal::Absent);
        let mut images: Vec<_> = members.iter().map(|it| it.slot.image).collect();
        images.dedup();
        for image in images {
            if sources.contains_key(&image) {
                continue;
            }
            match catalogue.open(image).await {
                Ok(source) => _ = sources.insert(image, source),
                Err(why) => refusal = why,
            }
        }
        members.retain(|it| sources.contains_key(&it.slot.image));
        match members.is_empty() {
            true => Err(refusal),
            false => Ok(Self { members, sources }),
        }
    }

    /// Reads an instance.
    pub(crate) async fn read(&self, catalogue: &Catalogue, at: usize) -> Result<Held, Refusal> {
        let slot = self.members.get(at).ok_or(Refusal::Absent)?.slot;
        let source = self.sources.get(&slot.image).ok_or(Refusal::Absent)?;
        let room = catalogue.room_for(source.bytes(slot.number)).await;
        let bytes = source.instance(slot.number).await?;
        Ok(Held { bytes, _room: room })
    }

    /// Begins to fetch the instance behind this one.
    pub(crate) fn fetch_ahead(&self, at: usize) {
        let next = self.members.get(at + 1).map(|it| it.slot);
        if let Some(next) = next
            && let Some(source) = self.sources.get(&next.image)
        {
            source.fetch_ahead(next.number);
        }
    }

    /// Reads the first instance, unless it was read a moment ago.
    pub(crate) async fn first(&self, catalogue: &Catalogue) -> Result<Arc<Instance>, Refusal> {
        let slot = self.members.first().ok_or(Refusal::Absent)?.slot;
        if let Some(instance) = catalogue.recent(slot) {
            return Ok(instance);
        }
        let held = self.read(catalogue, 0).await?;
        let bytes = held.bytes.len();
        let instance = Arc::new(apart(move || Instance::read(&held.bytes)).await?);
        catalogue.remember(slot, &instance, bytes);
        Ok(instance)
    }
}

/// Does what takes long apart from the threads that answer.
pub(crate) async fn apart<T: Send + 'static, E: Into<Refusal> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Refusal> {
    let failed = |error: tokio::task::JoinError| Refusal::Failed(error.to_string());
    spawn_blocking(work)
        .await
        .map_err(failed)?
        .map_err(Into::into)
}

impl From<pcim_dicom::Error> for Refusal {
    fn from(error: pcim_dicom::Error) -> Self {
        match error {
            pcim_dicom::Error::NoSuchFrame { .. } | pcim_dicom::Error::Missing { .. } => {
                Self::Absent
            }
            pcim_dicom::Error::TooLarge { .. } | pcim_dicom::Error::TooManyPixels { .. } => {
                Self::TooLarge(error.to_string())
            }
            _ => Self::Failed(error.to_string()),
        }
    }
}
