//! The open home behind all pages: its actor, the names that its owner gave, the image that is looked at.

use std::sync::Arc;

use pcim_client::audit::report::{Contacts, Right, rights};
use pcim_client::{Actor, ChainStory, OwnImage};
use pcim_core::date::now;
use pcim_core::{Address, ImageDigest};
use tokio::sync::Mutex;

use crate::failure::{Failure, Result};
use crate::viewer::Look;

/// The open home.
pub(crate) struct House {
    pub(crate) actor: Actor,
    pub(crate) contacts: Contacts,
    /// The image that was looked at last, opened.
    pub(crate) look: Mutex<Option<Arc<Look>>>,
}

/// An image of the patient's own, and what the chain says of it.
pub(crate) struct Shown {
    pub(crate) image: OwnImage,
    /// Who may open it now.
    pub(crate) readers: Vec<Reader>,
}

/// A requestor who may open an image.
#[derive(Clone, Copy)]
pub(crate) struct Reader {
    pub(crate) requestor: Address,
    /// Unix seconds; `None` is without end.
    pub(crate) until: Option<u64>,
}

impl House {
    pub(crate) fn new(actor: Actor, contacts: Contacts) -> Self {
        Self {
            actor,
            contacts,
            look: Mutex::new(None),
        }
    }

    /// Forgets the keys, and stops the node if it was started here.
    pub(crate) async fn close(self) {
        self.actor.shutdown().await;
    }

    /// Does work of the home on a thread of its own, as its futures stay on the thread where they began.
    pub(crate) async fn work<T, F>(
        self: &Arc<Self>,
        deed: impl FnOnce(Arc<Self>) -> F + Send + 'static,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>>,
    {
        let house = Arc::clone(self);
        let runtime = tokio::runtime::Handle::current();
        let done = tokio::task::spawn_blocking(move || runtime.block_on(deed(house)));
        done.await.map_err(|_| Failure::Thread)?
    }

    /// The name that the owner gave to an address, else the address.
    pub(crate) fn who(&self, address: Address) -> String {
        let name = self.contacts.name(address).map(str::to_owned);
        name.unwrap_or_else(|| address.to_string())
    }

    /// The patient's images with those who may open each, the newest first, and what was read for it.
    pub(crate) async fn images(&self) -> Result<(Vec<Shown>, ChainStory)> {
        let auditor = self.actor.auditor();
        let (mut images, story) = (auditor.images().await?, auditor.chain_story().await?);
        images.sort_by_key(|image| std::cmp::Reverse(image.registered_at));
        let (rights, now) = (rights(&story.events), now());
        let shown = images.into_iter().map(|image| Shown {
            readers: readers(&rights, &image.image, now),
            image,
        });
        Ok((shown.collect(), story))
    }

    /// One of the patient's images.
    pub(crate) async fn image(self: &Arc<Self>, image: ImageDigest) -> Result<(Shown, ChainStory)> {
        let read = async |house: Arc<Self>| house.images().await;
        let (images, story) = self.work(read).await?;
        let found = images.into_iter().find(|it| it.image.image == image);
        Ok((found.ok_or(Failure::NotHers)?, story))
    }
}

fn readers(rights: &[Right<'_>], image: &ImageDigest, now: u64) -> Vec<Reader> {
    let open = rights
        .iter()
        .filter(|right| right.image == *image && right.is_open(now));
    open.map(|right| Reader {
        requestor: right.requestor,
        until: right.ends(),
    })
    .collect()
}
