//! Full disks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Actor, Run, names};
use crate::stage::{IMAGE, Stage, copy};

/// Files of a study that is larger than the room left for it.
const FILES: usize = 60;
/// The SOP Instance UID of the image that they are copies of.
const UID: &str = "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322";

/// A folder of the study's files, which differ in their instance's UID.
fn study(stage: &Stage) -> PathBuf {
    let dir = PathBuf::from(stage.file("study"));
    fs::create_dir_all(&dir).unwrap();
    let uid = UID.as_bytes();
    let places = IMAGE.windows(uid.len()).enumerate();
    let places: Vec<_> = places
        .filter(|(_, it)| *it == uid)
        .map(|(at, _)| at)
        .collect();
    for number in 0..FILES {
        let mut file = IMAGE.to_vec();
        for at in &places {
            file[at + uid.len() - 2..at + uid.len()]
                .copy_from_slice(format!("{number:02}").as_bytes());
        }
        fs::write(dir.join(format!("{number}.dcm")), file).unwrap();
    }
    dir
}

/// A seal of a study of more than two million bytes.
fn seal(stage: &Stage, radiologist: &Actor, out: &Path) -> Command {
    let mut command = radiologist.command();
    command.args(["radiologist", "seal"]);
    command.arg(study(stage));
    command.args([
        "--no-deid",
        "--chunk",
        "1MiB",
        "--to",
        &stage.file("patient.card"),
        "--out",
    ]);
    command.arg(out);
    command
}

/// Files can grow to a length that no block of the study keeps within.
#[cfg(unix)]
#[test]
fn a_file_that_cannot_grow_while_sealing() {
    let stage = Stage::new();
    let radiologist = stage.actor("radiologist");
    let out = stage.results().join("handover.pgp");
    let sealing = seal(&stage, &radiologist, &out);
    // The shell counts in blocks of 512 or 1024 bytes. The signal would end the program before it could say why.
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\""])
        .arg(sealing.get_program())
        .args(sealing.get_args())
        .env("PCIM_PASSPHRASE_FILE", &radiologist.passphrase)
        .env_remove("PCIM_HOME");
    Run::of(&mut limited).refused(1, "File too large");
    assert!(names(&stage.results()).is_empty());

    // The home is as good as before.
    let sealed = Run::of(&mut seal(&stage, &radiologist, &out)).json();
    assert!(sealed["payload_bytes"].as_u64().unwrap() > (FILES * IMAGE.len()) as u64);
    assert_eq!(names(&stage.results()), ["handover.pgp"]);
}

/// A file system of its own, which is unmounted at the end.
struct Disk<'a>(&'a Path);

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_disk_that_is_full() {
    let stage = Stage::new();
    let dir = stage.results();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1500k", "tmpfs"])
        .arg(&dir)
        .output();
    match mounted {
        Ok(output) if output.status.success() => {}
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!(
                "skipped: no small file system can be mounted: {}",
                why.trim()
            );
            return;
        }
        Err(error) => {
            eprintln!("skipped: no `mount`: {error}");
            return;
        }
    }
    let disk = Disk(&dir);
    let mut radiologist = stage.actor("radiologist");
    copy(&radiologist.home, &dir.join("radiologist"));
    radiologist.home = dir.join("radiologist");
    let out = dir.join("handover.pgp");
    Run::of(&mut seal(&stage, &radiologist, &out)).refused(1, "No space left on device");
    assert_eq!(names(&dir), ["radiologist"]);

    // A result that does not fit leaves nothing where it belongs.
    let filler = dir.join("filler");
    let _ = fs::write(&filler, vec![7; 4_000_000]);
    let patient = stage.actor("patient");
    let image = dir.join("image.dcm");
    patient
        .run([
            "patient",
            "open",
            &stage.known.image,
            "--out",
            image.to_str().unwrap(),
        ])
        .refused(1, "No space left on device");
    patient
        .run(["card", "--out", image.to_str().unwrap()])
        .refused(1, "No space left on device");
    assert_eq!(names(&dir), ["filler", "radiologist"]);

    // The home is as good as before.
    fs::remove_file(&filler).unwrap();
    let mut smaller = radiologist.command();
    smaller.args(["radiologist", "seal", &stage.file("image.dcm")]);
    smaller
        .args(["--to", &stage.file("patient.card"), "--out"])
        .arg(&out);
    Run::of(&mut smaller).json();
    drop(disk);
}
