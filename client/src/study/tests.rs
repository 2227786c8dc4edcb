#![allow(clippy::unwrap_used)]

mod hostile;
mod media;
mod peers;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::*;
use crate::error::Error as Failure;
use crate::flow::landing::{Landing, Target};
use crate::flow::payload::Payload;
use crate::study::tar::{END, header};
use crate::study::unpack::contents_of;
use pcim_core::ImageDigest;
use pcim_core::private;
use pcim_dicom::deid::{self, KeyObjects, Options, Profile};
use pcim_dicom::sample::write_instance;
use pcim_seal::{KeyKind, UnlockedKey};

const DEMO: &[u8] = include_bytes!("../../cli/assets/demo.dcm");

/// Puts `new` in the place of `old`, which is as long and is there once.
fn patch(bytes: &mut [u8], old: &[u8], new: &[u8]) {
    let at = bytes.windows(old.len()).position(|it| it == old).unwrap();
    bytes[at..at + old.len()].copy_from_slice(new);
}

/// A CT instance of the patient 12345678 in the study 2.25.2.
struct Sample {
    number: u64,
    patient: &'static [u8; 8],
    study: u8,
    series: u8,
    modality: &'static [u8; 2],
    bytes: u64,
}

impl Sample {
    fn new(number: u64) -> Self {
        Self {
            number,
            patient: b"12345678",
            study: b'2',
            series: b'3',
            modality: b"CT",
            bytes: 1500,
        }
    }

    fn write(&self, path: &Path) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_instance(path, self.number, self.bytes).unwrap();
        let mut bytes = fs::read(path).unwrap();
        patch(&mut bytes, b"12345678", self.patient);
        let study = [b"\x20\0\x0d\0UI\x06\x002.25.", &[self.study][..]].concat();
        patch(&mut bytes, b"\x20\0\x0d\0UI\x06\x002.25.2", &study);
        let series = [b"\x20\0\x0e\0UI\x06\x002.25.", &[self.series][..]].concat();
        patch(&mut bytes, b"\x20\0\x0e\0UI\x06\x002.25.3", &series);
        let modality = [b"\x08\0\x60\0CS\x02\0", &self.modality[..]].concat();
        patch(&mut bytes, b"\x08\0\x60\0CS\x02\0CT", &modality);
        fs::write(path, bytes).unwrap();
        path.to_owned()
    }
}

fn options() -> Options {
    Options {
        key: [3; 32],
        profile: Profile::default(),
    }
}

/// What became of each file: its number, and why it is left out.
type Told = Vec<(usize, Option<String>)>;

