//! Advice about an error, said by the errors themselves, each for its own kind.

use std::borrow::Cow;

/// Hints, the most likely first: one line each.
pub type Hints = Vec<Cow<'static, str>>;

/// The hint when a file could not be read or written.
pub const CHECK_THE_DISK: &str = "check the path, its permissions and the space on the disk";

/// An error that says what can be done about it.
pub trait Hint {
    /// Gives what to do, with the values that it takes; nothing where the error itself says all there is.
    fn hints(&self) -> Hints;
}

impl Hint for std::io::Error {
    fn hints(&self) -> Hints {
        vec![CHECK_THE_DISK.into()]
    }
}
