//! Finds a compiler for the contract: the one in the path, to which rustup adds target and sources if it can, or
//! Debian's.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::error::{BuildError, finished};

/// The target that the contract is compiled for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";

/// How long rustup may take to add something.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// Debian keeps its own compiler here, whatever rustup puts first in the path.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// Settings of an outer cargo, or of a person's own builds, that must not reach this one.
const FOREIGN_SETTINGS: [&str; 9] = [
    "CARGO",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_TARGET_DIR",
    "RUSTC_WRAPPER",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
    "RUSTDOCFLAGS",
];

/// A compiler that can build the contract.
pub(super) struct Toolchain {
    /// `rustc --version`
    pub(super) version: String,
    kind: Kind,
    std_sources: bool,
    linker: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    InPath,
    Debian,
}

impl Toolchain {
    /// Finds the best toolchain: one whose standard library can be rebuilt, that in the path before Debian's,
    /// else one that has the target.
    pub(super) fn find(workspace: &Path) -> Result<Self, BuildError> {
        let mut tried = Vec::new();
        let sysroot = sysroot(workspace, "rustc");
        let has_target = || {
            rustc_says(
                workspace,
                "rustc",
                &["--print", "target-libdir", "--target", TARGET],
            )
            .is_some_and(|directory| holds_std(Path::new(&directory)))
        };
        let has_sources = || sysroot.as_deref().is_some_and(has_std_sources);

        if sysroot.is_some() {
            if !has_target() && !has_sources() {
                tried.push(rustup(workspace, &["target", "add", TARGET]));
            }
            if !has_sources() {
                tried.push(rustup(workspace, &["component", "add", "rust-src"]));
            }
        } else {
            tried.push("`rustc`: not found".to_owned());
        }
        if has_sources() {
            return Self::new(workspace, Kind::InPath, true);
        }
        match debian_is_complete(workspace) {
            Ok(()) => return Self::new(workspace, Kind::Debian, true),
            Err(missing) => tried.push(missing),
        }
        if has_target() {
            return Self::new(workspace, Kind::InPath, false);
        }
        Err(BuildError::NoToolchain {
            tried: tried.join("; "),
        })
    }

    fn new(workspace: &Path, kind: Kind, std_sources: bool) -> Result<Self, BuildError> {
        let rustc = if kind == Kind::Debian {
            DEBIAN_RUSTC
        } else {
            "rustc"
        };
        let version = rustc_says(workspace, rustc, &["--version"]).ok_or_else(|| {
            BuildError::NoToolchain {
                tried: format!("`{rustc} --version`: failed"),
            }
        })?;
        let linker = linker(workspace, rustc)?;
        Ok(Self {
            version,
            kind,
            std_sources,
            linker,
        })
    }

    /// Whether the standard library is compiled along.
    pub(super) fn rebuilds_std(&self) -> bool {
        self.std_sources
    }

    /// This toolchain's cargo, in the workspace.
    pub(super) fn cargo(&self, workspace: &Path) -> Command {
        let mut cargo = match self.kind {
            Kind::InPath => {
                let mut cargo = command(workspace, "cargo");
                cargo.env_remove("RUSTC");
                cargo
            }
            Kind::Debian => {
                let mut cargo = command(workspace, DEBIAN_CARGO);
                // An outer cargo's libraries are not this compiler's.
                cargo
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env_remove("LD_LIBRARY_PATH");
                cargo
            }
        };
        if self.std_sources {
            cargo.env("RUSTC_BOOTSTRAP", "1");
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        cargo
    }
}

/// A command in the workspace, so that its toolchain file counts, without foreign settings.
fn command(workspace: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace).stdin(Stdio::null());
    for setting in FOREIGN_SETTINGS {
        command.env_remove(setting);
    }
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PROFILE_") || name.starts_with("CARGO_TARGET_") {
            command.env_remove(name.as_ref());
        }
    }
    command
}

/// What `rustc` prints, if it runs and succeeds.
fn rustc_says(workspace: &Path, rustc: &str, arguments: &[&str]) -> Option<String> {
    let mut command = command(workspace, rustc);
    if rustc == DEBIAN_RUSTC {
        command.env_remove("LD_LIBRARY_PATH");
    }
    let output = command.args(arguments).output().ok()?;
    finished(rustc, output).ok()
}

/// Whether a target's library directory holds its standard library.
fn holds_std(directory: &Path) -> bool {
    fs::read_dir(directory).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

fn has_std_sources(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib/src/rust/library/std/Cargo.toml")
        .is_file()
}

/// Runs rustup for a limited time and says what came of it.
fn rustup(workspace: &Path, arguments: &[&str]) -> String {
    let name = format!("`rustup {}`", arguments.join(" "));
    if env::var_os("CARGO_NET_OFFLINE").is_some_and(|value| value == "true" || value == "1") {
        return format!("{name}: not run, CARGO_NET_OFFLINE is set");
    }
    let child = command(workspace, "rustup")
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return format!("{name}: {error}"),
    };
    let end = Instant::now() + RUSTUP_LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return format!("{name}: {status}"),
            Ok(None) if Instant::now() < end => thread::sleep(Duration::from_millis(100)),
            Ok(None) => {
                // Its outcome no longer matters.
                let _ = child.kill();
                let _ = child.wait();
                return format!("{name}: not done after {} seconds", RUSTUP_LIMIT.as_secs());
            }
            Err(error) => return format!("{name}: {error}"),
        }
    }
}

fn sysroot(workspace: &Path, rustc: &str) -> Option<PathBuf> {
    rustc_says(workspace, rustc, &["--print", "sysroot"]).map(PathBuf::from)
}

/// Whether Debian's toolchain is installed with the standard library's sources; else what is missing.
fn debian_is_complete(workspace: &Path) -> Result<(), String> {
    let sysroot = sysroot(workspace, DEBIAN_RUSTC)
        .filter(|_| Path::new(DEBIAN_CARGO).is_file())
        .ok_or_else(|| format!("{DEBIAN_RUSTC} and {DEBIAN_CARGO}: not installed"))?;
    if has_std_sources(&sysroot) {
        Ok(())
    } else {
        Err(format!(
            "{DEBIAN_RUSTC}: no standard library sources in {}",
            sysroot.display()
        ))
    }
}

/// The linker to name to a compiler; none if it brings its own, as rustup's do and Debian's does not.
fn linker(workspace: &Path, rustc: &str) -> Result<Option<PathBuf>, BuildError> {
    let bundled = |sysroot: PathBuf| {
        let host = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        Some(sysroot.join("lib/rustlib").join(host).join("bin/rust-lld"))
            .filter(|linker| linker.is_file())
    };
    if rustc != DEBIAN_RUSTC
        && (!cfg!(target_os = "linux") || sysroot(workspace, rustc).and_then(bundled).is_some())
    {
        return Ok(None);
    }
    let installed = ["/usr/bin/rust-lld", "/usr/bin/wasm-ld"].map(PathBuf::from);
    sysroot(workspace, "rustc")
        .and_then(bundled)
        .or_else(|| installed.into_iter().find(|linker| linker.is_file()))
        .map(Some)
        .ok_or_else(|| BuildError::NoToolchain {
            tried: format!("{rustc}: no linker for WASM (rust-lld or wasm-ld)"),
        })
}
