//! Texts in the character sets of a file (PS3.5 §6.1).

use dicom_dictionary_std::tags;
use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

use crate::tree::{DataSet, text};

/// The character set of a data set: of several the last, to which the escapes lead.
#[derive(Default)]
pub(crate) struct CharacterSet(SpecificCharacterSet);

impl CharacterSet {
    /// Reads Specific Character Set; ASCII if it names none that is known.
    pub(crate) fn of(data_set: &DataSet) -> Self {
        let named = text(data_set, tags::SPECIFIC_CHARACTER_SET).unwrap_or_default();
        let mut codes = named.split('\\').rev();
        let found = codes.find_map(|code| SpecificCharacterSet::from_code(code.trim()));
        Self(found.unwrap_or_default())
    }

    /// The text that bytes are.
    pub(crate) fn text(&self, bytes: &[u8]) -> String {
        let decoded = self.0.decode(bytes);
        decoded.unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
    }
}
