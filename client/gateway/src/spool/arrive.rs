//! An object on its way in: looked at as soon as its identifiers are there, encrypted as it comes, acknowledged when it is
//! on the disk to stay.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use pcim_core::private;
use pcim_dicom::arrival::{Arrival, START_MAX, file_start, is_whole};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use super::commit::{Record, record};
use super::index::Claim;
use super::kept::{Department, Description};
use super::segment::{HEAD, Lengths};
use super::{Refused, Spool};
use crate::error::{Error, Result as Fallible};
use crate::moment::now;

/// Bytes of a data set up to which an object is encrypted in memory; larger ones go into a file of their own as they come.
const SMALL: usize = START_MAX;
/// How far into a data set its identifiers are looked for at first; four times as far each time.
const FIRST_LOOK: usize = 4 << 10;
/// Pieces under way to the thread that encrypts.
const DEPTH: usize = 4;

/// How an object is announced.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The sender: its AE title, or the name of its token.
    pub(crate) sender: String,
    /// SOP Class UID; none if nothing but the data set says it.
    pub(crate) class: Option<String>,
    /// SOP Instance UID; none if nothing but the data set says it.
    pub(crate) instance: Option<String>,
    /// Study Instance UID; none if nothing but the data set says it.
    pub(crate) study: Option<String>,
    /// Transfer syntax.
    pub(crate) syntax: String,
}

/// How an object was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is in the spool now.
    New,
    /// It is in the spool already, or was sealed from it.
    Known,
}

/// An object on its way in.
pub(crate) struct Arriving {
    spool: Arc<Spool>,
    origin: Origin,
    /// The start of its data set; all of it of a small one.
    start: Zeroizing<Vec<u8>>,
    next_look: usize,
    arrival: Option<Arrival>,
    hash: Sha256,
    bytes: u64,
    large: Option<Large>,
}

/// A large object's way into its file.
struct Large {
    pieces: mpsc::Sender<Piece>,
    sealing: JoinHandle<Fallible<Written>>,
    path: PathBuf,
    _place: OwnedSemaphorePermit,
}

/// A large object in its file, without its description.
struct Written {
    file: File,
    lengths: Lengths,
    crc: u32,
}

enum Piece {
    Bytes(Bytes),
    End,
}

impl Spool {
    /// Begins to take an object, if there is room for it.
    pub(crate) fn begin(self: &Arc<Self>, origin: Origin) -> Result<Arriving, Refused> {
        match self.has_room() {
            true => Ok(Arriving::new(Arc::clone(self), origin)),
            false => Err(Refused::Full),
        }
    }
}

impl Arriving {
    fn new(spool: Arc<Spool>, origin: Origin) -> Self {
        Self {
            spool,
            origin,
            start: Zeroizing::new(Vec::with_capacity(FIRST_LOOK)),
            next_look: FIRST_LOOK,
            arrival: None,
            hash: Sha256::new(),
            bytes: 0,
            large: None,
        }
    }

    /// Its identifiers, once they are known.
    pub(crate) fn arrival(&self) -> Option<&Arrival> {
        self.arrival.as_ref()
    }

    /// Takes more of its data set.
    pub(crate) async fn push(&mut self, piece: &[u8]) -> Result<(), Refused> {
        self.bytes += piece.len() as u64;
        if self.bytes > self.spool.limits.object_bytes {
            let max = self.spool.limits.object_bytes;
            return Err(Refused::TooLarge { max });
        }
        self.hash.update(piece);
        if let Some(large) = &self.large {
            return large
                .send(Piece::Bytes(Bytes::copy_from_slice(piece)))
                .await;
        }
        grow(&mut self.start, piece);
        if self.arrival.is_none() && self.start.len() >= self.next_look {
            self.next_look *= 4;
            self.look(false)?;
        }
        if self.start.len() > SMALL {
            self.look(false)?;
            if self.arrival.is_none() {
                return Err(Refused::NotUnderstood(
                    "its identifiers do not stand at its start",
                ));
            }
            self.begin_large().await?;
        }
        Ok(())
    }

