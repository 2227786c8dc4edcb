//! The contract as released, embedded, so that deploying needs no WASM toolchain; and the hash that ties the release to
//! the sources.
//!
//! `contract/artifacts` holds what the sources make, which the programs deploy. `contract/artifacts/v1` holds version 1,
//! which the programs still bind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The contract: a WASM module that a Stylus chain activates.
pub const PCAC_WASM: &[u8] = include_bytes!("../../contract/artifacts/pcac.wasm");

const MANIFEST: &str = include_str!("../../contract/artifacts/manifest.json");

/// Version 1 of the contract.
pub const V1_WASM: &[u8] = include_bytes!("../../contract/artifacts/v1/pcac.wasm");

const V1_MANIFEST: &str = include_str!("../../contract/artifacts/v1/manifest.json");

/// Bytes before the compressed module in the account's code: Stylus, no dictionary.
pub const CODE_PREFIX: [u8; 4] = [0xef, 0xf0, 0x00, 0x00];

/// Bytes that an account's code may have (EIP-170).
pub const MAX_CODE_BYTES: usize = 24_576;

/// The steps from the sources to the module, in words that both the source hash and the manifest carry.
pub const RECIPE: &[&str] = &[
    "--profile contract",
    "-Ctarget-cpu=mvp",
    "-Ctarget-feature=+bulk-memory,+mutable-globals,+nontrapping-fptoint,+sign-ext",
    "-Clink-arg=-zstack-size=8192",
    "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none -Zfmt-debug=none, with std",
    "wasm-opt -Oz",
    "re-encode: keep exports user_entrypoint and memory; drop DataCount and custom sections",
];

/// Of the contract's sources, what is compiled for tests only.
const TESTS: &str = "src/tests";

/// How an artifact was made and what came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// SHA-256 of the sources and the recipe, in hex; see [`source_hash`]
    pub source_hash: String,
    /// `rustc --version`
    pub compiler: String,
    /// whether the standard library was rebuilt without panic messages, which the size limit needs
    pub std_rebuilt: bool,
    /// compiler and linker flags, and wasm-opt's
    pub flags: Vec<String>,
    /// `wasm-opt --version`, if the tool was there
    pub wasm_opt: Option<String>,
    /// SHA-256 of the module, in hex
    pub sha256: String,
    /// size of the module
    pub wasm_bytes: usize,
    /// size of the account's code: prefix and compressed module
    pub code_bytes: usize,
    /// what was compiled in from the registry
    pub packages: Vec<Package>,
}

/// A package from `Cargo.lock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// crate name
    pub name: String,
    /// exact version
    pub version: String,
    /// the registry's SHA-256, in hex; none for a package of this workspace
    #[serde(default)]
    pub checksum: Option<String>,
}

/// Why the artifact or its sources could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be read.
    #[error("cannot read {path}")]
    Read {
        /// which
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// A workspace file is not the TOML that it should be.
    #[error("{path} is not what it should be: {reason}")]
    Toml {
        /// which
        path: PathBuf,
        /// why
        reason: String,
    },
    /// A manifest is not the JSON that it should be.
    #[error("the manifest is not what it should be")]
    Manifest(#[from] serde_json::Error),
}

/// Reads the manifest of [`PCAC_WASM`].
///
/// # Errors
/// If the embedded file is not a manifest.
pub fn manifest() -> Result<Manifest, Error> {
    Ok(serde_json::from_str(MANIFEST)?)
}

/// Reads the manifest of [`V1_WASM`].
///
/// # Errors
/// If the embedded file is not a manifest.
pub fn v1_manifest() -> Result<Manifest, Error> {
    Ok(serde_json::from_str(V1_MANIFEST)?)
}

/// Hashes by SHA-256 everything of this workspace that decides what the module does: the contract's Rust files but its
/// tests', its interface and `Cargo.toml`; from the workspace's `Cargo.toml` the contract's profile and dependencies; and
/// the build's recipe. The hash is independent of where the workspace lies, of git, and of line endings.
///
/// # Errors
/// If a file is missing or not what it should be.
pub fn source_hash(workspace: &Path) -> Result<String, Error> {
    let contract = workspace.join("contract");
    let mut files = vec!["Cargo.toml".to_owned(), "abi/IPcac.sol".to_owned()];
    rust_files(&contract, "src", &mut files)?;
    files.sort();

    let mut hasher = Sha256::new();
    let mut add = |name: &str, bytes: &[u8]| {
        for part in [name.as_bytes(), bytes] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    };
    for file in &files {
        let text = read(&contract.join(file))?;
        add(file, text.replace("\r\n", "\n").as_bytes());
    }
    add("workspace", workspace_part(workspace)?.as_bytes());
    for step in RECIPE {
        add("recipe", step.as_bytes());
    }
    Ok(hex::encode(hasher.finalize()))
}

/// Lists the packages of the workspace's `Cargo.lock`, sorted.
///
/// # Errors
/// If the file is missing or not a lock file.
pub fn locked_packages(workspace: &Path) -> Result<Vec<Package>, Error> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    let path = workspace.join("Cargo.lock");
    let lock: Lock = toml::from_str(&read(&path)?).map_err(|error| Error::Toml {
        path,
        reason: error.message().to_owned(),
    })?;
    let mut packages = lock.package;
    packages.sort();
    Ok(packages)
}

