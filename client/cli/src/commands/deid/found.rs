//! Text in pixels: `pcim deid --find-text`, `--blank found`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use pcim_dicom::deid::{Blank, Options, ParseOptionError, Report, deidentify};
use pcim_dicom::lettering::{self, Detector, TextBox};
use pcim_dicom::view;
use serde::Serialize;
use zeroize::Zeroizing;

use super::told::{Outcome, Told};
use crate::context::Context;
use crate::failure::Usage;
use crate::ui::printable;

/// Most bytes of a model's file.
const MODEL_MAX: u64 = 64 << 20;
/// Most bytes of an image.
const IMAGE_MAX: u64 = 1 << 30;
/// How often text that only shows itself beside what was blanked is blanked too.
const ROUNDS: usize = 4;
/// Said wherever nothing was found.
const NONE: &str = "no text found, which does not mean that there is none: look at the pictures";

/// A region on the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BlankArg {
    /// Wherever text is found.
    Found,
    /// One that is named.
    Named(Blank),
}

impl FromStr for BlankArg {
    type Err = ParseOptionError;

    fn from_str(text: &str) -> Result<Self, ParseOptionError> {
        match text {
            "found" => Ok(Self::Found),
            text => text.parse().map(Self::Named),
        }
    }
}

/// Loads the text detector from its model's file.
pub(crate) fn detector(model: Option<&Path>) -> anyhow::Result<Detector> {
    let path = model.ok_or_else(|| {
        let text = "text is found by a model: name its file by --text-model (`pcim deid --help`)";
        Usage(text.to_owned())
    })?;
    let bytes = read(path, MODEL_MAX)?;
    Detector::of(bytes.to_vec()).with_context(|| printable(&path.display().to_string()))
}

/// Finds text in an image; none in a file without pixels.
pub(crate) fn boxes(detector: &Detector, file: &[u8]) -> anyhow::Result<Vec<TextBox>> {
    match detector.image(file) {
        Err(lettering::Error::View(view::Error::Dicom(pcim_dicom::Error::Missing {
            attribute: "Pixel Data",
        }))) => Ok(Vec::new()),
        found => Ok(found?),
    }
}

/// Text of a file, as it is proposed.
#[derive(Serialize)]
struct Proposed<'a> {
    #[serde(serialize_with = "pcim_core::text::path")]
    file: &'a Path,
    boxes: Vec<TextBox>,
    /// Said with an empty list.
    remark: Option<&'static str>,
}

/// Tells where text is found, in the words of `--blank`; changes nothing.
pub(super) fn propose(
    context: &Context,
    files: &[PathBuf],
    model: Option<&Path>,
) -> anyhow::Result<()> {
    let detector = detector(model)?;
    let (mut all, mut text) = (Vec::new(), String::new());
    for file in files {
        let shown = printable(&file.display().to_string());
        let bytes = read(file, IMAGE_MAX)?;
        let boxes = boxes(&detector, &bytes).with_context(|| shown.clone())?;
        let remark = boxes.is_empty().then_some(NONE);
        match remark {
            Some(remark) => writeln!(text, "{shown}: {remark}")?,
            None => writeln!(text, "{shown}")?,
        }
        for TextBox { x, y, w, h } in &boxes {
            writeln!(text, "  --blank {x},{y},{w},{h}")?;
        }
        all.push(Proposed {
            file,
            boxes,
            remark,
        });
    }
    context.ui.result(&all, &text)
}

/// De-identifies each file with what is found in it blanked.
pub(super) fn blank(
    context: &Context,
    files: &[PathBuf],
    options: &Options,
    model: Option<&Path>,
    (out, force): (&Path, bool),
) -> anyhow::Result<()> {
    if !options.profile.accept_burned_in {
        let text = "--blank found needs --accept-burned-in: look at what is found first, by --find-text and \
                    `pcim view --text-boxes`";
        return Err(Usage(text.to_owned()).into());
    }
    if let Some(folder) = files.iter().find(|path| path.is_dir()) {
        let folder = printable(&folder.display().to_string());
        return Err(Usage(format!("{folder}: --blank found takes files, not folders")).into());
    }
    let detector = detector(model)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut told = Told::begin(context.ui)?;
    let mut first = None;
    for (number, file) in files.iter().enumerate() {
        let target = out.join(format!("{:04}.dcm", number + 1));
        let made = read(file, IMAGE_MAX).and_then(|bytes| {
            let (bytes, report) = one(context, &detector, file, &bytes, options)?;
            write(&target, &bytes, force)?;
            Ok(report)
        });
        let made = made.with_context(|| printable(&file.display().to_string()));
        let refused = made.as_ref().err().map(|error| format!("{error:#}"));
        told.add(&Outcome {
            file,
            out: made.is_ok().then(|| target.clone()),
            report: made.as_ref().ok(),
            refused: refused.as_deref(),
        });
        if let Err(error) = made {
            first.get_or_insert(error);
        }
    }
    if let Some(document) = told.finish()? {
        context.ui.document(document)?;
    }
    first.map_or(Ok(()), Err)
}

/// Blanks and looks again, until no text is found any more.
fn one(
    context: &Context,
    detector: &Detector,
    file: &Path,
    bytes: &[u8],
    options: &Options,
) -> anyhow::Result<(Vec<u8>, Report)> {
    let mut found = boxes(detector, bytes)?;
    let mut options = options.clone();
    if found.is_empty() {
        let file = printable(&file.display().to_string());
        context.ui.note(&format!("note: {file}: {NONE}"));
    }
    for _ in 0..ROUNDS {
        let named = found
            .iter()
            .map(|&TextBox { x, y, w, h }| Blank::Rectangle { x, y, w, h });
        options.profile.blank.extend(named);
        let made = deidentify(bytes, &options)?;
        if options.profile.blank.is_empty() {
            return Ok(made);
        }
        found = boxes(detector, &made.0)?;
        if found.is_empty() {
            return Ok(made);
        }
    }
    anyhow::bail!(
        "text is still found after {ROUNDS} rounds of blanking: blank it by --blank x,y,w,h"
    )
}

fn write(target: &Path, bytes: &[u8], force: bool) -> anyhow::Result<()> {
    let shown = || target.display().to_string();
    let dir = target.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(dir).with_context(shown)?;
    file.write_all(bytes).with_context(shown)?;
    match force {
        true => drop(file.persist(target).with_context(shown)?),
        false => {
            let kept = file.persist_noclobber(target).map_err(|error| error.error);
            drop(
                kept.with_context(|| format!("{} exists already, or cannot be written", shown()))?,
            );
        }
    }
    Ok(())
}

fn read(path: &Path, most: u64) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let shown = || printable(&path.display().to_string());
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).with_context(shown)?;
    let length = file.metadata().with_context(shown)?.len();
    bytes.reserve_exact(length.min(most) as usize + 1);
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    match bytes.len() as u64 > most {
        true => Err(Usage(format!("{}: longer than {most} bytes", shown())).into()),
        false => Ok(bytes),
    }
}
