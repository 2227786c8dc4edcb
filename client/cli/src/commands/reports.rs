//! The outcomes of an input's files, written as they become known: one JSON document that is never held in memory.

use std::fs::File;
use std::io::{self, BufWriter, Seek, Write};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use pcim_client::OutcomeSink;
use pcim_client::study::FileOutcome;
use pcim_dicom::deid::Report;
use serde::Serialize;

use crate::ui::{Ui, printable};

/// The document under way. It names files by their number in the input and by the UIDs that they are given.
#[derive(Clone)]
pub(crate) struct Reports(Arc<Mutex<State>>);

struct State {
    out: BufWriter<File>,
    files: u64,
    /// The first reason why it could not be written.
    failed: Option<io::Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    file: usize,
    study_instance_uid: Option<&'a str>,
    sop_instance_uid: Option<&'a str>,
    report: Option<&'a Report>,
    left_out: Option<&'a str>,
}

impl Reports {
    /// Begins the document in an empty file.
    pub(crate) fn begin(file: File) -> anyhow::Result<Self> {
        let mut out = BufWriter::new(file);
        out.write_all(b"{\n\"pcim-report\": 1,\n\"files\": [")
            .context("cannot write the report")?;
        let (files, failed) = (0, None);
        Ok(Self(Arc::new(Mutex::new(State { out, files, failed }))))
    }

    pub(crate) fn add(&self, outcome: &FileOutcome<'_>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failed.is_some() {
            return;
        }
        if let Err(error) = state.line(outcome) {
            state.failed = Some(error);
        }
    }

    /// Ends the document with what the studies are. Returns its file at its start.
    pub(crate) fn finish(&self, studies: &impl Serialize) -> anyhow::Result<File> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut end = || -> io::Result<File> {
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            state.out.write_all(b"\n],\n\"studies\": ")?;
            serde_json::to_writer(&mut state.out, studies)?;
            state.out.write_all(b"\n}\n")?;
            state.out.flush()?;
            let mut file = state.out.get_ref().try_clone()?;
            file.rewind()?;
            Ok(file)
        };
        end().context("cannot write the report")
    }
}

impl State {
    fn line(&mut self, outcome: &FileOutcome<'_>) -> io::Result<()> {
        let line = Line {
            file: outcome.number.0,
            study_instance_uid: outcome.uids.map(|uids| uids.0),
            sop_instance_uid: outcome.uids.map(|uids| uids.1),
            report: outcome.report,
            left_out: outcome.left_out.as_deref(),
        };
        self.out
            .write_all(if self.files == 0 { b"\n" } else { b",\n" })?;
        self.files += 1;
        serde_json::to_writer(&mut self.out, &line).map_err(io::Error::from)
    }
}

/// Says on standard error what is left out, and adds every file to the document, if there is one.
pub(crate) fn sink(ui: Ui, reports: Option<Reports>) -> OutcomeSink {
    Arc::new(move |outcome| {
        if let Some(why) = &outcome.left_out {
            let name = printable(&outcome.path.display().to_string());
            ui.note(&format!("left out: {name}: {why}"));
        }
        if let Some(reports) = &reports {
            reports.add(&outcome);
        }
    })
}
