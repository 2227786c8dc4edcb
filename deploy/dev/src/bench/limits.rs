//! The machine's limits: hash, encrypt, copy, and write to the disk to stay.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;
use sha2::{Digest, Sha256};

use pcim_client::{Error, Result};

/// Bytes that are worked on for each figure.
const BYTES: usize = 100_000_000;

/// The machine's speeds in MB (10⁶ bytes) a second; all but the disk's are those of one core.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Limits {
    /// SHA-256.
    pub(crate) sha256: f64,
    /// AES-256-OCB in pieces of 64 KiB.
    pub(crate) aes_256_ocb: f64,
    /// Writing one new file and syncing it.
    pub(crate) write_fsync: f64,
    /// Copying memory.
    pub(crate) memcpy: f64,
}

impl Limits {
    /// Name and speed, as in a table.
    pub(crate) fn rows(&self) -> [(&'static str, f64); 4] {
        [
            ("sha256", self.sha256),
            ("aes_256_ocb", self.aes_256_ocb),
            ("write_fsync", self.write_fsync),
            ("memcpy", self.memcpy),
        ]
    }
}

pub(super) fn measure(dir: &Path, runs: usize) -> Result<Limits> {
    let data: Vec<u8> = (0..BYTES / 4)
        .flat_map(|i| (i as u32).wrapping_mul(0x9e37_79b9).to_le_bytes())
        .collect();
    let mut copy = vec![1; BYTES];
    Ok(Limits {
        sha256: speed(runs, || {
            timed(|| {
                std::hint::black_box(Sha256::digest(&data));
            })
        })?,
        aes_256_ocb: speed(runs, || Ok(pcim_seal::cipher_time(&data)?))?,
        write_fsync: speed(runs, || write(dir, &data))?,
        memcpy: speed(runs, || {
            timed(|| std::hint::black_box(&mut copy).copy_from_slice(&data))
        })?,
    })
}

fn speed(runs: usize, mut work: impl FnMut() -> Result<Duration>) -> Result<f64> {
    let runs = (0..runs).map(|_| Ok(BYTES as f64 / 1e6 / work()?.as_secs_f64()));
    Ok(median(&runs.collect::<Result<Vec<_>>>()?))
}

fn timed(work: impl FnOnce()) -> Result<Duration> {
    let started = Instant::now();
    work();
    Ok(started.elapsed())
}

fn write(dir: &Path, data: &[u8]) -> Result<Duration> {
    let failed = |source| Error::File {
        path: dir.to_owned(),
        source,
    };
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    let started = Instant::now();
    let written = file
        .write_all(data)
        .and_then(|()| file.as_file().sync_all());
    written.map_err(failed)?;
    Ok(started.elapsed())
}

/// The processor time that this process has used, all threads together, in steps of 10 ms; none where the system does not
/// tell (Linux, `proc(5)`). It says more than the clock while others use the machine.
pub(super) fn processor_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The fields after the program's name, which may hold anything: `utime` and `stime` are the 14th and 15th of all.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(11).take(2);
    let user: u64 = ticks.next()?.parse().ok()?;
    let system: u64 = ticks.next()?.parse().ok()?;
    Some(Duration::from_millis(10 * (user + system)))
}

/// Starts the count of [`peak_memory`] anew, where the system can (Linux, `proc(5)`).
pub(super) fn forget_peak_memory() {
    // Where it cannot, the peak is that of the whole process: more, never less.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that was resident, in MiB; none where the system does not tell.
pub(super) fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// The middle of the runs; of an even number, the mean of the two in the middle.
pub(super) fn median(runs: &[f64]) -> f64 {
    let mut sorted = runs.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match sorted.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => (sorted[half - 1] + sorted[half]) / 2.0,
        _ => sorted[half],
    }
}
