//! Pieces that operations store outside the journal, and the journal's images and certificates.

use std::path::PathBuf;

use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::operation::journal::error::{Error, Result};
use crate::operation::journal::{Journal, OperationId, signed};
use pcim_core::{BlockDigest, BodyRef, ImageDigest};

/// Something that can be dropped, wholly or in part, as often as it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Piece {
    /// A sealed root and its header; the image of that name is forgotten with it.
    Root(ImageDigest),
    /// A body.
    Body(BodyRef),
    /// A raw block.
    Block(BlockDigest),
    /// A file under way, by its absolute name.
    File(#[serde(with = "name")] PathBuf),
}

/// The end of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its deed is done.
    Done,
    /// It will not happen.
    Failed,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl Journal {
    /// Notes what is to be dropped when the operation has this outcome.
    ///
    /// # Errors
    /// [`Error::Piece`], [`Error::Sqlite`]
    pub fn note(&self, id: OperationId, outcome: Verdict, piece: &Piece) -> Result<()> {
        self.db().execute(
            "INSERT INTO piece (operation, outcome, what) VALUES (?1, ?2, ?3)",
            params![
                id,
                outcome.name(),
                serde_json::to_string(piece).map_err(Error::Piece)?
            ],
        )?;
        Ok(())
    }

    /// Lists what is to be dropped when the operation has this end, the latest first.
    ///
    /// # Errors
    /// [`Error::Piece`], [`Error::Sqlite`]
    pub fn noted(&self, id: OperationId, outcome: Verdict) -> Result<Vec<Piece>> {
        let db = self.db();
        let mut query = db.prepare(
            "SELECT what FROM piece WHERE operation = ?1 AND outcome = ?2 ORDER BY rowid DESC",
        )?;
        let rows = query.query_map(params![id, outcome.name()], |row| row.get::<_, String>(0))?;
        rows.map(|row| serde_json::from_str(&row?).map_err(Error::Piece))
            .collect()
    }

    /// Forgets an image in every role.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn forget_image(&self, image: &ImageDigest) -> Result<()> {
        self.db()
            .execute("DELETE FROM image WHERE image = ?1", [image.0])?;
        Ok(())
    }

    /// Finds the root through which the owner opens a registered image now: the image itself until it is sealed again.
    /// `None` if this home has not registered it.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn root_of(&self, image: &ImageDigest) -> Result<Option<ImageDigest>> {
        let root = self
            .db()
            .query_row(
                "SELECT coalesce(root, image) FROM image WHERE image = ?1 AND role = 'registered'",
                [image.0],
                |row| row.get(0),
            )
            .optional()?;
        Ok(root.map(ImageDigest))
    }

    /// Records that a registered image was sealed again.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Sqlite`]
    pub fn set_root(&self, image: &ImageDigest, root: &ImageDigest, body: &BodyRef) -> Result<()> {
        self.db().execute(
            "INSERT INTO image (image, role, body, body_size, dag_size, description, patient, root)
             VALUES (?1, 'registered', ?2, ?3, ?4, '', '', ?5)
             ON CONFLICT (image, role) DO UPDATE
             SET body = ?2, body_size = ?3, dag_size = ?4, root = ?5",
            params![
                image.0,
                body.cid,
                signed(body.file_size)?,
                signed(body.dag_size)?,
                root.0
            ],
        )?;
        Ok(())
    }

    /// Keeps a reader's certificate, which is needed when the image is sealed again.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn keep_certificate(&self, digest: &BlockDigest, bytes: &[u8]) -> Result<()> {
        self.db().execute(
            "INSERT OR IGNORE INTO certificate (digest, bytes) VALUES (?1, ?2)",
            params![digest.0, bytes],
        )?;
        Ok(())
    }

    /// Reads a certificate that was kept.
    ///
    /// # Errors
    /// [`Error::Sqlite`]
    pub fn certificate(&self, digest: &BlockDigest) -> Result<Option<Vec<u8>>> {
        let kept = self
            .db()
            .query_row(
                "SELECT bytes FROM certificate WHERE digest = ?1",
                [digest.0],
                |row| row.get(0),
            )
            .optional()?;
        Ok(kept)
    }
}

/// A file's name as hex, since it need not be text.
pub(crate) mod name {
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(crate) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&hex::encode(path.as_os_str().as_encoded_bytes()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = hex::decode(text).map_err(Error::custom)?;
        Ok(os_string(bytes).map_err(Error::custom)?.into())
    }

    #[cfg(unix)]
    fn os_string(bytes: Vec<u8>) -> Result<OsString, std::string::FromUtf8Error> {
        Ok(std::os::unix::ffi::OsStringExt::from_vec(bytes))
    }

    #[cfg(not(unix))]
    fn os_string(bytes: Vec<u8>) -> Result<OsString, std::string::FromUtf8Error> {
        String::from_utf8(bytes).map(OsString::from)
    }
}
