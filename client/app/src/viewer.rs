//! An own image, opened to be looked at: instances are fetched one at a time, and frames become pictures. Decoding takes the
//! thread that asks for it.

use std::sync::Arc;

use pcim_client::{Actor, Error, Opened};
use pcim_core::ImageDigest;
use pcim_dicom::view::{self, Image, Window};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::failure::{Failure, Result};

/// Most bytes of an image that can only be opened whole.
const MAX_BYTES: u64 = 1 << 30;

/// An image that is looked at.
pub(crate) struct Look {
    pub(crate) image: ImageDigest,
    source: Source,
    instances: usize,
    /// The instance that was shown last.
    held: Mutex<Option<(usize, Arc<Image>)>>,
}

enum Source {
    /// By its index, instance by instance.
    Index(Box<Opened>),
    /// Whole, as images without an index are.
    Whole(Zeroizing<Vec<u8>>),
}

impl Look {
    /// Opens one of the patient's own images.
    pub(crate) async fn open(actor: &Actor, image: &ImageDigest) -> Result<Self> {
        let unlocked = actor.unlocked();
        let (source, instances) = match unlocked.open_at_index(image).await {
            Ok(opened) if opened.patient() != actor.patient_address() => {
                return Err(Failure::NotHers);
            }
            Ok(opened) => {
                let instances = opened.index().manifest().files().count();
                (Source::Index(Box::new(opened)), instances)
            }
            Err(Error::NoIndex { .. }) => {
                let payload = unlocked.open_whole_in_memory(image, MAX_BYTES).await?;
                let instances = view::instances(&payload)?.len();
                (Source::Whole(payload), instances)
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            image: *image,
            source,
            instances,
            held: Mutex::new(None),
        })
    }

    /// How many instances it has.
    pub(crate) fn instances(&self) -> usize {
        self.instances
    }

    /// An instance, by its number from 1.
    pub(crate) async fn instance(&self, number: usize) -> Result<Arc<Image>> {
        let mut held = self.held.lock().await;
        if let Some((known, image)) = held.as_ref()
            && *known == number
        {
            return Ok(Arc::clone(image));
        }
        if number == 0 || number > self.instances {
            return Err(Failure::NoPage);
        }
        let image = match &self.source {
            Source::Index(opened) => {
                let bytes = opened.instance(number).await?;
                opened.fetch_ahead(number + 1);
                Image::read(&bytes)?
            }
            Source::Whole(payload) => {
                let files = view::instances(payload)?;
                let file = files.get(number - 1).ok_or(view::Error::NoImage)?;
                Image::read(file)?
            }
        };
        let image = Arc::new(image);
        *held = Some((number, Arc::clone(&image)));
        Ok(image)
    }

    /// A frame as a PNG; both numbers count from 1.
    pub(crate) async fn picture(
        &self,
        number: usize,
        frame: usize,
        window: Option<Window>,
    ) -> Result<Vec<u8>> {
        let image = self.instance(number).await?;
        if frame == 0 || frame > image.frames() {
            return Err(Failure::NoPage);
        }
        Ok(image.render(frame - 1, window)?.png())
    }
}
