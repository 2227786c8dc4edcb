//! Questions to the index.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::audit::entry::Entry;
use crate::audit::error::Result;
use crate::audit::images;
use crate::audit::index::Index;
use crate::audit::index::last_known;
use crate::audit::query::{Query, Standing};
use crate::audit::row::{self, select, signed};

impl Index {
    /// Finds the entries that fit, in the order of the chain.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn entries(&self, query: &Query) -> Result<Vec<Entry>> {
        let db = self.db();
        let (condition, values) = condition(&db, query)?;
        let mut statement = db.prepare(&select(&format!("{condition} ORDER BY log.seq")))?;
        let rows = statement.query_map(params_from_iter(values), row::entry)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Counts the entries that fit; a limit is not regarded.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn count(&self, query: &Query) -> Result<u64> {
        let db = self.db();
        let all = Query {
            limit: None,
            ..query.clone()
        };
        let (condition, values) = condition(&db, &all)?;
        let sql = format!("SELECT count(*) FROM log WHERE {condition}");
        Ok(db.query_row(&sql, params_from_iter(values), |row| row::unsigned(row, 0))?)
    }

    /// Reads the entries of a range of blocks, both ends included, in the order of the chain.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn of_blocks(&self, first: u64, last: u64) -> Result<Vec<Entry>> {
        let db = self.db();
        let sql = select("log.block BETWEEN ?1 AND ?2 ORDER BY log.block, log.log_index");
        let range = [signed("block", first)?, signed("block", last)?];
        let mut statement = db.prepare(&sql)?;
        let rows = statement.query_map(range, row::entry)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// The query as SQL, and its values in their order.
fn condition(db: &Connection, query: &Query) -> Result<(String, Vec<Value>)> {
    let mut all = Vec::new();
    let mut values = Vec::new();
    let mut equal = |column: &str, value: Option<Vec<u8>>| {
        if let Some(value) = value {
            values.push(Value::Blob(value));
            all.push(format!("log.{column} = ?{}", values.len()));
        }
    };
    equal("image", query.image.map(|image| image.0.to_vec()));
    equal("patient", query.patient.map(|address| address.to_vec()));
    equal("requester", query.requestor.map(|address| address.to_vec()));
    equal(
        "radiologist",
        query.radiologist.map(|address| address.to_vec()),
    );
    let mut number = |value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        values.push(Value::Integer(value));
        format!("?{}", values.len())
    };
    if !query.kinds.is_empty() {
        let kinds: Vec<String> = query
            .kinds
            .iter()
            .map(|&kind| (kind as i64).to_string())
            .collect();
        all.push(format!("log.kind IN ({})", kinds.join(", ")));
    }
    if let Some(from) = query.from {
        all.push(format!("log.time >= {}", number(from)));
    }
    if let Some(to) = query.to {
        all.push(format!("log.time < {}", number(to)));
    }
    if let Some(standing) = query.standing {
        let pairs = images::standing(standing);
        let pairs = match standing {
            Standing::Approved | Standing::Expired | Standing::Emergency => {
                let now = match query.now {
                    Some(now) => now,
                    None => last_known(db, i64::MAX)?.map_or(0, |known| known.time),
                };
                pairs.replace('?', &number(now))
            }
            _ => pairs,
        };
        all.push(format!("(log.image, log.requester) IN ({pairs})"));
    }
    let limit = query.limit.map(|limit| number(limit as u64));
    if all.is_empty() {
        all.push("TRUE".to_owned());
    }
    let all = all.join(" AND ");
    let parts = match query.party {
        None => match limit {
            None => return Ok((all, values)),
            Some(_) => vec![all],
        },
        Some(party) => {
            values.push(Value::Blob(party.to_vec()));
            let party = values.len();
            ["patient", "requester", "radiologist"]
                .map(|column| format!("log.{column} = ?{party} AND {all}"))
                .to_vec()
        }
    };
    // The latest of each part have the latest of all among them.
    let latest = match limit {
        Some(limit) => format!(" ORDER BY seq DESC LIMIT {limit}"),
        None => String::new(),
    };
    let parts: Vec<String> = parts
        .iter()
        .map(|part| {
            format!("SELECT seq FROM (SELECT log.seq AS seq FROM log WHERE {part}{latest})")
        })
        .collect();
    Ok((
        format!("log.seq IN ({}{latest})", parts.join(" UNION ")),
        values,
    ))
}
