//! Looks into every file of an input before anything is sealed: de-identifies it on trial, and puts it into its study.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Result;
use crate::flow::look::look;
use crate::study::error::Error;
use crate::study::input::Inputs;
use crate::study::input::Source;
use crate::study::parts::{Head, Ids, Instance, Measured, Study, Uids, pairs};
use crate::study::stage;
use pcim_core::parallel;
use pcim_dicom::deid::{self, Facts, Report};

/// Files whose reports are held at the same time.
const BATCH: usize = 128;
/// Most bytes of what stands before pixels that are kept until the files are sealed; files beyond are looked at once more.
const KEPT: usize = 32 << 20;

/// Options of a scan.
#[derive(Clone, Copy)]
pub struct ScanOptions<'a> {
    /// How they will be de-identified, if they will.
    pub deid: Option<&'a deid::Options>,
    /// All must be of one patient; otherwise all of each study.
    pub one_patient: bool,
    /// Files that are refused are left out; otherwise the first is the error.
    pub leave_out: bool,
    /// True if the identifying values are remembered, for an identity document.
    pub identity: bool,
    /// An empty folder of the caller's own, into which the files are written as they are looked at, for [`Study::write`].
    /// The files that are left out lie there too; all of it is the caller's to delete.
    pub stage: Option<&'a Path>,
}

/// The outcome of a file. Reported in the order of the input.
pub struct FileOutcome<'a> {
    /// The file's number, counted from 1, and how many there are.
    pub number: (usize, usize),
    /// Its name as the caller can find it.
    pub path: &'a Path,
    /// Its length in bytes.
    pub bytes: u64,
    /// Its Study Instance UID and SOP Instance UID as they will be sealed; none if it is left out.
    pub uids: Option<(&'a str, &'a str)>,
    /// The report of de-identification; none if the file is left out.
    pub report: Option<&'a Report>,
    /// Why it is left out.
    pub left_out: Option<String>,
}

/// A file that was found good.
struct Checked {
    bytes: u64,
    before: Facts,
    after: Facts,
    report: Report,
    measured: Measured,
    staged: Option<PathBuf>,
    head: Option<Head>,
}

