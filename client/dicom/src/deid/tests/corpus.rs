//! Other people's files, judged by other people's programs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::*;
use crate::check::tests::check_by;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/deid/tests/corpus.py");

/// Runs a program and gives back what it wrote to both outputs; none if it is not there.
fn run(program: &str, args: &[&str]) -> Option<(bool, String)> {
    let out = Command::new(program).args(args).output().ok()?;
    let text = [out.stdout, out.stderr].concat();
    Some((
        out.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

/// What dciodvfy finds wrong, without the values it quotes.
fn errors(path: &Path) -> BTreeSet<String> {
    let (_, text) = run("dciodvfy", &[path.to_str().unwrap()]).unwrap();
    let errors = text.lines().filter(|line| line.starts_with("Error"));
    errors
        .map(|line| {
            // What stands in angle brackets are names of attributes, and values if they are not letters alone.
            let mut parts = line.split('<');
            let mut told = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (inner, rest) = part.split_once('>').unwrap_or((part, ""));
                let named = inner.bytes().all(|b| b.is_ascii_alphabetic());
                told.push_str(if named { inner } else { "…" });
                told.push_str(rest);
            }
            let number = |word: &str| word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let words = told
                .split(' ')
                .map(|word| if number(word) { "…" } else { word });
            words.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

struct Pair {
    name: String,
    profile: &'static str,
    before: PathBuf,
    after: PathBuf,
}

#[test]
fn foreign_files_are_deidentified_or_refused_with_a_reason() {
    let Ok(python) = std::env::var("PCIM_TEST_PYTHON") else {
        println!("skipped: PCIM_TEST_PYTHON names no Python with pydicom and pydicom-data");
        return;
    };
    let (listed, files) = run(&python, &[SCRIPT, "list"]).expect("PCIM_TEST_PYTHON runs");
    assert!(listed, "{files}");
    let folder = tempfile::tempdir().unwrap();
    let folder = match std::env::var_os("PCIM_TEST_DICOM_OUT") {
        Some(kept) => PathBuf::from(kept),
        None => folder.path().to_owned(),
    };
    let mut pairs = Vec::new();
    let (mut refused, mut cleaned) = (0, 0);
    for (number, before) in files.lines().map(PathBuf::from).enumerate() {
        let bytes = std::fs::read(&before).unwrap();
        let name = before.file_name().unwrap().to_string_lossy().into_owned();
        for purpose in ["care", "research"] {
            let mut options = options(purpose);
            let mut note = "";
            let mut result = deidentify(&bytes, &options);
            // A person has looked at these.
            if matches!(
                result,
                Err(Error::BurnedIn | Error::BurnedInUnknown | Error::SpecimenLabel)
            ) {
                options.profile.accept_burned_in = true;
                note = " (after --accept-burned-in)";
                result = deidentify(&bytes, &options);
            }
            match result {
                Ok((out, report)) => {
                    let again = deidentify(&out, &options).unwrap();
                    assert!(
                        again.0 == out,
                        "{name} {purpose} changes when it goes through again:\n{}",
                        again.1
                    );
                    let class = file::read(&bytes).unwrap().data_set;
                    let class = text(&class, tags::SOP_CLASS_UID).unwrap();
                    if screen::is_report(&class) || screen::is_presentation(&class) {
                        cleaned += 1;
                        assert!(report.methods.iter().any(|it| it.code == 113_104), "{name}");
                        assert_eq!(report.burned_in, BurnedIn::NoPixels, "{name}");
                    }
                    let after = folder.join(format!("{number:03}-{purpose}.dcm"));
                    std::fs::write(&after, out).unwrap();
                    println!(
                        "{name:44} {purpose:8} {:4} removed {:3} private {:2} emptied {:2} replaced {:3} UIDs {:3} shifted{note}",
                        report.removed,
                        report.private_removed,
                        report.emptied,
                        report.replaced,
                        report.uids,
                        report.shifted
                    );
                    pairs.push(Pair {
                        name: name.clone(),
                        profile: purpose,
                        before: before.clone(),
                        after,
                    });
                }
                Err(error) => {
                    refused += 1;
                    println!("{name:44} {purpose:8} refused: {error}{note}");
                }
            }
        }
    }
    println!("{} de-identified, {refused} refused", pairs.len());
    assert!(cleaned >= 6, "{cleaned} structured reports");
    assert!(pairs.len() > 200, "{}", pairs.len());

    let leaks: Vec<String> = pairs.iter().filter_map(checked).collect();
    let pixels = pydicom(&python, &pairs);
    println!(
        "| files | results | refused | faults by the second look | results that pydicom reads otherwise |"
    );
    println!("|---|---|---|---|---|");
    println!(
        "| {} | {} | {refused} | {} | {} |",
        files.lines().count(),
        pairs.len(),
        leaks.len(),
        pixels.len()
    );
    let mut wrong = [leaks, pixels].concat();
    match run("dcmdump", &["--version"]) {
        Some(_) => wrong.extend(pairs.iter().filter_map(dcmdump)),
        None => println!("skipped: dcmdump (Debian's dcmtk) is not installed"),
    }
    match run("dciodvfy", &["-help"]) {
        Some(_) => wrong.extend(pairs.iter().filter_map(dciodvfy)),
        None => println!("skipped: dciodvfy (Debian's dicom3tools) is not installed"),
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The second look finds nothing.
fn checked(pair: &Pair) -> Option<String> {
    let read = |path: &Path| std::fs::read(path).unwrap();
    let profile = options(pair.profile).profile.clone();
    let found = check_by(profile, &read(&pair.before), &read(&pair.after));
    (!found.is_clean()).then(|| format!("{} {}: {found}", pair.name, pair.profile))
}

/// pydicom reads every output and finds the same pixels.
fn pydicom(python: &str, pairs: &[Pair]) -> Vec<String> {
    let mut child = Command::new(python)
        .arg(SCRIPT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = pairs
        .iter()
        .map(|pair| format!("{}\t{}\n", pair.before.display(), pair.after.display()))
        .collect();
    let mut input = child.stdin.take().unwrap();
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let out = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text.lines().count(), pairs.len());
    let differing = pairs
        .iter()
        .zip(text.lines())
        .filter(|(_, line)| *line != "[]");
    differing
        .map(|(pair, line)| format!("{} {}: pydicom: {line}", pair.name, pair.profile))
        .collect()
}

/// dcmtk reads every output without an error.
fn dcmdump(pair: &Pair) -> Option<String> {
    let (success, text) = run("dcmdump", &["-q", pair.after.to_str().unwrap()]).unwrap();
    (!success).then(|| format!("{} {}: dcmdump: {text}", pair.name, pair.profile))
}

/// dciodvfy finds nothing wrong that it did not find in the input.
fn dciodvfy(pair: &Pair) -> Option<String> {
    let (before, after) = (errors(&pair.before), errors(&pair.after));
    let new: Vec<&String> = after.difference(&before).collect();
    (!new.is_empty()).then(|| format!("{} {}: dciodvfy: {new:#?}", pair.name, pair.profile))
}
