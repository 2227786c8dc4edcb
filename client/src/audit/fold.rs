//! The tables of images and accesses: what entries come to, kept with them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Row, Statement, ToSql, Transaction, params};

use crate::audit::entry::Entry;
use crate::audit::error::Result;
use crate::audit::row::{self, signed, unsigned};
use crate::audit::state::{Grant, Image, Mark, State};
use pcim_core::{Address, B256, BlockDigest, GrantStatus, ImageDigest, Seal};

pub(super) const TABLES: &str = "
    CREATE TABLE image (
        image          BLOB NOT NULL UNIQUE CHECK (length(image) = 32),
        patient        BLOB NOT NULL CHECK (length(patient) = 20),
        radiologist    BLOB NOT NULL CHECK (length(radiologist) = 20),
        seal           BLOB NOT NULL CHECK (length(seal) = 32),
        description    TEXT NOT NULL,
        root           BLOB NOT NULL CHECK (length(root) = 32),
        approval_limit INTEGER NOT NULL,
        window_seconds INTEGER NOT NULL,
        registered_at  INTEGER NOT NULL,
        flags          INTEGER NOT NULL,
        round          INTEGER NOT NULL,
        of_version_2   INTEGER NOT NULL,
        block          INTEGER NOT NULL,
        log_index      INTEGER NOT NULL,
        time           INTEGER NOT NULL,
        tx             BLOB NOT NULL CHECK (length(tx) = 32)
    ) STRICT;
    CREATE INDEX image_patient ON image (patient);
    CREATE INDEX image_radiologist ON image (radiologist);

    CREATE TABLE access (
        image             BLOB NOT NULL CHECK (length(image) = 32),
        requester         BLOB NOT NULL CHECK (length(requester) = 20),
        status            INTEGER NOT NULL,
        requested_at      INTEGER NOT NULL,
        decided_at        INTEGER NOT NULL,
        expires_at        INTEGER NOT NULL,
        public_key        BLOB NOT NULL CHECK (length(public_key) = 32),
        shared_image      BLOB,
        notes             TEXT NOT NULL,
        reason            TEXT,
        traced_authorized INTEGER NOT NULL,
        traced_refused    INTEGER NOT NULL,
        block             INTEGER NOT NULL,
        log_index         INTEGER NOT NULL,
        time              INTEGER NOT NULL,
        tx                BLOB NOT NULL CHECK (length(tx) = 32),
        UNIQUE (image, requester)
    ) STRICT;
    CREATE INDEX access_status ON access (status, expires_at, image, requester);
    CREATE INDEX access_requester ON access (requester);
";

/// The columns that [`image`] reads.
pub(super) const IMAGE: &str = "image.image, image.patient, image.radiologist, image.seal, image.description,
    image.root, image.approval_limit, image.window_seconds, image.registered_at, image.flags, image.round,
    image.of_version_2, image.block, image.log_index, image.time, image.tx";
/// The columns that [`grant`] reads.
pub(super) const ACCESS: &str =
    "access.image, access.requester, access.status, access.requested_at,
    access.decided_at, access.expires_at, access.public_key, access.shared_image, access.notes,
    access.reason, access.traced_authorized, access.traced_refused, access.block, access.log_index,
    access.time, access.tx";

/// Applies entries to the rows. Of what the entries are about it reads what it needs, once.
pub(super) struct Rows<'a> {
    tx: &'a Transaction<'a>,
    find_image: Statement<'a>,
    find_request: Statement<'a>,
    state: State,
    images: BTreeSet<ImageDigest>,
    requests: BTreeSet<(ImageDigest, Address)>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(tx: &'a Transaction<'a>) -> Result<Self> {
        Ok(Self {
            tx,
            find_image: tx.prepare(&format!("SELECT {IMAGE} FROM image WHERE image = ?1"))?,
            find_request: tx.prepare(&format!(
                "SELECT {ACCESS} FROM access WHERE image = ?1 AND requester = ?2"
            ))?,
            state: State::default(),
            images: BTreeSet::new(),
            requests: BTreeSet::new(),
        })
    }

    /// An image, if it is registered.
    pub(super) fn image(&mut self, digest: &ImageDigest) -> Result<Option<&Image>> {
        if self.images.insert(*digest) {
            let known = self.find_image.query_row([digest.0], image).optional()?;
            self.state.images.extend(known.map(|it| (*digest, it)));
        }
        Ok(self.state.images.get(digest))
    }

    /// Applies the next entry.
    pub(super) fn apply(&mut self, entry: &Entry) -> Result<()> {
        if let Some(image) = entry.about.image {
            self.image(&image)?;
            if let Some(requestor) = entry.about.requestor
                && self.requests.insert((image, requestor))
                && let Some(known) = self.state.images.get_mut(&image)
            {
                let find = &mut self.find_request;
                let found = find.query_row(params![image.0, requestor.0.0], grant);
                known
                    .grants
                    .extend(found.optional()?.map(|it| (requestor, it)));
            }
        }
        self.state.apply(entry);
        Ok(())
    }

    /// Writes what became of it.
    pub(super) fn save(self) -> Result<()> {
        let mut write = self.tx.prepare(WRITE_IMAGE)?;
        for image in self.state.images.values() {
            write_image(&mut write, image)?;
        }
        let mut write = self.tx.prepare(WRITE_REQUEST)?;
        for (image, requestor) in &self.requests {
            let known = self.state.images.get(image);
            if let Some(grant) = known.and_then(|known| known.grants.get(requestor)) {
                write_request(&mut write, image, grant)?;
            }
        }
        Ok(())
    }
}

