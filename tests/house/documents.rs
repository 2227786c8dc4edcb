//! Documents: the README's size, links that lead somewhere, no address that claims to be ours.

use std::path::Path;

use crate::files::{none, read, root};
use crate::words::documents;

/// Most bytes of the README.
const README: usize = 8_192;

/// Addresses that look like the project's own and are not.
const NOT_OURS: [&str; 2] = ["github.com/pcim", "pcim.org"];

/// The anchors of a document: its headings as GitHub names them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The targets of a document's links, with their lines.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        fenced ^= line.trim_start().starts_with("```");
        if fenced {
            continue;
        }
        for (at, _) in line.match_indices("](") {
            let target = &line[at + 2..];
            if let Some(end) = target.find(')') {
                found.push((number + 1, &target[..end]));
            }
        }
    }
    found
}

#[test]
fn the_readme_is_short() {
    let size = read(Path::new("README.md")).len();
    assert!(
        size <= README,
        "README.md has {size} bytes, {README} are allowed"
    );
}

#[test]
fn links_lead_somewhere() {
    let mut dead = Vec::new();
    for path in documents() {
        let text = read(&path);
        for (line, target) in links(&text) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let there = match file {
                "" => path.clone(),
                file => path.parent().unwrap_or(Path::new("")).join(file),
            };
            let exists = root().join(&there).exists();
            if !exists || !anchor.is_empty() && !anchors(&read(&there)).contains(&anchor.to_owned())
            {
                dead.push(format!("{}:{line}: {target}", path.display()));
            }
        }
    }
    none("links that lead nowhere", &dead);
}

/// A transcript stands where a test types it; a list of commands that none types is `sh`.
#[test]
fn transcripts_are_where_a_test_types_them() {
    let mut found = Vec::new();
    for path in documents() {
        let typed = path == Path::new("README.md") || path.parent() == Some(Path::new("docs"));
        for (number, line) in read(&path).lines().enumerate() {
            if !typed && line.trim_start().starts_with("```console") {
                found.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    none("transcripts that no test types", &found);
}

#[test]
fn no_document_claims_an_address() {
    let mut found = Vec::new();
    for path in documents() {
        for (number, line) in read(&path).lines().enumerate() {
            if NOT_OURS.iter().any(|address| line.contains(address)) {
                found.push(format!("{}:{}: {line}", path.display(), number + 1));
            }
        }
    }
    none("addresses that are not ours", &found);
}
