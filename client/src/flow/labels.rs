//! Labels of an opened image, kept to find it by: modality, body part, date, and its radiologist.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::actor::notes::Author;
use crate::error::Result;
use crate::flow::opening::OpenedFile;
use crate::flow::split::Split;
use crate::study::unpack::{self, Contents};
use crate::unlocked::Unlocked;
use pcim_core::ImageDigest;
use pcim_dicom::deid;

/// Most bytes of a file that is read whole because its pixels cannot be left out.
const MAX_BYTES: u64 = 64 << 20;

/// Codes of the standard's lists, and the study's date as DICOM has it.
#[derive(Default)]
struct Labels {
    codes: Vec<String>,
    date: Option<String>,
}

impl Unlocked<'_> {
    /// Keeps what an image that was opened says of itself. It is open whether that is kept or not.
    pub(crate) async fn note_opened(&self, image: &ImageDigest, opened: &OpenedFile) {
        if let Err(error) = self.try_note_opened(image, opened).await {
            tracing::warn!(%error, "the image's description of itself was not recorded");
        }
    }

    async fn try_note_opened(&self, image: &ImageDigest, opened: &OpenedFile) -> Result<()> {
        let (path, contents) = (opened.path.clone(), opened.contents.clone());
        let labels = tokio::task::spawn_blocking(move || match contents {
            Contents::Dicom => of_file(&path),
            Contents::Study { .. } => of_study(&path),
            _ => None,
        });
        let Some(labels) = labels.await? else {
            return Ok(());
        };
        let mut words = labels.codes;
        words.extend(labels.date);
        if !words.is_empty() {
            words.push(opened.radiologist.to_string());
            self.note(image, Author::Radiologist, &words.join(" "))?;
        }
        Ok(())
    }
}

/// Reads a study's manifest, and its first file.
fn of_study(folder: &Path) -> Option<Labels> {
    let manifest = unpack::manifest_of(folder)?;
    let first = manifest.files().next();
    let of_first = first.and_then(|file| of_file(&folder.join(&file.file)));
    Some(Labels {
        codes: [manifest.modalities, manifest.body_parts].concat(),
        date: of_first.and_then(|labels| labels.date),
    })
}

/// Reads a DICOM file; its pixels are not read where they can be left out.
fn of_file(path: &Path) -> Option<Labels> {
    let bytes = match Split::of(File::open(path).ok()?).ok()? {
        Ok(split) => split.with_one_pixel(),
        Err(file) => {
            let mut bytes = Vec::new();
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes).ok()?;
            (bytes.len() as u64 <= MAX_BYTES).then_some(bytes)?
        }
    };
    let report = deid::inspect(&bytes).ok()?;
    let facts = deid::facts(&bytes).ok()?;
    let mut identifying = facts.identifying.into_iter();
    let date = identifying.find(|it| it.name == "StudyDate");
    Some(Labels {
        codes: [report.modality, report.body_part]
            .into_iter()
            .flatten()
            .collect(),
        date: date.and_then(|date| day(&date.value)),
    })
}

/// A date of DICOM (`20260315`, PS3.5 §6.2) as people write it: `2026-03-15`.
fn day(date: &str) -> Option<String> {
    let digits = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::study::MANIFEST;

    #[test]
    fn files_and_studies_say_what_they_are() {
        let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/assets/demo.dcm");
        let of_demo = of_file(&demo).unwrap();
        assert_eq!(of_demo.codes, ["CT"]);
        assert_eq!(of_demo.date.as_deref(), Some("2004-01-19"));

        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("1")).unwrap();
        std::fs::copy(&demo, dir.path().join("1/a.dcm")).unwrap();
        let file = |name: &str| {
            serde_json::json!({
                "file": name, "sop_class_uid": "1.2", "sop_instance_uid": "1.2.3", "bytes": 1, "sha256": "",
            })
        };
        let manifest = serde_json::json!({
            "pcim-study": 1,
            "study_instance_uid": "1.2.3",
            "modalities": ["MR", "SR"],
            "body_parts": ["KNEE"],
            "series": [{ "series_instance_uid": "1.2", "instances": [file("1/a.dcm")] }],
            "key_objects": file("key-objects.dcm"),
        });
        std::fs::write(dir.path().join(MANIFEST), manifest.to_string()).unwrap();
        let study = of_study(dir.path()).unwrap();
        assert_eq!(study.codes, ["MR", "SR", "KNEE"]);
        assert_eq!(study.date, of_demo.date);

        // What is no image says nothing.
        let other = dir.path().join("other");
        std::fs::write(&other, "DICM, or not").unwrap();
        assert!(of_file(&other).is_none() && of_study(&other).is_none());
        for date in ["", "2004", "2004.1.9", "200401190", "20040é1"] {
            assert_eq!(day(date), None, "{date}");
        }
    }
}
