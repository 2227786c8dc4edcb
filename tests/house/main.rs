//! Rules of the house that the compiler does not know: files of the repository, read as text.

#![allow(clippy::unwrap_used)]

mod documents;
mod files;
mod words;