/// Makes the rows about some images again, of the entries that are left.
pub(super) fn rebuild(tx: &Transaction<'_>, images: &[[u8; 32]]) -> Result<()> {
    let mut no_requests = tx.prepare("DELETE FROM access WHERE image = ?1")?;
    let mut no_image = tx.prepare("DELETE FROM image WHERE image = ?1")?;
    let mut left = tx.prepare(&row::select("log.image = ?1 ORDER BY log.seq"))?;
    for image in images {
        no_requests.execute([image])?;
        no_image.execute([image])?;
        let mut fresh = Rows::new(tx)?;
        let mut rows = left.query([image])?;
        while let Some(row) = rows.next()? {
            fresh.apply(&row::entry(row)?)?;
        }
        fresh.save()?;
    }
    Ok(())
}

const WRITE_IMAGE: &str =
    "INSERT OR REPLACE INTO image (image, patient, radiologist, seal, description,
    root, approval_limit, window_seconds, registered_at, flags, round, of_version_2, block, log_index, time, tx)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
const WRITE_REQUEST: &str = "INSERT OR REPLACE INTO access (image, requester, status, requested_at,
    decided_at, expires_at, public_key, shared_image, notes, reason, traced_authorized, traced_refused,
    block, log_index, time, tx)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

fn write_image(statement: &mut Statement<'_>, image: &Image) -> Result<()> {
    let mark = mark_values(&image.registered)?;
    statement.execute(params![
        image.image.0,
        image.patient.0.0,
        image.radiologist.0.0,
        image.seal.0,
        image.description,
        image.root.0,
        image.approval_limit,
        image.window_seconds,
        signed("time", image.registered_at)?,
        image.flags,
        image.round,
        image.of_version_2,
        mark.0,
        mark.1,
        mark.2,
        image.registered.tx.0,
    ])?;
    Ok(())
}

fn write_request(statement: &mut Statement<'_>, image: &ImageDigest, grant: &Grant) -> Result<()> {
    let mark = mark_values(&grant.since)?;
    let shared = grant.shared_image.map(|shared| shared.0);
    let values: [&dyn ToSql; 16] = [
        &image.0,
        &grant.requestor.0.0,
        &(grant.status as i64),
        &signed("time", grant.requested_at)?,
        &signed("time", grant.decided_at)?,
        &grant.expires_at.cast_signed(),
        &grant.public_key.0,
        &shared,
        &grant.notes,
        &grant.reason,
        &signed("number", grant.traced_authorized)?,
        &signed("number", grant.traced_refused)?,
        &mark.0,
        &mark.1,
        &mark.2,
        &grant.since.tx.0,
    ];
    statement.execute(values)?;
    Ok(())
}

fn mark_values(mark: &Mark) -> Result<(i64, i64, i64)> {
    Ok((
        signed("block", mark.block)?,
        signed("log index", mark.log_index)?,
        signed("time", mark.timestamp)?,
    ))
}

/// Reads an entry's place from four columns.
fn mark(row: &Row<'_>, first: usize) -> rusqlite::Result<Mark> {
    Ok(Mark {
        block: unsigned(row, first)?,
        log_index: unsigned(row, first + 1)?,
        timestamp: unsigned(row, first + 2)?,
        tx: B256::from(row.get::<_, [u8; 32]>(first + 3)?),
    })
}

/// Reads a row of [`IMAGE`], without its requests.
pub(super) fn image(row: &Row<'_>) -> rusqlite::Result<Image> {
    let registered = mark(row, 12)?;
    Ok(Image {
        image: ImageDigest(row.get(0)?),
        patient: Address::from(row.get::<_, [u8; 20]>(1)?),
        radiologist: Address::from(row.get::<_, [u8; 20]>(2)?),
        seal: Seal(row.get(3)?),
        description: row.get(4)?,
        root: ImageDigest(row.get(5)?),
        approval_limit: row.get(6)?,
        window_seconds: row.get(7)?,
        registered_at: unsigned(row, 8)?,
        flags: row.get(9)?,
        round: row.get(10)?,
        of_version_2: row.get(11)?,
        registered,
        grants: BTreeMap::new(),
    })
}

/// Reads a row of [`ACCESS`].
pub(super) fn grant(row: &Row<'_>) -> rusqlite::Result<Grant> {
    let status = GrantStatus::of(row.get(2)?);
    Ok(Grant {
        requestor: Address::from(row.get::<_, [u8; 20]>(1)?),
        status: status.ok_or(rusqlite::Error::IntegralValueOutOfRange(2, row.get(2)?))?,
        requested_at: unsigned(row, 3)?,
        decided_at: unsigned(row, 4)?,
        expires_at: row.get::<_, i64>(5)?.cast_unsigned(),
        public_key: BlockDigest(row.get(6)?),
        shared_image: row.get::<_, Option<[u8; 32]>>(7)?.map(ImageDigest),
        notes: row.get(8)?,
        reason: row.get(9)?,
        traced_authorized: unsigned(row, 10)?,
        traced_refused: unsigned(row, 11)?,
        since: mark(row, 12)?,
    })
}
