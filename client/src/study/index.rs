//! The index that a sealed study begins with: which instances it has, and where in the payload each of them is.

use std::io::Cursor;
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::study::error::Error;
use crate::study::manifest::{File, MAX_BYTES, Manifest};
use crate::study::names::{INDEX_SIGNATURE, MANIFEST};
use crate::study::tar::{self, BLOCK};

/// Most bytes of the signature of an index.
const MAX_SIGNATURE: u64 = 64 << 10;

/// The index of a study, which its signer signed.
#[derive(Clone, Debug)]
pub struct StudyIndex {
    manifest: Manifest,
    /// Where in the payload the index ends.
    end: u64,
}

impl StudyIndex {
    /// Reads the index at the start of a payload of `payload` bytes. `read` gives a range of the payload; `wanted` is the
    /// index's SHA-256, `verify` checks its signature.
    ///
    /// # Errors
    /// Those of `read` and `verify`; [`Error::Damaged`] and [`Error::Version`] for an index that is not of this study.
    pub(crate) fn read<E: From<Error>>(
        payload: u64,
        wanted: [u8; 32],
        read: &mut dyn FnMut(Range<u64>) -> Result<Vec<u8>, E>,
        verify: impl FnOnce(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let damaged = |why| E::from(Error::Damaged { why });
        let mut document = |at: u64, name: &str, max: u64| {
            let within = |end: u64| end <= payload;
            let start = at + BLOCK as u64;
            if !within(start) {
                return Err(damaged("it ends within its index"));
            }
            let header = read(at..start)?;
            let mut two = header.clone();
            // A header of zeros would be the end, and there is more behind it.
            two.push(1);
            let found = tar::next(&mut Cursor::new(two))?;
            let Some((_, size)) = found.filter(|(found, size)| found == name && *size <= max)
            else {
                return Err(damaged("it does not begin with its index"));
            };
            if !within(start + size) {
                return Err(damaged("it ends within its index"));
            }
            let bytes = read(start..start + size)?;
            Ok((bytes, start + size + tar::padding(size) as u64))
        };
        let (index, end) = document(0, MANIFEST, MAX_BYTES)?;
        if Sha256::digest(&index)[..] != wanted {
            return Err(damaged("its index is not the one that was sealed"));
        }
        let (signature, end) = document(end, INDEX_SIGNATURE, MAX_SIGNATURE)?;
        verify(&index, &signature)?;
        let manifest = Manifest::read(&index)?;
        if !manifest.is_index() {
            return Err(damaged("its index does not say where a file is"));
        }
        if end.checked_add(manifest.behind()) != Some(payload) {
            return Err(damaged("files of its index lie behind its end"));
        }
        Ok(Self { manifest, end })
    }

    /// Returns the study's files as the index lists them.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Counts the instances.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.manifest
            .series
            .iter()
            .map(|it| it.instances.len())
            .sum()
    }

    /// Returns the instance of this number, counted from 1 in the order of the study; behind the last one comes the Key Object
    /// Selection Document.
    #[must_use]
    pub fn file(&self, number: usize) -> Option<&File> {
        self.manifest.files().nth(number.checked_sub(1)?)
    }

    /// Returns the numbers of the instances of a series.
    #[must_use]
    pub fn series(&self, uid: &str) -> Option<Range<usize>> {
        let mut first = 1;
        for series in &self.manifest.series {
            let behind = first + series.instances.len();
            if series.series_instance_uid == uid {
                return Some(first..behind);
            }
            first = behind;
        }
        None
    }

    /// Where in the payload a file of the index is.
    pub(crate) fn place(&self, file: &File) -> Range<u64> {
        let start = self.end + file.offset.unwrap_or_default();
        start..start + file.bytes
    }
}
