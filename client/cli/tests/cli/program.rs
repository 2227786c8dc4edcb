//! Running `pcim` and judging what it says.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::stage::{PASSPHRASE, PATIENT_NAME};

/// Far more than anything here takes: a limit for what hangs, not for what is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// The program, with nothing of the environment that it would heed: the one that was built with these tests, or a copy of it
/// (`PCIM_TEST_PROGRAM`) which goes on in long runs while another one is built.
pub(crate) fn pcim() -> Command {
    let program = std::env::var_os("PCIM_TEST_PROGRAM");
    let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_pcim").into()));
    command
        .env_remove("PCIM_HOME")
        .env_remove("PCIM_PASSPHRASE_FILE")
        .stdin(Stdio::null());
    command
}

/// `pcim-dev`: the one beside `pcim`, built now if it is not up to date, or `PCIM_TEST_DEV_PROGRAM`.
pub(crate) fn pcim_dev() -> Command {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("PCIM_TEST_DEV_PROGRAM") {
            return std::fs::canonicalize(program).unwrap();
        }
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--bin", "pcim-dev"]);
        assert!(build.current_dir(root).status().unwrap().success());
        Path::new(env!("CARGO_BIN_EXE_pcim")).with_file_name("pcim-dev")
    });
    Command::new(program)
}

/// One of the homes on a chain, as the user of the command line.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) home: PathBuf,
    pub(crate) address: String,
    pub(crate) passphrase: PathBuf,
    pub(crate) rpc_url: String,
}

impl Actor {
    /// `pcim --home … --rpc-url … --json`, arguments to follow.
    pub(crate) fn command(&self) -> Command {
        let mut command = pcim();
        command
            .env("PCIM_PASSPHRASE_FILE", &self.passphrase)
            .arg("--home")
            .arg(&self.home)
            .args(["--rpc-url", &self.rpc_url, "--json"]);
        command
    }

    pub(crate) fn run<const N: usize>(&self, args: [&str; N]) -> Run {
        Run::of(self.command().args(args))
    }

    /// The same actor, who reaches the chain in another way.
    pub(crate) fn through(&self, rpc_url: &str) -> Self {
        Self {
            rpc_url: rpc_url.to_owned(),
            ..self.clone()
        }
    }

    /// Names the node that this home dials.
    pub(crate) fn knows(&self, address: &str) {
        self.knows_all(&[address]);
    }

    /// Names the nodes that this home dials.
    pub(crate) fn knows_all(&self, addresses: &[&str]) {
        let path = self.home.join("config.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        assert!(config.contains("peers = "), "{config}");
        let lines = config
            .lines()
            .map(|line| match line.starts_with("peers = ") {
                true => format!(
                    "peers = {addresses:?}
"
                ),
                false => format!(
                    "{line}
"
                ),
            });
        std::fs::write(&path, lines.collect::<String>()).unwrap();
    }

    /// Runs `pcim node` until what is returned is dropped.
    pub(crate) fn serve(&self) -> Serving {
        let mut command = self.command();
        let mut child = command
            .arg("node")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = first_document(&mut child);
        let process = Process(child);
        let addresses = said["addresses"].as_array().unwrap();
        let address = addresses
            .iter()
            .find(|it| it.as_str().unwrap().contains("/p2p/"));
        Serving {
            address: address.unwrap().as_str().unwrap().to_owned(),
            _process: process,
        }
    }
}

/// A process that is killed at the end.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A node at work.
pub(crate) struct Serving {
    /// Where it is found.
    pub(crate) address: String,
    _process: Process,
}

/// The JSON document that a process which goes on running writes at its start.
pub(crate) fn first_document(child: &mut Child) -> Value {
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
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn of(command: &mut Command) -> Self {
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

    /// Done: the one JSON document that it wrote, and not a word of an error.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:#?}");
        assert!(!self.stderr.contains("error:"), "{self:#?}");
        self.document()
    }

    /// The one JSON document that it wrote, whatever the exit code.
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Not done: this exit code, nothing on standard output, one line that says `why`, and a hint.
    #[track_caller]
    pub(crate) fn refused(&self, code: i32, why: &str) {
        assert_eq!(self.stdout, "", "{self:#?}");
        self.explained(code, why);
    }

    /// This exit code, one line that says `why`, and a hint.
    #[track_caller]
    pub(crate) fn explained(&self, code: i32, why: &str) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        let lines: Vec<_> = self.stderr.lines().collect();
        let [.., error, hint] = lines[..] else {
            panic!("an error and a hint are wanted: {self:#?}")
        };
        assert!(error.starts_with("error: "), "{self:#?}");
        assert!(error.contains(why), "`{why}` is not said: {self:#?}");
        assert!(hint.starts_with("hint: "), "{self:#?}");
        let errors = lines.iter().filter(|line| line.starts_with("error:"));
        assert_eq!(errors.count(), 1, "{self:#?}");
        assert!(!self.stderr.contains("panicked"), "{self:#?}");
    }
}

/// The names in a directory.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
