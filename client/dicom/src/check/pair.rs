//! Which file before belongs to which file after: by name where all names agree, else by what de-identification keeps.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use super::walk::{Kind, Walked};

/// Facts by which a file is paired. Holds hashes and numbers, no value.
#[derive(Clone, Debug)]
pub struct Sketch {
    /// Hashes from the most telling to the least.
    levels: [u64; 4],
    dicom: bool,
    listing: bool,
}

/// SOP class, then what tells files of a class apart and stays.
const CLASS: u32 = 0x0008_0016;
const TELLING: [u32; 9] = [
    0x0020_0011, // Series Number
    0x0020_0012, // Acquisition Number
    0x0020_0013, // Instance Number
    0x0020_1041, // Slice Location
    0x0018_0050, // Slice Thickness
    0x0028_0008, // Number of Frames
    0x0028_0010, // Rows
    0x0028_0011, // Columns
    0x0008_0060, // Modality
];
const KEY_OBJECTS: &str = "1.2.840.10008.5.1.4.1.1.88.59";

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Sketch {
    pub(super) fn of(walked: &Walked<'_>) -> Self {
        let class = walked.text(CLASS);
        let texts: Vec<String> = TELLING.iter().map(|tag| walked.text(*tag)).collect();
        // A few bytes of the pixels, so that slices with the same numbers are told apart.
        let pixels = walked.root(0x7fe0_0010).map(|span| match span.kind {
            Kind::Value => sample(walked.value(span)),
            _ => hash(span.items),
        });
        let syntax = &walked.syntax;
        Self {
            levels: [
                hash((&class, &texts, pixels, syntax)),
                hash((&class, &texts)),
                hash((&class, &texts[..3])),
                hash(&class),
            ],
            dicom: walked.trouble.is_none_or(|(at, _)| at > 0),
            listing: class == KEY_OBJECTS,
        }
    }

    /// Says whether the file is DICOM.
    #[must_use]
    pub fn is_dicom(&self) -> bool {
        self.dicom
    }

    /// Says whether the file lists other instances, as a program makes it beside them.
    #[must_use]
    pub fn is_listing(&self) -> bool {
        self.listing
    }
}

/// A hash of pixels here and there.
fn sample(pixels: &[u8]) -> u64 {
    let step = (pixels.len() / 4096).max(1);
    let some: Vec<u8> = pixels.iter().step_by(step).take(4096).copied().collect();
    hash(some)
}

/// Finds for each file after the file before of which it was made.
///
/// Equal names pair if every file after has one (`name` is the path within what was given). Otherwise pairs are made by
/// content, the most telling first, and in the given order where several are alike.
#[must_use]
pub fn pair(before: &[(String, Sketch)], after: &[(String, Sketch)]) -> Vec<Option<usize>> {
    let names: HashMap<&str, usize> = before
        .iter()
        .enumerate()
        .map(|(index, (name, _))| (name.as_str(), index))
        .collect();
    let named: Vec<Option<usize>> = after
        .iter()
        .map(|(name, _)| names.get(name.as_str()).copied())
        .collect();
    let dicom = |(_, sketch): &&(String, Sketch)| sketch.dicom;
    let all_named = after.iter().zip(&named).all(|((_, sketch), name)| {
        let same_class = name.is_some_and(|index| before[index].1.levels[3] == sketch.levels[3]);
        same_class || !sketch.dicom
    });
    if all_named && after.iter().any(|file| dicom(&file)) {
        return named;
    }
    let mut pairs = vec![None; after.len()];
    let mut free = vec![true; before.len()];
    for level in 0..4 {
        let mut open: HashMap<u64, Vec<usize>> = HashMap::new();
        for (index, (_, sketch)) in before.iter().enumerate().rev() {
            if free[index] && sketch.dicom {
                open.entry(sketch.levels[level]).or_default().push(index);
            }
        }
        for (pair, (_, sketch)) in pairs.iter_mut().zip(after) {
            if pair.is_none()
                && sketch.dicom
                && let Some(index) = open.get_mut(&sketch.levels[level]).and_then(Vec::pop)
            {
                *pair = Some(index);
                free[index] = false;
            }
        }
    }
    pairs
}