fn scanned_with(
    paths: &[PathBuf],
    change: impl Fn(&mut ScanOptions<'_>),
) -> crate::error::Result<(Vec<Study>, Told, Vec<Skipped>)> {
    let deid = options();
    let mut wanted = ScanOptions {
        deid: Some(&deid),
        one_patient: true,
        leave_out: false,
        identity: false,
        stage: None,
    };
    change(&mut wanted);
    let inputs = Inputs::gather(paths, wanted.leave_out)?;
    let skipped = inputs.skipped.clone();
    let mut told = Vec::new();
    let studies = scan(inputs, wanted, &mut |outcome| {
        told.push((outcome.number.0, outcome.left_out.clone()));
    })?;
    Ok((studies, told, skipped))
}

fn scanned(paths: &[PathBuf]) -> crate::error::Result<Vec<Study>> {
    Ok(scanned_with(paths, |_| {})?.0)
}

fn payload(study: &Study) -> Vec<u8> {
    let mut read = Vec::new();
    let mut payload = Payload::of(study, Some(options())).unwrap();
    let index = payload.sign(&SIGNER).unwrap();
    assert_eq!(index.is_some(), study.is_archive());
    payload.read_to_end(&mut read).unwrap();
    read
}

/// The same files give the same bytes, but for the signature of their index, which is salted.
fn assert_same(tar: &[u8], again: &[u8]) {
    let at = memchr::memmem::find(tar, INDEX_SIGNATURE.as_bytes()).unwrap();
    // Its header, and a block.
    let behind = at + 1024;
    assert!(tar[..at] == again[..at] && tar[behind..] == again[behind..]);
}

static SIGNER: LazyLock<UnlockedKey> =
    LazyLock::new(|| UnlockedKey::generate(KeyKind::Classic, None).unwrap());

/// Takes a tar apart into a folder that is not there yet.
fn unpack_to(mut tar: impl Read, folder: &Path) -> crate::error::Result<Contents> {
    let made = private::temp_dir_beside(folder).unwrap();
    let target = Target {
        path: folder.to_owned(),
        overwrite: false,
    };
    let mut landing = Landing::new(made, target);
    std::io::copy(&mut tar, &mut landing).unwrap();
    landing.land()?.place()
}

/// Names in a folder and below it, folders with a slash.
fn tree(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            let below = tree(&entry.path());
            names.extend(below.into_iter().map(|below| format!("{name}/{below}")));
            names.push(format!("{name}/"));
        } else {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// A folder with five instances in two series, and what is no image.
fn folder(dir: &Path) -> PathBuf {
    let root = dir.join("Doe Jane 12345678");
    for number in 0..5 {
        let mut sample = Sample::new(number);
        if number % 2 == 1 {
            (sample.series, sample.modality) = (b'4', b"PT");
        }
        if number == 4 {
            sample.bytes = 100_000;
        }
        sample.write(&root.join(format!("scan {}/jane{number}", number % 3)));
    }
    fs::write(root.join("README.TXT"), "Doe^Jane").unwrap();
    root
}

#[test]
fn a_folder_is_sealed_as_one_study_and_opens_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = folder(dir.path());
    let (studies, told, skipped) = scanned_with(std::slice::from_ref(&root), |_| {}).unwrap();
    assert_eq!(
        told.iter().map(|t| t.0).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert!(told.iter().all(|(_, left_out)| left_out.is_none()));
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].path, root.join("README.TXT"));
    let [study] = &studies[..] else {
        panic!("{} studies", studies.len());
    };
    // Modalities before body parts, each once, sorted.
    assert_eq!(study.description(None), "CT PT CHEST");

    let tar = payload(study);
    assert_same(&tar, &payload(study));
    for secret in ["Doe", "Jane", "jane", "12345678", "General", "2.25.2\0"] {
        let found = tar.windows(secret.len()).any(|it| it == secret.as_bytes());
        assert!(!found, "{secret}");
    }
    let out = dir.path().join("out");
    let contents = unpack_to(&tar[..], &out).unwrap();
    let wanted = Contents::Study {
        instances: 5,
        series: 2,
        modalities: vec!["CT".to_owned(), "PT".to_owned()],
    };
    assert_eq!(contents, wanted);
    let names = [
        "0001/",
        "0001/00001.dcm",
        "0001/00002.dcm",
        "0001/00003.dcm",
        "0002/",
        "0002/00001.dcm",
        "0002/00002.dcm",
        "key-objects.dcm",
        "manifest.json",
        "manifest.json.sig",
    ];
    // Which of the two series is the first follows from their pseudonyms.
    let found = tree(&out);
    assert!(
        found == names
            || found.len() == names.len() && found.contains(&"0002/00003.dcm".to_owned())
    );

    // Written without sealing it is the same, without an index.
    let own = dir.path().join("own");
    let stage = dir.path().join("stage");
    fs::create_dir(&stage).unwrap();
    let deid = options();
    let staging = ScanOptions {
        deid: Some(&deid),
        one_patient: true,
        leave_out: false,
        identity: false,
        stage: Some(&stage),
    };
    let inputs = Inputs::gather(std::slice::from_ref(&root), false).unwrap();
    let written = scan(inputs, staging, &mut |_| {}).unwrap();
    let (contents, report) = written[0].write(&own, false).unwrap();
    assert!(tree(&stage).is_empty());
    assert_eq!(contents, wanted);
    assert_eq!(report.unwrap().private_removed, 0);
    let found: Vec<_> = found
        .into_iter()
        .filter(|name| name != INDEX_SIGNATURE)
        .collect();
    assert_eq!(tree(&own), found);
    let manifest =
        |folder: &Path| Manifest::read(&fs::read(folder.join(MANIFEST)).unwrap()).unwrap();
    assert!(manifest(&out).is_index() && !manifest(&own).is_index());
    let files = found
        .iter()
        .filter(|name| !name.ends_with('/') && *name != MANIFEST);
    for name in files {
        assert!(fs::read(own.join(name)).unwrap() == fs::read(out.join(name)).unwrap());
    }
    let again = written[0].write(&own, true);
    assert!(
        matches!(again, Err(Failure::FileExists { .. })),
        "folders are never replaced"
    );
}

