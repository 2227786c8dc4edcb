//! Repairs: what was read otherwise than it was written.

use std::collections::BTreeMap;

use dicom_core::Tag;

/// The repairs of a file, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Repairs(BTreeMap<(Tag, &'static str), u32>);

impl Repairs {
    /// Adds a repair of an attribute.
    pub(crate) fn add(&mut self, tag: Tag, what: &'static str) {
        *self.0.entry((tag, what)).or_default() += 1;
    }

    /// Adds those of a part that was read by itself.
    pub(crate) fn append(&mut self, other: Self) {
        for ((tag, what), count) in other.0 {
            *self.0.entry((tag, what)).or_default() += count;
        }
    }

    /// Attribute, repair, and how often it was made.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Tag, &'static str, u32)> + '_ {
        self.0
            .iter()
            .map(|((tag, what), count)| (*tag, *what, *count))
    }
}
