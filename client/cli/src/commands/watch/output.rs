//! Where alerts go: standard output, or a file that has each line once.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::Context as _;
use pcim_client::audit::report::{utc, visible_json};
use pcim_client::audit::watch::Alert;
use pcim_client::client::Watching;
use pcim_client::journal::Written;

use crate::ui::Ui;

/// Where the lines go.
pub(crate) struct Output {
    ui: Ui,
    file: Option<Appended>,
}

struct Appended {
    file: File,
    /// The file's absolute name.
    name: Vec<u8>,
    bytes: u64,
}

impl Output {
    /// Opens the file, if there is to be one, and cuts off what an earlier run wrote about an event that it did not finish:
    /// that comes again.
    pub(crate) fn open(
        ui: Ui,
        path: Option<&Path>,
        watching: &Watching<'_>,
    ) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self { ui, file: None });
        };
        let open = || -> anyhow::Result<Appended> {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            let name = path
                .canonicalize()?
                .as_os_str()
                .as_encoded_bytes()
                .to_owned();
            let length = file.metadata()?.len();
            let bytes = match watching.written(&name)? {
                Some(written) if written < length => {
                    file.set_len(written)?;
                    written
                }
                // Of another watcher, or of nobody: what is there stays.
                _ => length,
            };
            file.seek(SeekFrom::Start(bytes))?;
            Ok(Appended { file, name, bytes })
        };
        let file = open().with_context(|| path.display().to_string())?;
        let output = Self {
            ui,
            file: Some(file),
        };
        Ok(output)
    }

    /// Writes one alert as one line.
    pub(crate) fn write(&mut self, alert: &Alert) -> anyhow::Result<()> {
        let mut line = match self.ui.is_json() {
            true => json(alert)?,
            false => text(alert),
        };
        line.push('\n');
        match &mut self.file {
            None => self.ui.document(line.as_bytes()),
            Some(out) => {
                out.file.write_all(line.as_bytes())?;
                out.file.sync_data()?;
                out.bytes += line.len() as u64;
                Ok(())
            }
        }
    }

    /// How much of the file is written.
    pub(crate) fn written(&self) -> Option<Written<'_>> {
        let out = self.file.as_ref()?;
        let (name, bytes) = (&out.name, out.bytes);
        Some(Written { name, bytes })
    }
}

/// An alert as one line of JSON, in which nothing steers a terminal.
pub(crate) fn json(alert: &Alert) -> anyhow::Result<String> {
    Ok(visible_json(&serde_json::to_string(alert)?))
}

fn text(alert: &Alert) -> String {
    let at = alert.event.as_ref().and_then(|event| event.timestamp);
    let at = at.map_or_else(|| "now".to_owned(), utc);
    let mut line = format!("{at}  {}: {}", alert.rule, alert.reason);
    if let Some(image) = &alert.image {
        line.push_str(&format!("  image {image}"));
    }
    if let Some(requester) = &alert.requester {
        line.push_str(&format!("  requestor {requester}"));
    }
    line
}
