//! Runs every transcript of `README.md` and `docs/*.md`: each ```` ```console ```` block, in order, in one shell a document.
//!
//! A line `$ command` is typed into the shell, with the lines `> …` that continue it. The lines after it are the output that is
//! wanted, standard error included: `[..]` stands for any text within a line, a line `...` for any lines.
//! A command that fails must be followed by `$ echo $?`. One that ends in ` &` goes on beside the others, and the next
//! waits until the wanted output is there. Blocks between `<!-- before` and `-->` are run and not shown to readers.
//!
//! `README.md` begins in a folder like the repository's. The port 8547 stands for a free one, and `cargo demo` for `pcim-dev demo`.
//! A page of `docs` begins on a [`Stage`]; the word after `console` names the actor whose home `PCIM_HOME` is.

mod steps;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{PATIENCE, pcim, pcim_dev};
use crate::stage::{PATIENT_NAME, Stage};
use steps::{Step, matches, steps};

/// Begins the line that tells a command's exit code.
const MARK: char = '\u{1e}';
/// The port that documents name.
const PORT: &str = "8547";

/// A shell that keeps variables, folder and background jobs from one command to the next.
struct Shell {
    process: Child,
    stdin: ChildStdin,
    heard: Receiver<String>,
    dir: PathBuf,
    jobs: usize,
    /// The text for which [`PORT`] stands.
    port: String,
}

impl Shell {
    /// Starts one in a folder, with the programs that were built.
    fn start(dir: &Path, port: String) -> Self {
        let programs = dir.join(".bin");
        fs::create_dir(&programs).unwrap();
        let link = |name: &str, command: &Command| {
            symlink(command.get_program(), programs.join(name)).unwrap();
        };
        link("pcim", &pcim());
        link("pcim-dev", &pcim_dev());
        let cargo = programs.join("cargo");
        let script = "#!/bin/sh\n[ \"$1\" = demo ] || exit 2\nshift\nexec pcim-dev demo \"$@\"\n";
        fs::write(&cargo, script).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let paths = std::env::var("PATH").unwrap();
        let mut process = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .env("PATH", format!("{}:{paths}", programs.display()))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("PCIM_HOME")
            .env_remove("PCIM_PASSPHRASE_FILE")
            .current_dir(dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (say, heard) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if say.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            stdin: process.stdin.take().unwrap(),
            process,
            heard,
            dir: dir.to_owned(),
            jobs: 0,
            port,
        }
    }

