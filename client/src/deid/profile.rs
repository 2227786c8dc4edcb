//! The Basic Application Level Confidentiality Profile as data: PS3.15 Table E.1-1, column "Basic Prof.".
//!
//! The table grows with every edition of the standard, and ours has the 621 rows of one edition. So that what a later
//! edition lists does not slip through, unlisted attributes about the patient, the trial and the visit go, and so do
//! unlisted names, dates and times.

use std::collections::HashMap;
use std::sync::LazyLock;

use dicom_core::{Tag, VR};

/// The table's name in reports and in Deidentification Method.
pub(super) const PROFILE: &str = "PS3.15 Basic Application Level Confidentiality Profile";

/// The table; the attributes of groups 50xx and 60xx and the private ones follow from [`action`].
const TABLE: &str = include_str!("ps3.15-e.1-1.tsv");

/// What happens to an attribute (PS3.15 Table E.1-1a).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// X: the attribute goes.
    Remove,
    /// Z: the value goes.
    Empty,
    /// D: a value that means nothing replaces it.
    Dummy,
    /// U: another UID replaces it, the same one for the same UID.
    Uid,
    /// K, or not listed and not suspect: stays; sequences are searched.
    Keep,
}

/// What happens to an attribute of this VR.
pub(super) fn action(tag: Tag, vr: VR) -> Action {
    static ACTIONS: LazyLock<HashMap<Tag, Action>> =
        LazyLock::new(|| TABLE.lines().filter_map(row).collect());
    match tag {
        // Group lengths (retired) would lie, commands and the file meta group have no place in a data set.
        Tag(_, 0x0000) | Tag(0x0000 | 0x0002, _) => Action::Remove,
        // Curves, and whole overlay planes: an overlay without its data means nothing.
        Tag(0x5000..=0x50ff | 0x6000..=0x60ff, _) => Action::Remove,
        Tag(group, _) if group % 2 == 1 => Action::Remove,
        tag => match ACTIONS.get(&tag) {
            Some(action) => *action,
            None if unlisted_goes(tag, vr) => Action::Remove,
            None => Action::Keep,
        },
    }
}

/// Whether an attribute that the table does not list is too likely to be personal: patient (0010), clinical trial (0012),
/// request (0032) and visit (0038) groups; names, dates and times.
fn unlisted_goes(tag: Tag, vr: VR) -> bool {
    matches!(tag.group(), 0x0010 | 0x0012 | 0x0032 | 0x0038)
        || matches!(vr, VR::PN | VR::DA | VR::DT | VR::TM)
}

fn row(line: &str) -> Option<(Tag, Action)> {
    let (tag, code) = line.split_once('\t')?;
    let number = u32::from_str_radix(tag, 16).ok()?;
    Some((Tag((number >> 16) as u16, number as u16), resolve(code)))
}

/// The safe side of a code. Compound codes depend on the attribute's type in the image's definition: a dummy suits every
/// type, an empty value all but type 1. What asks for cleaning by a person (C) or is unknown goes.
fn resolve(code: &str) -> Action {
    match code {
        code if code.contains('U') => Action::Uid,
        code if code.contains('D') => Action::Dummy,
        code if code.contains('Z') => Action::Empty,
        "K" => Action::Keep,
        _ => Action::Remove,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let rows = TABLE.lines().filter(|l| !l.starts_with('#')).count();
        assert_eq!(TABLE.lines().filter_map(row).count(), rows);
        assert_eq!(rows, 617);
    }

    #[test]
    fn compound_codes_fall_to_the_safe_side() {
        for (code, wanted) in [
            ("X", Action::Remove),
            ("C", Action::Remove),
            ("?", Action::Remove),
            ("X/Z", Action::Empty),
            ("Z/D", Action::Dummy),
            ("X/D", Action::Dummy),
            ("X/Z/D", Action::Dummy),
            ("X/Z/U*", Action::Uid),
            ("U", Action::Uid),
            ("K", Action::Keep),
        ] {
            assert_eq!(resolve(code), wanted, "{code}");
        }
    }

    #[test]
    fn known_attributes_have_their_known_actions() {
        for (tag, wanted) in [
            (Tag(0x0010, 0x0010), Action::Empty),  // Patient's Name
            (Tag(0x0010, 0x4000), Action::Remove), // Patient Comments
            (Tag(0x0008, 0x0018), Action::Uid),    // SOP Instance UID
            (Tag(0x0008, 0x0016), Action::Keep),   // SOP Class UID
            (Tag(0x0008, 0x0080), Action::Dummy),  // Institution Name, X/Z/D
            (Tag(0x7fe0, 0x0010), Action::Keep),   // Pixel Data
            (Tag(0x6002, 0x3000), Action::Remove), // Overlay Data
            (Tag(0x5004, 0x3000), Action::Remove), // Curve Data
            (Tag(0x0009, 0x0010), Action::Remove), // private
            (Tag(0x0008, 0x0000), Action::Remove), // group length
        ] {
            assert_eq!(action(tag, VR::LO), wanted, "{tag}");
        }
        let unlisted = Tag(0x0018, 0x0050); // Slice Thickness
        assert_eq!(action(unlisted, VR::DS), Action::Keep);
        assert_eq!(action(unlisted, VR::PN), Action::Remove);
        assert_eq!(action(Tag(0x0010, 0x0041), VR::SQ), Action::Remove);
    }
}
