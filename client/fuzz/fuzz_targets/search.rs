//! Queries of the gateway's readers, and the manifests and instances that it serves. No panic, no hang.
//!
//! `cargo fuzz run search -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use pcim_dicom::deid::{KeyObjects, facts};
use pcim_dicom::query::{Query, SearchIdentifier, Selection};
use pcim_dicom::sample::write_instance;
use pcim_dicom::web::Instance;
use pcim_dicom::{Level, Listing, fhir, little_endian_data_set};
use pcim_fuzz::{edited, write};

const QUERY: &[u8] = b"PatientName=Doe*%5EJane&StudyDate=2019-2021&includefield=00081030,all&limit=5&ModalitiesInStudy=CT";
/// An identifier of C-FIND in Explicit VR Little Endian: PatientName, StudyInstanceUID, of images.
const IDENTIFIER: &[u8] =
    b"\x08\0\x52\0CS\x06\0IMAGE \x10\0\x10\0PN\x04\0Doe*\x20\0\x0d\0UI\x06\x002.25.2\x20\0\x0e\0UI\x06\x002.25.3";
const SYNTAXES: [&str; 2] = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"];
const LEVELS: [Level; 3] = [Level::Study, Level::Series, Level::Instance];

/// A file, the manifest of its study, and the study as it is listed.
fn good() -> &'static (Vec<u8>, Vec<u8>, Listing) {
    static GOOD: OnceLock<(Vec<u8>, Vec<u8>, Listing)> = OnceLock::new();
    GOOD.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("file.dcm");
        write_instance(&path, 1, 3000).expect("it is written");
        let file = std::fs::read(&path).expect("it is there");
        let facts = facts(&file).expect("it reads");
        let manifest = KeyObjects::of(&facts.repeated, &[facts.description]);
        let manifest = manifest.expect("it is made").bytes;
        let listing = listed(&manifest).expect("it reads");
        (file, manifest, listing)
    })
}

fn listed(manifest: &[u8]) -> Option<Listing> {
    let instances = vec![("1.2.840.10008.5.1.4.1.1.2", "2.25.1000001")];
    Listing::of_manifest(&[("2.25.3", instances)], manifest).ok()
}

fuzz_target!(
    init: {
        let (file, manifest, _) = good();
        write(8, &[(0, QUERY), (1, manifest), (2, file), (8, IDENTIFIER)]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let (file, manifest, listing) = good();
        let changed = |good: &[u8]| match choice & 4 {
            0 => input.to_vec(),
            _ => edited(good, input),
        };
        let level = LEVELS[usize::from(choice >> 4) % 3];
        match choice & 3 {
            0 if choice & 8 != 0 => {
                let bytes = changed(IDENTIFIER);
                let syntax = SYNTAXES[usize::from(choice >> 4) % 2];
                if let Ok(identifier) = SearchIdentifier::read(&bytes, syntax, choice & 64 != 0) {
                    let answers = identifier.answers([listing].into_iter(), "PCIM");
                    assert!(answers.data_sets.len() <= 2 && !answers.has_more);
                }
                // One that selects nothing is an error.
                let _ = Selection::read(&bytes, syntax, choice & 64 != 0);
            }
            0 => {
                let text = changed(QUERY);
                let Ok(query) = Query::of_parameters(&String::from_utf8_lossy(&text), level) else {
                    return;
                };
                let found = query.find([listing].into_iter());
                assert!(found.matches.len() <= 2);
                for one in found.matches {
                    assert!(one.json("http://h").is_object());
                }
            }
            1 => {
                if let Some(listing) = listed(&changed(manifest)) {
                    let _ = fhir::imaging_study(&listing, fhir::Release::R4, "http://h");
                    assert!(!listing.instances().is_empty());
                }
            }
            _ => {
                let bytes = changed(file);
                // One that cannot be written so is an error.
                let _ = little_endian_data_set(&bytes, SYNTAXES[0]);
                let Ok(instance) = Instance::read(&bytes) else {
                    return;
                };
                assert!(instance.metadata("http://h").is_object());
                let frames = instance.frames().unwrap_or_default().min(3);
                for number in 0..=frames + 1 {
                    let _ = instance.frame(number);
                    let _ = instance.decoded_frame(number);
                }
                let _ = instance.bulk(&["7FE00010"]);
            }
        }
    }
);
