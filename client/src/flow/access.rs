//! Opening an image at its index: one instance is fetched, decrypted and verified without the rest.
//!
//! The bytes at the body's end are the signature that was attested; it names the index, and the index the SHA-256 of each
//! instance. So an instance that is read is what the radiologist sealed. That the image as a whole is as it was signed is
//! known by opening all of it, and by nothing less.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::flow::opening::{Memory, check_seal_of};
use crate::flow::pipeline::in_time;
use crate::study;
use crate::study::index::StudyIndex;
use crate::unlocked::Unlocked;
use pcim_core::{Address, ImageDigest, Seal, pipe};
use pcim_node::{BodyAt, Node, Root};
use pcim_seal::{Parts, Ranges, SessionKey, UnlockedKey};

/// Most bytes of an instance that is read into memory.
pub const MAX_INSTANCE_BYTES: u64 = 1 << 30;

/// Bytes at a body's start and at its end that are fetched at once: the index of most studies, and the signature.
const ENDS: u64 = 1 << 20;

/// An image that is open at its index.
pub struct Opened {
    parts: Arc<Parts<Source>>,
    index: StudyIndex,
    origin: Origin,
}

/// An image's origin, as the chain has it.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The image.
    pub image: ImageDigest,
    /// The patient who registered it.
    pub patient: Address,
    /// The radiologist who attested it.
    pub radiologist: Address,
    /// The seal that was attested.
    pub seal: Seal,
}

/// The body, from here or from peers.
struct Source {
    at: BodyAt,
    total: Duration,
}

impl Ranges for Source {
    fn length(&self) -> u64 {
        self.at.length()
    }

    fn range(&self, bytes: Range<u64>) -> io::Result<Box<dyn Read + '_>> {
        let stream = self.at.read(bytes).map_err(io::Error::other)?;
        Ok(Box::new(pipe::reader(in_time(stream, self.total))))
    }
}

impl Unlocked<'_> {
    /// Finds the sealed root of an image that this home may open now, and the image's owner: its own root, or the one that it was
    /// approved with.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`], [`Error::UnknownImage`].
    pub async fn root_to_open(&self, image: &ImageDigest) -> Result<(ImageDigest, Address)> {
        let patient = self.record(image).await?.patient;
        match patient == self.patient_address() {
            true => Ok((self.patient().own_root(image).await?, patient)),
            false => self.requestor().granted(image).await,
        }
    }

    /// Opens an image at its index, if it is this home's own or the chain authorizes this home now. Fetched are the root and the
    /// two ends of its body, and no more.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`] before anything is fetched; [`Error::NoIndex`] for an image that can only be opened whole;
    /// [`Error::SealMismatch`], [`Error::Study`], [`Error::Seal`] for one that is not as it was attested.
    pub async fn open_at_index(&self, image: &ImageDigest) -> Result<Opened> {
        let (root, patient, radiologist, seal) = match self.root_to_open(image).await {
            Ok((root, patient)) => {
                let attested = self.attested(image).await?;
                (root, patient, attested.radiologist, attested.seal)
            }
            Err(silent) if silent.is_silence() => {
                let (root, known) = self.remembered(image, silent)?;
                (root, known.patient, known.radiologist, known.seal)
            }
            Err(error) => return Err(error),
        };
        let origin = Origin {
            image: *image,
            patient,
            radiologist,
            seal,
        };
        self.open_attested_at_index(&root, origin).await
    }

    /// Opens a sealed root that was attested at its index.
    async fn open_attested_at_index(&self, root: &ImageDigest, origin: Origin) -> Result<Opened> {
        let node = self.node().await?;
        let root = node.get_root(root, self.limits.fetch).await?;
        let (found, max) = (root.body.file_size, self.limits.body_bytes);
        if found > max {
            return Err(Error::BodyTooLarge { found, max });
        }
        let limits = (self.limits.fetch, self.limits.total);
        Opened::open(node, &root, &self.keys.openpgp, origin, limits).await
    }
}

/// Opens the ends of a body. One of version 1, or laid out in a way of its own, is not read in parts.
fn parts(source: Source, key: &SessionKey, image: ImageDigest) -> Result<Parts<Source>> {
    let length = source.length();
    for end in [0..ENDS, length.saturating_sub(ENDS)..length] {
        source.at.fetch_ahead(end);
    }
    Parts::open(source, key).map_err(|error| match error {
        pcim_seal::Error::Structure { .. } => Error::NoIndex { image },
        other => other.into(),
    })
}

fn index(parts: &Parts<Source>, image: ImageDigest) -> Result<StudyIndex> {
    let wanted = parts.claims().index.ok_or(Error::NoIndex { image })?;
    let mut read = |range: Range<u64>| {
        let mut bytes = Vec::with_capacity((range.end - range.start) as usize);
        parts.read(range, &mut bytes)?;
        Ok(bytes)
    };
    StudyIndex::read(
        parts.payload_len(),
        wanted,
        &mut read,
        |index, signature| Ok(pcim_seal::verify_index(index, signature, parts.signer())?),
    )
}

