//! Running `pcim` and judging what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub(crate) use pcim_tests::program::{PATIENCE, Process, Run, first_document, names, write_secret};

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
        // Build scripts of dependencies watch what cargo says of this package, and would compile again.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if [
                "CARGO_PKG_",
                "CARGO_MANIFEST_",
                "CARGO_BIN_",
                "CARGO_CRATE_",
            ]
            .iter()
            .any(|prefix| text.starts_with(prefix))
            {
                build.env_remove(&name);
            }
        }
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
    pub(crate) fn knows_all(&self, addresses: &[impl AsRef<str>]) {
        let addresses: Vec<_> = addresses.iter().map(AsRef::as_ref).collect();
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
        self.serve_with(&[])
    }

    /// Runs `pcim node` with options until what is returned is dropped.
    pub(crate) fn serve_with(&self, options: &[&str]) -> Serving {
        let mut command = self.command();
        let mut child = command
            .arg("node")
            .args(options)
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

/// A node at work.
pub(crate) struct Serving {
    /// Where it is found.
    pub(crate) address: String,
    _process: Process,
}
