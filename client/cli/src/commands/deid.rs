//! `pcim deid`

pub(crate) mod check;
pub(crate) mod found;
mod told;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use pcim_client::Progress;
use pcim_client::home::{self, Home};
use pcim_client::study::{Inputs, ScanOptions, copy, scan};
use pcim_dicom::check::Rules;
use pcim_dicom::deid::{BurnedIn, Edition, Options, Profile, ProfileOption, Purpose, Report};
use serde_json::json;
use zeroize::Zeroizing;

use crate::commands::deid::found::BlankArg;
use crate::commands::deid::told::{Outcome, Told};
use crate::commands::reports::{Reports, sink};
use crate::context::{Context, read_secret};
use crate::failure::Usage;
use crate::ui::{Ui, printable};

pub(crate) use told::counts;

/// Most files of one run.
const MAX_FILES: usize = 100_000;

/// The choices of de-identification.
#[derive(Debug, Args)]
#[command(next_help_heading = "De-identification")]
pub(crate) struct ProfileArgs {
    /// Purpose of the files: `care` shifts dates and keeps age, sex, weight and the device; `research`
    /// keeps nothing of them
    #[arg(long, value_name = "PURPOSE", default_value = "care")]
    purpose: Purpose,
    /// A further option of the profile (DICOM PS3.15 §E.3), by code or name, such as 113105 or
    /// clean-descriptors
    #[arg(long = "option", value_name = "OPTION")]
    options: Vec<ProfileOption>,
    /// Blank a region in every frame: x,y,w,h in pixels, or `ultrasound` for all but the calibrated
    /// regions; `found` for what `pcim deid --text-model` finds
    #[arg(long, value_name = "REGION")]
    blank: Vec<BlankArg>,
    /// Let the pixels pass: you have looked, and they show no text about the patient
    #[arg(long)]
    accept_burned_in: bool,
    /// The edition of the standard whose tables say what is done: 2026 or 2025
    #[arg(long, value_name = "YEAR", default_value = "2026")]
    edition: Edition,
}

impl ProfileArgs {
    /// Checks whether text that is found is to be blanked.
    pub(crate) fn blanks_found(&self) -> bool {
        self.blank
            .iter()
            .any(|region| matches!(region, BlankArg::Found))
    }

    /// Makes the profile where text is not looked for.
    pub(crate) fn profile(&self) -> anyhow::Result<Profile> {
        if self.blanks_found() {
            let text = "--blank found is for `pcim deid` alone: de-identify first, then seal";
            return Err(Usage(text.to_owned()).into());
        }
        self.named()
    }

    /// Makes the profile with the regions that are named.
    fn named(&self) -> anyhow::Result<Profile> {
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
        let named = |region: &BlankArg| match region {
            BlankArg::Named(region) => Some(*region),
            BlankArg::Found => None,
        };
        // Full dates were asked for; the purpose's shifted ones were not.
        if self.options.contains(&ProfileOption::RetainFullDates) {
            if self.options.contains(&ProfileOption::RetainModifiedDates) {
                return Err(Usage("dates either stay or move: 113106 or 113107".to_owned()).into());
            }
            options.remove(&ProfileOption::RetainModifiedDates);
        }
        Ok(Profile {
            options,
            blank: self.blank.iter().filter_map(named).collect(),
            accept_burned_in: self.accept_burned_in,
            faces: None,
            edition: self.edition,
        })
    }
}