impl Unlocked<'_> {
    /// Opens an image in memory, at most `max` bytes of it, if it is this home's own or the chain authorizes this home now. The
    /// result was verified, and is what the radiologist attested.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`] before anything is fetched; [`Error::BodyTooLarge`]; those of opening.
    pub async fn open_whole_in_memory(
        &self,
        image: &ImageDigest,
        max: u64,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let (root, seal) = match self.root_to_open(image).await {
            Ok((root, _)) => (root, self.attested(image).await?.seal),
            Err(silent) if silent.is_silence() => {
                let (root, known) = self.remembered(image, silent)?;
                (root, known.seal)
            }
            Err(error) => return Err(error),
        };
        self.open_sealed_in_memory(&root, seal, max).await
    }
}

impl Opened {
    /// Opens a sealed root of a reader at its index: fetches the two ends of its body. The limits are for how long nothing may come
    /// from peers, and for the whole of a range.
    ///
    /// # Errors
    /// Those of [`open_at_index`](Unlocked::open_at_index), but for those of the chain.
    pub async fn open(
        node: &Node,
        root: &Root,
        reader: &UnlockedKey,
        origin: Origin,
        (stall, total): (Duration, Duration),
    ) -> Result<Self> {
        let (key, _) = pcim_seal::unwrap_header(&root.header, reader)?;
        let at = node.body_at(&root.body, stall).await?;
        let source = Source { at, total };
        let opening = spawn_blocking(move || {
            let parts = parts(source, &key, origin.image)?;
            check_seal_of(origin.seal, parts.seal())?;
            let index = index(&parts, origin.image)?;
            Ok::<_, Error>((Arc::new(parts), index))
        });
        let (parts, index) = opening.await??;
        Ok(Self {
            parts,
            index,
            origin,
        })
    }

    /// Returns the index, which was verified.
    #[must_use]
    pub fn index(&self) -> &StudyIndex {
        &self.index
    }

    /// Returns the patient who registered the image.
    #[must_use]
    pub fn patient(&self) -> Address {
        self.origin.patient
    }

    /// Returns the radiologist who attested it.
    #[must_use]
    pub fn radiologist(&self) -> Address {
        self.origin.radiologist
    }

    /// Returns the fingerprint of the certificate that signed it.
    #[must_use]
    pub fn signer(&self) -> String {
        self.parts.signer().fingerprint()
    }

    /// Fetches, decrypts and verifies one instance, by its number in the [`index`](Self::index), without the rest of the image.
    ///
    /// # Errors
    /// [`Error::NoInstance`], [`Error::InstanceTooLarge`]; [`Error::Study`] if it is not the one of the index; those of fetching
    /// and decrypting.
    pub async fn instance(&self, number: usize) -> Result<Zeroizing<Vec<u8>>> {
        let (found, max) = (self.file(number)?.bytes, MAX_INSTANCE_BYTES);
        if found > max {
            return Err(Error::InstanceTooLarge { number, found, max });
        }
        let sink = Memory::of(found as usize);
        Ok(self.instance_into(number, sink).await?.into_inner())
    }

    /// Fetches, decrypts and verifies one instance into `sink`. On an error `sink` is dropped with what was written.
    ///
    /// # Errors
    /// Those of [`instance`](Self::instance), and of `sink`.
    pub async fn instance_into<W: Write + Send + 'static>(
        &self,
        number: usize,
        sink: W,
    ) -> Result<W> {
        let file = self.file(number)?;
        let (place, wanted) = (self.index.place(file), file.sha256.clone());
        let parts = Arc::clone(&self.parts);
        let reading = spawn_blocking(move || {
            let mut hashed = Hashed(sink, Sha256::new());
            parts.read(place, &mut hashed)?;
            let Hashed(mut sink, hash) = hashed;
            if hex::encode(hash.finalize()) != wanted {
                let why = "an instance is another one than its index says";
                return Err(study::Error::Damaged { why }.into());
            }
            sink.flush().map_err(pcim_seal::Error::Write)?;
            Ok(sink)
        });
        reading.await?
    }

    /// Begins to fetch an instance that is likely to be read next, in the background.
    pub fn fetch_ahead(&self, number: usize) {
        if let Some(file) = self.index.file(number) {
            let body = self.parts.body_range(self.index.place(file));
            self.parts.source().at.fetch_ahead(body);
        }
    }

    fn file(&self, number: usize) -> Result<&study::manifest::File> {
        self.index.file(number).ok_or_else(|| Error::NoInstance {
            image: self.origin.image,
            wanted: format!("instance {number}"),
            found: self.index.instances(),
        })
    }
}

/// A sink whose bytes are hashed on their way.
struct Hashed<W>(W, Sha256);

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.0.write(bytes)?;
        self.1.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests;
