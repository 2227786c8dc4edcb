//! A public type's name means one thing within its crate.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::circles::roots;
use crate::files::{none, shortened};
use crate::packages::packages;
use crate::source::tree;

/// Names that each module may have for itself.
const BY_MODULE: [&str; 2] = ["Error", "Result"];

/// Finds the names that a crate gives to several public types, with the places of each.
fn used_twice(root: &Path) -> Vec<String> {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for module in tree(root).values() {
        for declared in &module.types {
            let place = format!("{}:{}", module.file.display(), declared.line);
            places.entry(declared.name.clone()).or_default().push(place);
        }
    }
    places.retain(|name, places| places.len() > 1 && !BY_MODULE.contains(&name.as_str()));
    let found = places.into_iter();
    found
        .map(|(name, places)| format!("{name}: {}", places.join(", ")))
        .collect()
}

#[test]
fn a_public_type_name_means_one_thing() {
    let mut found = Vec::new();
    for package in packages() {
        for root in roots(&package.folder) {
            found.extend(used_twice(&root).iter().map(|line| shortened(line)));
        }
    }
    none("public type names used twice in a crate", &found);
}

#[test]
fn a_name_used_twice_is_found_with_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("lib.rs");
    fs::write(
        &root,
        "mod a;\npub struct Head;\npub struct Error;\nstruct Tail;\n",
    )
    .unwrap();
    let write = |text: &str| fs::write(folder.path().join("a.rs"), text).unwrap();
    write(
        "pub(crate) enum Tail {}\npub enum Error {}\n#[cfg(test)]\nmod tests {\n    pub struct Head;\n}\n",
    );
    assert_eq!(used_twice(&root), [""; 0]);
    write("pub struct Other;\npub(crate) type Head<T> = Vec<T>;\n");
    let folder = folder.path().display();
    assert_eq!(
        used_twice(&root),
        [format!("Head: {folder}/lib.rs:2, {folder}/a.rs:2")]
    );
}
