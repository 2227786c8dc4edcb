//! A second look at a file that was de-identified, beside the file that it was made of. Its reader, its search and its rules
//! are other code than the first look's; only the tables of the standard are the same.
//!
//! It finds values of the original that are anywhere in the result, attributes whose row of PS3.15 Table E.1-1 was not
//! obeyed, UIDs that were not replaced, dates that did not move alike, private attributes that are not known to be safe, and
//! pixels that changed where nothing was blanked.

mod identity;
mod pixels;
mod rules;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Cursor;

use dicom_dictionary_std::tags;
use dicom_object::{FileDicomObject, InMemDicomObject, OpenFileOptions};
use serde::Serialize;

/// A reason to look again. Holds no value of either file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Problem {
    /// One of the files cannot be read by the second reader.
    Unreadable,
    /// A value of the original is somewhere in the result.
    Identifier,
    /// The attribute has the value that it had, though its row takes it away.
    Row,
    /// The attribute's UID is one of the original's.
    Uid,
    /// The date did not move by as many days as the others.
    Date,
    /// A private attribute that is not known to be safe.
    Private,
    /// An overlay, a curve, or an attribute that no dictionary knows.
    Leftover,
    /// Pixels are not those of the original, and nothing says that they were blanked.
    Pixels,
}

impl Problem {
    fn text(self) -> &'static str {
        match self {
            Self::Unreadable => "cannot be read",
            Self::Identifier => "holds a value of the original",
            Self::Row => "is as it was, though the standard takes it away",
            Self::Uid => "is a UID of the original",
            Self::Date => "did not move like the other dates",
            Self::Private => "is private and not known to be safe",
            Self::Leftover => "has no place in the result",
            Self::Pixels => "changed where nothing was blanked",
        }
    }
}

/// The problems of one result, by attribute, with how often each was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings(BTreeMap<(Problem, String), u32>);

impl Findings {
    fn add(&mut self, problem: Problem, attribute: impl Into<String>) {
        *self.0.entry((problem, attribute.into())).or_default() += 1;
    }

    /// Checks whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Problem, attribute, and how often it was found.
    pub fn iter(&self) -> impl Iterator<Item = (Problem, &str, u32)> + '_ {
        self.0
            .iter()
            .map(|((problem, attribute), count)| (*problem, attribute.as_str(), *count))
    }
}

impl fmt::Display for Findings {
    /// A line for each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (problem, attribute, count) in self.iter() {
            writeln!(f, "{count:>5}  {attribute} {}", problem.text())?;
        }
        Ok(())
    }
}

/// Compares a result with the file that it was made of.
#[must_use]
pub fn check(original: &[u8], result: &[u8]) -> Findings {
    let mut findings = Findings::default();
    let (before, after) = match (open(original), open(result)) {
        (Some(before), Some(after)) => (before, after),
        (before, _) => {
            let which = if before.is_none() {
                "the original"
            } else {
                "the result"
            };
            findings.add(Problem::Unreadable, which);
            return findings;
        }
    };
    let claims = rules::Claims::of(&after);
    let (was, is) = (walk::leaves(&before), walk::leaves(&after));
    rules::rows(&was, &is, &claims, &mut findings);
    rules::uids(&was, &is, &claims, &mut findings);
    rules::dates(&was, &is, &claims, &mut findings);
    identity::search(&was, &is, result, &mut findings);
    pixels::compare(&before, &after, &claims, &mut findings);
    findings
}

/// The place of an image among others, which de-identification does not change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place(Vec<String>);

/// Reads the place of a file: its class, modality, series and instance numbers, and size. Files can share one.
#[must_use]
pub fn place(file: &[u8]) -> Place {
    let tags = [
        tags::SOP_CLASS_UID,
        tags::MODALITY,
        tags::SERIES_NUMBER,
        tags::INSTANCE_NUMBER,
        tags::ROWS,
        tags::COLUMNS,
    ];
    let file = open(file);
    let text = |tag| {
        let element = file.as_ref()?.get(tag)?;
        Some(element.to_str().ok()?.trim_matches([' ', '\0']).to_owned())
    };
    Place(
        tags.into_iter()
            .map(|tag| text(tag).unwrap_or_default())
            .collect(),
    )
}

fn open(bytes: &[u8]) -> Option<FileDicomObject<InMemDicomObject>> {
    let whole = OpenFileOptions::new()
        .read_all()
        .from_reader(Cursor::new(bytes));
    // A file that takes repairs is read as it is once they are made: the first reader's work, not its rules.
    whole.ok().or_else(|| {
        let repaired = crate::file::read(bytes).ok()?;
        let written = crate::file::write(&repaired, bytes.len()).ok()?;
        OpenFileOptions::new()
            .read_all()
            .from_reader(Cursor::new(written))
            .ok()
    })
}

#[cfg(test)]
mod tests;
