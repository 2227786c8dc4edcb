//! The data sets that speak for a frame.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::file::File;
use crate::tree::DataSet;

/// The data sets that speak for a frame: its functional groups, the shared ones, the image itself.
pub(super) struct Scope<'a> {
    pub(super) file: &'a File,
    groups: Vec<&'a DataSet>,
}

impl<'a> Scope<'a> {
    pub(super) fn of(file: &'a File, frame: usize) -> Self {
        let item = |tag, at| file.data_set.get(&tag)?.as_items()?.get(at);
        let groups = [
            item(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frame),
            item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, 0),
        ];
        Self {
            file,
            groups: groups.into_iter().flatten().collect(),
        }
    }

    /// The first item of a functional group's sequence, or the image itself.
    pub(super) fn group(&self, sequence: Tag) -> &'a DataSet {
        let first = |group: &&'a DataSet| group.get(&sequence)?.as_items()?.first();
        let group = self.groups.iter().find_map(first);
        group.unwrap_or(&self.file.data_set)
    }
}