/// Says whether an artifact is what these sources make: same hash, and every package in it still locked.
///
/// # Errors
/// If a source cannot be read.
pub fn is_current(manifest: &Manifest, workspace: &Path) -> Result<bool, Error> {
    let locked = locked_packages(workspace)?;
    Ok(manifest.source_hash == source_hash(workspace)?
        && manifest
            .packages
            .iter()
            .all(|package| locked.binary_search(package).is_ok()))
}

/// The contract's profile and dependencies in the workspace's `Cargo.toml`, as JSON with sorted keys.
fn workspace_part(workspace: &Path) -> Result<String, Error> {
    let path = workspace.join("Cargo.toml");
    let root: toml::Table = toml::from_str(&read(&path)?).map_err(|error| Error::Toml {
        path: path.clone(),
        reason: error.message().to_owned(),
    })?;
    let mut part = serde_json::Map::new();
    let wanted = [
        ["profile", "contract"].as_slice(),
        &["workspace", "dependencies", "stylus-sdk"],
        &["workspace", "dependencies", "alloy-primitives"],
        &["workspace", "dependencies", "alloy-sol-types"],
    ];
    for keys in wanted {
        let name = keys.join(".");
        let value = keys[1..]
            .iter()
            .try_fold(&root[keys[0]], |table, key| table.get(*key))
            .ok_or_else(|| Error::Toml {
                path: path.clone(),
                reason: format!("no {name}"),
            })?;
        part.insert(name, serde_json::to_value(value)?);
    }
    Ok(serde_json::to_string(&part)?)
}

