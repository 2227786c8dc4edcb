//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours, wherever they stand.
const FOREIGN: [&str; 6] = [
    "target",
    "node_modules",
    ".git",
    "corpus",
    "artifacts",
    "venv",
];

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The files below a folder of the repository that have this ending, by their names from the root, in order.
pub(crate) fn below(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let entry = entry.unwrap();
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = entry.file_name();
            if kind.is_dir() && !FOREIGN.iter().any(|it| name == *it) {
                open.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|it| it == ending) {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// A file's text.
pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with all findings, one a line.
pub(crate) fn none(rule: &str, findings: &[String]) {
    assert!(findings.is_empty(), "{rule}:\n{}", findings.join("\n"));
}

/// A finding with its files named from the repository's root.
pub(crate) fn shortened(finding: &str) -> String {
    finding.replace(&format!("{}/", root().display()), "")
}