/// De-identify DICOM files, and tell what was done to each attribute
///
/// Needs no home, chain or network. Files are written as 0001.dcm and so on, since names of files can be names of
/// people. If a PATH is a folder, a DICOMDIR or a zip archive, the files are grouped into studies: each is written as the
/// folder 0001 and so on, with a manifest and a Key Object Selection Document that lists its instances, or as 0001.dcm if
/// it has one; none of them appears before each file was found good. UIDs, identifiers and dates follow a key: the
/// --key-file, else the home's, else one that is forgotten afterwards.
#[derive(Debug, Args)]
pub(crate) struct DeidArgs {
    /// DICOM files (PS3.10), folders, DICOMDIRs, zip archives; with --check the files from before, then the result
    #[arg(required = true, value_name = "PATH")]
    files: Vec<PathBuf>,
    /// The directory of the results; made if it is not there
    #[arg(long, value_name = "DIR", required_unless_present_any = ["check", "find_text"])]
    out: Option<PathBuf>,
    /// Look at results again, by other code than made them: identifiers of the PATHs in the last of them or in --out, rows
    /// of the table not obeyed, dates, UIDs, pixels; by the same options. Exit code 1 and a table if anything is found
    #[arg(long, conflicts_with_all = ["force", "skip_refused", "key_file"])]
    check: bool,
    /// Say where text is found in the pixels, as regions for --blank; nothing is written. Needs --text-model. Text that
    /// is not found may be there: small and faint letters are missed, most of all in ultrasound
    #[arg(long, conflicts_with_all = ["check", "out", "force"])]
    find_text: bool,
    /// The model that finds text: ch_PP-OCRv4_det_infer.onnx, as `pip download --no-deps rapidocr-onnxruntime==1.4.4` and
    /// `unzip -j rapidocr_onnxruntime-*.whl '*_det_infer.onnx'` lay it beside you
    #[arg(long, value_name = "FILE")]
    text_model: Option<PathBuf>,
    /// Experimental: cut the face off the heads in series of CT and MR slices, before a plane that has the brain behind it,
    /// and claim 113102. A series of slices in which no whole brain is found is refused. Look at the results
    #[arg(long)]
    deface: bool,
    /// Replace files that are there; folders are never replaced
    #[arg(long)]
    force: bool,
    /// Leave out files of a study that are refused, and list them; otherwise the first stops everything
    #[arg(long)]
    skip_refused: bool,
    /// File, closed to others (mode 0600), of 32 secret bytes: the same key gives the same patient the same pseudonyms
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    profile: ProfileArgs,
}

