//! Decisions that hold for a whole file: the options that take effect, its pseudonyms, its shift, and its statement of them.

use std::collections::BTreeSet;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::keys::Pseudonyms;
use super::options::{Options, ProfileOption};
use super::report::Method;
use super::{screen, value};
use crate::tree::{DataSet, Element, text};

/// The profile's name in reports and in Deidentification Method.
pub(super) const PROFILE: &str = "PS3.15 Basic Application Level Confidentiality Profile";

/// The decisions about one file.
pub(super) struct Plan {
    /// The options that can take effect.
    pub(super) effective: BTreeSet<ProfileOption>,
    pub(super) keys: Pseudonyms,
    /// Days by which dates move.
    pub(super) shift: Option<i64>,
    /// Whether regions of the pixels were blanked.
    blanked: bool,
}

impl Plan {
    /// `blanked` and `defaced` say what was done to the pixels.
    pub(super) fn of(
        data_set: &DataSet,
        class: &str,
        options: &Options,
        [blanked, defaced]: [bool; 2],
    ) -> Self {
        let mut effective = options.profile.options.clone();
        if screen::is_report(class) || screen::is_presentation(class) {
            effective.insert(ProfileOption::CleanStructuredContent);
        }
        if screen::is_presentation(class) {
            effective.insert(ProfileOption::CleanGraphics);
        }
        // The pixel pass speaks for itself; who else can tell by the features has to ask for it.
        effective.remove(&ProfileOption::CleanPixelData);
        match blanked {
            true => _ = effective.insert(ProfileOption::CleanPixelData),
            false => _ = effective.remove(&ProfileOption::CleanVisualFeatures),
        }
        if defaced {
            effective.insert(ProfileOption::CleanVisualFeatures);
        }
        let id = data_set.get(&tags::PATIENT_ID).and_then(Element::as_bytes);
        let id = id.map(value::trim).filter(|id| !id.is_empty());
        let issuer = data_set.get(&tags::ISSUER_OF_PATIENT_ID);
        let issuer = issuer.and_then(Element::as_bytes).unwrap_or_default();
        let keys = Pseudonyms::new(&options.key, id, value::trim(issuer));
        // Both options of time at once: the dates move.
        let dates = ProfileOption::RetainModifiedDates;
        let shift = match effective.contains(&dates) {
            true => keys.shift_days(),
            false => None,
        };
        if effective.contains(&dates) {
            effective.remove(&ProfileOption::RetainFullDates);
        }
        if shift.is_none() {
            effective.remove(&dates);
        }
        // Dates that this key has moved do not move again.
        let moved = keys.again()
            && text(data_set, tags::PATIENT_IDENTITY_REMOVED).as_deref() == Some("YES")
            && text(data_set, tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED).as_deref()
                == Some("MODIFIED");
        Self {
            effective,
            keys,
            shift: shift.map(|days| if moved { 0 } else { days }),
            blanked,
        }
    }

    pub(super) fn methods(&self) -> Vec<Method> {
        let options = self.effective.iter().map(|option| Method::from(*option));
        [Method::BASIC].into_iter().chain(options).collect()
    }

    /// Says in the data set what was done to it (PS3.15 §E.1.1, step 6).
    pub(super) fn say_so(&self, data_set: &mut DataSet) {
        let methods = self.methods();
        let code = |method: &Method| {
            DataSet::from([
                (
                    tags::CODE_VALUE,
                    Element::bytes(VR::SH, method.code.to_string()),
                ),
                (
                    tags::CODING_SCHEME_DESIGNATOR,
                    Element::bytes(VR::SH, "DCM"),
                ),
                // A meaning is an LO: 64 characters.
                (
                    tags::CODE_MEANING,
                    Element::bytes(VR::LO, cut(method.meaning, 64)),
                ),
            ])
        };
        let codes = methods.iter().map(code).collect();
        let times = [
            (ProfileOption::RetainModifiedDates, "MODIFIED"),
            (ProfileOption::RetainFullDates, "UNMODIFIED"),
        ];
        let times = times.iter().find(|(o, _)| self.effective.contains(o));
        let times = times.map_or("REMOVED", |(_, text)| text);
        let mut put = |tag, element| _ = data_set.insert(tag, element);
        put(
            tags::PATIENT_IDENTITY_REMOVED,
            Element::bytes(VR::CS, "YES"),
        );
        put(
            tags::DEIDENTIFICATION_METHOD,
            Element::bytes(VR::LO, PROFILE),
        );
        put(
            tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
            Element::items(codes),
        );
        put(
            tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
            Element::bytes(VR::CS, times),
        );
        if self.blanked {
            put(tags::BURNED_IN_ANNOTATION, Element::bytes(VR::CS, "NO"));
        }
        if self.effective.contains(&ProfileOption::CleanVisualFeatures) {
            put(
                tags::RECOGNIZABLE_VISUAL_FEATURES,
                Element::bytes(VR::CS, "NO"),
            );
        }
    }
}

/// At most this many bytes of an ASCII text.
fn cut(text: &str, length: usize) -> &str {
    text.get(..length).unwrap_or(text)
}
