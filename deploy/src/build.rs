//! Compiles the contract to WASM, from a clone, with whatever toolchain is there.
//!
//! Three steps: a [`toolchain`] compiles; `wasm-opt`, if it is installed, makes the module smaller; [`module`]
//! encodes it again without what a Stylus chain refuses, and checks the result against the chain's rules.
//! The result is kept with its manifest and made again only when [`source_hash`] moves.

mod error;
pub mod module;
mod toolchain;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};

use crate::artifact::{self, Manifest, Package, is_current, locked_packages, source_hash};
pub use error::BuildError;
use error::finished;
use toolchain::{TARGET, Toolchain};

/// For every compiler. Chains refuse reference types, which newer compilers turn on; 8 KiB of stack leave the
/// program in its first memory page.
const RUST_FLAGS: [&str; 3] = [
    "-Ctarget-cpu=mvp",
    "-Ctarget-feature=+bulk-memory,+mutable-globals,+nontrapping-fptoint,+sign-ext",
    "-Clink-arg=-zstack-size=8192",
];

/// With the standard library's sources: a panic traps at once, without its message and location.
const SILENT_STD_FLAGS: [&str; 4] = [
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
    "-Zfmt-debug=none",
];

const WASM_OPT_FLAGS: [&str; 5] = [
    "-Oz",
    "--enable-bulk-memory",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
];

/// A built contract.
#[derive(Clone, Debug)]
pub struct BuiltArtifact {
    /// the module
    pub wasm: Vec<u8>,
    /// how it was made
    pub manifest: Manifest,
    /// whether it was compiled now, rather than found from an earlier build
    pub compiled: bool,
}

/// Builds the contract of a workspace into `out` as `pcac.wasm` and `manifest.json`, or takes them from there if
/// they are what the sources make.
///
/// Compiles in `target/contract-wasm` of the workspace, apart from the host's own build. The first compilation
/// takes some minutes, because the standard library is compiled too; a second one some seconds.
///
/// # Errors
/// If there is no toolchain, or it fails, or what it makes breaks a rule of Stylus chains.
pub fn build_contract(workspace: &Path, out: &Path) -> Result<BuiltArtifact, BuildError> {
    if let Some(kept) = kept(workspace, out)? {
        return Ok(kept);
    }
    let source_hash = source_hash(workspace)?;
    let toolchain = Toolchain::find(workspace)?;
    let linked = compile(workspace, &toolchain)?;
    let target = target_directory(workspace);
    let (optimized, wasm_opt) = optimize(linked, &target)?;
    let wasm = module::encode(&optimized)?;
    let code_bytes = match module::check(&wasm) {
        Err(error @ module::Error::TooLarge { .. }) if !toolchain.rebuilds_std() => {
            return Err(BuildError::NeedsStdSources(error));
        }
        checked => checked?,
    };

    let mut flags: Vec<&str> = RUST_FLAGS.to_vec();
    if toolchain.rebuilds_std() {
        flags.extend(SILENT_STD_FLAGS);
    }
    if wasm_opt.is_some() {
        flags.extend(WASM_OPT_FLAGS);
    }
    let manifest = Manifest {
        source_hash,
        compiler: toolchain.version.clone(),
        std_rebuilt: toolchain.rebuilds_std(),
        flags: flags.into_iter().map(str::to_owned).collect(),
        wasm_opt,
        sha256: hex::encode(Sha256::digest(&wasm)),
        wasm_bytes: wasm.len(),
        code_bytes,
        packages: packages(workspace, &toolchain)?,
    };
    let text = serde_json::to_string_pretty(&manifest).map_err(artifact::Error::from)? + "\n";
    fs::create_dir_all(out).map_err(file_error(out))?;
    replace(&out.join("pcac.wasm"), &wasm)?;
    replace(&out.join("manifest.json"), text.as_bytes())?;
    Ok(BuiltArtifact {
        wasm,
        manifest,
        compiled: true,
    })
}

/// Names the directory in which the contract is compiled, and in which builds that are not releases are kept.
#[must_use]
pub fn target_directory(workspace: &Path) -> PathBuf {
    workspace.join("target").join("contract-wasm")
}

/// The artifact in `out`, if it is whole and what the sources make.
fn kept(workspace: &Path, out: &Path) -> Result<Option<BuiltArtifact>, BuildError> {
    let (Ok(wasm), Ok(text)) = (
        fs::read(out.join("pcac.wasm")),
        fs::read_to_string(out.join("manifest.json")),
    ) else {
        return Ok(None);
    };
    let Ok(manifest) = serde_json::from_str::<Manifest>(&text) else {
        return Ok(None);
    };
    let whole = manifest.sha256 == hex::encode(Sha256::digest(&wasm));
    Ok(
        (whole && is_current(&manifest, workspace)?).then_some(BuiltArtifact {
            wasm,
            manifest,
            compiled: false,
        }),
    )
}

