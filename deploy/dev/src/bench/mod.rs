//! How fast sealing, opening, fetching and approving are on this machine, beside what the machine can do.
//!
//! The work measured is that of the facade, without a chain: files are read, de-identified, signed, encrypted and stored
//! durably; images are fetched, decrypted, verified and written to a file that is synced; an approval is everything but
//! its transaction. Every figure is the median of several runs. `pcim-dev bench` and `cargo bench` print the same.

mod command;
mod limits;
mod scene;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::bench::limits::{median, processor_time};
use crate::bench::scene::Setting;
use pcim_client::Result;

pub(crate) use crate::bench::limits::Limits;

/// The unit of the images' sizes.
const MEGABYTE: u64 = 1_000_000;
/// Instances of the study.
const INSTANCES: u64 = 1142;
/// Bytes of the one large image.
const LARGE: u64 = 4 << 30;
/// Bytes of the one that its first instance is compared with.
const SMALL: u64 = 40 << 20;
/// Bytes of each of their instances.
const LARGE_INSTANCE: u64 = 8 << 20;
/// How long the disk is left alone once the large image is deleted: ext4 looks past freed inodes for a minute, file by file,
/// and a disk may be told meanwhile what is free.
const AFTER_DELETING: Duration = Duration::from_secs(65);

/// What to measure.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Where the files and repositories are made, and deleted afterwards.
    pub(crate) dir: PathBuf,
    /// Runs of each measurement.
    pub(crate) runs: usize,
    /// Also a study of 1,142 instances.
    pub(crate) study: bool,
    /// Also an image of 4 GiB; takes 13 GB of disk: the files, the image, and what is opened.
    pub(crate) large: bool,
}

/// The figures of one run of the benchmark.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct BenchReport {
    /// What the machine can do.
    pub(crate) limits: Limits,
    /// What this program does with it.
    pub(crate) results: Vec<Measurement>,
}

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measurement {
    /// What was measured.
    pub(crate) name: &'static str,
    /// `MB/s` (10⁶ bytes of the image a second), `s`, `ms`, `bytes` or `MiB`.
    pub(crate) unit: &'static str,
    /// The median of the runs.
    pub(crate) median: f64,
    /// Each run, in order.
    pub(crate) runs: Vec<f64>,
}

impl Measurement {
    fn new(name: &'static str, unit: &'static str, runs: Vec<f64>) -> Self {
        Self {
            name,
            unit,
            median: median(&runs),
            runs,
        }
    }
}

/// Measures; `tell` is called with the name of what is measured next.
///
/// # Errors
/// Whatever the facade's operations return.
pub(crate) async fn run(plan: &Plan, tell: impl Fn(&str)) -> Result<BenchReport> {
    let runs = plan.runs.max(1);
    tell("the machine");
    let limits = limits::measure(&plan.dir, runs)?;
    let scene = Setting::set(&plan.dir).await?;
    let mut results = Vec::new();
    // The process's memory is measured before anything else has used any.
    if plan.large {
        tell("an image of 4 GiB");
        results.extend(large(&scene, runs).await?);
    }
    tell("the first instance of 40 MiB");
    results.push(small(&scene, runs).await?);
    tell("a command");
    match command::Home::start(scene.dir())? {
        Some(home) => {
            let times: Result<Vec<_>> = (0..runs).map(|_| home.read()).collect();
            let times = times?.into_iter().map(|time| time.as_secs_f64() * 1e3);
            results.push(Measurement::new("command_read", "ms", times.collect()));
        }
        None => tell("no command: `pcim` does not stand beside this program"),
    }
    let mut files = Vec::new();
    if plan.study {
        tell("an image of 100 MB and a study of 1,142 instances");
        files = study(&scene)?;
    } else {
        tell("an image of 100 MB");
    }
    results.splice(0..0, hundred(&scene, &files, runs).await?);
    tell("an approval of a small image");
    let image = scene.seal(&[scene.instance(1, MEGABYTE)?]).await?;
    results.extend(approve(&scene, "approve_1mb", &image, runs).await?);
    if plan.study {
        tell("1,142 images");
        results.extend(apart(&scene, &files).await?);
    }
    scene.leave().await;
    Ok(BenchReport { limits, results })
}

/// One image of 100 MB: sealed, opened from here, fetched and opened from a peer. A study of as many bytes, if there is one,
/// takes turns with it: the two are compared, and a machine is not always as fast.
async fn hundred(scene: &Setting, study: &[PathBuf], runs: usize) -> Result<Vec<Measurement>> {
    let bytes = 100 * MEGABYTE;
    let file = scene.instance(0, bytes)?;
    let speed = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
    let (mut sealed, mut opened, mut fetched) = (Vec::new(), Vec::new(), Vec::new());
    let (mut sealing, mut opening) = (Vec::new(), Vec::new());
    let (mut study_sealed, mut study_fetched) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let before = processor_time();
        let image = scene.seal(std::slice::from_ref(&file)).await?;
        sealing.extend(milliseconds(before, processor_time()));
        sealed.push(speed(image.time));
        let before = processor_time();
        opened.push(speed(scene.open(&image).await?));
        opening.extend(milliseconds(before, processor_time()));
        fetched.push(speed(scene.fetch(&[&image]).await?));
        scene.rest()?;
        if !study.is_empty() {
            let image = scene.seal(study).await?;
            study_sealed.push(image.time.as_secs_f64());
            study_fetched.push(scene.fetch(&[&image]).await?.as_secs_f64());
            scene.rest()?;
        }
    }
    let results = [
        ("seal_store_100mb", "MB/s", sealed),
        ("open_local_100mb", "MB/s", opened),
        ("fetch_open_100mb", "MB/s", fetched),
        ("seal_store_100mb_cpu", "ms", sealing),
        ("open_local_100mb_cpu", "ms", opening),
        ("store_1142", "s", study_sealed),
        ("fetch_1142", "s", study_fetched),
    ];
    // Processor time only where the system tells.
    let measured = results.into_iter().filter(|(_, _, runs)| !runs.is_empty());
    Ok(measured
        .map(|(name, unit, runs)| Measurement::new(name, unit, runs))
        .collect())
}