#[test]
fn long_and_short_instances_are_unpacked_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("in");
    let lengths = [6 << 20, 1500, 9 << 20, 5 << 20, 4 << 20, 1500];
    for (number, bytes) in (0..).zip(lengths) {
        let mut sample = Sample::new(number);
        sample.bytes = bytes;
        sample.write(&root.join(number.to_string()));
    }
    let tar = payload(&scanned(&[root]).unwrap()[0]);
    let place = dir.path().join("place");
    fs::create_dir(&place).unwrap();
    let out = place.join("out");
    for cut in [tar.len() / 3, tar.len() / 2, tar.len() - 1600] {
        unpack_to(&tar[..cut], &out).unwrap_err();
        assert_eq!(tree(&place), [""; 0], "cut at {cut} of {}", tar.len());
    }
    let contents = unpack_to(&tar[..], &out).unwrap();
    assert!(matches!(contents, Contents::Study { instances: 6, .. }));
    for name in tree(&out).iter().filter(|name| !name.ends_with('/')) {
        let content = fs::read(out.join(name)).unwrap();
        let found = memchr::memmem::find(&tar, &content);
        assert!(found.is_some(), "{name} is not what is in the tar");
    }
}

#[test]
fn the_pseudonyms_agree_in_all_documents_of_a_study() {
    let dir = tempfile::tempdir().unwrap();
    let studies = scanned_with(&[folder(dir.path())], |it| it.identity = true)
        .unwrap()
        .0;
    let study = &studies[0];
    let out = dir.path().join("out");
    unpack_to(&payload(study)[..], &out).unwrap();
    let manifest = Manifest::read(&fs::read(out.join(MANIFEST)).unwrap()).unwrap();
    assert_eq!(Some(manifest.study_instance_uid.as_str()), study.uid());
    let facts = |name: &str| deid::facts(&fs::read(out.join(name)).unwrap()).unwrap();
    let objects = facts(KEY_OBJECTS);
    for series in &manifest.series {
        for file in &series.instances {
            let facts = facts(&file.file);
            assert_eq!(facts.instance, file.sop_instance_uid);
            assert_eq!(facts.series, series.series_instance_uid);
            assert_eq!(facts.study, manifest.study_instance_uid);
            assert!(facts.patient == objects.patient);
        }
    }
    assert_eq!(objects.study, manifest.study_instance_uid);
    assert_eq!(objects.instance, manifest.key_objects.sop_instance_uid);
    assert_eq!(objects.class, KeyObjects::CLASS);

    let identity = IdentityDocument::of(study, ImageDigest([9; 32])).unwrap();
    let json = serde_json::to_vec(&identity).unwrap();
    assert_eq!(contents_of(&json), Contents::Identity);
    let attribute = |name: &str| {
        identity
            .attributes
            .iter()
            .find(|it| it.name == name)
            .unwrap()
    };
    assert_eq!(attribute("PatientName").original, "Doe^Jane");
    assert_eq!(attribute("PatientName").sealed, None);
    let id = attribute("PatientID");
    let sealed = objects
        .identifying
        .iter()
        .find(|it| it.name == "PatientID")
        .unwrap();
    assert_eq!(
        (id.original.as_str(), id.sealed.as_ref()),
        ("12345678", Some(&sealed.value))
    );
    assert_eq!(identity.study_instance_uid.original, "2.25.2");
    assert_eq!(
        identity.study_instance_uid.sealed,
        manifest.study_instance_uid
    );
    assert_eq!((identity.series.len(), identity.instances.len()), (2, 5));
    let listed: Vec<_> = manifest
        .series
        .iter()
        .flat_map(|it| &it.instances)
        .collect();
    for (pair, file) in identity.instances.iter().zip(listed) {
        assert_eq!(pair.sealed, file.sop_instance_uid);
        assert!(pair.original.starts_with("2.25.100000"));
    }
    // It is made only if it was asked for.
    let plain = scanned(&[folder(dir.path())]).unwrap();
    assert!(IdentityDocument::of(&plain[0], ImageDigest([9; 32])).is_none());
}

