//! The packages stand in layers, and a foreign library is named by one of them.

use std::fs;

use crate::files::{below, none, read};
use crate::packages::{Package, by_name, packages, packages_of};

/// The packages of ours that each may be built from. One that is not listed may not be added without a place here.
const LAYERS: [(&str, &[&str]); 15] = [
    ("pcim-contract", &[]),
    ("pcim-core", &[]),
    ("pcim-dicom", &["pcim-core"]),
    ("pcim-seal", &["pcim-core"]),
    ("pcim-node", &["pcim-core"]),
    ("pcim-ledger", &["pcim-core"]),
    (
        "pcim-client",
        &[
            "pcim-core",
            "pcim-dicom",
            "pcim-ledger",
            "pcim-node",
            "pcim-seal",
        ],
    ),
    (
        "pcim-gateway",
        &["pcim-client", "pcim-core", "pcim-dicom", "pcim-seal"],
    ),
    ("pcim-app", &["pcim-client", "pcim-core", "pcim-dicom"]),
    ("stylus-devnet", &[]),
    ("pcim-deploy", &["pcim-core", "pcim-ledger"]),
    (
        "pcim-terminal",
        &[
            "pcim-client",
            "pcim-core",
            "pcim-deploy",
            "pcim-dicom",
            "pcim-ledger",
            "pcim-node",
            "pcim-seal",
        ],
    ),
    (
        "pcim",
        &[
            "pcim-app",
            "pcim-client",
            "pcim-core",
            "pcim-deploy",
            "pcim-dicom",
            "pcim-gateway",
            "pcim-ledger",
            "pcim-node",
            "pcim-seal",
            "pcim-terminal",
        ],
    ),
    (
        "pcim-dev",
        &[
            "pcim",
            "pcim-client",
            "pcim-core",
            "pcim-deploy",
            "pcim-dicom",
            "pcim-ledger",
            "pcim-node",
            "pcim-seal",
            "pcim-terminal",
            "stylus-devnet",
        ],
    ),
    ("pcim-start", &[]),
];

/// The package that may use everything, for it holds nothing but tests.
const TESTS: &str = "pcim-tests";

/// Foreign libraries behind an adapter, each with the only package that is built from it.
const ADAPTERS: [(&str, &str); 14] = [
    ("ethers", "pcim-ledger"),
    ("sequoia-openpgp", "pcim-seal"),
    ("rust-ipfs", "pcim-node"),
    ("libp2p-core", "pcim-node"),
    ("connexa", "pcim-node"),
    ("rusqlite", "pcim-client"),
    ("dicom-object", "pcim-dicom"),
    ("dicom-parser", "pcim-dicom"),
    ("dicom-encoding", "pcim-dicom"),
    ("dicom-ul", "pcim-gateway"),
    ("axum", "pcim-app"),
    ("maud", "pcim-app"),
    ("wasmtime", "stylus-devnet"),
    ("revm", "stylus-devnet"),
];

/// Packages whose tests judge what we make with the library itself.
const JUDGES: [(&str, &str); 5] = [
    ("pcim-tests", "ethers"),
    ("pcim-tests", "sequoia-openpgp"),
    ("pcim", "sequoia-openpgp"),
    ("pcim-client", "dicom-object"),
    ("stylus-devnet", "ethers"),
];

/// Finds the dependencies that go against the layers.
fn misplaced(packages: &[Package]) -> Vec<String> {
    let ours = by_name(packages);
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| package.name != TESTS) {
        let Some((_, may)) = LAYERS.iter().find(|(name, _)| *name == package.name) else {
            found.push(format!("{} has no place in the layers", package.name));
            continue;
        };
        for dependency in &package.dependencies {
            if ours.contains_key(dependency.as_str()) && !may.contains(&dependency.as_str()) {
                found.push(format!(
                    "{} may not be built from {dependency}",
                    package.name
                ));
            }
        }
    }
    found
}

/// Finds the packages that name a library beside its adapter, and adapters that do not.
fn leaked(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for (library, adapter) in ADAPTERS {
        let named = packages
            .iter()
            .filter(|it| it.dependencies.iter().any(|name| name == library));
        let named: Vec<_> = named.map(|it| it.name.as_str()).collect();
        if named != [adapter] {
            found.push(format!(
                "{library} is named by {named:?}, wanted {adapter} alone"
            ));
        }
        for package in packages
            .iter()
            .filter(|it| it.for_tests.iter().any(|name| name == library))
        {
            let own = package.name == adapter;
            if own || JUDGES.contains(&(package.name.as_str(), library)) {
                println!("exception: the tests of {} use {library}", package.name);
            } else {
                found.push(format!(
                    "the tests of {} may not use {library}",
                    package.name
                ));
            }
        }
    }
    found
}

/// Finds the attributes that take in a file of another package.
fn taken_in(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let found = lines.filter(|(_, line)| line.trim_start().starts_with("#[path"));
    found
        .map(|(number, _)| format!("{path}:{}", number + 1))
        .collect()
}

#[test]
fn packages_stand_in_layers() {
    none("dependencies against the layers", &misplaced(&packages()));
}

#[test]
fn a_foreign_library_is_named_once() {
    none("libraries beside their adapters", &leaked(&packages()));
}

#[test]
fn fuzz_targets_take_in_no_files() {
    let targets = below("client/fuzz", "rs");
    assert!(!targets.is_empty());
    let found = targets
        .iter()
        .flat_map(|path| taken_in(&path.display().to_string(), &read(path)));
    none("files taken in by `#[path]`", &found.collect::<Vec<_>>());
}

#[test]
fn what_goes_against_the_layers_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let mut members = Vec::new();
    for (name, _) in LAYERS {
        let own = ADAPTERS.iter().filter(|(_, adapter)| *adapter == name);
        let own: String = own
            .map(|(library, _)| format!("{library}.workspace = true\n"))
            .collect();
        write(
            &format!("{name}/Cargo.toml"),
            &format!("[package]\nname = \"{name}\"\n[dependencies]\n{own}"),
        );
        members.push(format!("\"{name}\""));
    }
    let workspace = format!("[workspace]\nmembers = [{}]\n", members.join(", "));
    write("Cargo.toml", &workspace);
    let found = || {
        let packages = packages_of(folder.path());
        [misplaced(&packages), leaked(&packages)].concat()
    };
    assert_eq!(found(), [""; 0]);

    write(
        "pcim-start/Cargo.toml",
        "[package]\nname = \"pcim-start\"\n[dependencies]\npcim-core.workspace = true\n\
         [target.'cfg(unix)'.dependencies]\nchain = { package = \"ethers\", version = \"2\" }\n\
         [dev-dependencies]\nrevm = \"1\"\n",
    );
    assert_eq!(
        found(),
        [
            "pcim-start may not be built from pcim-core",
            "ethers is named by [\"pcim-ledger\", \"pcim-start\"], wanted pcim-ledger alone",
            "the tests of pcim-start may not use revm",
        ]
    );
    write(
        "pcim-start/Cargo.toml",
        "[package]\nname = \"pcim-other\"\n",
    );
    assert_eq!(found(), ["pcim-other has no place in the layers"]);
    assert_eq!(
        taken_in("x", "use a;\n    #[path = \"../b.rs\"]\nmod b;\n"),
        ["x:2"]
    );
}
