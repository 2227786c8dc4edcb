//! Events, and the texts in them that are always the same.

use alloc::vec::Vec;

use stylus_sdk::prelude::*;

use crate::{
    word::{put, put_bytes, Word},
    Pcac,
};

/// The first topic of an event.
macro_rules! topic {
    ($event:ty) => {
        $crate::word::constant!(<$event as alloy_sol_types::SolEvent>::SIGNATURE_HASH.0)
    };
}
pub(crate) use topic;

/// A text of at most 64 bytes that is known when the contract is compiled, as code rather than data.
macro_rules! fixed {
    ($text:expr) => {{
        const TEXT: &str = $text;
        $crate::log::Fixed {
            len: TEXT.len(),
            words: [
                $crate::word::constant!($crate::log::part(TEXT, 0)),
                $crate::word::constant!($crate::log::part(TEXT, 32)),
            ],
        }
    }};
}
pub(crate) use fixed;

/// See [`fixed`].
pub(crate) struct Fixed {
    pub(crate) len: usize,
    pub(crate) words: [Word; 2],
}

impl Fixed {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        put(&mut bytes, &self.words);
        bytes.truncate(self.len);
        bytes
    }
}

/// The 32 bytes of a text from `at` on, zeros after its end.
pub(crate) const fn part(text: &str, at: usize) -> [u8; 32] {
    assert!(text.len() <= 64, "a fixed text has at most 64 bytes");
    let mut part = [0; 32];
    let mut i = 0;
    while i < 32 && at + i < text.len() {
        part[i] = text.as_bytes()[at + i];
        i += 1;
    }
    part
}

/// Emits an event: its topics, its words or numbers, and a text at its end if there is one.
macro_rules! log {
    ($pcac:expr, [$($topic:expr),* $(,)?], [$($word:expr),* $(,)?] $(, $text:expr)? $(,)?) => {{
        const TOPICS: usize = [$(stringify!($topic)),*].len();
        let mut bytes = $crate::log::begun();
        $($crate::word::Part::put($topic, &mut bytes);)*
        $($crate::word::Part::put($word, &mut bytes);)*
        $($crate::log::end_with(&mut bytes, TOPICS, $text);)?
        $pcac.emit(&bytes, TOPICS);
    }};
}
pub(crate) use log;

/// Space for an event.
#[inline(never)]
pub(crate) fn begun() -> Vec<u8> {
    Vec::with_capacity(320)
}

/// Ends an event of so many topics with a text.
#[inline(never)]
pub(crate) fn end_with(bytes: &mut Vec<u8>, topics: usize, text: &[u8]) {
    let words = bytes.len() - 32 * topics;
    put(bytes, &[Word::number(words as u64 + 32)]);
    put_bytes(bytes, text);
}

impl Pcac {
    #[inline(never)]
    pub(crate) fn emit(&self, bytes: &[u8], topics: usize) {
        self.vm().emit_log(bytes, topics);
    }
}
