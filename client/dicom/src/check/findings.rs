//! Findings of the check, in a form that repeats no value: attributes, counts and the files after.

use std::collections::BTreeMap;
use std::fmt;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde::Serialize;

/// The most different findings that are kept; more are counted.
const FINDINGS_MAX: usize = 10_000;
/// The most tags of a path that are shown; the middle of a longer one is left out.
const PATH_MAX: usize = 6;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// A value that identifies stands in a file after.
    Identifier,
    /// A row of Table E.1-1 or E.3.4-1 is not obeyed.
    Row,
    /// A date did not move as the patient's others did.
    Date,
    /// A UID was not replaced, or not always by the same one.
    Uid,
    /// Pixels differ where no change was asked for, or do not differ where one was.
    Pixels,
    /// The file does not say that it was de-identified.
    Undeclared,
    /// The file cannot be read to its end as DICOM.
    Unreadable,
    /// No file before belongs to it.
    Unpaired,
}

impl Fault {
    fn text(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Row => "row",
            Self::Date => "date",
            Self::Uid => "UID",
            Self::Pixels => "pixels",
            Self::Undeclared => "undeclared",
            Self::Unreadable => "unreadable",
            Self::Unpaired => "unpaired",
        }
    }
}

/// A finding, as often as it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of fault.
    pub fault: Fault,
    /// Where in the file after: an attribute with the sequences around it, or a part of the file.
    pub place: String,
    /// Reason of the fault, without any value.
    pub why: String,
    /// How often.
    pub count: u64,
    /// The first file in which it was found.
    pub file: String,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// How many files after were looked at.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// How many of them have a file before.
    pub pairs: u64,
    /// The edition of the standard whose tables were read.
    pub edition: &'static str,
    /// How many texts were looked for, each encoding counted.
    pub texts: u64,
    /// The faults.
    pub findings: Vec<Finding>,
    /// Findings that are not listed, since there were too many.
    pub more: u64,
    /// Texts that were kept in attributes that the table does not list, by attribute: no fault, but worth a look.
    pub kept: BTreeMap<String, u64>,
    /// Parts that could not be looked at, and why.
    pub notes: Vec<String>,
}

impl Findings {
    /// Says whether no fault was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.more == 0
    }
}

/// Collects findings; equal ones are counted.
#[derive(Default)]
pub(super) struct Collected {
    found: BTreeMap<(Fault, String, String), (u64, String)>,
    more: u64,
    pub(super) kept: BTreeMap<String, u64>,
    pub(super) notes: Vec<String>,
}

impl Collected {
    pub(super) fn add(&mut self, fault: Fault, place: String, why: String, file: &str) {
        let key = (fault, place, why);
        if let Some((count, _)) = self.found.get_mut(&key) {
            *count += 1;
        } else if self.found.len() < FINDINGS_MAX {
            self.found.insert(key, (1, file.to_owned()));
        } else {
            self.more += 1;
        }
    }

    pub(super) fn note(&mut self, text: String) {
        if self.notes.len() < FINDINGS_MAX && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    pub(super) fn finish(self, findings: &mut Findings) {
        let found = self.found.into_iter();
        findings.findings = found
            .map(|((fault, place, why), (count, file))| Finding {
                fault,
                place,
                why,
                count,
                file,
            })
            .collect();
        findings.more = self.more;
        findings.kept = self.kept;
        findings.notes = self.notes;
    }
}

/// An attribute by tag and keyword.
pub(super) fn attribute(tag: Tag) -> String {
    let keyword = StandardDataDictionary.by_tag(tag);
    match keyword.map(|entry| entry.alias()) {
        Some(keyword) => format!("{tag} {keyword}"),
        None if tag.group() % 2 == 1 => format!("{tag} private"),
        None => tag.to_string(),
    }
}

/// An attribute with the sequences around it.
pub(super) fn place(path: &[Tag]) -> String {
    let Some((last, around)) = path.split_last() else {
        return "the file".to_owned();
    };
    let mut parts: Vec<String> = around.iter().map(ToString::to_string).collect();
    if parts.len() > PATH_MAX {
        let left_out = format!("… {} more …", parts.len() - PATH_MAX);
        parts.splice(PATH_MAX / 2..parts.len() - PATH_MAX / 2, [left_out]);
    }
    parts.push(attribute(*last));
    parts.join(" / ")
}

impl fmt::Display for Findings {
    /// A line that sums up, then a table.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            files,
            pairs,
            texts,
            edition,
            ..
        } = self;
        writeln!(
            f,
            "looked at    {files} files ({pairs} with the file before), for {texts} texts, by PS3.15 {edition}"
        )?;
        for note in &self.notes {
            writeln!(f, "not seen     {note}")?;
        }
        for (attribute, count) in &self.kept {
            writeln!(f, "kept text    {count:>5}  {attribute}")?;
        }
        for finding in &self.findings {
            let Finding {
                fault,
                place,
                why,
                count,
                file,
            } = finding;
            let fault = fault.text();
            writeln!(f, "{fault:12} {count:>5}  {place}: {why} ({file})")?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        match self.is_clean() {
            true => writeln!(
                f,
                "nothing found: text that is part of a picture was not looked for"
            ),
            false => Ok(()),
        }
    }
}
