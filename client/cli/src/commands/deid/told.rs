//! Results of many files, written as they become known.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pcim_dicom::deid::Report;
use serde::Serialize;

use crate::ui::{Ui, printable};

/// What became of a file.
#[derive(Serialize)]
pub(super) struct Outcome<'a> {
    #[serde(serialize_with = "pcim_core::text::path")]
    pub(super) file: &'a Path,
    /// None if it was refused.
    #[serde(serialize_with = "pcim_core::text::path_if_any")]
    pub(super) out: Option<PathBuf>,
    pub(super) report: Option<&'a Report>,
    /// Why it was refused.
    pub(super) refused: Option<&'a str>,
}

/// What became of each file, written as it becomes known: the reports of many files are never held in memory.
pub(super) struct Told {
    out: BufWriter<File>,
    json: bool,
    /// How many were added, and how many of them are good.
    added: usize,
    good: usize,
    /// The first reason why it could not be written.
    failed: Option<io::Error>,
}

impl Told {
    pub(super) fn begin(ui: Ui) -> anyhow::Result<Self> {
        Ok(Self {
            out: BufWriter::new(tempfile::tempfile()?),
            json: ui.is_json(),
            added: 0,
            good: 0,
            failed: None,
        })
    }

    pub(super) fn add(&mut self, outcome: &Outcome<'_>) {
        let mut write = || match (self.json, outcome.report, &outcome.out) {
            (true, ..) => {
                let comma = if self.added == 0 { "[\n" } else { ",\n" };
                self.out.write_all(comma.as_bytes())?;
                Ok(serde_json::to_writer(&mut self.out, outcome)?)
            }
            (false, Some(report), Some(out)) => {
                let (out, file) = (out.display(), outcome.file.display().to_string());
                let (file, counts) = (printable(&file), counts(report));
                write!(self.out, "{out}  {file}\n{counts}{report}")
            }
            _ => Ok(()),
        };
        if let Err(error) = write() {
            self.failed.get_or_insert(error);
        }
        self.added += 1;
        self.good += usize::from(outcome.report.is_some());
    }

    /// The document at its start; none if every file was refused.
    pub(super) fn finish(mut self) -> anyhow::Result<Option<File>> {
        let end = if self.json { "\n]\n" } else { "" };
        let written = match self.failed {
            Some(error) => Err(error),
            None => self.out.write_all(end.as_bytes()),
        };
        let mut file = written
            .and_then(|()| self.out.into_inner().map_err(|it| it.into_error()))
            .context("cannot write the report")?;
        file.rewind()?;
        Ok((self.good > 0).then_some(file))
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
