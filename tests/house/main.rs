//! Rules of the house that the compiler does not know: files of the repository, read as text.

#![allow(clippy::unwrap_used)]

mod circles;
mod documents;
mod files;
mod layers;
mod names;
mod packages;
mod source;
mod words;
