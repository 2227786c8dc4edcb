//! `pcim deid`

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::Context as _;
use clap::Args;
use pcim_client::client::study::{Inputs, ScanOptions, scan};
use pcim_client::client::{Error, Progress};
use pcim_client::deid::{self, Blank, BurnedIn, Options, Profile, ProfileOption, Purpose, Report};
use pcim_client::home::{self, Home};
use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::commands::reports::{Reports, sink};
use crate::commands::write_result;
use crate::context::Context;
use crate::failure::Usage;
use crate::ui::{Ui, printable};

/// Most bytes of one file.
const MAX_FILE_BYTES: u64 = 2 << 30;
/// Most files of one run.
const MAX_FILES: usize = 100_000;

/// What is done to the files.
#[derive(Debug, Args)]
#[command(next_help_heading = "De-identification")]
pub(crate) struct ProfileArgs {
    /// What the files are for: `care` shifts dates and keeps age, sex, weight and the device; `research`
    /// keeps nothing of them
    #[arg(long, value_name = "PURPOSE", default_value = "care")]
    purpose: Purpose,
    /// A further option of the profile (DICOM PS3.15 §E.3), by code or name, such as 113105 or
    /// clean-descriptors
    #[arg(long = "option", value_name = "OPTION")]
    options: Vec<ProfileOption>,
    /// Blank a region in every frame: x,y,w,h in pixels, or `ultrasound` for all but the calibrated
    /// regions
    #[arg(long, value_name = "REGION")]
    blank: Vec<Blank>,
    /// Let the pixels pass: you have looked, and they show no text about the patient
    #[arg(long)]
    accept_burned_in: bool,
}

impl ProfileArgs {
    pub(crate) fn profile(&self) -> anyhow::Result<Profile> {
        let mut options = self.purpose.options();
        options.extend(&self.options);
        let pixels = [
            ProfileOption::CleanPixelData,
            ProfileOption::CleanVisualFeatures,
        ];
        if let Some(option) = pixels.iter().find(|option| options.contains(option))
            && self.blank.is_empty()
        {
            return Err(Usage(format!("option {option} needs --blank")).into());
        }
        // Full dates were asked for; the purpose's shifted ones were not.
        if self.options.contains(&ProfileOption::RetainFullDates) {
            if self.options.contains(&ProfileOption::RetainModifiedDates) {
                return Err(Usage("dates either stay or move: 113106 or 113107".to_owned()).into());
            }
            options.remove(&ProfileOption::RetainModifiedDates);
        }
        Ok(Profile {
            options,
            blank: self.blank.clone(),
            accept_burned_in: self.accept_burned_in,
        })
    }
}

/// De-identify DICOM files, and tell what was done to each attribute
///
/// Needs no home, chain or network. Files are written as 0001.dcm and so on, since names of files can be names of
/// people. If a PATH is a folder, a DICOMDIR or a zip archive, the files are grouped into studies: each is written as the
/// folder 0001 and so on, with a manifest and a Key Object Selection Document that lists its instances, or as 0001.dcm if
/// it has one; nothing is written before each file was found good. UIDs, identifiers and dates follow a key: the --key-file, else the home's, else one that is forgotten
/// afterwards.
#[derive(Debug, Args)]
pub(crate) struct DeidArgs {
    /// DICOM files (PS3.10), folders, DICOMDIRs, zip archives
    #[arg(required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The directory of the results; made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace files that are there; folders are never replaced
    #[arg(long)]
    force: bool,
    /// Leave out files of a study that are refused, and list them; otherwise the first stops everything
    #[arg(long)]
    skip_refused: bool,
    /// 32 secret bytes: the same key gives the same patient the same pseudonyms
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    profile: ProfileArgs,
}

/// What became of a file.
#[derive(Debug, Serialize)]
struct Outcome {
    file: PathBuf,
    /// None if it was refused.
    out: Option<PathBuf>,
    report: Option<Report>,
    /// Why it was refused.
    refused: Option<String>,
}

