//! Values that stand for nothing, for another value, or for something of the site's own.

use super::text::trimmed;

/// Values that stand for no value.
pub(super) const DUMMIES: &[&str] = &[
    "ANONYMIZED",
    "ANONYMOUS",
    "19000101",
    "19000101000000",
    "000000",
    "000Y",
    "about:blank",
    "00010101",
    "19700101",
    "UNKNOWN",
    "NONE",
    "REMOVED",
];

/// Checks whether an earlier de-identification made the value: a pseudonym or a UID that stands for one.
pub(super) fn is_derived(value: &[u8]) -> bool {
    let value = trimmed(value);
    let letters = |b: &u8| b.is_ascii_uppercase() || (b'2'..=b'7').contains(b);
    matches!(value.len(), 16 | 26) && value.iter().all(letters) || value.starts_with(b"2.25.")
}

/// Checks whether a UID was made by a site or a device, not by the standard.
pub(super) fn is_own_uid(uid: &str) -> bool {
    uid.len() > 4
        && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && !uid.starts_with("1.2.840.10008.")
}

/// Checks whether a value stands for no value.
pub(super) fn is_dummy(value: &[u8]) -> bool {
    let value = trimmed(value);
    value.iter().all(|b| matches!(b, b'0' | 0 | b'.' | b'\\'))
        || std::str::from_utf8(value).is_ok_and(|text| DUMMIES.contains(&text))
}
