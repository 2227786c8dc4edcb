//! Folders as they are found, DICOMDIRs, archives.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::*;
use crate::study::zip::tests::{archive, deflated, stored};

/// A DICOMDIR with a record for each file.
fn dicomdir(files: &[&str]) -> Vec<u8> {
    let record = |file: &&str| {
        InMemDicomObject::from_element_iter([
            DataElement::new(tags::DIRECTORY_RECORD_TYPE, VR::CS, "IMAGE"),
            DataElement::new(tags::REFERENCED_FILE_ID, VR::CS, *file),
        ])
    };
    let records: Vec<_> = files.iter().map(record).collect();
    let data_set = InMemDicomObject::from_element_iter([
        DataElement::new(tags::FILE_SET_ID, VR::CS, PrimitiveValue::from("DISC")),
        DataElement::new(
            tags::DIRECTORY_RECORD_SEQUENCE,
            VR::SQ,
            dicom_core::value::DataSetSequence::from(records),
        ),
    ]);
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(uids::MEDIA_STORAGE_DIRECTORY_STORAGE)
        .media_storage_sop_instance_uid("2.25.77")
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .build()
        .unwrap();
    let mut file = Vec::new();
    data_set.with_exact_meta(meta).write_all(&mut file).unwrap();
    file
}

fn why(result: crate::error::Result<Vec<Study>>) -> String {
    result.err().unwrap().to_string()
}

#[test]
fn a_dicomdir_leads_to_its_files_and_not_out_of_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let disc = dir.path().join("disc");
    for number in 0..3 {
        Sample::new(number).write(&disc.join(format!("IMAGES/IM{number}")));
    }
    // Copied from a disc with small letters.
    Sample::new(3).write(&disc.join("more/im3"));
    // Not of the disc.
    Sample::new(8).write(&disc.join("OTHER"));
    Sample::new(9).write(&dir.path().join("OUTSIDE"));
    let directory = disc.join("DICOMDIR");
    let put = |files: &[&str]| {
        fs::write(&directory, dicomdir(files)).unwrap();
        scanned(std::slice::from_ref(&directory))
    };
    let found = put(&["IMAGES\\IM0", "IMAGES\\IM1", "IMAGES\\IM2", "MORE\\IM3"]).unwrap();
    assert_eq!((found.len(), found[0].len()), (1, 4));
    for outside in [
        "..\\OUTSIDE",
        "IMAGES\\..\\..\\OUTSIDE",
        "\\etc\\hosts",
        "/etc/hosts",
        "IMAGES/IM0",
    ] {
        let told = why(put(&["IMAGES\\IM0", outside]));
        assert!(
            told.ends_with("record 2 names a file outside of its folder"),
            "{outside}: {told}"
        );
    }
    let link = disc.join("LINK");
    std::os::unix::fs::symlink(dir.path().join("OUTSIDE"), &link).unwrap();
    assert!(why(put(&["LINK"])).ends_with("outside of its folder"));
    assert!(
        why(put(&["IMAGES\\IM0", "IMAGES\\IM7"]))
            .ends_with("record 2 names a file that is not there")
    );
    let (studies, _, skipped) =
        scanned_with(std::slice::from_ref(&directory), |it| it.leave_out = true).unwrap();
    assert_eq!((studies[0].len(), skipped.len()), (1, 1));

    // In a folder that is read as one it is passed over, as links are.
    let (studies, _, skipped) = scanned_with(std::slice::from_ref(&disc), |_| {}).unwrap();
    assert_eq!(studies[0].len(), 5);
    let passed: Vec<_> = skipped
        .iter()
        .map(|it| it.path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(passed, ["DICOMDIR", "LINK"]);
}

