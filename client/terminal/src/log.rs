//! The messages of a program that runs for long, in a file of limited size beside standard error.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pcim_core::date::{now, time};
use pcim_core::private;
use pcim_core::text::escaped;

/// Bytes from which a file is put aside for a new one; the one that was put aside before goes.
const MAX_FILE: u64 = 1024 * 1024;
/// Most characters of a line.
const MAX_LINE: usize = 4096;

/// The log of this process.
static LOG: Mutex<Option<Log>> = Mutex::new(None);

struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    most: u64,
}

/// Writes each remark and each error of this process from now on into a file (0600) too, with its moment. The file is
/// continued; beyond 1 MiB it is renamed to the same name with `.1`, and a new one is begun.
///
/// # Errors
/// Those of opening the file.
pub fn keep(path: &Path) -> io::Result<()> {
    let log = Log::open(path, MAX_FILE)?;
    *LOG.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
    Ok(())
}

/// Writes a line, if this process keeps a log.
pub fn write(text: &str) {
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(log) = log.as_mut() {
        // A full disk must not end what the program is there for.
        let _ = log.write(text);
    }
}

/// Reads the last lines of a log, oldest first; none if it does not exist. Nothing that was written to them steers a terminal.
///
/// # Errors
/// Those of reading.
pub fn last(path: &Path, lines: usize) -> io::Result<Vec<String>> {
    let mut found = VecDeque::new();
    for path in [aside(path), path.to_owned()] {
        // What is written meanwhile, and a line of the longest.
        let most = MAX_FILE as usize * 2;
        let text = match private::read_limited(&path, most) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in String::from_utf8_lossy(&text).lines() {
            found.push_back(line.to_owned());
            if found.len() > lines {
                found.pop_front();
            }
        }
    }
    Ok(found.into())
}

/// The name of the file that was put aside.
fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

impl Log {
    fn open(path: &Path, most: u64) -> io::Result<Self> {
        let mut file = private::open_or_create(path)?;
        let bytes = file.seek(SeekFrom::End(0))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            bytes,
            most,
        })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.bytes >= self.most {
            std::fs::rename(&self.path, aside(&self.path))?;
            *self = Self::open(&self.path, self.most)?;
        }
        let line = escaped(text.chars().take(MAX_LINE));
        let line = format!("{} {line}\n", time(now()));
        self.file.write_all(line.as_bytes())?;
        self.bytes += line.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_log_is_private_keeps_its_last_lines_and_stays_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.log");
        assert!(last(&path, 10).unwrap().is_empty());
        let mut log = Log::open(&path, 1000).unwrap();
        for number in 0..100 {
            log.write(&format!("line {number}\u{1b}[2J\nforged"))
                .unwrap();
        }
        drop(log);
        let found = last(&path, 3).unwrap();
        assert_eq!(found.len(), 3);
        assert!(found[2].contains("Z line 99\\u{1b}[2J"), "{found:?}");
        for path in [&path, &aside(&path)] {
            let found = std::fs::metadata(path).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, 0o600);
            assert!(found.len() < 1200);
        }
        // Continued, not begun again.
        Log::open(&path, 1000).unwrap().write("more").unwrap();
        let found = last(&path, 2).unwrap();
        assert!(
            found[0].contains("line 99") && found[1].ends_with("Z more"),
            "{found:?}"
        );
    }
}
