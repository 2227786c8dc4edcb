//! Searching listings: the parameters of QIDO-RS (PS3.18 §8.3.4) and the identifiers of C-FIND, C-MOVE and C-GET (PS3.4 Annex
//! C), matched in the same way (PS3.4 §C.2.2.2).

mod found;
mod identifier;
mod key;
mod parameters;
mod selection;

use crate::listing::{Level, Listing, SeriesListing};
use crate::tree::DataSet;
use key::Key;

pub use found::Match;
pub use identifier::{ANSWERS_MAX, Answers, QueryLevel, SearchIdentifier};
pub use parameters::Error;
pub use selection::{Selection, failed_instances};

/// Most results that one answer has.
pub const RESULTS_MAX: usize = 1000;

/// A search.
#[derive(Clone, Debug)]
pub struct Query {
    level: Level,
    keys: Vec<Key>,
    limit: usize,
    offset: usize,
    /// True if the attributes of higher levels are wanted, too.
    whole: bool,
    /// What was asked for and is not done, as sentences.
    warnings: Vec<String>,
}

/// The results of a search: a page of them.
pub struct Found<'a> {
    /// The page.
    pub matches: Vec<Match<'a>>,
    /// How many come behind the page.
    pub remaining: usize,
}

impl Query {
    /// Returns what was asked for and is not done, as sentences.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Adds that an attribute must be this UID, as a path names it.
    #[must_use]
    pub fn within(mut self, level: Level, uid: &str) -> Self {
        self.keys.push(Key::uid(level, uid));
        self
    }

    /// Finds what matches, in the order of the listings.
    pub fn find<'a>(&self, listings: impl Iterator<Item = &'a Listing>) -> Found<'a> {
        let mut found = Found {
            matches: Vec::new(),
            remaining: 0,
        };
        let mut skipped = 0;
        let mut take = |one: Match<'a>| {
            if skipped < self.offset {
                skipped += 1;
            } else if found.matches.len() < self.limit {
                found.matches.push(one);
            } else {
                found.remaining += 1;
            }
        };
        for listing in listings {
            let study = &listing.study;
            if !self.fits(Level::Study, study) {
                continue;
            }
            if self.level == Level::Study {
                take(self.found(study, None, None));
                continue;
            }
            for SeriesListing { series, instances } in &listing.series {
                if !self.fits(Level::Series, series) {
                    continue;
                }
                if self.level == Level::Series {
                    take(self.found(study, Some(series), None));
                    continue;
                }
                let fitting = instances.iter();
                for instance in fitting.filter(|it| self.fits(Level::Instance, it)) {
                    take(self.found(study, Some(series), Some(instance)));
                }
            }
        }
        found
    }

    fn fits(&self, level: Level, data_set: &DataSet) -> bool {
        let mut keys = self.keys.iter().filter(|key| key.level() == level);
        keys.all(|key| key.fits(data_set))
    }

    fn found<'a>(
        &self,
        study: &'a DataSet,
        series: Option<&'a DataSet>,
        instance: Option<&'a DataSet>,
    ) -> Match<'a> {
        Match {
            study,
            series,
            instance,
            whole: self.whole,
        }
    }
}

#[cfg(test)]
mod tests;