#[test]
fn a_dicomdir_leads_to_further_ones_and_not_in_a_circle() {
    let dir = tempfile::tempdir().unwrap();
    let disc = dir.path().join("disc");
    Sample::new(0).write(&disc.join("IM0"));
    for number in 1..3 {
        Sample::new(number).write(&disc.join(format!("PA0/IM{number}")));
    }
    let top = disc.join("DICOMDIR");
    fs::write(&top, dicomdir(&["IM0", "PA0\\DIRFILE"])).unwrap();
    let within = disc.join("PA0/DIRFILE");
    fs::write(&within, dicomdir(&["IM1", "IM2"])).unwrap();
    let found = scanned(std::slice::from_ref(&top)).unwrap();
    assert_eq!((found.len(), found[0].len()), (1, 3));
    // One that names itself, and one that leads out of its own folder.
    fs::write(&within, dicomdir(&["IM1", "DIRFILE"])).unwrap();
    let told = why(scanned(std::slice::from_ref(&top)));
    assert!(
        told.ends_with("a media directory which leads to it"),
        "{told}"
    );
    fs::write(&within, dicomdir(&["..\\IM0"])).unwrap();
    let told = why(scanned(std::slice::from_ref(&top)));
    assert!(told.ends_with("outside of its folder"), "{told}");
}

#[test]
fn a_file_without_preamble_in_a_folder_is_read_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("in");
    Sample::new(0).write(&root.join("a"));
    Sample::new(1).write(&root.join("b"));
    let whole = fs::read(root.join("b")).unwrap();
    fs::write(root.join("b"), &whole[132..]).unwrap();
    let (studies, _, skipped) = scanned_with(std::slice::from_ref(&root), |_| {}).unwrap();
    assert_eq!((studies[0].len(), skipped.len()), (2, 0));
}

#[test]
fn folders_are_searched_without_following_links_or_opening_archives() {
    let dir = tempfile::tempdir().unwrap();
    let root = folder(dir.path());
    let outside = dir.path().join("outside");
    Sample::new(50).write(&outside.join("secret"));
    std::os::unix::fs::symlink(&outside, root.join("away")).unwrap();
    std::os::unix::fs::symlink(&root, root.join("round")).unwrap();
    fs::write(root.join("nested.zip"), archive(&[stored("a", DEMO)])).unwrap();
    let (studies, _, skipped) = scanned_with(std::slice::from_ref(&root), |_| {}).unwrap();
    assert_eq!(studies[0].len(), 5);
    let mut why: Vec<_> = skipped.iter().map(|it| it.why).collect();
    why.sort_unstable();
    assert_eq!(
        why,
        [
            "a symbolic link",
            "a symbolic link",
            "an archive within: give it by itself",
            "not a DICOM file"
        ]
    );

    let deep = (0..70).fold(dir.path().join("deep"), |path, _| path.join("d"));
    Sample::new(1).write(&deep.join("x"));
    let told = super::media::why(scanned(&[dir.path().join("deep")]));
    assert!(told.ends_with("nested more than 64 deep"), "{told}");
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("letter"), "Dear").unwrap();
    assert!(super::media::why(scanned(&[empty])).ends_with("no DICOM file is in it"));
}

#[test]
fn an_archive_gives_the_study_of_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let root = folder(dir.path());
    let names = tree(&root);
    let files: Vec<_> = names.iter().filter(|name| !name.ends_with('/')).collect();
    let contents: Vec<_> = files
        .iter()
        .map(|name| fs::read(root.join(name)).unwrap())
        .collect();
    let entries: Vec<_> = files
        .iter()
        .zip(&contents)
        .enumerate()
        .map(|(number, (name, content))| match number % 2 {
            0 => deflated(name, content),
            _ => stored(name, content),
        })
        .collect();
    let path = dir.path().join("study.zip");
    fs::write(&path, archive(&entries)).unwrap();
    let (studies, _, skipped) = scanned_with(std::slice::from_ref(&path), |_| {}).unwrap();
    assert_eq!(skipped.len(), 1);
    let plain = scanned(&[root]).unwrap();
    assert_same(&payload(&studies[0]), &payload(&plain[0]));

    // An archive in an archive is not opened, and not passed over unseen.
    let mut nested = entries.clone();
    let inner = archive(&[stored("x", DEMO)]);
    nested.push(stored("inner.zip", &inner));
    fs::write(&path, archive(&nested)).unwrap();
    let told = why(scanned(std::slice::from_ref(&path)));
    assert!(told.contains("is an archive itself"), "{told}");
    let (studies, _, skipped) = scanned_with(&[path], |it| it.leave_out = true).unwrap();
    assert_eq!((studies[0].len(), skipped.len()), (5, 2));
}
