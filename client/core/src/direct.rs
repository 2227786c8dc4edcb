//! A new file that is written past the system's page cache: its bytes reach the disk while more of them come, from one small
//! piece of memory that is used again and again, so that nothing else has to leave memory for them. Where a system or a file
//! system knows no such way, the file is written like any other.

use std::fs::File;
use std::io::{self, Write};

use tempfile::NamedTempFile;

/// Bytes that are written at a time.
const STEP: usize = 1 << 20;
/// The alignment of such writes in memory and in the file, in bytes; their length is a multiple of it.
const ALIGNMENT: usize = 4096;

/// A file being written.
pub struct Direct {
    file: NamedTempFile,
    /// True while it is written past the cache.
    direct: bool,
    /// A step from `start` on, which is aligned.
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    /// Bytes of the file, those that wait in memory included.
    length: u64,
}

impl Direct {
    /// Takes an empty file.
    pub fn new(file: NamedTempFile) -> Self {
        let memory = vec![0; STEP + ALIGNMENT];
        Self {
            direct: pass_cache(file.as_file(), true).is_ok(),
            start: memory.as_ptr().align_offset(ALIGNMENT),
            file,
            memory,
            filled: 0,
            length: 0,
        }
    }

    /// Returns the whole file. Its bytes are written, and it is still to be synced.
    ///
    /// # Errors
    /// Errors of the disk.
    pub fn into_file(mut self) -> io::Result<NamedTempFile> {
        let padded = self.filled.next_multiple_of(ALIGNMENT);
        self.memory[self.start + self.filled..self.start + padded].fill(0);
        self.write_step(padded)?;
        self.file.as_file().set_len(self.length)?;
        Ok(self.file)
    }

    fn write_step(&mut self, length: usize) -> io::Result<()> {
        let mut bytes = &self.memory[self.start..self.start + length];
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Wants another alignment, or a part of the step was written.
                Err(error) if self.direct && error.kind() == io::ErrorKind::InvalidInput => {
                    pass_cache(self.file.as_file(), false)?;
                    self.direct = false;
                }
                Err(error) => return Err(error),
            }
        }
        self.filled = 0;
        Ok(())
    }
}

impl Write for Direct {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.filled == STEP {
            self.write_step(STEP)?;
        }
        let taken = bytes.len().min(STEP - self.filled);
        let from = self.start + self.filled;
        self.memory[from..from + taken].copy_from_slice(&bytes[..taken]);
        self.filled += taken;
        self.length += taken as u64;
        Ok(taken)
    }

    /// Does nothing: what is less than a step waits for [`into_file`](Direct::into_file).
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has what is written to a file pass the cache, or not any more.
#[cfg(target_os = "linux")]
fn pass_cache(file: &File, pass: bool) -> io::Result<()> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, pass);
    Ok(fcntl_setfl(file, flags)?)
}

#[cfg(not(target_os = "linux"))]
fn pass_cache(_: &File, _: bool) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::io::Write;
    use std::path::Path;

    use super::{ALIGNMENT, Direct, STEP};
    use crate::private::temp_file_beside;

    fn new_in(folder: &Path) -> Direct {
        Direct::new(temp_file_beside(&folder.join("file")).unwrap())
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length)
            .map(|at| (at * 131 + (at >> 12) * 29) as u8)
            .collect()
    }

    #[test]
    fn a_file_of_any_length_is_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let lengths = [0, 1, ALIGNMENT, STEP - 1, STEP, STEP + 1];
        // In memory too, where there is no disk to go to.
        for folder in [dir.path(), Path::new("/dev/shm")] {
            for length in lengths.into_iter().chain([5 * STEP + 3 * ALIGNMENT + 7]) {
                if !folder.is_dir() {
                    println!("no {} on this system: not tried", folder.display());
                    continue;
                }
                let bytes = pattern(length);
                let mut direct = new_in(folder);
                for piece in bytes.chunks(300_001) {
                    direct.write_all(piece).unwrap();
                }
                let file = direct.into_file().unwrap();
                assert!(fs::read(file.path()).unwrap() == bytes, "{length}");
            }
        }
    }

    #[test]
    fn what_cannot_be_written_past_the_cache_is_written_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let mut direct = new_in(dir.path());
        direct.start += 1;
        let bytes = pattern(2 * STEP + 5);
        direct.write_all(&bytes).unwrap();
        let file = direct.into_file().unwrap();
        assert!(fs::read(file.path()).unwrap() == bytes);
    }
}
