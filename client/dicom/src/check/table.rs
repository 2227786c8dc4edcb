//! The standard's tables as the check reads them: PS3.15 Table E.1-1, Table E.3.4-1 and the list of §E.3.10, edition 2026d.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use crate::deid::ProfileOption;

/// The edition of the tables.
pub(super) const EDITION: &str = "2026d";

const ATTRIBUTES: &str = include_str!("data/table.tsv");
const CONCEPTS: &str = include_str!("data/concepts.tsv");
const PRIVATE: &str = include_str!("data/private.tsv");

/// What the table says of an attribute or a concept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TableRow {
    /// Code of the Basic Profile: X, Z, D, U and their combinations.
    pub(super) basic: &'static str,
    keeps: Vec<ProfileOption>,
    cleans: Vec<ProfileOption>,
}

impl TableRow {
    fn parse(fields: &'static str) -> Option<Self> {
        let mut fields = fields.split(' ');
        let mut row = Self {
            basic: fields.next()?,
            keeps: Vec::new(),
            cleans: Vec::new(),
        };
        for field in fields {
            let (number, code) = field.split_at_checked(2)?;
            let option = ProfileOption::from_code(113_100 + number.parse::<u32>().ok()?)?;
            match code {
                "K" => row.keeps.push(option),
                _ => row.cleans.push(option),
            }
        }
        Some(row)
    }

    /// Whether one of the options keeps the value.
    pub(super) fn is_kept(&self, options: &BTreeSet<ProfileOption>) -> bool {
        self.keeps.iter().any(|option| options.contains(option))
    }

    /// Whether the option is asked for, and cleans the value.
    pub(super) fn is_cleaned(
        &self,
        option: ProfileOption,
        options: &BTreeSet<ProfileOption>,
    ) -> bool {
        options.contains(&option) && self.cleans.contains(&option)
    }

    /// Whether it is a description that an option could clean.
    pub(super) fn is_description(&self) -> bool {
        self.cleans.contains(&ProfileOption::CleanDescriptors)
    }
}

/// The row of an attribute of the standard.
pub(super) fn row(tag: u32) -> Option<&'static TableRow> {
    static ROWS: LazyLock<HashMap<&'static str, TableRow>> = LazyLock::new(|| {
        let lines = ATTRIBUTES.lines();
        lines
            .filter_map(|line| {
                let (tag, rest) = line.split_once(' ')?;
                Some((tag, TableRow::parse(rest)?))
            })
            .collect()
    });
    static NUMBERS: LazyLock<HashMap<u32, &'static TableRow>> = LazyLock::new(|| {
        let plain = ROWS.iter();
        plain
            .filter_map(|(tag, row)| Some((u32::from_str_radix(tag, 16).ok()?, row)))
            .collect()
    });
    let pattern = match (tag >> 16, tag & 0xffff) {
        (group, _) if group & 1 == 1 => "PRIVATE",
        (0x5000..=0x50ff, _) => "50XXXXXX",
        (0x6000..=0x60ff, 0x3000) => "60XX3000",
        (0x6000..=0x60ff, 0x4000) => "60XX4000",
        _ => return NUMBERS.get(&tag).copied(),
    };
    ROWS.get(pattern)
}

/// The row of a concept in structured content, by coding scheme and code value.
pub(super) fn concept(scheme: &str, code: &str) -> Option<&'static TableRow> {
    static ROWS: LazyLock<HashMap<String, TableRow>> = LazyLock::new(|| {
        let lines = CONCEPTS.lines();
        lines
            .filter_map(|line| {
                let (key, row) = line.rsplit_once('\t')?;
                Some((key.to_owned(), TableRow::parse(row)?))
            })
            .collect()
    });
    ROWS.get(&format!("{scheme}\t{code}"))
}

/// Whether the standard lists a private attribute as safe: group, creator, element within the creator's block.
pub(super) fn is_safe_private(group: u16, creator: &str, element: u8) -> bool {
    PRIVATE.lines().any(|line| {
        let mut fields = line.split('\t');
        let listed = fields.next().map(|text| u16::from_str_radix(text, 16));
        let elements = fields.next().unwrap_or_default();
        listed == Some(Ok(group))
            && fields.next() == Some(creator)
            && elements
                .split(' ')
                .any(|text| u8::from_str_radix(text, 16) == Ok(element))
    })
}

/// Coding schemes that anybody can look up (PS3.16 Table 8-1), by designator.
pub(super) fn is_public_scheme(designator: &str) -> bool {
    const SCHEMES: &[&str] = &[
        "DCM",
        "SCT",
        "SRT",
        "SNM3",
        "LN",
        "UCUM",
        "RADLEX",
        "RADELEMENT",
        "NCIt",
        "UMLS",
        "MDC",
        "FMA",
        "NEU",
        "MA",
        "MGI",
        "UBERON",
        "ITIS_TSN",
        "PUBCHEM_CID",
        "RXNORM",
        "NDC",
        "I10",
        "I10C",
        "I10P",
        "I11",
        "I9",
        "I9C",
        "ICDO3",
        "ICD10",
        "ICD10CM",
        "ICD11",
        "C4",
        "C5",
        "CPT",
        "CD2",
        "ACR",
        "BI",
        "DCMUID",
        "DCNPDBI",
        "HL7V3",
        "IHEMADO",
        "IHERADTF",
        "IBSI",
        "ISO639_1",
        "ISO639_2",
        "ISO3166_1",
        "RFC3066",
        "RFC5646",
        "NCDR [2.0b]",
        "NCDR",
        "NIMSA",
        "POS",
        "SDM",
        "UNS",
        "X12DE235",
        "CTV3",
        "ASTM-sigpurpose",
        "MSH",
        "CAMRTCT",
        "IANA_TZ",
        "NICIP",
        "LOINC",
        "SCPECG",
    ];
    SCHEMES.contains(&designator)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_line_is_a_row() {
        assert_eq!(ATTRIBUTES.lines().count(), 657);
        for line in ATTRIBUTES.lines() {
            let (tag, fields) = line.split_once(' ').unwrap();
            let number = u32::from_str_radix(tag, 16).unwrap_or(match tag {
                "PRIVATE" => 0x0009_1010,
                "50XXXXXX" => 0x5002_3000,
                "60XX3000" => 0x6002_3000,
                _ => 0x60fe_4000,
            });
            assert_eq!(row(number), TableRow::parse(fields).as_ref(), "{tag}");
        }
        for line in CONCEPTS.lines() {
            let fields: Vec<_> = line.split('\t').collect();
            assert!(concept(fields[0], fields[1]).is_some(), "{line}");
        }
        assert_eq!(row(0x0008_0060), None);
    }

    #[test]
    fn rows_say_what_the_standard_says() {
        let care = crate::deid::Purpose::Care.options();
        let of = |tag| row(tag).unwrap();
        assert_eq!(of(0x0010_0010).basic, "Z");
        assert!(!of(0x0010_0010).is_kept(&care));
        assert!(of(0x0010_1030).is_kept(&care));
        let moved = ProfileOption::RetainModifiedDates;
        assert!(of(0x0008_0020).is_cleaned(moved, &care));
        assert!(!of(0x0010_0030).is_cleaned(moved, &care));
        assert!(of(0x0008_1030).is_description());
        assert!(is_safe_private(0x7053, "Philips PET Private Group", 9));
        assert!(!is_safe_private(0x7053, "SIEMENS MR HEADER", 9));
    }
}