impl DeidArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        if self.files.len() > MAX_FILES {
            let found = self.files.len();
            return Err(Usage(format!("{found} files: at most {MAX_FILES} at once")).into());
        }
        let model = self.text_model.as_deref();
        if self.find_text {
            return found::propose(context, &self.files, model);
        }
        let mut profile = self.profile.named()?;
        if self.deface && self.check {
            profile.options.insert(ProfileOption::CleanVisualFeatures);
        } else if self.deface {
            let inputs = Inputs::gather(&self.files, self.skip_refused)?;
            profile.faces = Some(inputs.faces());
            let text = "note: --deface is experimental: look at the results";
            context.ui.note(text);
        }
        let blank_found = self.profile.blanks_found();
        let Some(out) = self.out.as_deref().filter(|_| !self.check) else {
            let rules = Rules {
                profile,
                found: blank_found,
            };
            return check::run(context, &self.files, self.out.as_deref(), rules);
        };
        let options = Options {
            key: *self.key(context).await?,
            profile,
        };
        if blank_found {
            return found::blank(context, &self.files, &options, model, (out, self.force));
        }
        let inputs = self.collection()?;
        std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        if let Some(inputs) = inputs {
            say_skipped(context.ui, &inputs);
            return self.studies(context, inputs, &options, out);
        }
        self.singles(context, &options, out)
    }

    /// Each file by itself.
    fn singles(&self, context: &Context, options: &Options, out: &Path) -> anyhow::Result<()> {
        let target = |number: usize| out.join(format!("{:04}.dcm", number + 1));
        let mut told = Told::begin(context.ui)?;
        let progress = context.ui.progress();
        let (mut first, mut unknown) = (None, Unknown::default());
        copy(
            &self.files,
            options,
            target,
            self.force,
            &mut |number, result| {
                progress(Progress {
                    what: "de-identified",
                    bytes: 0,
                    total: None,
                    files: Some((number as u64 + 1, self.files.len() as u64)),
                });
                let refused = result.as_ref().err().map(ToString::to_string);
                told.add(&Outcome {
                    file: &self.files[number],
                    out: result.is_ok().then(|| target(number)),
                    report: result.as_ref().ok(),
                    refused: refused.as_deref(),
                });
                match (result, first.is_some()) {
                    (Ok(report), _) => unknown.add(&target(number), Some(&report)),
                    // The first is the command's error.
                    (Err(error), false) => first = Some(error),
                    (Err(_), true) => {
                        let refused = refused.unwrap_or_default();
                        context.ui.note(&format!("refused: {refused}"));
                    }
                }
            },
        );
        unknown.say(context.ui);
        if let Some(document) = told.finish()? {
            context.ui.document(document)?;
        }
        first.map_or(Ok(()), |error| Err(error.into()))
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
    fn studies(
        &self,
        context: &Context,
        inputs: Inputs,
        options: &Options,
        dir: &Path,
    ) -> anyhow::Result<()> {
        // In the directory of the results, so that files get their names there.
        let stage = tempfile::Builder::new()
            .prefix(".pcim-")
            .tempdir_in(dir)
            .with_context(|| format!("cannot write in {}", dir.display()))?;
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
            stage: Some(stage.path()),
        };
        let mut bytes = 0;
        let studies = scan(inputs, wanted, &mut |outcome| {
            bytes += outcome.bytes;
            let (done, of) = outcome.number;
            progress(Progress {
                what: "de-identified",
                bytes,
                total: None,
                files: Some((done as u64, of as u64)),
            });
            tell(outcome);
        })?;
        let (mut text, mut told) = (String::new(), Vec::new());
        let mut unknown = Unknown::default();
        for (number, study) in studies.iter().enumerate() {
            let ending = if study.len() == 1 { ".dcm" } else { "" };
            let out = dir.join(format!("{:04}{ending}", number + 1));
            let (contents, report) = study.write(&out, self.force)?;
            text.push_str(&format!("{}  {contents}\n", out.display()));
            unknown.add(&out, report);
            if let Some(report) = report {
                text.push_str(&counts(report));
                text.push_str(&report.to_string());
            }
            told.push(json!({
                "out": out.display().to_string(),
                "study_instance_uid": study.uid(),
                "contents": contents,
                "report": report,
            }));
        }
        unknown.say(context.ui);
        match context.ui.is_json() {
            true => context.ui.document(reports.finish(&told)?),
            false => context.ui.result(&(), &text),
        }
    }

    async fn key(&self, context: &Context) -> anyhow::Result<Zeroizing<[u8; 32]>> {
        if let Some(path) = &self.key_file {
            let bytes = read_secret(path)?;
            let key = <[u8; 32]>::try_from(bytes.as_slice())
                .map_err(|_| Usage(format!("{}: not a key of 32 bytes", path.display())))?;
            return Ok(Zeroizing::new(key));
        }
        match Home::open(&context.home_dir()?) {
            Ok(home) => {
                let (home, keys) = context.unlock(home).await?;
                Ok(home.deid_key(&keys)?)
            }
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

/// Results that do not say whether their pixels show text about the patient: the first, and how many.
#[derive(Default)]
struct Unknown(Option<(PathBuf, usize)>);

impl Unknown {
    fn add(&mut self, out: &Path, report: Option<&Report>) {
        if report.is_some_and(|it| it.burned_in == BurnedIn::Unknown) {
            self.0.get_or_insert_with(|| (out.to_owned(), 0)).1 += 1;
        }
    }

    fn say(&self, ui: Ui) {
        let Some((first, count)) = &self.0 else {
            return;
        };
        let (first, others) = (first.display(), count - 1);
        let text = match others {
            0 => format!("{first} does not say whether its pixels show"),
            _ => format!("{first} and {others} more do not say whether their pixels show"),
        };
        ui.note(&format!(
            "note: {text} text about the patient: look at them"
        ));
    }
}

/// Says what is passed over.
pub(crate) fn say_skipped(ui: Ui, inputs: &Inputs) {
    for skipped in &inputs.skipped {
        let name = printable(&skipped.path.display().to_string());
        ui.note(&format!("skipped: {name}: {}", skipped.why));
    }
}
