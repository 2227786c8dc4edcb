//! `docs/cli.md` is what the help texts say: `PCIM_BLESS=1 cargo test --test cli documents::` writes it.

use std::fmt::Write;
use std::fs;

use crate::help::commands;
use crate::transcripts::workspace;

/// Stands above the commands.
const HEAD: &str = "# Commands\n
Generated from the help texts of `pcim`; `PCIM_BLESS=1 cargo test --test cli documents::` writes it again. A command also takes the
options of `pcim` itself.\n";

/// The entries of a help text's lists of options: each begins with an option and goes on to the next or to the list's end.
fn entries(help: &str) -> Vec<&str> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in help.split_inclusive('\n') {
        let text = line.trim_start();
        let heading = !line.starts_with(' ') && text.trim_end().ends_with(':');
        if text.starts_with('-') || heading {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(help.len());
    starts
        .windows(2)
        .map(|pair| &help[pair[0]..pair[1]])
        .collect()
}

/// The flag that an entry is about.
fn flag(entry: &str) -> Option<&str> {
    let words = entry.split([' ', ',', '\n']);
    words.into_iter().find(|word| word.starts_with("--"))
}

/// A command's help without the options that every command has.
fn own(help: &str, general: &[&str]) -> String {
    let first = entries(help).first().map_or(help.len(), |entry| {
        entry.as_ptr() as usize - help.as_ptr() as usize
    });
    let mut text = help[..first].to_owned();
    for entry in entries(help) {
        let is_general = entry.trim_start().starts_with('-')
            && flag(entry).is_some_and(|flag| general.contains(&flag));
        if !is_general {
            text.push_str(entry);
        }
    }
    // A list of which nothing is left has no heading either.
    let lines: Vec<_> = text.trim_end().lines().collect();
    let mut kept = String::new();
    for (number, line) in lines.iter().enumerate() {
        let heading = !line.starts_with(' ') && (*line == "Options:" || *line == "Network:");
        let next = lines[number + 1..].iter().find(|line| !line.is_empty());
        if !heading || next.is_some_and(|next| next.starts_with(' ')) {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept.trim_end().to_owned()
}

fn reference() -> String {
    let mut commands = commands();
    commands.sort();
    let (_, root) = commands.first().unwrap();
    let general: Vec<_> = entries(root).into_iter().filter_map(flag).collect();
    assert!(
        general.contains(&"--json") && general.contains(&"--network"),
        "{general:?}"
    );
    let mut text = HEAD.to_owned();
    for (path, help) in &commands {
        let name = [&["pcim".to_owned()][..], path].concat().join(" ");
        let help = match path.is_empty() {
            true => help.trim_end().to_owned(),
            false => own(help, &general),
        };
        write!(text, "\n## `{name}`\n\n```text\n{help}\n```\n").unwrap();
    }
    text
}

#[test]
fn the_reference_is_what_the_help_says() {
    let path = workspace().join("docs/cli.md");
    let wanted = reference();
    if std::env::var_os("PCIM_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = wanted
        .lines()
        .zip(found.lines())
        .find(|(wanted, found)| wanted != found);
    assert!(
        wanted == found,
        "docs/cli.md is not what the help says, first at {differs:?}: PCIM_BLESS=1 cargo test --test cli documents:: writes it"
    );
}