    /// Runs a command to its end: its exit code and output.
    fn run(&mut self, command: &str) -> (i32, Vec<String>) {
        // An output may lack the end of its last line: hence the line before the mark, which is dropped if it is empty.
        let mark = r#"printf '\n\036%d\n' $it; (exit $it)"#;
        writeln!(
            self.stdin,
            "{{ {command}\n}} </dev/null 2>&1; it=$?; {mark}"
        )
        .unwrap();
        let mut lines = Vec::new();
        loop {
            let line = self.heard.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|why| panic!("`{command}`: {why}; so far {lines:#?}"));
            if let Some(code) = line.strip_prefix(MARK) {
                if lines.last().is_some_and(String::is_empty) {
                    lines.pop();
                }
                return (code.parse().unwrap(), lines);
            }
            lines.push(line);
        }
    }

    /// Starts a command that goes on, and waits until it has written what is wanted: what it wrote so far.
    fn begin(&mut self, command: &str, wanted: &[String]) -> Vec<String> {
        self.jobs += 1;
        let log = self.dir.join(format!(".job-{}", self.jobs));
        File::create(&log).unwrap();
        let begin = format!("{{ exec {command} ; }} >{} 2>&1 &", log.display());
        assert_eq!(
            self.run(&begin),
            (0, Vec::new()),
            "`{command}` does not start"
        );
        let began = Instant::now();
        loop {
            let text = fs::read_to_string(&log).unwrap();
            let lines: Vec<_> = text.lines().map(|line| self.shown(line)).collect();
            if matches(wanted, &lines) || began.elapsed() > PATIENCE {
                return lines;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// A line of output as a document shows it.
    fn shown(&self, line: &str) -> String {
        line.replace(&self.port, PORT)
    }

    /// Takes a step, and compares; the exit code.
    fn take(&mut self, page: &str, step: &Step) -> i32 {
        let command = step.command.replace(PORT, &self.port);
        let mut wanted = step.wanted.clone();
        let (code, found) = match command.strip_suffix(" &") {
            Some(command) => {
                // It may go on to write.
                let wanted = wanted.get_or_insert_default();
                wanted.push("...".to_owned());
                (0, self.begin(command, wanted))
            }
            None => {
                let (code, lines) = self.run(&command);
                (code, lines.iter().map(|line| self.shown(line)).collect())
            }
        };
        let written = found.join("\n");
        let at = format!(
            "{page}:{}: `{}`: exit code {code}, and it wrote\n{written}\n",
            step.line, step.command
        );
        assert!(
            !written.contains(PATIENT_NAME),
            "{at}which names the patient"
        );
        match &wanted {
            None => assert_eq!(code, 0, "{at}"),
            Some(wanted) => {
                let shown = wanted.join("\n");
                assert!(matches(wanted, &found), "{at}where the page shows\n{shown}");
            }
        }
        code
    }

    /// Takes the steps of a page; a failure must be one that the page shows.
    fn play(&mut self, page: &str, steps: &[Step]) {
        let mut actor = None;
        let mut failed = None;
        for step in steps {
            if let Some(code) = failed.take() {
                assert_eq!(
                    step.command, "echo $?",
                    "{page}:{}: exit code {code} before it",
                    step.line
                );
            }
            if step.actor.is_some() && step.actor != actor {
                actor = step.actor.clone();
                let home = self.dir.join(actor.as_deref().unwrap_or_default());
                assert!(home.is_dir(), "{page}:{}: no {}", step.line, home.display());
                self.run(&format!("export PCIM_HOME='{}'", home.display()));
            }
            let code = self.take(page, step);
            failed = (code != 0).then_some(code);
        }
        assert_eq!(failed, None, "{page}: the last command failed");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.process.wait();
    }
}

/// The root of the repository.
pub(crate) fn workspace() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// Steps of a page of `docs`, if it has any.
fn page(path: &Path) -> Option<(String, Vec<Step>)> {
    let name = path.file_name()?.to_str()?.to_owned();
    if !name.ends_with(".md") {
        return None;
    }
    let steps = steps(&fs::read_to_string(path).unwrap());
    (!steps.is_empty()).then_some((name, steps))
}

#[test]
fn the_readme_works_as_typed() {
    let (name, steps) = page(&workspace().join("README.md")).unwrap();
    assert!(steps.len() > 10, "{steps:#?}");
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for folder in ["client", "deploy"] {
        symlink(workspace().join(folder), dir.path().join(folder)).unwrap();
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let mut shell = Shell::start(dir.path(), free.unwrap().port().to_string());
    shell.play(&name, &steps);
}

#[test]
fn the_pages_work_as_typed() {
    let entries = fs::read_dir(workspace().join("docs")).unwrap();
    let pages: Vec<_> = entries
        .filter_map(|entry| page(&entry.unwrap().path()))
        .collect();
    assert!(
        pages.len() >= 5,
        "a page for each role is wanted: {pages:#?}"
    );
    thread::scope(|scope| {
        for (name, steps) in &pages {
            scope.spawn(|| {
                let stage = Stage::new();
                stage.settle();
                let mut shell = Shell::start(stage.dir(), PORT.to_owned());
                let passphrase = stage.file("passphrase");
                shell.run(&format!("export PCIM_PASSPHRASE_FILE='{passphrase}'"));
                shell.play(name, steps);
            });
        }
    });
}
