//! The packages of the workspace, as their manifests say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::files::root;

/// A package.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    /// The names of what it is built from.
    pub(crate) dependencies: Vec<String>,
    /// The names of what only its tests and benchmarks are built from.
    pub(crate) for_tests: Vec<String>,
}

/// Reads the packages of the workspace.
pub(crate) fn packages() -> Vec<Package> {
    packages_of(root())
}

/// Reads the packages of the workspace in `root`.
pub(crate) fn packages_of(root: &Path) -> Vec<Package> {
    let workspace = manifest(&root.join("Cargo.toml"));
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let members = members.iter().map(|member| member.as_str().unwrap());
    members.map(|member| package(&root.join(member))).collect()
}

fn manifest(path: &Path) -> toml::Table {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn package(folder: &Path) -> Package {
    let manifest = manifest(&folder.join("Cargo.toml"));
    let mut tables = vec![&manifest];
    // Those of one platform count like the others.
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    let named = |section: &str| -> Vec<String> {
        let sections = tables
            .iter()
            .filter_map(|table| table.get(section)?.as_table());
        let entries = sections.flatten();
        entries.map(|(name, entry)| renamed(name, entry)).collect()
    };
    Package {
        name: manifest["package"]["name"].as_str().unwrap().to_owned(),
        folder: folder.to_owned(),
        dependencies: [named("dependencies"), named("build-dependencies")].concat(),
        for_tests: named("dev-dependencies"),
    }
}

/// The package that an entry names, which may have another name in the code.
fn renamed(name: &str, entry: &toml::Value) -> String {
    let package = entry.get("package").and_then(toml::Value::as_str);
    package.unwrap_or(name).to_owned()
}

/// The packages by their names.
pub(crate) fn by_name(packages: &[Package]) -> BTreeMap<&str, &Package> {
    packages
        .iter()
        .map(|package| (package.name.as_str(), package))
        .collect()
}