    /// Looks for the identifiers, and compares them with what was announced.
    fn look(&mut self, whole: bool) -> Result<(), Refused> {
        if self.arrival.is_some() {
            return Ok(());
        }
        let found = Arrival::of(&self.start, &self.origin.syntax, whole);
        let Some(found) = found.map_err(|error| Refused::of(&error))? else {
            return Ok(());
        };
        let differs = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_some_and(|wanted| wanted != found)
        };
        let origin = &self.origin;
        if differs(&origin.class, &found.class)
            || differs(&origin.instance, &found.instance)
            || differs(&origin.study, &found.study)
        {
            return Err(Refused::Mismatch);
        }
        self.arrival = Some(found);
        Ok(())
    }

    fn file_start(&self, arrival: &Arrival) -> Vec<u8> {
        let Origin { syntax, sender, .. } = &self.origin;
        file_start(&arrival.class, &arrival.instance, syntax, sender)
    }

    /// Ends the object: returns once it is on the disk to stay, or why it is refused.
    pub(crate) async fn end(mut self) -> Result<(Taken, Arrival), Refused> {
        self.look(true)?;
        if self.large.is_none() && !is_whole(&self.start, &self.origin.syntax) {
            return Err(Refused::NotUnderstood("the data set is cut or malformed"));
        }
        let none = || Refused::NotUnderstood("it has no identifiers");
        let arrival = self.arrival.clone().ok_or_else(none)?;
        let sha256: [u8; 32] = self.hash.finalize_reset().into();
        let spool = Arc::clone(&self.spool);
        // One that arrives a second time meanwhile waits for the first.
        let claimed = loop {
            match spool
                .index
                .claim(&arrival, &self.origin.sender, sha256, now())
            {
                Claim::New(claimed) => break claimed,
                Claim::Known => return Ok((Taken::Known, arrival)),
                Claim::Wait(changed) => changed.await,
                Claim::Other { study } => return Err(self.conflict(study, &arrival).await),
            }
        };
        let description = Description {
            study: claimed.study(),
            at: now(),
            sender: self.origin.sender.clone(),
            syntax: self.origin.syntax.clone(),
            sha256: hex::encode(sha256),
            bytes: self.bytes,
            arrival: arrival.clone(),
        };
        let record = match self.large.take() {
            Some(large) => large.end(&spool.department, &description).await,
            None => {
                let start = self.file_start(&arrival);
                let department = spool.department.clone();
                let data = std::mem::take(&mut self.start);
                let described = description.clone();
                let sealing = tokio::task::spawn_blocking(move || {
                    small(&department, &start, &data, &described)
                });
                sealing.await.map_err(Error::from).and_then(|sealed| sealed)
            }
        };
        let record = record.map_err(Refused::failed)?;
        let place = spool.committer.write(record).await.map_err(Refused::io)?;
        claimed.kept(place, &description);
        Ok((Taken::New, arrival))
    }

    async fn conflict(&self, study: Option<u64>, arrival: &Arrival) -> Refused {
        if let Some(study) = study
            && let Err(error) = self.spool.mark_conflict(study, &arrival.instance).await
        {
            return Refused::failed(error);
        }
        Refused::Duplicate
    }

    async fn begin_large(&mut self) -> Result<(), Refused> {
        let spool = &self.spool;
        let place = Arc::clone(&spool.streams).acquire_owned().await;
        let place = place.map_err(|_| Refused::Stopping)?;
        let arrival = self.arrival.as_ref().ok_or(Refused::Mismatch)?;
        let path = spool.part_path();
        let (pieces, waiting) = mpsc::channel(DEPTH);
        let department = spool.department.clone();
        let target = path.clone();
        let sealing = tokio::task::spawn_blocking(move || {
            let sealed = large(&department, waiting, &target);
            if sealed.is_err() {
                // What is left of it is deleted at the next start at the latest.
                let _ = fs::remove_file(&target);
            }
            sealed
        });
        let started = Large {
            pieces,
            sealing,
            path,
            _place: place,
        };
        started
            .send(Piece::Bytes(self.file_start(arrival).into()))
            .await?;
        let start = std::mem::take(&mut self.start);
        started
            .send(Piece::Bytes(Bytes::copy_from_slice(&start)))
            .await?;
        self.large = Some(started);
        Ok(())
    }
}

/// Appends to a buffer, which leaves no copy behind when it moves.
fn grow(buffer: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    let wanted = buffer.len() + piece.len();
    if wanted > buffer.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(wanted.max(buffer.capacity() * 2)));
        larger.extend_from_slice(buffer);
        *buffer = larger;
    }
    buffer.extend_from_slice(piece);
}

fn small(
    department: &Department,
    start: &[u8],
    data: &[u8],
    description: &Description,
) -> Fallible<Record> {
    let mut body = Vec::with_capacity(start.len() + data.len() + 4096);
    let header = department.seal(&mut start.chain(data), &mut body)?;
    let about = department.encrypt(description)?;
    let (bytes, lengths) = record(&body, &header, &about);
    Ok(Record::Bytes(bytes, lengths))
}

fn large(
    department: &Department,
    pieces: mpsc::Receiver<Piece>,
    path: &std::path::Path,
) -> Fallible<Written> {
    let mut file = private::create_new(path).map_err(Error::file(path))?;
    file.write_all(&[0; HEAD]).map_err(Error::file(path))?;
    let mut body = Counted {
        file,
        bytes: 0,
        crc: crc32fast::Hasher::new(),
    };
    let header = department.seal(&mut Pieces::new(pieces), &mut body)?;
    let lengths = Lengths {
        body: body.bytes,
        header: header.len() as u32,
        about: 0,
    };
    body.write_all(&header).map_err(Error::file(path))?;
    Ok(Written {
        file: body.file,
        lengths,
        crc: body.crc.finalize(),
    })
}

impl Large {
    /// Hands a piece over; waits while the disk is slower than the sender.
    async fn send(&self, piece: Piece) -> Result<(), Refused> {
        let sent = self.pieces.send(piece).await;
        sent.map_err(|_| Refused::Failed("it could not be written".to_owned()))
    }

    async fn end(self, department: &Department, description: &Description) -> Fallible<Record> {
        // A thread that stopped has an error to tell.
        let _ = self.pieces.send(Piece::End).await;
        drop(self.pieces);
        let Written {
            mut file,
            mut lengths,
            crc,
        } = self.sealing.await??;
        let about = department.encrypt(description)?;
        lengths.about = about.len() as u32;
        let mut hasher =
            crc32fast::Hasher::new_with_initial_len(crc, lengths.body + u64::from(lengths.header));
        hasher.update(&about);
        file.write_all(&about).map_err(Error::file(&self.path))?;
        Ok(Record::Large {
            file,
            path: self.path,
            lengths,
            crc: hasher.finalize(),
        })
    }
}

/// Counts and sums what passes into a file.
struct Counted {
    file: File,
    bytes: u64,
    crc: crc32fast::Hasher,
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.bytes += written as u64;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The pieces of an object, read by the thread that encrypts. A sender that goes without an end is an error.
struct Pieces {
    waiting: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl Pieces {
    fn new(waiting: mpsc::Receiver<Piece>) -> Self {
        Self {
            waiting,
            current: Bytes::new(),
            ended: false,
        }
    }
}

impl Read for Pieces {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.waiting.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let length = out.len().min(self.current.len());
        out[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}
