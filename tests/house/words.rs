//! One word for one thing, and sentences that a stranger can read at once: in documents, doc comments and help texts.

use std::path::{Path, PathBuf};

use crate::files::{below, none, read};

/// Words that a more exact one replaces.
const WORDS: [(&str, &str); 9] = [
    ("somebody", "the role: a reader, a peer, an attacker"),
    ("someone", "the role: a reader, a peer, an attacker"),
    ("whoever", "anyone who, or the role"),
    ("so many", "the number: as many as, at most N"),
    ("anew", "again"),
    ("told", "reported, printed, named"),
    ("noted", "recorded"),
    (
        "requester",
        "requestor; `requester` in code where the ABI names it so",
    ),
    ("requesters", "requestors"),
];

/// Words with which no statement begins: its subject stands first.
const FIRST: [&str; 5] = ["What", "Who", "Whoever", "Whose", "Whether"];

/// Rust sources whose comments keep the rules.
const SOURCES: [&str; 5] = [
    "client",
    "contract/src",
    "contract/tests",
    "deploy",
    "tests",
];

/// Rust sources in which the documentation of a public function begins with a verb.
const VERBS: [&str; 4] = ["client", "contract/src", "deploy", "tests/src"];

/// Words in the third person that do not end in `s`, or in `s` but are no verbs.
const NO_VERBS: [&str; 7] = [
    "This",
    "Its",
    "As",
    "Always",
    "Bytes",
    "Seconds",
    "Addresses",
];

/// A line of prose, or of a comment.
struct Line {
    number: usize,
    text: String,
    /// True if a sentence that began before goes on.
    goes_on: bool,
}

/// Where a rule is broken.
fn broken(path: &Path, lines: &[Line]) -> Vec<String> {
    let mut found = Vec::new();
    for line in lines {
        let mut say =
            |what: String| found.push(format!("{}:{}: {what}", path.display(), line.number));
        let prose = without_code(&line.text);
        let lower = prose.to_lowercase();
        for (word, better) in WORDS {
            if has_word(&lower, word) {
                say(format!("`{word}`: write {better}"));
            }
        }
        for (number, sentence) in sentences(&prose).into_iter().enumerate() {
            let first = sentence
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap_or_default();
            let begins = number > 0 || !line.goes_on;
            if begins && FIRST.contains(&first) && !sentence.contains('?') {
                say(format!(
                    "a sentence begins with `{first}`: begin with its subject"
                ));
            }
        }
    }
    found
}

/// Says whether the text has the word by itself: neither part of a longer word nor of a name.
fn has_word(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        let whole = !word.ends_with(char::is_alphanumeric) || !after.is_some_and(part);
        whole && !before.is_some_and(part)
    })
}

/// The text with everything between backquotes left out.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// A line's sentences, cells of a table and items of a list, each without what stands before its first word.
fn sentences(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(' ') {
        // After a colon a sentence may begin too, with a capital.
        if text[..at].ends_with(['.', '!', '?', ':', '|']) {
            parts.push(&text[start..at]);
            start = at + 1;
        }
    }
    parts.push(&text[start..]);
    parts
        .iter()
        .map(|part| part.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '`'))
        .collect()
}

/// The lines of a document that are prose: no fenced block, no comment for tests.
fn prose(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut fence: Option<&str> = None;
    let mut goes_on = false;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        match fence {
            Some(end) => {
                if trimmed.starts_with(end) {
                    fence = None;
                }
                continue;
            }
            None if trimmed.starts_with("```") => fence = Some("```"),
            None if trimmed.starts_with("<!--") && !trimmed.contains("-->") => fence = Some("-->"),
            None => {
                // Headings, items, rows and the first line after an empty one begin something.
                let begins = trimmed.starts_with(['#', '-', '*', '|', '>']) || trimmed.is_empty();
                lines.push(Line {
                    number: number + 1,
                    text: line.to_owned(),
                    goes_on: goes_on && !begins,
                });
                goes_on = !trimmed.is_empty() && !ends(trimmed);
                continue;
            }
        }
        goes_on = false;
    }
    lines
}

/// Says whether a line ends with its sentence.
fn ends(line: &str) -> bool {
    line.trim_end_matches(['*', '`', ')', '"'])
        .ends_with(['.', '!', '?', '|'])
}

/// The documentation of a Rust source's public items and modules, and the texts of its help attributes.
fn comments(text: &str) -> Vec<Line> {
    let lines: Vec<_> = text.lines().map(str::trim_start).collect();
    let mut found = Vec::new();
    let (mut goes_on, mut fenced) = (false, false);
    for (number, line) in lines.iter().enumerate() {
        let comment = line.strip_prefix("//!").or(line
            .strip_prefix("///")
            .filter(|_| is_public(&lines[number..])));
        let help = ["about = \"", "help = \""]
            .iter()
            .find_map(|it| line.split_once(it));
        let Some(text) = comment.or(help.map(|(_, text)| text)) else {
            (goes_on, fenced) = (false, false);
            continue;
        };
        let text = text.trim_start();
        if text.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced {
            found.push(Line {
                number: number + 1,
                text: text.to_owned(),
                goes_on: goes_on && !text.starts_with(['#', '-', '*', '|']),
            });
        }
        goes_on = !text.is_empty() && !ends(text);
    }
    found
}

