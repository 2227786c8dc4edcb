//! Modules of a crate import each other one way only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::files::{none, shortened};
use crate::packages::packages;
use crate::source::{Named, Tree, tree};

/// Modules that may import each other, by the roots of their crates.
const ALLOWED: [(&str, &[&str]); 2] = [
    // Writing a block is a call of the API, and a call of the API may have to write a block.
    ("client/node/src/lib.rs", &["rpc::batch", "rpc::kubo"]),
    // The contract's storage stands beside the entry point that the SDK generates for it.
    (
        "contract/src/lib.rs",
        &["", "interface", "relay", "signature", "storage"],
    ),
];

/// Finds the modules of a crate that import each other, directly or by way of others: each import of such a circle, by
/// the pair of its files.
fn circles(root: &Path, allowed: &[&str]) -> Vec<String> {
    let tree = tree(root);
    let imports = imports(&tree);
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|from| (*from, reach(&imports, from)))
        .collect();
    let mut found = Vec::new();
    for (from, targets) in &imports {
        for to in targets {
            let returns = reached[to].contains(from);
            let may = [*from, *to]
                .iter()
                .all(|module| allowed.contains(&module.join("::").as_str()));
            if returns && !may {
                let [from, to] = [*from, *to].map(|module| tree[module].file.display());
                found.push(format!("{from} -> {to}"));
            }
        }
    }
    found
}

type Imports<'t> = BTreeMap<&'t Vec<String>, BTreeSet<&'t Vec<String>>>;

/// The modules that each module names. A `pub use` of what stands below a module is no import of it.
fn imports(tree: &Tree) -> Imports<'_> {
    let mut imports = Imports::new();
    for (module, content) in tree {
        let targets = imports.entry(module).or_default();
        for named in &content.names {
            let Some(path) = absolute(tree, named) else {
                continue;
            };
            let facade = named.public && path.starts_with(module);
            if let Some(target) = owner(tree, path).filter(|target| !facade && *target != module) {
                targets.insert(target);
            }
        }
    }
    imports
}

/// A path from the crate's root; `None` for one into another crate.
fn absolute(tree: &Tree, named: &Named) -> Option<Vec<String>> {
    let mut base = named.within.clone();
    let mut rest = &named.path[..];
    match rest.first()?.as_str() {
        "crate" => (base, rest) = (Vec::new(), &rest[1..]),
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|name| name == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        first => {
            let mut child = base.clone();
            child.push(first.to_owned());
            tree.contains_key(&child).then_some(())?;
        }
    }
    base.extend_from_slice(rest);
    Some(base)
}

/// The module in whose file the thing stands that a path names, imports and re-exports followed; `None` for a thing of
/// another crate.
fn owner(tree: &Tree, mut path: Vec<String>) -> Option<&Vec<String>> {
    // A chain of names that are imported from one another is not longer.
    for _ in 0..16 {
        let (module, content) = longest(tree, &path);
        let Some(name) = path.get(module.len()) else {
            return Some(module);
        };
        let rest = path[module.len() + 1..].to_vec();
        let own = content.names.iter().filter(|named| named.within == *module);
        let given = own.clone().find(|named| named.alias == *name);
        let next = match given {
            Some(given) => Some(absolute(tree, given)?),
            None if content.items.contains(name) => None,
            None => own
                .filter(|named| named.alias == "*")
                .filter_map(|named| absolute(tree, named))
                .find(|all| tree.get(all).is_some_and(|it| it.items.contains(name)))
                .map(|mut all| {
                    all.push(name.clone());
                    all
                }),
        };
        match next {
            Some(mut next) if next != path => {
                next.extend(rest);
                path = next;
            }
            _ => return Some(module),
        }
    }
    Some(longest(tree, &path).0)
}

/// The file's module that a path leads into.
fn longest<'t>(tree: &'t Tree, path: &[String]) -> (&'t Vec<String>, &'t crate::source::Module) {
    (0..=path.len())
        .rev()
        .find_map(|length| tree.get_key_value(&path[..length]))
        .unwrap()
}

fn reach<'t>(imports: &Imports<'t>, from: &'t Vec<String>) -> BTreeSet<&'t Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for to in imports.get(module).into_iter().flatten() {
            if reached.insert(*to) {
                open.push(to);
            }
        }
    }
    reached
}

/// The roots of a package's libraries and programs, from the repository's root.
pub(crate) fn roots(package: &Path) -> Vec<PathBuf> {
    let mut roots = Vec::new();
    for name in ["src/lib.rs", "src/main.rs"] {
        roots.extend(Some(package.join(name)).filter(|root| root.is_file()));
    }
    if let Ok(programs) = fs::read_dir(package.join("src/bin")) {
        roots.extend(programs.map(|program| program.unwrap().path()));
    }
    roots.sort();
    roots
}

#[test]
fn modules_import_each_other_one_way_only() {
    let mut found = Vec::new();
    for package in packages() {
        for root in roots(&package.folder) {
            let may = ALLOWED.iter().find(|(allowed, _)| root.ends_with(allowed));
            let circles = circles(&root, may.map_or(&[], |(_, may)| may));
            found.extend(circles.iter().map(|line| shortened(line)));
        }
    }
    none("import circles", &found);
}

#[test]
fn a_circle_is_found_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let found = |allowed: &[&str]| -> Vec<String> {
        let found = circles(&folder.path().join("lib.rs"), allowed);
        let prefix = format!("{}/", folder.path().display());
        found.iter().map(|line| line.replace(&prefix, "")).collect()
    };
    write(
        "lib.rs",
        "mod a;\nmod b;\n#[cfg(test)]\nmod tests;\npub use a::c::One;\n",
    );
    write(
        "a/mod.rs",
        "pub mod c;\nmod d { use super::super::b::Two; }\n",
    );
    write(
        "a/c.rs",
        "// use crate::b::No;\npub struct One;\nconst TEXT: &str = \"crate::b::No\";\n",
    );
    write(
        "b.rs",
        "use crate::One;\npub struct Two;\n#[cfg(test)]\nmod tests {\n    use crate::a::X;\n}\n",
    );
    assert_eq!(found(&[]), [""; 0]);

    // A name of another crate, by way of the root.
    write("b.rs", "use crate::{Map, One};\npub struct Two;\n");
    write(
        "lib.rs",
        "mod a;\nmod b;\npub use a::c::One;\nuse std::collections::BTreeMap as Map;\nuse b::Two;\n",
    );
    assert_eq!(found(&[]), [""; 0]);

    // By an import, through the crate's facade.
    write(
        "a/c.rs",
        "use super::super::{b::{self, Two as Three}};\npub struct One;\n",
    );
    assert_eq!(found(&[]), ["a/c.rs -> b.rs", "b.rs -> a/c.rs"]);
    assert_eq!(found(&["a::c", "b"]), [""; 0]);
    assert_eq!(found(&["a", "b"]).len(), 2);

    // Behind an item that is for tests alone.
    write(
        "a/c.rs",
        "pub struct One;\n#[cfg(test)]\nuse crate::c::{X, Y};\nuse crate::b::Z;\n",
    );
    assert_eq!(found(&[]), ["a/c.rs -> b.rs", "b.rs -> a/c.rs"]);

    // Between a module and the one that it stands in.
    write("a/c.rs", "use super::Four;\npub struct One;\n");
    write("a/mod.rs", "pub mod c;\nuse c::Five;\npub struct Four;\n");
    assert_eq!(found(&[]), ["a/mod.rs -> a/c.rs", "a/c.rs -> a/mod.rs"]);
}
