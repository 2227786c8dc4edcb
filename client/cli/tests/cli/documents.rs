//! `docs/cli.md` is what the help texts say: `PCIM_BLESS=1 cargo test --test cli documents::` writes it.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use crate::help::commands;
use crate::program::{pcim, pcim_dev};
use crate::transcripts::workspace;

/// Stands above the commands.
const HEAD: &str = "# Commands\n
Generated from the help texts; `PCIM_BLESS=1 cargo test --test cli documents::` writes it again. A command also takes the options of its
program. `pcim` is the program of every role, `pcim-dev` has a development chain and the measurements.\n";

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

/// A program's commands, each with its help.
fn part(name: &str, program: fn() -> Command) -> String {
    let mut commands = commands(program);
    commands.sort();
    let (_, root) = commands.first().unwrap();
    let general: Vec<_> = entries(root).into_iter().filter_map(flag).collect();
    assert!(general.contains(&"--json"), "{name}: {general:?}");
    let mut text = String::new();
    for (path, help) in &commands {
        let name = [&[name.to_owned()][..], path].concat().join(" ");
        let help = match path.is_empty() {
            true => help.trim_end().to_owned(),
            false => own(help, &general),
        };
        let lines: Vec<_> = help.lines().map(str::trim_end).collect();
        let help = lines.join("\n");
        write!(text, "\n## `{name}`\n\n```text\n{help}\n```\n").unwrap();
    }
    text
}

fn reference() -> String {
    HEAD.to_owned() + &part("pcim", pcim) + &part("pcim-dev", pcim_dev)
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
