//! The time of a command that reads, while the home's agent holds the keys and its node runs: the program itself, which stands
//! beside this one.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pcim_client::{Error, Result};
use pcim_core::private;

/// How long the node may take to begin.
const BEGIN: Duration = Duration::from_secs(60);
/// Names the file of the passphrase.
const PASSPHRASE: &str = "PCIM_PASSPHRASE_FILE";

/// A home whose agent and node run; both end with it.
pub(super) struct Home {
    program: PathBuf,
    home: PathBuf,
    passphrase: PathBuf,
    node: Child,
}

impl Home {
    /// Makes a home in `dir` and starts its node and its agent; none if `pcim` does not stand beside this program.
    pub(super) fn start(dir: &Path) -> Result<Option<Self>> {
        let at = |source| Error::File {
            path: dir.to_owned(),
            source,
        };
        let program = std::env::current_exe().map_err(at)?.with_file_name("pcim");
        if !program.is_file() {
            return Ok(None);
        }
        let (home, passphrase) = (dir.join("home"), dir.join("home.passphrase"));
        let mut file = private::create_new(&passphrase).map_err(at)?;
        file.write_all(b"four random words of a benchmark\n")
            .map_err(at)?;
        let start = |args: &[&str]| {
            let mut command = command(&program, &home, args);
            command.env(PASSPHRASE, &passphrase);
            command
        };
        run(start(&["init"])).map_err(at)?;
        let mut node = start(&["node"]);
        let node = node
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = Self {
            node: node.spawn().map_err(at)?,
            program,
            home,
            passphrase,
        };
        let begun = Instant::now();
        while !started.home.join("node.sock").exists() {
            if begun.elapsed() > BEGIN {
                return Err(at(io::Error::other(
                    "the node of a new home does not begin",
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut unlock = command(&started.program, &started.home, &["unlock"]);
        unlock.env(PASSPHRASE, &started.passphrase);
        run(unlock).map_err(at)?;
        Ok(Some(started))
    }

    /// The time of `pcim card`: it needs both keys and the node.
    pub(super) fn read(&self) -> Result<Duration> {
        let begun = Instant::now();
        let read = run(command(&self.program, &self.home, &["card"]));
        read.map_err(|source| Error::File {
            path: self.program.clone(),
            source,
        })?;
        Ok(begun.elapsed())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // The agent ends by itself if it cannot be reached.
        let _ = run(command(&self.program, &self.home, &["lock"]));
        let _ = self.node.kill();
        let _ = self.node.wait();
    }
}

/// A command of the home, without a passphrase.
fn command(program: &Path, home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    let home: [&OsStr; 3] = ["--json".as_ref(), "--home".as_ref(), home.as_os_str()];
    command.args(home).args(args).env_remove(PASSPHRASE);
    command
}

fn run(mut command: Command) -> io::Result<()> {
    let ended = command.stdin(Stdio::null()).output()?;
    match ended.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        )),
    }
}