#[test]
fn studies_are_told_apart_and_patients_kept_apart() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("in");
    for number in 0..4 {
        let mut sample = Sample::new(number);
        sample.study = if number < 3 { b'2' } else { b'7' };
        sample.write(&root.join(format!("{number}.dcm")));
    }
    let studies = scanned(std::slice::from_ref(&root)).unwrap();
    let lengths: Vec<_> = studies.iter().map(Study::len).collect();
    assert_eq!(lengths, [3, 1]);
    // A single instance stays a file.
    assert_eq!(payload(&studies[1])[128..132], *b"DICM");
    let several = Payload::new(vec![root.clone()], Some(options()));
    assert!(
        matches!(several.err().unwrap(), Failure::Study(error) if matches!(*error, Error::SeveralStudies { found: 2 }))
    );

    // Another patient in a study of her own: refused together, and read apart.
    let other = Sample {
        patient: b"87654321",
        study: b'8',
        ..Sample::new(9)
    };
    let path = other.write(&root.join("other.dcm"));
    let refused = scanned(std::slice::from_ref(&root)).err().unwrap();
    let told = refused.to_string();
    assert!(
        told.ends_with("other.dcm are of different patients"),
        "{told}"
    );
    assert!(!told.contains("87654321") && !told.contains("Doe"));
    let apart = scanned_with(std::slice::from_ref(&root), |it| it.one_patient = false)
        .unwrap()
        .0;
    assert_eq!(apart.len(), 3);
    // In the same study they are never read together.
    Sample {
        study: b'2',
        ..other
    }
    .write(&path);
    let mixed = scanned_with(std::slice::from_ref(&root), |it| it.one_patient = false);
    assert!(
        matches!(mixed.err().unwrap(), Failure::Study(error) if matches!(*error, Error::SeveralPatients { .. }))
    );
}

#[test]
fn a_refused_file_stops_everything_unless_it_is_to_be_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = folder(dir.path());
    let bad = root.join("scan 0/zz.dcm");
    let mut sample = Sample::new(77);
    sample.modality = b"US";
    sample.write(&bad);
    let refused = scanned(std::slice::from_ref(&root)).err().unwrap();
    assert!(
        matches!(&refused, Failure::Dicom { path, source: deid::Error::BurnedInUnknown } if *path == bad),
        "{refused}"
    );
    let (studies, told, _) =
        scanned_with(std::slice::from_ref(&root), |it| it.leave_out = true).unwrap();
    assert_eq!(studies[0].len(), 5);
    let left_out: Vec<_> = told
        .iter()
        .filter_map(|(number, why)| Some((*number, why.as_ref()?)))
        .collect();
    assert_eq!(left_out.len(), 1);
    assert!(
        left_out[0].1.contains("Burned In Annotation"),
        "{left_out:?}"
    );

    // Cut short, and of no use at all.
    fs::write(&bad, &DEMO[..DEMO.len() - 500]).unwrap();
    assert!(scanned(std::slice::from_ref(&root)).is_err());
    let only = dir.path().join("only");
    fs::create_dir(&only).unwrap();
    fs::write(only.join("a.dcm"), &DEMO[..5000]).unwrap();
    let none = scanned_with(&[only], |it| it.leave_out = true);
    assert!(matches!(none.err().unwrap(), Failure::NoFile));
}

