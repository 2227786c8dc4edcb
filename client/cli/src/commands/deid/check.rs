//! `pcim deid --check`: a second look at results, by other code than that which made them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use pcim_client::Progress;
use pcim_dicom::check::{Checker, Findings, Rules, Sketch, pair};
use zeroize::Zeroizing;

use crate::context::Context;
use crate::failure::{Faulty, Usage};
use crate::ui::printable;

/// Most files on either side.
const MAX_FILES: usize = 100_000;
/// Most bytes of a file: what a DICOM file can say of itself, and some.
const MAX_BYTES: u64 = u32::MAX as u64;

/// A file and what it is called within what was given.
struct Entry {
    path: PathBuf,
    name: String,
}

/// Checks the last of the paths against those before it, or `out` against all of them.
pub(super) fn run(
    context: &Context,
    paths: &[PathBuf],
    out: Option<&Path>,
    rules: Rules,
) -> anyhow::Result<()> {
    let (before, after) = match (out, paths.split_last()) {
        (Some(out), _) => (paths, out),
        (None, Some((last, before))) if !before.is_empty() => (before, last.as_path()),
        _ => {
            let text = "--check needs files from before and the result: IN… OUT, or IN… --out OUT";
            return Err(Usage(text.to_owned()).into());
        }
    };
    let before = entries(before.iter().map(PathBuf::as_path))?;
    let after = entries([after])?;
    let mut checker = Checker::new(rules);
    let findings = match (&before[..], &after[..]) {
        ([one], [other]) => {
            let (one, other_bytes) = (read(&one.path)?, read(&other.path)?);
            refuse_archive(&before[0], &one)?;
            checker.learn(&one)?;
            checker.search_name(&other.name);
            match Checker::sketch(&other_bytes).is_dicom() {
                true => checker.compare(Some(&one), &other_bytes, &other.name),
                false => checker.search_other(&other_bytes, &other.name),
            }
            checker.finish()
        }
        _ => folders(context, checker, &before, &after)?,
    };
    tell(context, &findings)
}

/// Each file is read twice: the pairs are known when all were seen once.
fn folders(
    context: &Context,
    mut checker: Checker,
    before: &[Entry],
    after: &[Entry],
) -> anyhow::Result<Findings> {
    let progress = context.ui.progress();
    let total = (2 * before.len() + 2 * after.len()) as u64;
    let mut done = 0;
    let mut step = |bytes: u64| {
        done += 1;
        progress(Progress {
            what: "checked",
            bytes,
            total: None,
            files: Some((done, total)),
        });
    };
    let mut sketches: [Vec<(String, Sketch)>; 2] = Default::default();
    for entry in before {
        let bytes = read(&entry.path)?;
        refuse_archive(entry, &bytes)?;
        sketches[0].push((entry.name.clone(), checker.learn(&bytes)?));
        step(bytes.len() as u64);
    }
    for entry in after {
        let bytes = read(&entry.path)?;
        sketches[1].push((entry.name.clone(), Checker::sketch(&bytes)));
        step(bytes.len() as u64);
    }
    let [before_sketches, after_sketches] = sketches;
    let pairs = pair(&before_sketches, &after_sketches);
    let dicom_before = before_sketches.iter().filter(|(_, s)| s.is_dicom()).count();
    for ((entry, (_, sketch)), number) in after.iter().zip(&after_sketches).zip(&pairs) {
        checker.search_name(&entry.name);
        let bytes = read(&entry.path)?;
        match (sketch.is_dicom(), number) {
            (false, _) => checker.search_other(&bytes, &entry.name),
            (true, Some(number)) => {
                let original = read(&before[*number].path)?;
                checker.compare(Some(&original), &bytes, &entry.name);
            }
            (true, None) => {
                // A list of the others is made beside them.
                if !sketch.is_listing() {
                    checker.unpaired(&entry.name);
                }
                checker.compare(None, &bytes, &entry.name);
            }
        }
        step(bytes.len() as u64);
    }
    let paired = pairs.iter().flatten().count();
    if paired < dicom_before {
        let left = dicom_before - paired;
        checker.note(format!("{left} files from before have no result"));
    }
    Ok(checker.finish())
}

fn tell(context: &Context, findings: &Findings) -> anyhow::Result<()> {
    let text: Vec<String> = findings.to_string().lines().map(printable_line).collect();
    context.ui.result(findings, &text.join("\n"))?;
    match findings.is_clean() {
        true => Ok(()),
        false => Err(Faulty {
            found: findings.findings.len() + findings.more as usize,
            files: findings.files,
        }
        .into()),
    }
}

fn printable_line(line: &str) -> String {
    printable(line)
}

/// All files below the paths, in the order of their names; links are not followed.
fn entries<'a>(paths: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<Vec<Entry>> {
    let mut found = Vec::new();
    for root in paths {
        let mut open = VecDeque::from([root.to_owned()]);
        while let Some(path) = open.pop_front() {
            let shown = || printable(&path.display().to_string());
            let kind = match path == root {
                true => std::fs::metadata(&path),
                false => std::fs::symlink_metadata(&path),
            };
            let kind = kind.with_context(shown)?;
            if kind.is_dir() {
                let listed = std::fs::read_dir(&path).with_context(shown)?;
                let mut inside: Vec<PathBuf> = listed
                    .map(|entry| Ok(entry?.path()))
                    .collect::<std::io::Result<_>>()
                    .with_context(shown)?;
                inside.sort();
                inside
                    .into_iter()
                    .rev()
                    .for_each(|path| open.push_front(path));
            } else if kind.is_file() {
                let within = path.strip_prefix(root).unwrap_or(&path);
                let within = match within.as_os_str().is_empty() {
                    true => Path::new(path.file_name().unwrap_or_default()),
                    false => within,
                };
                let name = within.display().to_string();
                found.push(Entry { path, name });
            }
            if found.len() > MAX_FILES {
                let text = format!("more than {MAX_FILES} files: check fewer at once");
                return Err(Usage(text).into());
            }
        }
    }
    match found.is_empty() {
        true => Err(Usage("there is no file to check".to_owned()).into()),
        false => Ok(found),
    }
}

/// Files inside of an archive would not be learned.
fn refuse_archive(entry: &Entry, bytes: &[u8]) -> anyhow::Result<()> {
    match bytes.starts_with(b"PK\x03\x04") {
        true => {
            let path = printable(&entry.path.display().to_string());
            let text = format!("{path} is an archive: unpack it, and name the folder");
            Err(Usage(text).into())
        }
        false => Ok(()),
    }
}

fn read(path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let shown = || printable(&path.display().to_string());
    let mut bytes = Zeroizing::new(Vec::new());
    let file = File::open(path).with_context(shown)?;
    let length = file.metadata().with_context(shown)?.len();
    bytes.reserve_exact(length.min(MAX_BYTES) as usize + 1);
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.with_context(shown)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(Usage(format!("{}: longer than {MAX_BYTES} bytes", shown())).into()),
        false => Ok(bytes),
    }
}
