//! Data sets of storage commitment (PS3.4 §J.3): the request for it, and the report of its outcome.

use dicom_core::VR;
use dicom_dictionary_std::tags;

use crate::error::{Error, Result, only_uid};
use crate::file;
use crate::tree::{DataSet, Element, text};

/// Most instances of a request.
const INSTANCES_MAX: usize = 100_000;

/// A request for storage commitment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitmentRequest {
    /// Transaction UID.
    pub transaction: String,
    /// The instances: SOP Class UID and SOP Instance UID of each.
    pub instances: Vec<(String, String)>,
}

impl CommitmentRequest {
    /// Reads a request in a transfer syntax without compression.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Missing`], [`Error::TransferSyntax`].
    pub fn read(bytes: &[u8], syntax: &str) -> Result<Self> {
        let (data_set, _) = file::read_bare(bytes, syntax)?;
        let uid = |data_set: &DataSet, tag, attribute| {
            let uid = text(data_set, tag).ok_or(Error::Missing { attribute })?;
            match only_uid(&uid) == uid {
                true => Ok(uid),
                false => Err(Error::Malformed),
            }
        };
        let items = data_set.get(&tags::REFERENCED_SOP_SEQUENCE);
        let items = items.and_then(Element::as_items).unwrap_or_default();
        if items.is_empty() || items.len() > INSTANCES_MAX {
            return Err(Error::Unsupported {
                attribute: "Referenced SOP Sequence",
                found: items.len() as u64,
            });
        }
        let instance = |item: &DataSet| {
            Ok((
                uid(
                    item,
                    tags::REFERENCED_SOP_CLASS_UID,
                    "Referenced SOP Class UID",
                )?,
                uid(
                    item,
                    tags::REFERENCED_SOP_INSTANCE_UID,
                    "Referenced SOP Instance UID",
                )?,
            ))
        };
        Ok(Self {
            transaction: uid(&data_set, tags::TRANSACTION_UID, "Transaction UID")?,
            instances: items.iter().map(instance).collect::<Result<_>>()?,
        })
    }

    /// Writes the report of its outcome: the instances that are kept, and those that are not, for which `missing` gives the
    /// failure reason.
    ///
    /// # Errors
    /// [`Error::TransferSyntax`], [`Error::Encode`].
    pub fn report(&self, missing: impl Fn(&str) -> Option<u16>, syntax: &str) -> Result<Vec<u8>> {
        let syntax = file::registered(syntax)?;
        let uid = |uid: &str| Element::bytes(VR::UI, uid);
        let (mut kept, mut failed) = (Vec::new(), Vec::new());
        for (class, instance) in &self.instances {
            let mut item = DataSet::new();
            item.insert(tags::REFERENCED_SOP_CLASS_UID, uid(class));
            item.insert(tags::REFERENCED_SOP_INSTANCE_UID, uid(instance));
            match missing(instance) {
                None => kept.push(item),
                Some(reason) => {
                    let reason = Element::bytes(VR::US, reason.to_le_bytes());
                    item.insert(tags::FAILURE_REASON, reason);
                    failed.push(item);
                }
            }
        }
        let mut report = DataSet::new();
        report.insert(tags::TRANSACTION_UID, uid(&self.transaction));
        for (tag, items) in [
            (tags::REFERENCED_SOP_SEQUENCE, kept),
            (tags::FAILED_SOP_SEQUENCE, failed),
        ] {
            if !items.is_empty() {
                report.insert(tag, Element::items(items));
            }
        }
        let mut out = Vec::new();
        file::encode(&report, syntax, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SYNTAXES: [&str; 2] = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"];

    fn request() -> CommitmentRequest {
        let instance = |number: usize| {
            (
                "1.2.840.10008.5.1.4.1.1.2".to_owned(),
                format!("2.25.{number}"),
            )
        };
        CommitmentRequest {
            transaction: "2.25.777".to_owned(),
            instances: (1..=3).map(instance).collect(),
        }
    }

    #[test]
    fn a_report_repeats_its_request_and_says_what_is_missing() {
        for syntax in SYNTAXES {
            let all = request().report(|_| None, syntax).unwrap();
            assert_eq!(CommitmentRequest::read(&all, syntax).unwrap(), request());
            let missing = |instance: &str| (instance == "2.25.2").then_some(0x0112);
            let part = request().report(missing, syntax).unwrap();
            let read = CommitmentRequest::read(&part, syntax).unwrap();
            assert_eq!(read.instances.len(), 2);
            let (data_set, _) = file::read_bare(&part, syntax).unwrap();
            let failed = data_set[&tags::FAILED_SOP_SEQUENCE].as_items().unwrap();
            assert_eq!(
                text(&failed[0], tags::REFERENCED_SOP_INSTANCE_UID).as_deref(),
                Some("2.25.2")
            );
            assert_eq!(
                failed[0][&tags::FAILURE_REASON].as_bytes(),
                Some(&[0x12, 1][..])
            );
        }
    }

    #[test]
    fn changed_requests_make_no_harm() {
        let good = request().report(|_| None, SYNTAXES[1]).unwrap();
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = good.clone();
                bytes[at] = value;
                let _ = CommitmentRequest::read(&bytes, SYNTAXES[at % 2]);
            }
            assert!(
                CommitmentRequest::read(&good[..at], SYNTAXES[1]).is_err(),
                "{at}"
            );
        }
        assert!(CommitmentRequest::read(&good, "1.2.3").is_err());
    }
}
