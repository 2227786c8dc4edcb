//! The query of an address, read into keys.

use super::key::{Key, attribute};
use super::{Query, RESULTS_MAX};
use crate::listing::Level;

/// Most parameters of a query.
const PARAMETERS_MAX: usize = 256;

/// A query that cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Escapes that are none, or text that is not UTF-8.
    #[error("the query is not text in UTF-8, percent-encoded")]
    Encoding,
    /// Neither an attribute nor a parameter.
    #[error("{name} is neither an attribute nor a parameter of a search")]
    Unknown {
        /// The name.
        name: String,
    },
    /// A value that this parameter or attribute does not have.
    #[error("{name} has no such value")]
    Value {
        /// The name.
        name: String,
    },
    /// A parameter that comes twice.
    #[error("{name} is given twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// Too many parameters.
    #[error("more than {max} parameters")]
    TooMany {
        /// The most that are read.
        max: usize,
    },
    /// A data set that does not read.
    #[error("the identifier does not read: {why}")]
    Malformed {
        /// Why.
        why: String,
    },
    /// No level of the search, or one that it does not have.
    #[error("Query/Retrieve Level is none of this search's")]
    Level,
    /// No UID, or several, where one says which study or series is meant.
    #[error("{attribute} must be one value at this level")]
    Unique {
        /// The attribute.
        attribute: &'static str,
    },
}

impl Query {
    /// Reads the query of an address, the part behind its question mark.
    ///
    /// # Errors
    /// [`Error`]
    pub fn of_parameters(query: &str, level: Level) -> Result<Self, Error> {
        let mut found = Self {
            level,
            keys: Vec::new(),
            limit: RESULTS_MAX,
            offset: 0,
            whole: false,
            warnings: Vec::new(),
        };
        let mut seen: Vec<String> = Vec::new();
        for (count, pair) in query.split('&').filter(|it| !it.is_empty()).enumerate() {
            if count >= PARAMETERS_MAX {
                return Err(Error::TooMany {
                    max: PARAMETERS_MAX,
                });
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if name != "includefield" {
                if seen.contains(&name) {
                    return Err(Error::Twice { name: shown(&name) });
                }
                seen.push(name.clone());
            }
            found.take(&name, &value)?;
        }
        Ok(found)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let wrong = || Error::Value { name: shown(name) };
        let number = || value.parse::<u32>().map_err(|_| wrong());
        match name {
            "limit" => self.limit = RESULTS_MAX.min(number()? as usize),
            "offset" => self.offset = number()? as usize,
            "includefield" => {
                for field in value.split(',').map(str::trim) {
                    let tag = path(field);
                    if field != "all" && tag.is_none() {
                        return Err(Error::Unknown { name: shown(field) });
                    }
                    // A result has all that is listed at its own level.
                    let above = |tag| Level::of(tag).is_some_and(|it| it < self.level);
                    self.whole |= field == "all" || tag.is_some_and(above);
                }
            }
            "fuzzymatching" => match value {
                "true" => self.warnings.push(
                    "The fuzzymatching parameter is not supported. Only literal matching has been performed."
                        .to_owned(),
                ),
                "false" => {}
                _ => return Err(wrong()),
            },
            _ => {
                let tag = path(name).ok_or_else(|| Error::Unknown { name: shown(name) })?;
                let level = Level::of(tag).filter(|_| !name.contains('.'));
                match level.filter(|level| *level <= self.level) {
                    Some(level) => self
                        .keys
                        .push(Key::new(tag, level, value).ok_or_else(wrong)?),
                    None => self
                        .warnings
                        .push(format!("{} is no key of this search and was not matched.", shown(name))),
                }
            }
        }
        Ok(())
    }
}

/// The last attribute of a path through sequences, its names joined by points.
fn path(name: &str) -> Option<dicom_core::Tag> {
    let mut tags = name.split('.').map(attribute);
    let first = tags.next()?;
    tags.fold(first, |before, tag| before.and(tag))
}

/// A text without its escapes (RFC 3986 §2.1; `+` is a space, as forms have it).
fn decoded(text: &str) -> Result<String, Error> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    let digit = bytes.next().and_then(|b| char::from(b).to_digit(16));
                    digit.ok_or(Error::Encoding)
                };
                (digit()? << 4 | digit()?) as u8
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(out).map_err(|_| Error::Encoding)?;
    match text.contains('\0') {
        true => Err(Error::Encoding),
        false => Ok(text),
    }
}

/// A name as an answer repeats it.
fn shown(name: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '.';
    let shown: String = name.chars().take(64).take_while(plain).collect();
    match shown.len() == name.len() {
        true => shown,
        false => "a parameter".to_owned(),
    }
}