/// Compiles and links; returns the linker's module.
fn compile(workspace: &Path, toolchain: &Toolchain) -> Result<PathBuf, BuildError> {
    let target = target_directory(workspace);
    let mut flags: Vec<&str> = RUST_FLAGS.to_vec();
    let mut cargo = toolchain.cargo(workspace);
    cargo
        .args([
            "rustc",
            "--locked",
            "--package",
            "pcim-contract",
            "--lib",
            "--crate-type",
            "cdylib",
        ])
        .args(["--profile", "contract", "--target", TARGET, "--target-dir"])
        .arg(&target)
        .stdout(Stdio::inherit())
        .stderr(Stdio::inherit());
    if toolchain.rebuilds_std() {
        flags.extend(SILENT_STD_FLAGS);
        cargo.args([
            "-Zbuild-std=std,panic_abort",
            "-Zbuild-std-features=optimize_for_size",
        ]);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    let status = cargo.status().map_err(start_error("cargo"))?;
    if !status.success() {
        return Err(BuildError::Tool {
            tool: "cargo rustc --package pcim-contract".to_owned(),
            output: format!("{status}; its messages are above"),
        });
    }
    Ok(target
        .join(TARGET)
        .join("contract")
        .join("pcim_contract.wasm"))
}

/// The module after `wasm-opt`, and the tool's version; the module as it is if there is no such tool.
fn optimize(linked: PathBuf, target: &Path) -> Result<(Vec<u8>, Option<String>), BuildError> {
    let version = match Command::new("wasm-opt").arg("--version").output() {
        Ok(output) => finished("wasm-opt", output)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let wasm = fs::read(&linked).map_err(file_error(&linked))?;
            return Ok((wasm, None));
        }
        Err(error) => return Err(start_error("wasm-opt")(error)),
    };
    let optimized = target.join("optimized.wasm");
    let output = Command::new("wasm-opt")
        .args(WASM_OPT_FLAGS)
        .arg(&linked)
        .arg("--output")
        .arg(&optimized)
        .output()
        .map_err(start_error("wasm-opt"))?;
    finished("wasm-opt", output)?;
    let wasm = fs::read(&optimized).map_err(file_error(&optimized))?;
    Ok((wasm, Some(version.trim().to_owned())))
}

/// The registry's packages that are compiled into the contract, with their checksums from `Cargo.lock`.
fn packages(workspace: &Path, toolchain: &Toolchain) -> Result<Vec<Package>, BuildError> {
    let output = toolchain
        .cargo(workspace)
        .args([
            "tree",
            "--locked",
            "--package",
            "pcim-contract",
            "--target",
            TARGET,
        ])
        .args([
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .output()
        .map_err(start_error("cargo"))?;
    let tree = finished("cargo tree", output)?;
    let mut packages: Vec<Package> = locked_packages(workspace)?;
    packages.retain(|package| {
        let line = format!("{} v{}", package.name, package.version);
        package.checksum.is_some()
            && tree
                .lines()
                .any(|found| found == line || found.starts_with(&format!("{line} ")))
    });
    Ok(packages)
}

/// Writes a file so that no half of it is ever there.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        io::Write::write_all(&mut file, bytes)?;
        #[cfg(unix)]
        file.as_file()
            .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(file_error(path))
}

fn start_error(tool: &str) -> impl FnOnce(io::Error) -> BuildError {
    let tool = tool.to_owned();
    move |source| BuildError::Start { tool, source }
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path, source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_kept_while_it_is_whole_and_current() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let out = tempfile::tempdir().unwrap();
        assert!(
            kept(&workspace, out.path()).unwrap().is_none(),
            "nothing there"
        );

        let released = workspace.join("contract/artifacts");
        for file in ["pcac.wasm", "manifest.json"] {
            fs::copy(released.join(file), out.path().join(file)).unwrap();
        }
        let found = kept(&workspace, out.path()).unwrap().expect("current");
        assert!(!found.compiled);
        assert_eq!(found.wasm, artifact::PCAC_WASM);

        let wasm = out.path().join("pcac.wasm");
        replace(&wasm, &found.wasm[1..]).unwrap();
        assert!(kept(&workspace, out.path()).unwrap().is_none(), "cut short");
        replace(&wasm, &found.wasm).unwrap();
        let stale = Manifest {
            source_hash: String::new(),
            ..found.manifest
        };
        replace(
            &out.path().join("manifest.json"),
            &serde_json::to_vec(&stale).unwrap(),
        )
        .unwrap();
        assert!(
            kept(&workspace, out.path()).unwrap().is_none(),
            "of other sources"
        );
        replace(&out.path().join("manifest.json"), b"{").unwrap();
        assert!(
            kept(&workspace, out.path()).unwrap().is_none(),
            "no manifest"
        );
    }

    #[test]
    fn a_tool_that_fails_is_quoted_at_its_end() {
        let output = Command::new("sh")
            .args([
                "-c",
                "for i in $(seq 20); do echo line $i >&2; done; exit 3",
            ])
            .output()
            .unwrap();
        let Err(BuildError::Tool { tool, output }) = finished("sh", output) else {
            panic!("not an error")
        };
        assert_eq!(tool, "sh");
        assert!(
            output.contains("line 11\n") && output.ends_with("line 20"),
            "{output}"
        );
        assert!(!output.contains("line 10\n"), "{output}");
    }
}
