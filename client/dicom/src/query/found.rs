//! A result of a search.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde_json::{Map, Value};

use crate::listing::UTF_8;
use crate::tree::{DataSet, put, text};
use crate::web::json;

/// A result of a search.
pub struct Match<'a> {
    pub(super) study: &'a DataSet,
    pub(super) series: Option<&'a DataSet>,
    pub(super) instance: Option<&'a DataSet>,
    pub(super) whole: bool,
}

impl Match<'_> {
    /// Returns the Study Instance UID.
    #[must_use]
    pub fn study_uid(&self) -> String {
        text(self.study, tags::STUDY_INSTANCE_UID).unwrap_or_default()
    }

    /// Writes it in the DICOM JSON Model (PS3.18 §F.2); `service` is the address under which the studies are retrieved.
    #[must_use]
    pub fn json(&self, service: &str) -> Value {
        let uid = |data_set: Option<&DataSet>, tag: Tag| data_set.and_then(|it| text(it, tag));
        let study = uid(Some(self.study), tags::STUDY_INSTANCE_UID).unwrap_or_default();
        let mut url = format!("{service}/studies/{study}");
        let (mut own, mut above) = (self.study.clone(), DataSet::new());
        if let Some(series) = self.series {
            above.append(&mut own);
            own = series.clone();
            let uid = uid(self.series, tags::SERIES_INSTANCE_UID).unwrap_or_default();
            url.push_str(&format!("/series/{uid}"));
        }
        if let Some(instance) = self.instance {
            above.append(&mut own);
            own = instance.clone();
            let uid = uid(self.instance, tags::SOP_INSTANCE_UID).unwrap_or_default();
            url.push_str(&format!("/instances/{uid}"));
        }
        let mut taken = |tag: Tag, of: &DataSet| {
            if let Some(element) = of.get(&tag) {
                own.insert(tag, element.clone());
            }
        };
        // The place of a result is always said.
        taken(tags::STUDY_INSTANCE_UID, self.study);
        taken(tags::INSTANCE_AVAILABILITY, self.study);
        if let Some(series) = self.series {
            taken(tags::SERIES_INSTANCE_UID, series);
            taken(tags::MODALITY, series);
        }
        if self.whole {
            own.append(&mut above);
        }
        put(&mut own, tags::SPECIFIC_CHARACTER_SET, VR::CS, UTF_8);
        put(&mut own, tags::RETRIEVE_URL, VR::UR, &url);
        let object: Map<String, Value> = json::listed(&own);
        Value::Object(object)
    }
}
