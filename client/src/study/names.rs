//! The names in a study's tar, and how many files an input may have.

/// Most files of one input.
pub const MAX_FILES: usize = 100_000;
/// The name of a study's Key Object Selection Document.
pub const KEY_OBJECTS: &str = "key-objects.dcm";
/// The name of a study's manifest.
pub const MANIFEST: &str = "manifest.json";
/// The name of the signature of a study's index.
pub const INDEX_SIGNATURE: &str = "manifest.json.sig";
/// The version of a manifest that comes behind the files.
pub(crate) const VERSION: u32 = 1;
/// The version of one that is an index.
pub(crate) const VERSION_INDEX: u32 = 2;
