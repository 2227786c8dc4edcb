//! Questions to the index.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::index::last_known;
use super::store::{self, COLUMNS, signed};
use super::{Entry, EventKind, Index, Query, Result, Standing, State};

impl Index {
    /// The entries that fit, in the order of the chain.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn entries(&self, query: &Query) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.each(query, |entry| entries.push(entry))?;
        Ok(entries)
    }

    /// What all entries that fit come to: whole only if the query leaves out nothing of an image.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn state(&self, query: &Query) -> Result<State> {
        let mut state = State::default();
        self.each(query, |entry| state.apply(&entry))?;
        Ok(state)
    }

    /// The entries of a range of blocks, both ends included, in the order of the chain.
    ///
    /// # Errors
    /// [`super::Error::Sqlite`]
    pub fn of_blocks(&self, first: u64, last: u64) -> Result<Vec<Entry>> {
        let db = self.db();
        let sql = format!(
            "SELECT {COLUMNS} FROM log JOIN block ON block.number = log.block
             WHERE log.block BETWEEN ?1 AND ?2 ORDER BY log.block, log.log_index"
        );
        let range = [signed("block", first)?, signed("block", last)?];
        let mut statement = db.prepare(&sql)?;
        let rows = statement.query_map(range, store::entry)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Hands over the entries that fit, one by one, in the order of the chain.
    fn each(&self, query: &Query, mut take: impl FnMut(Entry)) -> Result<()> {
        let db = self.db();
        let (condition, values) = condition(&db, query)?;
        let order = |end: &str| format!("ORDER BY log.block {end}, log.log_index {end}");
        let sql = match query.limit {
            None => format!(
                "SELECT {COLUMNS} FROM log JOIN block ON block.number = log.block
                 WHERE {condition} {}",
                order("")
            ),
            Some(_) => format!(
                "SELECT {COLUMNS} FROM log JOIN block ON block.number = log.block
                 WHERE log.seq IN (
                    SELECT log.seq FROM log JOIN block ON block.number = log.block
                    WHERE {condition} {} LIMIT ?)
                 {}",
                order("DESC"),
                order("")
            ),
        };
        let mut statement = db.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            take(store::entry(row)?);
        }
        Ok(())
    }
}

/// The query as SQL, and its values in their order, the limit last.
fn condition(db: &Connection, query: &Query) -> Result<(String, Vec<Value>)> {
    let mut all = Vec::new();
    let mut values = Vec::new();
    let mut equal = |column: &str, value: Option<Vec<u8>>| {
        if let Some(value) = value {
            all.push(format!("log.{column} = ?"));
            values.push(Value::Blob(value));
        }
    };
    equal("image", query.image.map(|image| image.0.to_vec()));
    equal("patient", query.patient.map(|address| address.to_vec()));
    equal("requester", query.requester.map(|address| address.to_vec()));
    equal(
        "radiologist",
        query.radiologist.map(|address| address.to_vec()),
    );
    if let Some(requester) = query.asked_by {
        all.push("log.image IN (SELECT image FROM log WHERE requester = ?)".to_owned());
        values.push(Value::Blob(requester.to_vec()));
    }
    if let Some(party) = query.party {
        all.push("(log.patient = ? OR log.requester = ? OR log.radiologist = ?)".to_owned());
        values.extend(std::iter::repeat_n(Value::Blob(party.to_vec()), 3));
    }
    if !query.kinds.is_empty() {
        let kinds: Vec<String> = query
            .kinds
            .iter()
            .map(|&kind| (kind as i64).to_string())
            .collect();
        all.push(format!("log.kind IN ({})", kinds.join(", ")));
    }
    if let Some(from) = query.from {
        all.push("block.time >= ?".to_owned());
        values.push(Value::Integer(i64::try_from(from).unwrap_or(i64::MAX)));
    }
    if let Some(to) = query.to {
        all.push("block.time < ?".to_owned());
        values.push(Value::Integer(i64::try_from(to).unwrap_or(i64::MAX)));
    }
    if let Some(standing) = query.standing {
        let now = match query.now {
            Some(now) => now,
            None => last_known(db, i64::MAX)?.map_or(0, |known| known.time),
        };
        all.push(stands(standing));
        if matches!(standing, Standing::Approved | Standing::Expired) {
            values.push(Value::Integer(signed("time", now)?));
        }
    }
    if let Some(limit) = query.limit {
        values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    }
    if all.is_empty() {
        all.push("TRUE".to_owned());
    }
    Ok((all.join(" AND "), values))
}

/// Pairs of image and requestor whose last deciding entry says so. SQLite takes the bare columns of a group from the row
/// with the maximum. An entry is later than another one if its sequence number is larger: rows are added in the order of
/// the chain, and a fork takes back the latest.
fn stands(standing: Standing) -> String {
    use EventKind as K;
    let number = |kind: K| kind as i64;
    let deciding = [
        K::RequestedForApproval,
        K::Approved,
        K::Requestdenied,
        K::UserRemoved,
        K::Reshared,
    ]
    .map(|kind| number(kind).to_string())
    .join(", ");
    let approved = format!("kind IN ({}, {})", number(K::Approved), number(K::Reshared));
    let wanted = match standing {
        Standing::Requested => format!("kind = {}", number(K::RequestedForApproval)),
        Standing::Denied => format!("kind = {}", number(K::Requestdenied)),
        Standing::Removed => format!("kind = {}", number(K::UserRemoved)),
        Standing::Approved => format!("{approved} AND (expires_at = 0 OR expires_at > ?)"),
        Standing::Expired => format!("{approved} AND expires_at != 0 AND expires_at <= ?"),
    };
    format!(
        "(log.image, log.requester) IN (
            SELECT image, requester FROM (
                SELECT image, requester, kind, expires_at, max(seq) FROM log
                WHERE kind IN ({deciding}) AND requester IS NOT NULL
                GROUP BY image, requester)
            WHERE {wanted})"
    )
}
