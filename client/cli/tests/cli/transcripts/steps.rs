//! Documents as steps, and output beside what a document shows.

/// A command of a document and the output that it shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The line in the document.
    pub(super) line: usize,
    /// Whose home it is about.
    pub(super) actor: Option<String>,
    pub(super) command: String,
    /// None if the output is not compared.
    pub(super) wanted: Option<Vec<String>>,
}

/// Reads the transcripts of a document.
pub(super) fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    // The actor and whether output is compared, within a block.
    let mut block: Option<(Option<String>, bool)> = None;
    for (number, line) in document.lines().enumerate() {
        let Some((actor, shown)) = &block else {
            block = opening(line);
            continue;
        };
        if line == if *shown { "```" } else { "-->" } {
            block = None;
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: number + 1,
                actor: actor.clone(),
                command: command.to_owned(),
                wanted: shown.then(Vec::new),
            });
        } else if let Some(more) = line.strip_prefix("> ") {
            let step = steps.last_mut().expect("a command is continued");
            step.command.push('\n');
            step.command.push_str(more);
        } else if let Some(wanted) = steps.last_mut().and_then(|step| step.wanted.as_mut()) {
            wanted.push(line.to_owned());
        } else {
            panic!("line {}: output before any command", number + 1);
        }
    }
    assert!(block.is_none(), "a block has no end");
    steps
}

/// The actor of a block that begins here, and whether it is shown to readers.
fn opening(line: &str) -> Option<(Option<String>, bool)> {
    let (words, shown) = match line.strip_prefix("```console") {
        Some(words) => (words, true),
        None => (line.strip_prefix("<!-- before")?, false),
    };
    let actor = words.split_whitespace().next().map(str::to_owned);
    Some((actor, shown))
}

/// Whether the output is what is wanted.
pub(super) fn matches(wanted: &[String], found: &[String]) -> bool {
    match wanted.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == "..." => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        Some((first, rest)) => found
            .split_first()
            .is_some_and(|(line, others)| line_matches(first, line) && matches(rest, others)),
    }
}

fn line_matches(wanted: &str, found: &str) -> bool {
    let (wanted, found) = (wanted.trim_end(), found.trim_end());
    let Some((start, rest)) = wanted.split_once("[..]") else {
        return wanted == found;
    };
    let Some(found) = found.strip_prefix(start) else {
        return false;
    };
    let ends = found.char_indices().map(|(at, _)| at).chain([found.len()]);
    ends.into_iter().any(|at| line_matches(rest, &found[at..]))
}

#[test]
fn output_is_compared_with_what_a_page_shows() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let says = |wanted: &str, found: &str| matches(&lines(wanted), &lines(found));
    assert!(says("", ""));
    assert!(says("a\nb", "a\nb"));
    assert!(says("a [..] c [..]", "a b c d"));
    assert!(says("...\nb", "a\na\nb"));
    assert!(says("a\n...", "a"));
    assert!(!says("a", "a\nb"));
    assert!(!says("a\nb", "a"));
    assert!(!says("a[..]c", "abd"));
    assert!(!says("...\nb", "a\nb\nc"));
}

#[test]
fn a_document_is_read_as_steps() {
    let document =
        "text\n```console doctor\n$ a \\\n> b\nout\n$ c &\n```\n$ no\n<!-- before\n$ d\n-->\n";
    let step = |line, actor: Option<&str>, command: &str, wanted: Option<&[&str]>| Step {
        line,
        actor: actor.map(str::to_owned),
        command: command.to_owned(),
        wanted: wanted.map(|lines| lines.iter().map(|&line| line.to_owned()).collect()),
    };
    let wanted = [
        step(3, Some("doctor"), "a \\\nb", Some(&["out"])),
        step(6, Some("doctor"), "c &", Some(&[])),
        step(10, None, "d", None),
    ];
    assert_eq!(steps(document), wanted);
}
