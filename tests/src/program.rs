//! Runs a program and judges what it says.

#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Far more than anything here takes: a limit for what hangs, not for what is slow.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Locks every home that a test makes.
pub const PASSPHRASE: &str = "seven quiet herons";
/// Stands in the image that the tests use.
pub const PATIENT_NAME: &str = "CompressedSamples";

/// A process that is killed at the end.
pub struct Process(pub Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads the JSON document that a process which goes on running writes at its start.
pub fn first_document(child: &mut Child) -> Value {
    let mut stdout = child.stdout.take().unwrap();
    let (said, heard) = mpsc::channel();
    thread::spawn(move || {
        let document = serde_json::Deserializer::from_reader(&mut stdout)
            .into_iter::<Value>()
            .next();
        let _ = said.send(document);
        // What follows is read too, so that the process never waits for a reader.
        let _ = stdout.read_to_end(&mut Vec::new());
    });
    let document = heard.recv_timeout(PATIENCE).expect("it says nothing");
    document.expect("it ended").unwrap()
}

/// A run that has ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Runs a command to its end; one that hangs is killed, and fails the test.
    pub fn of(command: &mut Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let id = child.id();
        let (ended, heard) = mpsc::channel();
        thread::spawn(move || ended.send(child.wait_with_output()));
        let Ok(output) = heard.recv_timeout(PATIENCE) else {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("hangs: {command:?}");
        };
        Self::from(output.unwrap())
    }

    /// Whatever is said, it is neither the passphrase nor who the patient is.
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let run = Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        for secret in [PASSPHRASE, PATIENT_NAME] {
            assert!(!run.stdout.contains(secret), "{secret}: {run:#?}");
            assert!(!run.stderr.contains(secret), "{secret}: {run:#?}");
        }
        run
    }

    /// Checks that it is done, without a word of an error; returns the one JSON document that it wrote.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert!(!self.stderr.contains("error:"), "{self:#?}");
        self.document()
    }

    /// Returns the one JSON document that it wrote, at any exit code.
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Checks that it was refused: this exit code, nothing on standard output, one line that says `why`, and a hint.
    #[track_caller]
    pub fn refused(&self, code: i32, why: &str) {
        assert_eq!(self.stdout, "", "{self:#?}");
        self.explained(code, why);
    }

    /// Checks for this exit code, one line that says `why`, and a hint.
    #[track_caller]
    pub fn explained(&self, code: i32, why: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
        let lines: Vec<_> = self.stderr.lines().collect();
        if let Some(Ok(last)) = lines.last().map(|line| serde_json::from_str::<Value>(line)) {
            let error = last["error"].as_str().unwrap_or_default();
            assert!(error.contains(why), "`{why}` is not said: {self:#?}");
            assert!(last["hints"][0].is_string(), "a hint is wanted: {self:#?}");
            assert_eq!(last["code"], code, "{self:#?}");
            return;
        }
        let [.., error, hint] = lines[..] else {
            panic!("an error and a hint are wanted: {self:#?}")
        };
        assert!(error.starts_with("error: "), "{self:#?}");
        assert!(error.contains(why), "`{why}` is not said: {self:#?}");
        assert!(hint.starts_with("hint: "), "{self:#?}");
        let errors = lines.iter().filter(|line| line.starts_with("error:"));
        assert_eq!(errors.count(), 1, "{self:#?}");
    }
}

/// Writes a file that only its owner can read, in the place of another one too.
pub fn write_secret(path: impl AsRef<Path>, content: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt;
    let path = path.as_ref();
    std::fs::write(path, content).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Lists the names in a directory.
pub fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