#[test]
fn the_same_instance_twice_is_taken_once_and_two_versions_of_it_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("in");
    Sample::new(1).write(&root.join("a"));
    Sample::new(2).write(&root.join("b"));
    fs::copy(root.join("a"), root.join("c")).unwrap();
    let (studies, told, _) = scanned_with(std::slice::from_ref(&root), |_| {}).unwrap();
    assert_eq!(studies[0].len(), 2);
    assert_eq!(told[2].1.as_deref(), Some("the same file came before"));
    let mut changed = fs::read(root.join("c")).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(root.join("c"), changed).unwrap();
    let refused = scanned(std::slice::from_ref(&root)).err().unwrap();
    assert!(
        matches!(refused, Failure::Study(error) if matches!(*error, Error::SameInstance { .. }))
    );
    let (studies, told, _) = scanned_with(&[root], |it| it.leave_out = true).unwrap();
    assert_eq!(studies[0].len(), 2);
    let why = "another file with the same SOP Instance UID came before";
    assert_eq!(told[2].1.as_deref(), Some(why));
}

#[test]
fn an_opened_study_is_sealed_again_with_a_new_list_of_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let root = folder(dir.path());
    let first = scanned(std::slice::from_ref(&root)).unwrap();
    let out = dir.path().join("out");
    unpack_to(&payload(&first[0])[..], &out).unwrap();
    let (again, told, skipped) = scanned_with(std::slice::from_ref(&out), |_| {}).unwrap();
    // The list is recognised by what it says, not by its name; the manifest and its signature are no DICOM files.
    assert_eq!((again.len(), again[0].len()), (1, 5));
    let left_out: Vec<_> = told.iter().filter_map(|it| it.1.as_deref()).collect();
    assert_eq!(
        left_out,
        ["a list of a study's files: the study gets a new one"]
    );
    assert_eq!(skipped.len(), 2);
    // Nothing changes under the same key.
    assert_same(&payload(&again[0]), &payload(&first[0]));
    // Without an instance it is another study's list: the new one has another UID.
    fs::remove_file(out.join("0001/00001.dcm")).unwrap();
    let rest = scanned(std::slice::from_ref(&out)).unwrap();
    assert_eq!(rest[0].len(), 4);
    // Somebody else's document is an instance as any other.
    let mut other = fs::read(out.join(KEY_OBJECTS)).unwrap();
    let uid = other
        .windows(8)
        .position(|it| it == b"\x08\0\x18\0UI\x2c\0")
        .unwrap()
        + 8;
    other[uid + 10] = if other[uid + 10] == b'1' { b'2' } else { b'1' };
    fs::write(out.join("other.dcm"), other).unwrap();
    let with_other = scanned(std::slice::from_ref(&out)).unwrap();
    assert_eq!(with_other[0].len(), 5);
}

#[test]
fn a_file_that_changes_after_it_was_looked_at_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let root = folder(dir.path());
    let studies = scanned(std::slice::from_ref(&root)).unwrap();
    Sample::new(0).write(&root.join("scan 0/jane0"));
    let file = fs::File::options()
        .append(true)
        .open(root.join("scan 0/jane0"))
        .unwrap();
    file.set_len(1502).unwrap();
    let mut payload = Payload::of(&studies[0], Some(options())).unwrap();
    payload.sign(&SIGNER).unwrap();
    payload.read_to_end(&mut Vec::new()).unwrap_err();
    let refused = payload.take_error().unwrap();
    assert!(matches!(refused, Failure::Study(error) if matches!(*error, Error::Changed { .. })));
}

#[test]
fn a_description_has_no_more_bytes_than_the_contract_takes() {
    let dir = tempfile::tempdir().unwrap();
    let mut study = scanned(&[folder(dir.path())]).unwrap().remove(0);
    study.modalities = (0..100).map(|n| format!("M{n:03}")).collect();
    let told = study.description(None);
    assert!((250..=256).contains(&told.len()), "{}", told.len());
    assert!(told.split(' ').all(|word| word.len() == 4));
}
