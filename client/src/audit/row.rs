//! Rows of the index's tables, and what they say.

use alloy_primitives::Bytes;
use rusqlite::Row;

use crate::audit::entry::{Entry, UnknownLog, What};
use crate::audit::error::{Error, Result};
use pcim_core::{About, Address, B256, ImageDigest};
use pcim_ledger::decode_event;

/// Most bytes of a log's data that are kept; the contract's own logs have less than 1 KiB.
pub(super) const MAX_DATA: usize = 128 * 1024;

/// Entries that fit a condition on `log`, as [`entry`] reads them.
pub(super) fn select(condition: &str) -> String {
    format!(
        "SELECT log.block, block.hash, log.time, raw.tx, log.log_index, raw.topics, raw.data, log.image,
            log.patient, log.requester, log.radiologist
         FROM log JOIN raw ON raw.seq = log.seq JOIN block ON block.number = log.block
         WHERE {condition}"
    )
}

/// Reads a row of [`select`].
pub(super) fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let topics: Vec<B256> = row
        .get_ref(5)?
        .as_blob()?
        .chunks_exact(32)
        .map(B256::from_slice)
        .collect();
    let data = row.get_ref(6)?.as_blob()?;
    let image: Option<[u8; 32]> = row.get(7)?;
    Ok(Entry {
        block: unsigned(row, 0)?,
        block_hash: B256::from(row.get::<_, [u8; 32]>(1)?),
        timestamp: unsigned(row, 2)?,
        tx: B256::from(row.get::<_, [u8; 32]>(3)?),
        log_index: unsigned(row, 4)?,
        about: About {
            image: image.map(ImageDigest),
            patient: address(row, 8)?,
            requestor: address(row, 9)?,
            radiologist: address(row, 10)?,
        },
        what: read(&topics, data),
    })
}

/// Reads a log, as far as it is understood.
pub(super) fn read(topics: &[B256], data: &[u8]) -> What {
    let reason = match decode_event(topics, data) {
        Ok(Some(event)) => return What::Event(event),
        Ok(None) => None,
        Err(reason) => Some(reason),
    };
    What::Unknown {
        unknown: UnknownLog {
            topics: topics.to_vec(),
            data: Bytes::copy_from_slice(&data[..data.len().min(MAX_DATA)]),
            reason,
        },
    }
}

fn address(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Address>> {
    Ok(row.get::<_, Option<[u8; 20]>>(column)?.map(Address::from))
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// SQLite's integers are signed.
pub(super) fn signed(what: &'static str, value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::TooLarge { what, value })
}
