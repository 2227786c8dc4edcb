//! Images and their requests as rows: what [`State`] makes of the entries, kept level with them in the same transaction.

use std::collections::BTreeMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use crate::audit::error::Result;
use crate::audit::fold::{ACCESS, IMAGE, grant, image};
use crate::audit::index::Index;
use crate::audit::query::{ImageQuery, Standing};
use crate::audit::state::Image;
use pcim_core::{Address, GrantStatus, ImageDigest};

impl Index {
    /// Finds the images that fit, each with all of its requests, as they stand after the last entry.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn images(&self, wanted: &ImageQuery) -> Result<BTreeMap<ImageDigest, Image>> {
        let mut db = self.db();
        // One moment of the file, whoever else writes to it.
        let tx = db.transaction()?;
        let mut all = Vec::new();
        let mut values = Vec::new();
        let mut fits = |condition: &str, value: Option<Vec<u8>>| {
            if let Some(value) = value {
                all.push(condition.to_owned());
                let marks = condition.matches('?').count();
                values.extend(std::iter::repeat_n(Value::Blob(value), marks));
            }
        };
        let bytes = |address: Option<Address>| address.map(|it| it.to_vec());
        // Its value is put in for each of them.
        let one_of = wanted.images.as_ref();
        fits("image.image = ?", one_of.map(|_| Vec::new()));
        fits("image.patient = ?", bytes(wanted.patient));
        fits(
            "image.image IN (SELECT image FROM access WHERE requester = ?)",
            bytes(wanted.asked_by),
        );
        fits(
            "(image.patient = ? OR image.radiologist = ?
             OR image.image IN (SELECT image FROM access WHERE requester = ?))",
            bytes(wanted.party),
        );
        let (images, requests) = match all.is_empty() {
            true => ("TRUE".to_owned(), "TRUE".to_owned()),
            false => {
                let all = all.join(" AND ");
                let of = format!("access.image IN (SELECT image.image FROM image WHERE {all})");
                (all, of)
            }
        };
        let mut images = tx.prepare(&format!("SELECT {IMAGE} FROM image WHERE {images}"))?;
        let mut requests = tx.prepare(&format!("SELECT {ACCESS} FROM access WHERE {requests}"))?;
        let mut found = BTreeMap::new();
        let mut read = |values: &[Value]| -> Result<()> {
            let mut rows = images.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                let image = image(row)?;
                found.insert(image.image, image);
            }
            let mut rows = requests.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                let image: Option<&mut Image> = found.get_mut(&ImageDigest(row.get(0)?));
                if let Some(image) = image {
                    let grant = grant(row)?;
                    image.grants.insert(grant.requestor, grant);
                }
            }
            Ok(())
        };
        match one_of {
            None => read(&values)?,
            Some(some) => {
                for image in some {
                    values[0] = Value::Blob(image.0.to_vec());
                    read(&values)?;
                }
            }
        }
        Ok(found)
    }
}

/// Pairs of image and requestor that stand so at a time, as SQL. It has one `?`, the time, for an approval.
pub(super) fn standing(standing: Standing) -> String {
    let is = |status: GrantStatus| format!("status = {}", status as i64);
    let fits = match standing {
        Standing::Requested => is(GrantStatus::Requested),
        Standing::Denied => is(GrantStatus::Denied),
        Standing::Removed => is(GrantStatus::Removed),
        // Ends beyond what SQLite can hold are negative in the file.
        Standing::Approved => {
            let approved = is(GrantStatus::Approved);
            format!("{approved} AND (expires_at <= 0 OR expires_at > ?)")
        }
        Standing::Expired => {
            let [approved, emergency] = [GrantStatus::Approved, GrantStatus::Emergency].map(is);
            let ended = format!("{approved} AND expires_at > 0 OR {emergency} AND expires_at >= 0");
            format!("({ended}) AND expires_at <= ?")
        }
        Standing::Emergency => {
            let open = is(GrantStatus::Emergency);
            format!("{open} AND (expires_at < 0 OR expires_at > ?)")
        }
    };
    format!("SELECT image, requester FROM access WHERE {fits}")
}
