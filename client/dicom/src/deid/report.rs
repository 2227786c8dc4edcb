//! A report of the changes to a file, without a value of it.

use std::collections::BTreeMap;
use std::fmt;

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use super::options::{BASIC_CODE, BASIC_MEANING, ProfileOption};

/// A report of the changes to one file, or to several together. Holds nothing personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The profile that was applied; `none` for a file that was only inspected.
    pub profile: String,
    /// The edition of the standard that the profile's table is from.
    pub edition: String,
    /// The codes of what was done: the Basic Profile and the options that took effect (PS3.16 CID 7050).
    pub methods: Vec<Method>,
    /// Attributes removed, private ones not counted.
    pub removed: u32,
    /// Attributes whose value was removed.
    pub emptied: u32,
    /// Attributes that got a dummy value or a pseudonym.
    pub replaced: u32,
    /// Attributes whose UIDs were mapped.
    pub uids: u32,
    /// Attributes whose dates were shifted.
    pub shifted: u32,
    /// Attributes whose content was cleaned.
    pub cleaned: u32,
    /// Private attributes removed.
    pub private_removed: u32,
    /// Frames in which regions were blanked.
    pub frames_blanked: u32,
    /// Frames whose face was cut.
    pub frames_defaced: u32,
    /// Each attribute, what was done to it and why.
    pub attributes: Attributes,
    /// Modality code of the standard's list, e.g. `CT`; anything else is left out.
    pub modality: Option<String>,
    /// Body part code of the standard's list, e.g. `CHEST`; anything else is left out.
    pub body_part: Option<String>,
    /// The file's statement about text in its pixels.
    pub burned_in: BurnedIn,
}

/// The value of Burned In Annotation (0028,0301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BurnedIn {
    /// There are no pixels.
    NoPixels,
    /// `NO`: the maker vouches for the pixels.
    No,
    /// Not said: a person should look, above all at secondary captures and ultrasound.
    Unknown,
    /// `YES`.
    Yes,
}

/// A code of the Basic Profile or an option of it (PS3.16 CID 7050, coding scheme DCM).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Method {
    /// The code.
    pub code: u32,
    /// Its meaning.
    pub meaning: &'static str,
}

impl Method {
    /// The Basic Profile.
    pub(super) const BASIC: Self = Self {
        code: BASIC_CODE,
        meaning: BASIC_MEANING,
    };
}

impl From<ProfileOption> for Method {
    fn from(option: ProfileOption) -> Self {
        Self {
            code: option.code(),
            meaning: option.meaning(),
        }
    }
}

/// A change to an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// It went.
    Removed,
    /// Its value went.
    Emptied,
    /// A dummy or a pseudonym stands in its place.
    Replaced,
    /// Its UIDs were mapped.
    UidsMapped,
    /// Its dates were moved.
    Shifted,
    /// Its content was cleaned.
    Cleaned,
    /// It stayed because of an option.
    Kept,
    /// It was read otherwise than it was written.
    Repaired,
}

/// The reason for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// The code of its row, and the option that overruled it, if one did.
    Row(&'static str, Option<ProfileOption>),
    /// A private attribute; with the option that let it stay.
    Private(Option<ProfileOption>),
    /// The table does not list it, but it is about a person, a date or a time.
    Unlisted,
    /// The dictionary does not know it.
    Unknown,
    /// Its value is not what its VR says.
    Malformed,
    /// An overlay or a curve: it goes whole.
    Plane,
    /// A group length or a command, which a data set has not.
    Misplaced,
    /// The content item's concept is a person's identity.
    Concept,
    /// Bytes after the last pixel, or bits beside the pixels.
    Surplus,
    /// The code's scheme is not public.
    Scheme,
    /// Attributes that an earlier de-identification locked away.
    Encrypted,
    /// It holds a value that was taken out of the file.
    Identifier,
    /// Fragments, segments and bytes of compressed frames that no decoder needs.
    Segments,
    /// Decoded samples beyond the range of those stored.
    Range,
    /// The repair that reading it took.
    Repair(&'static str),
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Self::Row(code, _) => code,
            Self::Private(_) => "private",
            Self::Unlisted => "not listed, suspect",
            Self::Unknown => "not in the dictionary",
            Self::Malformed => "malformed",
            Self::Plane => "overlay or curve",
            Self::Misplaced => "not of a data set",
            Self::Concept => "identifying content item",
            Self::Surplus => "beside the pixels",
            Self::Scheme => "coding scheme not public",
            Self::Encrypted => "encrypted by an earlier de-identification",
            Self::Identifier => "holds an identifier of the file",
            Self::Segments => "beside the compressed frames",
            Self::Range => "beyond the stored bits",
            Self::Repair(what) => what,
        }
    }

    fn option(self) -> Option<ProfileOption> {
        match self {
            Self::Row(_, option) | Self::Private(option) => option,
            _ => None,
        }
    }
}

/// One kind of finding: the sequences it lies in, the attribute last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: Vec<Tag>,
    done: Done,
    why: Why,
}

/// The changes to each attribute, in the order of tags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(BTreeMap<Finding, u32>);

