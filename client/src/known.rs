//! The images that a home has to do with, looked up beside whatever process has it open.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};
use crate::home::Home;
use pcim_core::ImageDigest;

/// Most images that are looked at.
const MAX_IMAGES: usize = 100_000;

/// Lists the images that the home in `dir` sealed, registered, opened, asked for or decided about. Changes nothing, and needs no
/// lock; a folder that is no home has none.
///
/// # Errors
/// [`Error::Journal`]
pub fn images_in(dir: &Path) -> Result<BTreeSet<ImageDigest>> {
    let path = Home::journal_path_in(dir);
    if !path.is_file() {
        return Ok(BTreeSet::new());
    }
    read(&path).map_err(|error| Error::Journal(error.into()))
}

fn read(path: &Path) -> rusqlite::Result<BTreeSet<ImageDigest>> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(Duration::from_secs(5))?;
    let mut images = BTreeSet::new();
    let tables: i64 = db.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('image', 'operation')",
        [],
        |row| row.get(0),
    )?;
    // A home that was made and not used yet.
    if tables < 2 {
        return Ok(images);
    }
    let mut query = db.prepare("SELECT image FROM image ORDER BY rowid DESC")?;
    let rows = query.query_map([], |row| row.get(0))?;
    for image in rows.take(MAX_IMAGES) {
        images.insert(ImageDigest(image?));
    }
    // An operation's key names the images that it is about.
    let mut query = db.prepare("SELECT key FROM operation ORDER BY id DESC")?;
    let rows = query.query_map([], |row| row.get::<_, String>(0))?;
    for key in rows.take(MAX_IMAGES) {
        let key = key?;
        let named = key.split(':').filter(|word| word.starts_with("bafybei"));
        images.extend(named.filter_map(|word| word.parse::<ImageDigest>().ok()));
    }
    Ok(images)
}
