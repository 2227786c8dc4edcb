//! The names in a study's tar, and how many files an input may have.

/// Most files of one input.
pub const MAX_FILES: usize = 100_000;
/// The name of a study's Key Object Selection Document.
pub const KEY_OBJECTS: &str = "key-objects.dcm";
/// The name of a study's manifest.
pub const MANIFEST: &str = "manifest.json";
/// The version of the format.
pub(crate) const VERSION: u32 = 1;
