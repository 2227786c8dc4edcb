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

impl Pcac {
    /// Emits an event whose arguments are words.
    pub(crate) fn log(&self, topics: &[Word], words: &[Word]) {
        self.vm().emit_log(&begun(topics, words, 0), topics.len());
    }

    /// Emits an event whose arguments are words and, at the end, a text.
    #[inline(never)]
    pub(crate) fn log_text(&self, topics: &[Word], words: &[Word], text: &[u8]) {
        let mut bytes = begun(topics, words, 96 + text.len());
        put(&mut bytes, &[Word::number(32 * words.len() as u64 + 32)]);
        put_bytes(&mut bytes, text);
        self.vm().emit_log(&bytes, topics.len());
    }
}

fn begun(topics: &[Word], words: &[Word], more: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 * (topics.len() + words.len()) + more);
    put(&mut bytes, topics);
    put(&mut bytes, words);
    bytes
}