/// Says whether the item whose documentation is here may be public: it is `pub`, a variant, or an argument of the
/// command line.
fn is_public(lines: &[&str]) -> bool {
    let prefix = |line: &&str| line.starts_with("///") || line.starts_with("#[");
    let above = lines.iter().take_while(|line| prefix(line)).count();
    let Some(item) = lines.get(above) else {
        return false;
    };
    let clap = [
        "#[arg",
        "#[command",
        "#[clap",
        "Args)]",
        "Parser)]",
        "Subcommand)]",
        "ValueEnum)]",
    ];
    let is_argument = lines[..above]
        .iter()
        .any(|line| line.starts_with("#[") && clap.iter().any(|it| line.contains(it)));
    item.starts_with("pub ") || item.starts_with(char::is_uppercase) || is_argument
}

/// The documents of the repository.
pub(crate) fn documents() -> Vec<PathBuf> {
    let documents = below("", "md");
    assert!(documents.iter().any(|path| path == Path::new("README.md")));
    documents
}

#[test]
fn documents_keep_to_the_words() {
    let found = documents().into_iter().flat_map(|path| {
        let mut text = read(&path);
        // Its fenced blocks are the help texts.
        if path == Path::new("docs/cli.md") {
            text = text.replace("```", "");
        }
        broken(&path, &prose(&text))
    });
    none("words of documents", &found.collect::<Vec<_>>());
}

#[test]
fn sources_keep_to_the_words() {
    let mut found = Vec::new();
    for folder in SOURCES {
        let files = below(folder, "rs");
        assert!(!files.is_empty(), "{folder} has no sources");
        for path in &files {
            found.extend(broken(path, &comments(&read(path))));
        }
    }
    none("words of sources", &found);
}

/// Public functions whose documentation does not begin with a verb in the third person.
fn misbegun(path: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut first: Option<(usize, &str)> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if let Some(doc) = line.strip_prefix("/// ") {
            first.get_or_insert((number + 1, doc));
            continue;
        }
        if line.starts_with("#[") || line.starts_with("///") {
            continue;
        }
        let Some((number, doc)) = first.take() else {
            continue;
        };
        let Some(item) = line.strip_prefix("pub ") else {
            continue;
        };
        let item = item
            .trim_start_matches("const ")
            .trim_start_matches("async ");
        let word = doc
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .next()
            .unwrap_or_default();
        let verb = word.ends_with('s') && !word.ends_with("ss") && !NO_VERBS.contains(&word);
        let wrong = match item.split(' ').next().unwrap_or_default() {
            "fn" if !verb => "a function begins with a verb, third person",
            _ => continue,
        };
        found.push(format!("{}:{number}: `{word}`: {wrong}", path.display()));
    }
    found
}

#[test]
fn functions_are_documented_by_verbs() {
    let files = VERBS.iter().flat_map(|folder| below(folder, "rs"));
    let found: Vec<_> = files
        .flat_map(|path| misbegun(&path, &read(&path)))
        .collect();
    none("first words", &found);
}

#[test]
fn the_rules_find_what_they_forbid() {
    let found = |text: &str| broken(Path::new("x"), &prose(text)).len();
    assert_eq!(found("The file is written anew.\n"), 1);
    assert_eq!(found("A requester asks.\n"), 1);
    assert_eq!(
        found("`requester` is the ABI's name; retold, unnoted.\n"),
        0
    );
    assert_eq!(found("```text\nWhat somebody told\n```\nand more\n"), 0);
    assert_eq!(found("It is done. What is done stays.\n"), 1);
    assert_eq!(found("- Whether it is done is not known.\n"), 1);
    assert_eq!(found("It records\nWhat is done.\n"), 0);
    assert_eq!(found("What is it?\n"), 0);
    assert_eq!(found("| a | Who asks |\n"), 1);
    let found = |text: &str| broken(Path::new("x"), &comments(text)).len();
    assert_eq!(found("/// Says what is told\npub fn f() {}\n// told\n"), 1);
    assert_eq!(found("/// Says what is told\nfn f() {}\n"), 0);
    assert_eq!(
        found("    /// Who asks\n    #[arg(long)]\n    name: String,\n"),
        1
    );
    assert_eq!(found("    #[arg(long, help = \"Who asks\")]\n"), 1);
    let found = |text: &str| misbegun(Path::new("x"), text).len();
    assert_eq!(found("/// Reads it.\n#[must_use]\npub fn f() {}\n"), 0);
    assert_eq!(
        found("/// The address.\npub async fn f() {}\n/// A thing.\nfn g() {}\n"),
        1
    );
}
