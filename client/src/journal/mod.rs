//! SQLite: operations in flight, what this home has sealed or registered, and an index of events.
//! The only place that names `rusqlite`. Holds no secrets and no patient data in clear.

use std::path::Path;

use crate::domain::ImageDigest;
use crate::domain::LoggedEvent;

/// One actor's journal.
pub struct Journal(());

/// An operation in flight. `key` says what it does (e.g. `approve:<image>:<requester>`), so that a retry finds it.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: i64,
    pub key: String,
    /** the SignedCall, JSON */
    pub signed_call: Option<String>,
    pub done: bool,
}
/// An image this home knows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KnownImage {
    pub image: ImageDigest,
    pub body: String,
    pub body_size: u64,
    pub dag_size: u64,
    pub description: String,
    /** hex address */
    pub patient: String,
    /** sealed | registered | fetched */
    pub role: String,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("placeholder")]
    Placeholder,
}
pub type Result<T> = std::result::Result<T, Error>;

impl Journal {
    pub fn open(_path: &Path) -> Result<Self> {
        todo!()
    }
    /// The unfinished operation under this key, or a new one.
    pub fn begin(&self, _key: &str) -> Result<Operation> {
        todo!()
    }
    /// Records a signed call before it is sent.
    pub fn record_call(&self, _id: i64, _signed_call: &str) -> Result<()> {
        todo!()
    }
    pub fn finish(&self, _id: i64) -> Result<()> {
        todo!()
    }
    pub fn abandon(&self, _id: i64) -> Result<()> {
        todo!()
    }
    pub fn unfinished(&self) -> Result<Vec<Operation>> {
        todo!()
    }
    pub fn remember_image(&self, _image: &KnownImage) -> Result<()> {
        todo!()
    }
    pub fn images(&self) -> Result<Vec<KnownImage>> {
        todo!()
    }
    /// The first block not yet indexed.
    pub fn next_block(&self) -> Result<u64> {
        todo!()
    }
    pub fn index_events(&self, _events: &[LoggedEvent], _next_block: u64) -> Result<()> {
        todo!()
    }
    pub fn events(&self) -> Result<Vec<LoggedEvent>> {
        todo!()
    }
}
