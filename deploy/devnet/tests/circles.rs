//! No import circles between the files of the crate, and no public type name twice.
//!
//! [`circles`] serves any crate: it reads the `use` lines of a source folder and follows each to the file that it names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

#[test]
fn files_import_each_other_one_way_only() -> io::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found = circles(&source, &[])?;
    assert!(found.is_empty(), "import circles:\n{}", found.join("\n"));
    Ok(())
}

#[test]
fn a_public_type_name_means_one_thing() -> io::Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = types(&source)?;
    found.retain(|name, files| name != "Error" && files.len() > 1);
    assert!(found.is_empty(), "names used twice: {found:#?}");
    Ok(())
}

#[test]
fn a_circle_is_found_and_named() -> io::Result<()> {
    let folder = std::env::temp_dir().join(format!("circles-{}", std::process::id()));
    fs::create_dir_all(folder.join("a"))?;
    fs::write(folder.join("lib.rs"), "mod a;\nmod b;\npub use a::One;\n")?;
    fs::write(folder.join("a/mod.rs"), "mod c;\nuse crate::b::Two;\n")?;
    fs::write(
        folder.join("a/c.rs"),
        "// use super::super::b::No;\nuse crate::{\n    b::{Two, Three as Four},\n};\n",
    )?;
    fs::write(folder.join("b.rs"), "pub struct Two;\n")?;
    let straight = circles(&folder, &[])?;
    fs::write(
        folder.join("b.rs"),
        "pub(crate) use super::a::c::Five;\n#[cfg(test)]\nmod tests {\n    use crate::a::X;\n}\n",
    )?;
    let found = circles(&folder, &[])?;
    let allowed = circles(&folder, &[&["a/c.rs", "b.rs"]])?;
    fs::remove_dir_all(&folder)?;
    assert_eq!(straight, [""; 0]);
    assert_eq!(found, ["a/c.rs <-> b.rs"]);
    assert_eq!(allowed, [""; 0]);
    Ok(())
}

/// The public types below `source` by name, with the files that declare them; tests do not count.
///
/// # Errors
/// A file that cannot be read.
fn types(source: &Path) -> io::Result<BTreeMap<String, Vec<String>>> {
    let mut files = Vec::new();
    collect(source, &mut files)?;
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in &files {
        let text = fs::read_to_string(file)?;
        for line in without_tests(&text).lines() {
            let mut words = line.split([' ', '<', '(', '{', ';', ':']);
            if !line.starts_with("pub") {
                continue;
            }
            let kinds = ["struct", "enum", "trait", "type", "union"];
            if words.any(|word| kinds.contains(&word))
                && let Some(name) = words.next()
            {
                let declared = types.entry(name.to_owned()).or_default();
                declared.push(self::name(source, file));
            }
        }
    }
    Ok(types)
}

/// Names the pairs of files below `source` that import each other, directly or by way of others, in no `allowed` group.
/// Tests, in files or folders named `tests` or behind `#[cfg(test)]` to a file's end, do not count.
///
/// # Errors
/// A file that cannot be read.
fn circles(source: &Path, allowed: &[&[&str]]) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    collect(source, &mut files)?;
    let mut modules = BTreeMap::new();
    for file in &files {
        modules.insert(module(source, file), name(source, file));
    }
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in &files {
        let from = name(source, file);
        let text = fs::read_to_string(file)?;
        let here = module(source, file);
        let named = paths(&text)
            .into_iter()
            .filter_map(|path| target(&modules, &here, &path))
            .filter(|to| *to != from)
            .collect();
        imports.insert(from, named);
    }
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|from| (from, reach(&imports, from)))
        .collect();
    let mut found = Vec::new();
    for (one, from_one) in &reached {
        for other in from_one.iter().filter(|other| other > one) {
            let returns = reached.get(other).is_some_and(|from| from.contains(*one));
            let may =
                |group: &&&[&str]| group.contains(&one.as_str()) && group.contains(&other.as_str());
            if returns && !allowed.iter().any(|group| may(&group)) {
                found.push(format!("{one} <-> {other}"));
            }
        }
    }
    Ok(found)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn name(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).unwrap_or(file);
    relative.to_string_lossy().replace('\\', "/")
}

/// The module that a file is: `a/mod.rs` and `a.rs` are `a`, `lib.rs` and `main.rs` are the root.
fn module(source: &Path, file: &Path) -> Vec<String> {
    let name = name(source, file);
    let stem = name.trim_end_matches(".rs");
    let mut parts: Vec<_> = stem.split('/').map(str::to_owned).collect();
    if matches!(
        parts.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        parts.pop();
    }
    parts
}

/// The paths that a file's `use` lines name, groups taken apart.
fn paths(text: &str) -> Vec<String> {
    let code: String = without_tests(text)
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for statement in code.split([';', '}']).filter_map(begin) {
        let at = code.find(statement).unwrap_or_default();
        let whole = code[at..].split(';').next().unwrap_or_default();
        take_apart("", whole, &mut found);
    }
    found
}

/// A file up to the module that only its tests are in.
fn without_tests(text: &str) -> &str {
    const MARK: &str = "#[cfg(test)]\n";
    let opens_module = |at: &usize| {
        let mut behind = text[at + MARK.len()..].lines();
        let item = behind.find(|line| !line.starts_with("#["));
        item.is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let marks = text.match_indices(MARK).map(|(at, _)| at);
    let end = marks.into_iter().find(opens_module).unwrap_or(text.len());
    &text[..end]
}

/// The rest of a statement behind its `use`.
fn begin(statement: &str) -> Option<&str> {
    let mut line = statement.lines().skip_while(|line| {
        let line = line.trim_start();
        let begins = line.starts_with("use ");
        !(begins || line.starts_with("pub") && line.contains(" use "))
    });
    let first = line.next()?;
    let at = statement.find(first)? + first.find("use ")? + "use ".len();
    statement.get(at..).filter(|rest| !rest.trim().is_empty())
}

fn take_apart(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        found.push(format!("{prefix}{}", path.trim()));
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let group = group.trim_end().strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, letter) in group.char_indices().chain([(group.len(), ',')]) {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                let part = group.get(start..at).unwrap_or_default();
                if !part.trim().is_empty() {
                    take_apart(&prefix, part, found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The file that a path leads into, if it is one of the crate's.
fn target(modules: &BTreeMap<Vec<String>, String>, here: &[String], path: &str) -> Option<String> {
    let mut parts = path.split("::").map(str::trim).peekable();
    let mut at: Vec<String> = match *parts.peek()? {
        "crate" => {
            parts.next();
            Vec::new()
        }
        "self" | "super" => here.to_vec(),
        first => {
            let mut child = here.to_vec();
            child.push(first.to_owned());
            modules.contains_key(&child).then(|| here.to_vec())?
        }
    };
    for part in parts {
        match part {
            "self" => {}
            "super" => {
                at.pop();
            }
            part => {
                at.push(part.to_owned());
                if !modules.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
        }
    }
    modules.get(&at).cloned()
}

/// The files that `from` imports, directly or by way of others.
fn reach(imports: &BTreeMap<String, BTreeSet<String>>, from: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = imports.get(from).into_iter().flatten().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file.clone()) {
            open.extend(imports.get(file).into_iter().flatten());
        }
    }
    reached
}
