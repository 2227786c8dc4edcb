//! The classes and transfer syntaxes that are taken.

/// Verification.
pub(crate) const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Storage Commitment Push Model, and its one instance (PS3.4 §J.3).
pub(crate) const COMMITMENT: &str = "1.2.840.10008.1.20.1";
pub(crate) const COMMITMENT_INSTANCE: &str = "1.2.840.10008.1.20.1.1";

/// Implicit VR Little Endian, which every application entity takes, and Explicit VR Little Endian.
pub(crate) const IMPLICIT: &str = "1.2.840.10008.1.2";
pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// An operation of query and retrieve, in one of its models (PS3.4 §C.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    pub(crate) operation: Operation,
    /// True if its root is the patient, false if it is the study.
    pub(crate) has_patients: bool,
}

/// An operation of query and retrieve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Find,
    Move,
    Get,
}

impl Model {
    /// The model of a class; none for a class of another service.
    pub(crate) fn of(class: &str) -> Option<Self> {
        let (root, operation) = class
            .strip_prefix("1.2.840.10008.5.1.4.1.2.")?
            .split_once('.')?;
        let has_patients = match root {
            "1" => true,
            "2" => false,
            _ => return None,
        };
        let operation = match operation {
            "1" => Operation::Find,
            "2" => Operation::Move,
            "3" => Operation::Get,
            _ => return None,
        };
        Some(Self {
            operation,
            has_patients,
        })
    }
}

/// The arc of the storage classes (PS3.6 Table A-1), listed and yet to come.
const ARC: &str = "1.2.840.10008.5.1.4.1.1.";
/// The classes in it that are none (PS3.6, editions up to 2026): queries of protocol approvals, and all of inventories but the
/// inventory itself.
const NO_STORAGE: [&str; 9] = [
    "1.2.840.10008.5.1.4.1.1.200.4",
    "1.2.840.10008.5.1.4.1.1.200.5",
    "1.2.840.10008.5.1.4.1.1.200.6",
    "1.2.840.10008.5.1.4.1.1.201.1.1",
    "1.2.840.10008.5.1.4.1.1.201.2",
    "1.2.840.10008.5.1.4.1.1.201.3",
    "1.2.840.10008.5.1.4.1.1.201.4",
    "1.2.840.10008.5.1.4.1.1.201.5",
    "1.2.840.10008.5.1.4.1.1.201.6",
];

/// Storage classes in other arcs (PS3.6, editions up to 2026): prints, treatment, hanging protocols, palettes, implants.
const ELSEWHERE: [&str; 11] = [
    "1.2.840.10008.5.1.1.27",
    "1.2.840.10008.5.1.1.29",
    "1.2.840.10008.5.1.1.30",
    "1.2.840.10008.5.1.4.34.1",
    "1.2.840.10008.5.1.4.34.7",
    "1.2.840.10008.5.1.4.34.10",
    "1.2.840.10008.5.1.4.38.1",
    "1.2.840.10008.5.1.4.39.1",
    "1.2.840.10008.5.1.4.43.1",
    "1.2.840.10008.5.1.4.44.1",
    "1.2.840.10008.5.1.4.45.1",
];

/// Says whether a class is a storage class of the standard.
pub(crate) fn is_storage(class: &str) -> bool {
    class.starts_with(ARC) && !NO_STORAGE.contains(&class) || ELSEWHERE.contains(&class)
}

#[cfg(test)]
mod tests {
    use super::is_storage;

    #[test]
    fn storage_classes_are_known_and_nothing_else() {
        for class in [
            "1.2.840.10008.5.1.4.1.1.2",
            "1.2.840.10008.5.1.4.1.1.1.1.1",
            "1.2.840.10008.5.1.4.1.1.6",
            "1.2.840.10008.5.1.4.1.1.88.22",
            "1.2.840.10008.5.1.4.1.1.104.1",
            "1.2.840.10008.5.1.4.1.1.66.7",
            "1.2.840.10008.5.1.4.34.7",
            "1.2.840.10008.5.1.4.45.1",
            "1.2.840.10008.5.1.1.30",
            "1.2.840.10008.5.1.4.1.1.40",
            "1.2.840.10008.5.1.4.1.1.200.3",
            "1.2.840.10008.5.1.4.1.1.201.1",
        ] {
            assert!(is_storage(class), "{class}");
        }
        for class in [
            "1.2.840.10008.1.1",
            "1.2.840.10008.1.20.1",
            "1.2.840.10008.1.3.10",
            "1.2.840.10008.5.1.4.1.1.200.4",
            "1.2.840.10008.5.1.4.1.1.201.1.1",
            "1.2.840.10008.5.1.4.1.1.201.6",
            "1.2.840.10008.5.1.4.1.2.1.1",
            "1.2.840.10008.5.1.4.31",
            "1.2.840.10008.4.2",
            "1.2.3",
            "",
        ] {
            assert!(!is_storage(class), "{class}");
        }
    }
}
