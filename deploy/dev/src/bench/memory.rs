//! A large image takes little memory, however large it is. A process of its own, whose peak is looked at.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use super::instances;
use super::scene::Setting;

/// Set in the process whose memory is looked at.
const CHILD: &str = "PCIM_MEMORY_TEST";
/// The aim, whatever the image's size.
const MOST_MIB: u64 = 256;

#[test]
fn sealing_and_opening_300_mb_keeps_little_in_memory() {
    if !cfg!(target_os = "linux") {
        println!("skipped: no /proc/self/status to read the peak from");
        return;
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "bench::memory::the_process_that_is_looked_at",
            "--nocapture",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let peak = text.lines().find_map(|line| line.split("peak KiB ").nth(1));
    let peak: u64 = peak.unwrap().trim().parse().unwrap();
    println!("300 MB sealed, opened and fetched with {} MiB", peak / 1024);
    assert!(peak / 1024 < MOST_MIB, "{} MiB", peak / 1024);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_looked_at() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bytes = one_large(dir.path(), 300_000_000).await;
    assert!(bytes >= 300_000_000, "{bytes}");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    println!("peak KiB {}", peak.trim().trim_end_matches(" kB"));
}

/// Seals an image of many instances, `bytes` in all or a little more, opens it, and has it fetched and opened by a peer:
/// the bytes of its body.
async fn one_large(dir: &Path, bytes: u64) -> u64 {
    let scene = Setting::set(dir).await.unwrap();
    let files = instances(&scene, bytes).unwrap();
    let image = scene.seal(&files).await.unwrap();
    scene.open(&image).await.unwrap();
    scene.fetch(&[&image]).await.unwrap();
    scene.leave().await;
    image.bytes()
}
