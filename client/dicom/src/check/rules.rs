//! Rows of the standard, UIDs and dates.

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::dictionary::DataDictionary;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags};
use dicom_object::InMemDicomObject;

use super::walk::Leaf;
use super::{Findings, Problem};

/// Table E.1-1 as it is delivered: the newest edition.
const TABLE: &str = include_str!("../deid/data/2026d/profile.tsv");
/// What the standard itself defines.
const STANDARD: &str = "1.2.840.10008.";

/// The options that a result says were applied, and what it says of itself.
pub(super) struct Claims {
    options: BTreeSet<u32>,
}

impl Claims {
    pub(super) fn of(after: &InMemDicomObject) -> Self {
        let methods = after.get(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE);
        let items = methods.and_then(|it| it.items()).unwrap_or_default();
        let code = |item: &InMemDicomObject| {
            let code = item.get(tags::CODE_VALUE)?.to_str().ok()?;
            code.trim().parse().ok()
        };
        Self {
            options: items.iter().filter_map(code).collect(),
        }
    }

    pub(super) fn has(&self, option: u32) -> bool {
        self.options.contains(&option)
    }
}

/// Values by place: the original's for the same sequences and items.
fn by_place<'a>(leaves: &'a [Leaf<'a>]) -> BTreeMap<&'a [(Tag, usize)], &'a Leaf<'a>> {
    leaves
        .iter()
        .map(|leaf| (leaf.path.as_slice(), leaf))
        .collect()
}

/// Whether a value means nothing: a dummy, or one of a de-identification before.
fn means_nothing(text: &str) -> bool {
    matches!(
        text,
        "ANONYMIZED" | "19000101" | "19000101000000" | "000000" | "000Y" | "0" | "about:blank"
    )
}

/// Rows that say that a value goes, and values that stayed.
pub(super) fn rows(was: &[Leaf<'_>], is: &[Leaf<'_>], claims: &Claims, findings: &mut Findings) {
    let rows: BTreeMap<&str, (&str, &str)> = TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut fields = line.splitn(3, '\t');
            Some((
                fields.next()?,
                (fields.next()?, fields.next().unwrap_or_default()),
            ))
        })
        .collect();
    let before = by_place(was);
    let already = was
        .iter()
        .any(|leaf| leaf.tag() == tags::PATIENT_IDENTITY_REMOVED && leaf.texts() == ["YES"]);
    for leaf in is {
        let tag = leaf.tag();
        if leaf.path.iter().any(|(tag, _)| tag.group() % 2 == 1) {
            let creator = (0x10..=0xff).contains(&tag.element());
            if !claims.has(113_111) || !creator && !is_safe_group(tag) {
                findings.add(Problem::Private, leaf.name());
            }
            continue;
        }
        let overlay = matches!(tag.group(), 0x5000..=0x50ff | 0x6000..=0x60ff);
        if overlay || StandardDataDictionary.by_tag(tag).is_none() {
            findings.add(Problem::Leftover, leaf.name());
            continue;
        }
        let Some((code, options)) = rows.get(format!("{:04X}{:04X}", tag.0, tag.1).as_str()) else {
            continue;
        };
        let allowed = options.split(' ').filter_map(|it| it.split_once('='));
        let allowed = allowed
            .filter_map(|(option, _)| option.parse::<u32>().ok())
            .any(|it| claims.has(it));
        if allowed || *code == "U" || already {
            continue;
        }
        let texts = leaf.texts();
        let same = before
            .get(leaf.path.as_slice())
            .is_some_and(|it| it.texts() == texts);
        if same && !texts.is_empty() && !texts.iter().all(|it| means_nothing(it)) {
            findings.add(Problem::Row, leaf.name());
        }
    }
}

/// Groups of private attributes that the standard lists as safe.
fn is_safe_group(tag: Tag) -> bool {
    let listed = include_str!("../deid/data/safe-private.tsv").lines();
    let mut listed = listed.filter(|line| !line.starts_with('#'));
    let within = format!("{:02X}", tag.element() & 0xff);
    listed.any(|line| {
        let mut fields = line.split('\t').skip(1);
        let group = fields
            .next()
            .and_then(|it| u16::from_str_radix(it, 16).ok());
        let elements = fields.next().unwrap_or_default();
        group == Some(tag.group())
            && elements
                .split(' ')
                .any(|it| it.eq_ignore_ascii_case(&within))
    })
}

/// UIDs of the original in the result.
pub(super) fn uids(was: &[Leaf<'_>], is: &[Leaf<'_>], claims: &Claims, findings: &mut Findings) {
    if claims.has(113_110) {
        return;
    }
    let of_terms = [
        tags::CODING_SCHEME_UID,
        tags::CONTEXT_UID,
        tags::MAPPING_RESOURCE_UID,
    ];
    let own = |leaf: &&Leaf<'_>| leaf.vr() == VR::UI && !of_terms.contains(&leaf.tag());
    let before: BTreeSet<String> = was.iter().filter(own).flat_map(Leaf::texts).collect();
    // UIDs of a de-identification with the same key stay.
    let made = |uid: &str| uid.starts_with(STANDARD) || uid.starts_with("2.25.");
    for leaf in is.iter().filter(own) {
        if leaf
            .texts()
            .iter()
            .any(|uid| !made(uid) && before.contains(uid))
        {
            findings.add(Problem::Uid, leaf.name());
        }
    }
}

/// Dates that moved by other numbers of days.
pub(super) fn dates(was: &[Leaf<'_>], is: &[Leaf<'_>], claims: &Claims, findings: &mut Findings) {
    if !claims.has(113_107) {
        return;
    }
    let before = by_place(was);
    let mut moved: BTreeMap<i64, Vec<&Leaf<'_>>> = BTreeMap::new();
    for leaf in is
        .iter()
        .filter(|leaf| matches!(leaf.vr(), VR::DA | VR::DT))
    {
        let Some(other) = before.get(leaf.path.as_slice()) else {
            continue;
        };
        for (then, now) in other.texts().iter().zip(leaf.texts()) {
            if let (Some(then), Some(now)) = (day(then), day(&now))
                && Some(now) != day("19000101")
            {
                moved.entry(now - then).or_default().push(leaf);
            }
        }
    }
    let most = moved
        .iter()
        .max_by_key(|(_, leaves)| leaves.len())
        .map(|(days, _)| *days);
    for (days, leaves) in &moved {
        if Some(*days) != most {
            leaves
                .iter()
                .for_each(|leaf| findings.add(Problem::Date, leaf.name()));
        }
    }
}

/// A number that grows by one from day to day: the Julian day of a date (Fliegel and Van Flandern).
fn day(text: &str) -> Option<i64> {
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (y, m, d) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let a = (m - 14) / 12;
    Some(
        d - 32075 + 1461 * (y + 4800 + a) / 4 + 367 * (m - 2 - a * 12) / 12
            - 3 * ((y + 4900 + a) / 100) / 4,
    )
}