/// From one time to another.
fn milliseconds(from: Option<Duration>, to: Option<Duration>) -> Option<f64> {
    Some(to?.saturating_sub(from?).as_secs_f64() * 1e3)
}

/// Approvals of one image by several readers.
async fn approve(
    scene: &Setting,
    name: &'static str,
    image: &scene::Image,
    runs: usize,
) -> Result<Vec<Measurement>> {
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (time, new_bytes) = scene.approve(image).await?;
        times.push(time.as_secs_f64() * 1e3);
        bytes.push(new_bytes as f64);
    }
    let new_bytes = match name {
        "approve_4gib" => "approve_4gib_new_blocks",
        _ => "approve_1mb_new_blocks",
    };
    Ok(vec![
        Measurement::new(name, "ms", times),
        Measurement::new(new_bytes, "bytes", bytes),
    ])
}

/// The files of a study.
fn study(scene: &Setting) -> Result<Vec<PathBuf>> {
    let each = 100 * MEGABYTE / INSTANCES;
    (0..INSTANCES)
        .map(|number| scene.instance(1000 + number, each))
        .collect()
}

/// Files as an image each, one after the other.
async fn apart(scene: &Setting, files: &[PathBuf]) -> Result<[Measurement; 2]> {
    let mut time = Duration::ZERO;
    let mut images = Vec::new();
    for file in files {
        let image = scene.seal(std::slice::from_ref(file)).await?;
        time += image.time;
        images.push(image);
    }
    let all: Vec<_> = images.iter().collect();
    let fetched = scene.fetch(&all).await?;
    Ok([
        Measurement::new("store_1142_objects", "s", vec![time.as_secs_f64()]),
        Measurement::new("fetch_1142_objects", "s", vec![fetched.as_secs_f64()]),
    ])
}

/// An image of 4 GiB: the most memory that sealing and opening it take, and an approval of it.
async fn large(scene: &Setting, runs: usize) -> Result<Vec<Measurement>> {
    let files = instances(scene, LARGE)?;
    limits::forget_peak_memory();
    let image = scene.seal(&files).await?;
    scene.open(&image).await?;
    let peak = limits::peak_memory();
    let mut results: Vec<_> = peak
        .map(|mib| Measurement::new("rss_4gib", "MiB", vec![mib]))
        .into_iter()
        .collect();
    results.extend(approve(scene, "approve_4gib", &image, runs).await?);
    results.push(first_instance(scene, "first_instance_4gib", &image, runs).await?);
    scene.forget(&image).await?;
    scene.clear()?;
    tokio::time::sleep(AFTER_DELETING).await;
    Ok(results)
}

/// An image of 40 MiB: its first instance from a peer.
async fn small(scene: &Setting, runs: usize) -> Result<Measurement> {
    let image = scene.seal(&instances(scene, SMALL)?).await?;
    first_instance(scene, "first_instance_40mib", &image, runs).await
}

/// The time from an image's root to its first instance, fetched from a peer and verified by the index.
async fn first_instance(
    scene: &Setting,
    name: &'static str,
    image: &scene::Image,
    runs: usize,
) -> Result<Measurement> {
    let mut times = Vec::new();
    for _ in 0..runs {
        times.push(scene.first_instance(image).await?.as_secs_f64() * 1e3);
    }
    Ok(Measurement::new(name, "ms", times))
}

/// As many instances as make so many bytes.
fn instances(scene: &Setting, bytes: u64) -> Result<Vec<PathBuf>> {
    (0..bytes.div_ceil(LARGE_INSTANCE))
        .map(|number| scene.instance(number, LARGE_INSTANCE))
        .collect()
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<26} {:>10}  unit", "this machine", "median")?;
        for (name, speed) in self.limits.rows() {
            writeln!(f, "{name:<26} {speed:>10.0}  MB/s")?;
        }
        writeln!(f, "\n{:<26} {:>10}  {:<6} runs", "pcim", "median", "unit")?;
        for row in &self.results {
            let runs: Vec<_> = row.runs.iter().map(|run| short(*run)).collect();
            let (name, unit) = (row.name, row.unit);
            let (median, runs) = (short(row.median), runs.join(" "));
            writeln!(f, "{name:<26} {median:>10}  {unit:<6} {runs}")?;
        }
        Ok(())
    }
}

/// Three digits that matter.
fn short(value: f64) -> String {
    match value {
        large if large >= 100.0 => format!("{large:.0}"),
        middle if middle >= 10.0 => format!("{middle:.1}"),
        small => format!("{small:.2}"),
    }
}

#[cfg(test)]
mod memory;
#[cfg(test)]
mod tests;