impl Report {
    /// An empty report.
    pub(super) fn new(profile: &str, edition: &str) -> Self {
        Self {
            profile: profile.to_owned(),
            edition: edition.to_owned(),
            methods: Vec::new(),
            removed: 0,
            emptied: 0,
            replaced: 0,
            uids: 0,
            shifted: 0,
            cleaned: 0,
            private_removed: 0,
            frames_blanked: 0,
            frames_defaced: 0,
            attributes: Attributes::default(),
            modality: None,
            body_part: None,
            burned_in: BurnedIn::Unknown,
        }
    }

    pub(super) fn note(&mut self, path: &[Tag], done: Done, why: Why) {
        self.note_times(path, done, why, 1);
    }

    /// Adds a finding that was made so often.
    pub(super) fn note_times(&mut self, path: &[Tag], done: Done, why: Why, times: u32) {
        let counter = match (done, why) {
            (Done::Removed, Why::Private(_)) => Some(&mut self.private_removed),
            (Done::Removed, _) => Some(&mut self.removed),
            (Done::Emptied, _) => Some(&mut self.emptied),
            (Done::Replaced, _) => Some(&mut self.replaced),
            (Done::UidsMapped, _) => Some(&mut self.uids),
            (Done::Shifted, _) => Some(&mut self.shifted),
            (Done::Cleaned, _) => Some(&mut self.cleaned),
            (Done::Kept | Done::Repaired, _) => None,
        };
        if let Some(counter) = counter {
            *counter += times;
        }
        let path = path.to_vec();
        *self
            .attributes
            .0
            .entry(Finding { path, done, why })
            .or_default() += times;
    }

    /// Adds another file's report: counts are summed, the codes are those of the first file that has them.
    pub fn merge(&mut self, other: &Self) {
        self.removed += other.removed;
        self.emptied += other.emptied;
        self.replaced += other.replaced;
        self.uids += other.uids;
        self.shifted += other.shifted;
        self.cleaned += other.cleaned;
        self.private_removed += other.private_removed;
        self.frames_blanked += other.frames_blanked;
        self.frames_defaced += other.frames_defaced;
        for (finding, count) in &other.attributes.0 {
            match self.attributes.0.get_mut(finding) {
                Some(sum) => *sum += count,
                None => _ = self.attributes.0.insert(finding.clone(), *count),
            }
        }
        for method in &other.methods {
            if !self.methods.contains(method) {
                self.methods.push(*method);
            }
        }
        self.methods.sort_unstable();
        self.modality = self.modality.take().or(other.modality.clone());
        self.body_part = self.body_part.take().or(other.body_part.clone());
        self.burned_in = self.burned_in.max(other.burned_in);
    }
}

impl Finding {
    fn attribute(&self) -> Tag {
        self.path.last().copied().unwrap_or(Tag(0, 0))
    }

    fn within(&self) -> Vec<String> {
        let parents = self.path.split_last().map_or(&[][..], |(_, rest)| rest);
        parents.iter().map(|tag| label(*tag)).collect()
    }
}

/// The attribute's keyword, or its tag if the dictionary has none.
pub(crate) fn label(tag: Tag) -> String {
    match StandardDataDictionary.by_tag(tag) {
        Some(entry) if tag.group().is_multiple_of(2) => entry.alias().to_owned(),
        _ => tag.to_string(),
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Line<'a>(&'a Finding, u32);
        impl Serialize for Line<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self(finding, count) = self;
                let mut line = serializer.serialize_struct("Attribute", 7)?;
                line.serialize_field("tag", &finding.attribute().to_string())?;
                line.serialize_field("name", &label(finding.attribute()))?;
                line.serialize_field("within", &finding.within())?;
                line.serialize_field("action", &finding.done)?;
                line.serialize_field("why", finding.why.text())?;
                let option = finding.why.option().map(ProfileOption::code);
                line.serialize_field("option", &option)?;
                line.serialize_field("count", count)?;
                line.end()
            }
        }
        let mut lines = serializer.serialize_seq(Some(self.0.len()))?;
        for (finding, count) in &self.0 {
            lines.serialize_element(&Line(finding, *count))?;
        }
        lines.end()
    }
}

impl fmt::Display for Report {
    /// A line for each method, then one for each attribute.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Method { code, meaning } in &self.methods {
            writeln!(f, "{code}  {meaning}")?;
        }
        if self.frames_blanked > 0 {
            writeln!(f, "regions blanked in {} frames", self.frames_blanked)?;
        }
        if self.frames_defaced > 0 {
            writeln!(f, "faces cut in {} frames", self.frames_defaced)?;
        }
        for (finding, count) in &self.attributes.0 {
            let done = match finding.done {
                Done::Removed => "removed",
                Done::Emptied => "emptied",
                Done::Replaced => "replaced",
                Done::UidsMapped => "new UID",
                Done::Shifted => "shifted",
                Done::Cleaned => "cleaned",
                Done::Kept => "kept",
                Done::Repaired => "repaired",
            };
            let why = finding.why.text();
            let why = match finding.why.option() {
                Some(option) => format!("{why}, {}", option.code()),
                None => why.to_owned(),
            };
            let path = [finding.within(), vec![label(finding.attribute())]].concat();
            writeln!(f, "{done:9} {count:>5}  {} ({why})", path.join("/"))?;
        }
        Ok(())
    }
}