/// Looks into the files and groups them into studies, in the order in which the studies were found.
///
/// # Errors
/// [`crate::error::Error::Dicom`] and [`crate::error::Error::File`] name the first file that is refused; [`Error::SeveralPatients`],
/// [`Error::SameInstance`] as [`crate::error::Error::Study`].
pub fn scan(
    inputs: Inputs,
    options: ScanOptions<'_>,
    tell: &mut dyn FnMut(FileOutcome<'_>),
) -> Result<Vec<Study>> {
    let mut files = inputs.files;
    if files.len() == 1 && !options.identity && !inputs.collected {
        // There is nothing to group, and nothing is sealed of a file that is refused.
        return Ok(files.drain(..).map(Study::unseen).collect());
    }
    let mut groups = Groups::new(options);
    let of = files.len();
    let mut number = 0;
    for batch in files.chunks(BATCH) {
        for (source, checked) in batch.iter().zip(check_all(batch, number, options)) {
            number += 1;
            let mut outcome = FileOutcome {
                number: (number, of),
                path: &source.path,
                bytes: 0,
                uids: None,
                report: None,
                left_out: None,
            };
            let mut checked = match checked {
                Ok(checked) => checked,
                Err(error) if options.leave_out && is_refusal(&error) => {
                    outcome.left_out = Some(reason(&error));
                    tell(outcome);
                    continue;
                }
                Err(error) => return Err(error),
            };
            outcome.bytes = checked.bytes;
            match groups.add(source, &mut checked)? {
                Some(why) => outcome.left_out = Some(why.to_owned()),
                None => {
                    outcome.uids = Some((&checked.after.study, &checked.after.instance));
                    outcome.report = Some(&checked.report);
                }
            }
            tell(outcome);
        }
    }
    let mut studies = groups.studies;
    if studies.is_empty() {
        return Err(crate::error::Error::NoFile);
    }
    studies.iter_mut().for_each(Study::sort);
    Ok(studies)
}

/// Says whether the fault is the file's.
fn is_refusal(error: &crate::error::Error) -> bool {
    let damaged = |source: &io::Error| source.kind() == io::ErrorKind::InvalidData;
    match error {
        crate::error::Error::Dicom { .. } => true,
        crate::error::Error::File { source, .. } => damaged(source),
        _ => false,
    }
}

/// The reason without the file's name.
fn reason(error: &crate::error::Error) -> String {
    match error {
        crate::error::Error::Dicom { source, .. } => source.to_string(),
        crate::error::Error::File { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// Looks into files, as many at a time as there are processors. `before` came before them.
fn check_all(batch: &[Source], before: usize, options: ScanOptions<'_>) -> Vec<Result<Checked>> {
    parallel::each(batch, parallel::processors(), |place, source| {
        check(source, before + place + 1, options)
    })
}

fn check(source: &Source, number: usize, options: ScanOptions<'_>) -> Result<Checked> {
    let path = &source.path;
    let at = |error| crate::error::Error::File {
        path: path.clone(),
        source: error,
    };
    let file = source.open().map_err(at)?;
    let bytes = file.metadata().map_err(at)?.len();
    let looked = look(path, file, options.deid)?;
    let (clean, report, [before, after]) = looked.clean_with_facts(path, options.deid)?;
    let (content, pixels) = looked.into_clean(path, clean)?;
    let (mut staged, mut head) = (None, None);
    let measured = match (options.stage, pixels) {
        (Some(folder), pixels) => {
            let written = folder.join(number.to_string());
            let measured = stage::write_new(content, pixels, &written).map_err(at)?;
            staged = Some(written);
            measured
        }
        (None, Some(pixels)) => {
            let original = bytes.saturating_sub(pixels.limit());
            let sealed = content;
            let measured = Measured::of_parts(&sealed, pixels).map_err(at)?;
            head = Some(Head { original, sealed });
            measured
        }
        (None, None) => Measured::of(&content),
    };
    Ok(Checked {
        bytes,
        before,
        after,
        report,
        measured,
        staged,
        head,
    })
}

/// Studies in the making.
struct Groups<'a> {
    options: ScanOptions<'a>,
    studies: Vec<Study>,
    /// The place of each study by its UID as it was, with its first file.
    places: HashMap<String, usize>,
    /// The first file of each study, and whose it is.
    firsts: Vec<(Source, Facts)>,
    /// The files by SOP Instance UID as it was.
    known: HashMap<String, Source>,
    /// Bytes of the heads that are kept.
    kept: usize,
}

impl<'a> Groups<'a> {
    fn new(options: ScanOptions<'a>) -> Self {
        Self {
            options,
            studies: Vec::new(),
            places: HashMap::new(),
            firsts: Vec::new(),
            known: HashMap::new(),
            kept: 0,
        }
    }

    /// Adds a file to its study; if it is left out tells why.
    fn add(&mut self, source: &Source, checked: &mut Checked) -> Result<Option<&'static str>> {
        let head = checked.head.take();
        let checked = &*checked;
        let (before, after) = (&checked.before, &checked.after);
        if before.lists_its_study {
            return Ok(Some("a list of a study's files: the study gets a new one"));
        }
        let place = self.places.get(&before.study).copied();
        let of_whom = match self.options.one_patient {
            true => self.firsts.first(),
            false => place.and_then(|place| self.firsts.get(place)),
        };
        if let Some((first, facts)) = of_whom
            && facts.patient != before.patient
        {
            return Err(Error::SeveralPatients {
                first: first.path.clone(),
                other: source.path.clone(),
            }
            .into());
        }
        if let Some(first) = self.known.get(&before.instance) {
            if same(first, source)? {
                return Ok(Some("the same file came before"));
            }
            if self.options.leave_out {
                return Ok(Some(
                    "another file with the same SOP Instance UID came before",
                ));
            }
            return Err(Error::SameInstance {
                first: first.path.clone(),
                other: source.path.clone(),
            }
            .into());
        }
        self.known.insert(before.instance.clone(), source.clone());
        let place = place.unwrap_or_else(|| {
            let identifying = match self.options.identity {
                true => pairs(&before.identifying, &after.identifying),
                false => Vec::new(),
            };
            let place = self.studies.len();
            self.studies
                .push(Study::new(after.repeated.clone(), identifying));
            self.firsts.push((source.clone(), before.clone()));
            self.places.insert(before.study.clone(), place);
            place
        });
        let head = head.filter(|head| self.kept + head.sealed.len() <= KEPT);
        self.kept += head.as_ref().map_or(0, |head| head.sealed.len());
        let instance = Instance {
            source: source.clone(),
            sealed: Some(Ids::of(after)),
            original: self.options.identity.then(|| Uids::of(before)),
            measured: Some(checked.measured),
            staged: checked.staged.clone(),
            head: head.map(Arc::new),
        };
        self.studies[place].add(instance, &checked.report);
        Ok(None)
    }
}

/// Says whether two files have the same bytes.
fn same(first: &Source, other: &Source) -> Result<bool> {
    let open = |source: &Source| {
        source.open().map_err(|error| crate::error::Error::File {
            path: source.path.clone(),
            source: error,
        })
    };
    let (first, second) = (open(first)?, open(other)?);
    equal(first, second).map_err(|error| crate::error::Error::File {
        path: other.path.clone(),
        source: error,
    })
}

fn equal(first: File, second: File) -> io::Result<bool> {
    if first.metadata()?.len() != second.metadata()?.len() {
        return Ok(false);
    }
    let mut pair = (BufReader::new(first), BufReader::new(second));
    let (mut a, mut b) = ([0; 1 << 13], [0; 1 << 13]);
    loop {
        let length = pair.0.read(&mut a)?;
        if length == 0 {
            return Ok(true);
        }
        if let Err(error) = pair.1.read_exact(&mut b[..length]) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof => Ok(false),
                _ => Err(error),
            };
        }
        if a[..length] != b[..length] {
            return Ok(false);
        }
    }
}