impl DeidArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if self.files.len() > MAX_FILES {
            let found = self.files.len();
            return Err(Usage(format!("{found} files: at most {MAX_FILES} at once")).into());
        }
        let options = Options {
            key: *self.key(context)?,
            profile: self.profile.profile()?,
        };
        let inputs = self.collection()?;
        std::fs::create_dir_all(&self.out)
            .with_context(|| format!("cannot make {}", self.out.display()))?;
        if let Some(inputs) = inputs {
            say_skipped(context.ui, &inputs);
            return self.studies(context, inputs, &options);
        }
        let results = self.all(&options);
        let mut first = None;
        let mut outcomes = Vec::new();
        let mut text = String::new();
        for (file, result) in self.files.iter().zip(results) {
            let file = file.clone();
            outcomes.push(match result {
                Ok((out, report)) => {
                    let given = printable(&file.display().to_string());
                    text.push_str(&format!("{}  {given}\n", out.display()));
                    text.push_str(&counts(&report));
                    text.push_str(&report.to_string());
                    if report.burned_in == BurnedIn::Unknown {
                        let name = out.display();
                        context.ui.note(&format!(
                            "note: {name} does not say whether its pixels show text about the patient: look at them"
                        ));
                    }
                    Outcome {
                        file,
                        out: Some(out),
                        report: Some(report),
                        refused: None,
                    }
                }
                Err(error) => {
                    let refused = Some(format!("{error:#}"));
                    first.get_or_insert(error);
                    Outcome {
                        file,
                        out: None,
                        report: None,
                        refused,
                    }
                }
            });
        }
        let refused: Vec<_> = outcomes.iter().filter_map(|o| o.refused.as_ref()).collect();
        // The first is the command's error.
        for reason in refused.iter().skip(1) {
            context.ui.note(&format!("refused: {reason}"));
        }
        if refused.len() < outcomes.len() {
            context.ui.result(&outcomes, &text)?;
        }
        first.map_or(Ok(()), Err)
    }

    /// The files, if any of them comes from a folder, a DICOMDIR or an archive.
    fn collection(&self) -> anyhow::Result<Option<Inputs>> {
        // A file that cannot be opened is told about by itself.
        let readable = self.files.iter().all(|path| File::open(path).is_ok());
        Ok(match readable {
            true => Some(Inputs::gather(&self.files, self.skip_refused)?).filter(|it| it.collected),
            false => None,
        })
    }

    /// Whole studies, one after the other.
    fn studies(&self, context: &Context, inputs: Inputs, options: &Options) -> anyhow::Result<()> {
        let reports = Reports::begin(tempfile::tempfile()?)?;
        let (tell, progress) = (
            sink(context.ui, Some(reports.clone())),
            context.ui.progress(),
        );
        let wanted = ScanOptions {
            deid: Some(options),
            one_patient: false,
            leave_out: self.skip_refused,
            identity: false,
        };
        let mut bytes = 0;
        let studies = scan(inputs, wanted, &mut |outcome| {
            bytes += outcome.bytes;
            let (done, of) = outcome.number;
            progress(Progress {
                what: "looked at",
                bytes,
                total: None,
                files: Some((done as u64, of as u64)),
            });
            tell(outcome);
        })?;
        let (mut text, mut told) = (String::new(), Vec::new());
        for (number, study) in studies.iter().enumerate() {
            let ending = if study.len() == 1 { ".dcm" } else { "" };
            let out = self.out.join(format!("{:04}{ending}", number + 1));
            let (contents, report) = study.write(Some(options.clone()), &out, self.force)?;
            text.push_str(&format!("{}  {contents}\n", out.display()));
            if report
                .as_ref()
                .is_some_and(|it| it.burned_in == BurnedIn::Unknown)
            {
                let name = out.display();
                context.ui.note(&format!(
                    "note: {name} does not say whether its pixels show text about the patient: look at them"
                ));
            }
            if let Some(report) = &report {
                text.push_str(&counts(report));
                text.push_str(&report.to_string());
            }
            told.push(json!({
                "out": out,
                "study_instance_uid": study.uid(),
                "contents": contents,
                "report": report,
            }));
        }
        match context.ui.is_json() {
            true => context.ui.document(reports.finish(&told)?),
            false => context.ui.result(&(), &text),
        }
    }

    /// All files, as many at a time as there are processors.
    fn all(&self, options: &Options) -> Vec<anyhow::Result<(PathBuf, Report)>> {
        let next = AtomicUsize::new(0);
        let results: Vec<_> = self.files.iter().map(|_| Mutex::new(None)).collect();
        let work = || loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (Some(file), Some(slot)) = (self.files.get(number), results.get(number)) else {
                return;
            };
            let result = self.one(number, file, options);
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(result);
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..threads.min(self.files.len()) {
                scope.spawn(work);
            }
        });
        let result = |slot: Mutex<Option<_>>| slot.into_inner().ok().flatten();
        let failed = || Err(anyhow::anyhow!("the file was not worked on"));
        results
            .into_iter()
            .map(|slot| result(slot).unwrap_or_else(failed))
            .collect()
    }

    fn one(
        &self,
        number: usize,
        file: &Path,
        options: &Options,
    ) -> anyhow::Result<(PathBuf, Report)> {
        let path = file.to_owned();
        let bytes = read(file).map_err(|source| Error::File { path, source })?;
        let path = file.to_owned();
        let (clean, report) =
            deid::deidentify(&bytes, options).map_err(|source| Error::Dicom { path, source })?;
        drop(bytes);
        let out = self.out.join(format!("{:04}.dcm", number + 1));
        write_result(&out, &clean, self.force)?;
        Ok((out, report))
    }

    fn key(&self, context: &Context) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        if let Some(path) = &self.key_file {
            let mut bytes = Zeroizing::new(Vec::new());
            let read = File::open(path).and_then(|f| f.take(33).read_to_end(&mut bytes));
            read.with_context(|| format!("cannot read {}", path.display()))?;
            let key = <[u8; 32]>::try_from(bytes.as_slice())
                .map_err(|_| Usage(format!("{}: not a key of 32 bytes", path.display())))?;
            return Ok(Zeroizing::new(key));
        }
        match Home::open(&context.home_dir()?) {
            Ok(home) => Ok(home.deid_key()?),
            Err(home::Error::NotAHome { .. }) => {
                context.ui.note(
                    "note: no key was given and there is no home: the pseudonyms are for this run alone",
                );
                Ok(home::new_deid_key())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut bytes = Vec::with_capacity(length.min(MAX_FILE_BYTES) as usize);
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > MAX_FILE_BYTES {
        true => Err(std::io::Error::other(format!(
            "longer than {MAX_FILE_BYTES} bytes"
        ))),
        false => Ok(bytes),
    }
}

/// Says what is passed over.
pub(crate) fn say_skipped(ui: Ui, inputs: &Inputs) {
    for skipped in &inputs.skipped {
        let name = printable(&skipped.path.display().to_string());
        ui.note(&format!("skipped: {name}: {}", skipped.why));
    }
}

/// A line that sums up.
pub(crate) fn counts(report: &Report) -> String {
    format!(
        "removed      {} elements, {} private; emptied {}, replaced {}, new UIDs {}, shifted {}, cleaned {}\n",
        report.removed,
        report.private_removed,
        report.emptied,
        report.replaced,
        report.uids,
        report.shifted,
        report.cleaned
    )
}
