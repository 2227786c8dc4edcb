//! Where alerts go: standard output, or a file that has each line once.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pcim_client::Watching;
use pcim_client::audit::report::{utc, visible_json};
use pcim_client::audit::watch::Alert;
use pcim_client::journal::WrittenOutput;
use pcim_core::private::open_or_create;
use serde_json::json;

use crate::names;
use crate::ui::Ui;

/// Where the lines go.
pub(crate) struct Output {
    ui: Ui,
    file: Option<Appended>,
}

struct Appended {
    path: PathBuf,
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
            let mut appended = Appended::open(path)?;
            // Of another watcher's file, or of nobody's, everything stays.
            if let Some(written) = watching.written(&appended.name)?
                && written < appended.bytes
            {
                appended.file.set_len(written)?;
                appended.bytes = written;
            }
            appended.begin(watching)?;
            Ok(appended)
        };
        let file = open().with_context(|| path.display().to_string())?;
        Ok(Self {
            ui,
            file: Some(file),
        })
    }

    /// Goes on in a new file if this one was moved away, and at its end if it was cut: so logs are rotated.
    pub(crate) fn follow(&mut self, watching: &Watching<'_>) -> anyhow::Result<()> {
        let Some(out) = &mut self.file else {
            return Ok(());
        };
        let mut follow = || -> anyhow::Result<()> {
            let length = out.file.metadata()?.len();
            if !out.is_in_place()? {
                *out = Appended::open(&out.path)?;
                out.begin(watching)?;
            } else if length < out.bytes {
                out.bytes = length;
                out.begin(watching)?;
            }
            Ok(())
        };
        follow().with_context(|| "the file of --out")
    }

    /// Writes one alert as one line.
    pub(crate) fn write(&mut self, alert: &Alert) -> anyhow::Result<()> {
        let line = match self.ui.is_json() {
            true => json(alert)?,
            false => text(alert, ""),
        };
        self.line(line)
    }

    /// Writes one line about an alert whose event a reorganisation took back.
    pub(crate) fn take_back(&mut self, alert: &Alert) -> anyhow::Result<()> {
        let line = match self.ui.is_json() {
            true => visible_json(&json!({ "taken_back": alert }).to_string()),
            false => text(alert, "TAKEN BACK, the chain was reorganised without it: "),
        };
        self.line(line)
    }

    fn line(&mut self, mut line: String) -> anyhow::Result<()> {
        line.push('\n');
        match &mut self.file {
            None => self.ui.stream(line.as_bytes()),
            Some(out) => {
                out.file.write_all(line.as_bytes())?;
                out.file.sync_data()?;
                out.bytes += line.len() as u64;
                Ok(())
            }
        }
    }

    /// How much of the file is written.
    pub(crate) fn written(&self) -> Option<WrittenOutput<'_>> {
        self.file.as_ref().map(Appended::written)
    }
}

impl Appended {
    fn open(path: &Path) -> io::Result<Self> {
        let file = open_or_create(path)?;
        let name = path.canonicalize()?;
        let bytes = file.metadata()?.len();
        Ok(Self {
            path: path.into(),
            file,
            name: name.as_os_str().as_encoded_bytes().to_owned(),
            bytes,
        })
    }

    /// Goes to the end of what is written, and has that recorded.
    fn begin(&mut self, watching: &Watching<'_>) -> anyhow::Result<()> {
        self.file.seek(SeekFrom::Start(self.bytes))?;
        Ok(watching.set_written(self.written())?)
    }

    /// Says whether the file is still the one of its name.
    #[cfg(unix)]
    fn is_in_place(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let own = self.file.metadata()?;
        match std::fs::metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    #[cfg(not(unix))]
    fn is_in_place(&self) -> io::Result<bool> {
        self.path.try_exists()
    }

    fn written(&self) -> WrittenOutput<'_> {
        WrittenOutput {
            name: &self.name,
            bytes: self.bytes,
        }
    }
}

/// An alert as one line of JSON, in which nothing steers a terminal.
pub(crate) fn json(alert: &Alert) -> anyhow::Result<String> {
    Ok(visible_json(&serde_json::to_string(alert)?))
}

fn text(alert: &Alert, before: &str) -> String {
    let at = alert.event.as_ref().map(|event| event.timestamp);
    let at = at.map_or_else(|| "now".to_owned(), utc);
    let mut line = format!("{at}  {}: {before}{}", alert.rule, alert.reason);
    if let Some(image) = &alert.image {
        line.push_str(&format!("  image {image}"));
    }
    if let Some(requestor) = &alert.requestor {
        line.push_str(&format!("  requestor {}", names::shown(*requestor)));
    }
    line
}
