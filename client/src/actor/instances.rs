//! Instances of an image, fetched without the rest of it.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::actor::requestor::Requestor;
use crate::error::{Error, Result, file_error};
use crate::flow::access::Opened;
use crate::flow::landing::Target;
use crate::operation::deed::{Deed, Once};
use crate::operation::journal::piece::{Piece, Verdict};
use crate::operation::settle::{Passing, note};
use crate::study::unpack::{appear, make_folder};
use pcim_core::{Address, ImageDigest, private};

/// Instances of a study.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// One, by its number, counted from 1 in the order of the study.
    Number(usize),
    /// Those of a series, by its Series Instance UID.
    Series(String),
}

/// Instances that were fetched and verified by the index of their image.
#[derive(Clone, Debug, Serialize)]
pub struct FetchedInstances {
    /// The file, or the folder of a series.
    pub path: PathBuf,
    /// The instances.
    pub instances: Vec<FetchedInstance>,
    /// How many instances the image has.
    pub of: usize,
    /// The patient who registered the image.
    pub patient: Address,
    /// The radiologist who attested it.
    pub radiologist: Address,
    /// The fingerprint of the certificate that signed it.
    pub signer: String,
    /// The part that was verified: `instances`, by the index, and not the image as a whole.
    pub verified: &'static str,
}

/// An instance that was fetched.
#[derive(Clone, Debug, Serialize)]
pub struct FetchedInstance {
    /// Its number, counted from 1 in the order of the study.
    pub number: usize,
    /// Its name in the study.
    pub file: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, hex.
    pub sha256: String,
}

impl Requestor<'_> {
    /// Fetches instances of an image, if the chain authorizes this home now, and writes them: one as a file, those of a series
    /// into a folder, named as in the study. Nothing else of the image is fetched but its index; what was fetched stays on the
    /// node for a later fetch of the whole.
    ///
    /// # Errors
    /// [`Error::NotAuthorized`] before anything is fetched; those of [`open_at_index`](crate::Unlocked::open_at_index);
    /// [`Error::NoInstance`], [`Error::FileExists`].
    pub async fn fetch_instances(
        &self,
        image: &ImageDigest,
        selection: &Selection,
        target: &Target,
    ) -> Result<FetchedInstances> {
        let is_folder = matches!(selection, Selection::Series(_));
        let taken = target.path.exists() && (is_folder || !target.overwrite);
        if target.path.is_dir() || taken {
            let path = target.path.clone();
            return Err(Error::FileExists { path });
        }
        let opened = self.open_at_index(image).await?;
        let numbers = numbers(&opened, image, selection)?;
        let passing = Passing::begin(self, Deed::Open(Once::draw()))?;
        let noted = |path: &Path| {
            let piece = Piece::File(path.to_owned());
            note(&self.journal, passing.operation, Verdict::Failed, &piece)
        };
        let made = private::noted_dir_beside(&target.path, noted);
        let made = made.map_err(|source| file_error(&target.path, source))?;
        let mut written = Vec::new();
        for number in numbers.clone() {
            if number + 1 < numbers.end {
                opened.fetch_ahead(number + 1);
            }
            written.push(write(&opened, number, &made, target).await?);
        }
        let (target, is_one) = (target.clone(), !is_folder);
        let path = target.path.clone();
        let named = written.iter().map(|it| it.file.clone()).collect::<Vec<_>>();
        spawn_blocking(move || match is_one {
            true => place_one(&made, &named, &target),
            false => place_all(made, &named, &target),
        })
        .await??;
        Ok(FetchedInstances {
            path,
            instances: written,
            of: opened.index().instances(),
            patient: opened.patient(),
            radiologist: opened.radiologist(),
            signer: opened.signer(),
            verified: "instances",
        })
    }
}

fn numbers(opened: &Opened, image: &ImageDigest, selection: &Selection) -> Result<Range<usize>> {
    let index = opened.index();
    let found = match selection {
        Selection::Number(number) => index.file(*number).map(|_| *number..number + 1),
        Selection::Series(uid) => index.series(uid),
    };
    found.ok_or_else(|| Error::NoInstance {
        image: *image,
        wanted: selection.to_string(),
        found: index.instances(),
    })
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "instance {number}"),
            Self::Series(uid) => write!(f, "series {uid}"),
        }
    }
}

/// Writes an instance under its name in the study into a folder of our own.
async fn write(
    opened: &Opened,
    number: usize,
    made: &TempDir,
    target: &Target,
) -> Result<FetchedInstance> {
    let at = |source| file_error(&target.path, source);
    let Some(file) = opened.index().file(number).cloned() else {
        return Err(Error::NoFile);
    };
    let path = made.path().join(&file.file);
    path.parent().map_or(Ok(()), make_folder).map_err(at)?;
    let sink = private::create_new(&path).map_err(at)?;
    let mut sink: File = opened.instance_into(number, sink).await?;
    sink.flush().and_then(|()| sink.sync_all()).map_err(at)?;
    Ok(FetchedInstance {
        number,
        file: file.file,
        sop_instance_uid: file.sop_instance_uid,
        bytes: file.bytes,
        sha256: file.sha256,
    })
}

/// Gives one file its name.
fn place_one(made: &TempDir, named: &[String], target: &Target) -> Result<()> {
    let at = |source| file_error(&target.path, source);
    for name in named {
        let file = tempfile::TempPath::try_from_path(made.path().join(name)).map_err(at)?;
        match target.overwrite {
            true => file.persist(&target.path),
            false => file.persist_noclobber(&target.path),
        }
        .map_err(|error| at(error.error))?;
    }
    private::sync_parent(&target.path).map_err(at)
}

/// Gives a folder its name.
fn place_all(made: TempDir, named: &[String], target: &Target) -> Result<()> {
    let folders = named.iter().filter_map(|name| name.split_once('/'));
    let mut folders: Vec<_> = folders
        .map(|(folder, _)| made.path().join(folder))
        .collect();
    folders.dedup();
    folders.push(made.path().to_owned());
    private::sync_files(&folders).map_err(|source| file_error(&target.path, source))?;
    appear(made, &target.path)
}