/// Adds the paths of all `.rs` files under a directory, relative to the root, with `/` between their parts.
fn rust_files(root: &Path, directory: &str, files: &mut Vec<String>) -> Result<(), Error> {
    let path = root.join(directory);
    let failed = |source| Error::Read {
        path: path.clone(),
        source,
    };
    for entry in fs::read_dir(&path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{directory}/{}", entry.file_name().to_string_lossy());
        if name == TESTS {
            continue;
        }
        if entry.file_type().map_err(failed)?.is_dir() {
            rust_files(root, &name, files)?;
        } else if name.ends_with(".rs") {
            files.push(name);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::build::module;

    fn workspace() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// A copy of what the source hash covers.
    fn copy() -> tempfile::TempDir {
        fn tree(from: &Path, to: &Path) {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let target = to.join(entry.file_name());
                if entry.file_type().unwrap().is_dir() {
                    tree(&entry.path(), &target);
                } else {
                    fs::copy(entry.path(), target).unwrap();
                }
            }
        }
        let copy = tempfile::tempdir().unwrap();
        tree(&workspace().join("contract"), &copy.path().join("contract"));
        for file in ["Cargo.toml", "Cargo.lock"] {
            fs::copy(workspace().join(file), copy.path().join(file)).unwrap();
        }
        copy
    }

    #[test]
    fn the_release_artifact_is_what_the_sources_make() {
        assert!(
            is_current(&manifest().unwrap(), &workspace()).unwrap(),
            "the contract's sources moved: run `cargo contract --release-artifact` and commit contract/artifacts"
        );
    }

    #[test]
    fn a_release_artifact_is_what_its_manifest_says_and_fit_for_a_chain() {
        for (wasm, manifest) in [
            (PCAC_WASM, manifest().unwrap()),
            (V1_WASM, v1_manifest().unwrap()),
        ] {
            assert_eq!(manifest.sha256, hex::encode(Sha256::digest(wasm)));
            assert_eq!(manifest.wasm_bytes, wasm.len());
            assert_eq!(manifest.code_bytes, module::check(wasm).unwrap());
            assert!(
                manifest
                    .packages
                    .iter()
                    .any(|package| package.name == "stylus-sdk")
            );
            assert!(
                manifest
                    .packages
                    .iter()
                    .all(|package| package.checksum.is_some())
            );
            assert_eq!(module::encode(wasm).unwrap(), wasm, "encoding is stable");
        }
    }

    #[test]
    fn version_1_never_changes() {
        assert_eq!(
            hex::encode(Sha256::digest(V1_WASM)),
            "a74d99f29b3b76c46c5efe0d70cfd9a66294586ecac89a9126a4448d965b6de7"
        );
    }

    #[test]
    fn the_code_is_the_prefix_and_what_brotli_gives_back() {
        let code = module::code(PCAC_WASM);
        let (prefix, mut compressed) = code.split_at(CODE_PREFIX.len());
        assert_eq!(prefix, CODE_PREFIX);
        let mut wasm = Vec::new();
        brotli::BrotliDecompress(&mut compressed, &mut wasm).unwrap();
        assert_eq!(wasm, PCAC_WASM);
    }

    #[test]
    fn the_hash_moves_with_what_is_compiled_and_with_nothing_else() {
        let copy = copy();
        let root = copy.path();
        let hash = || source_hash(root).unwrap();
        let edit = |file: &str, change: &dyn Fn(String) -> String| {
            let path = root.join(file);
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, change(text)).unwrap();
        };
        let before = source_hash(&workspace()).unwrap();
        assert_eq!(hash(), before, "the place does not count");

        edit("contract/src/lib.rs", &|text| text.replace('\n', "\r\n"));
        assert_eq!(hash(), before, "line endings do not count");
        edit("contract/src/tests/mod.rs", &|text| text + "// more\n");
        edit("Cargo.toml", &|text| {
            text + "\n[profile.other]\ninherits = \"release\"\n"
        });
        fs::write(root.join("contract/src/notes.txt"), "not compiled").unwrap();
        assert_eq!(
            hash(),
            before,
            "nor does what the contract is not compiled from"
        );

        let mut seen = vec![before];
        let edits: [(&str, &str, &str); 4] = [
            (
                "contract/src/lib.rs",
                "extern crate alloc;",
                "extern crate alloc; ",
            ),
            (
                "contract/abi/IPcac.sol",
                "interface IPcac",
                "interface  IPcac",
            ),
            ("contract/Cargo.toml", "publish = false", "publish = false "),
            ("Cargo.toml", "lto = \"fat\"", "lto = \"thin\""),
        ];
        for (file, from, to) in edits {
            edit(file, &|text| text.replacen(from, to, 1));
            let hash = hash();
            assert!(!seen.contains(&hash), "{file}");
            seen.push(hash);
        }
        fs::rename(
            root.join("contract/src/word.rs"),
            root.join("contract/src/words.rs"),
        )
        .unwrap();
        assert!(!seen.contains(&hash()), "a file's name counts");
    }

    #[test]
    fn an_artifact_of_another_dependency_is_not_current() {
        let copy = copy();
        let manifest = manifest().unwrap();
        assert!(is_current(&manifest, copy.path()).unwrap());
        let lock = copy.path().join("Cargo.lock");
        let text = fs::read_to_string(&lock).unwrap();
        let sdk = manifest
            .packages
            .iter()
            .find(|package| package.name == "stylus-sdk")
            .unwrap();
        fs::write(
            &lock,
            text.replace(sdk.checksum.as_deref().unwrap(), &"0".repeat(64)),
        )
        .unwrap();
        assert!(!is_current(&manifest, copy.path()).unwrap());
    }
}
