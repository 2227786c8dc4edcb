#![allow(clippy::unwrap_used)]

mod codecs;
