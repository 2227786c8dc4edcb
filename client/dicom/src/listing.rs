//! Studies as they are searched: the attributes of a study, of its series and of its instances, in UTF-8.

use std::collections::BTreeSet;

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::Endianness;

use crate::deid::{CharacterSet, described};
use crate::error::{Error, Result};
use crate::file::{self, File};
use crate::tree::{DataSet, Element, Value, is_text, put, text};

/// The attributes of a patient (PS3.4 §C.6.1.1.2).
pub(crate) const PATIENT: [Tag; 5] = [
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
];
/// The attributes of a study that are kept as its files have them.
const STUDY: [Tag; 13] = [
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_DESCRIPTION,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_ID,
];
/// Those that follow from its series.
const OF_SERIES: [Tag; 5] = [
    tags::INSTANCE_AVAILABILITY,
    tags::MODALITIES_IN_STUDY,
    tags::SOP_CLASSES_IN_STUDY,
    tags::NUMBER_OF_STUDY_RELATED_SERIES,
    tags::NUMBER_OF_STUDY_RELATED_INSTANCES,
];
/// The attributes of a series.
const SERIES: [Tag; 7] = [
    tags::SERIES_DATE,
    tags::SERIES_TIME,
    tags::MODALITY,
    tags::SERIES_DESCRIPTION,
    tags::BODY_PART_EXAMINED,
    tags::SERIES_INSTANCE_UID,
    tags::SERIES_NUMBER,
];
/// The attributes of an instance.
const INSTANCE: [Tag; 7] = [
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::INSTANCE_NUMBER,
    tags::NUMBER_OF_FRAMES,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
];

/// A level of the hierarchy that is searched (PS3.4 §C.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Studies, with the attributes of their patients.
    Study,
    /// Series.
    Series,
    /// Instances.
    Instance,
}

impl Level {
    /// The level of an attribute that listings have; none for others.
    pub(crate) fn of(tag: Tag) -> Option<Self> {
        if STUDY.contains(&tag) || OF_SERIES.contains(&tag) {
            return Some(Self::Study);
        }
        if SERIES.contains(&tag) || tag == tags::NUMBER_OF_SERIES_RELATED_INSTANCES {
            return Some(Self::Series);
        }
        INSTANCE.contains(&tag).then_some(Self::Instance)
    }
}

/// A study as it is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    pub(crate) study: DataSet,
    pub(crate) series: Vec<SeriesListing>,
}

/// A series as it is searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SeriesListing {
    pub(crate) series: DataSet,
    pub(crate) instances: Vec<DataSet>,
}

/// An instance of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedInstance {
    /// Series Instance UID.
    pub series: String,
    /// SOP Class UID.
    pub class: String,
    /// SOP Instance UID.
    pub instance: String,
}

/// A series by its UID, and its instances by class and UID.
pub type SeriesOf<'a> = (&'a str, Vec<(&'a str, &'a str)>);

impl Listing {
    /// Lists a study of these series, described by the manifest that was sealed with it (a Key Object Selection), which is an
    /// instance of a series of its own.
    ///
    /// # Errors
    /// Those of reading the manifest; [`Error::Missing`] for one without its UIDs.
    pub fn of_manifest(series: &[SeriesOf<'_>], manifest: &[u8]) -> Result<Self> {
        let file = file::read(manifest)?;
        let mut described = described::series(&file.data_set);
        let listed = series.iter().map(|(uid, instances)| {
            let found = described.remove(*uid).unwrap_or_default();
            let mut attributes = found.attributes;
            put(&mut attributes, tags::SERIES_INSTANCE_UID, VR::UI, uid);
            let mut of_instances = found.instances;
            let instance = |(class, instance): &(&str, &str)| {
                let mut attributes = of_instances.remove(*instance).unwrap_or_default();
                put(&mut attributes, tags::SOP_CLASS_UID, VR::UI, class);
                put(&mut attributes, tags::SOP_INSTANCE_UID, VR::UI, instance);
                attributes
            };
            SeriesListing {
                instances: instances.iter().map(instance).collect(),
                series: attributes,
            }
        });
        let mut listing = Self {
            study: taken(&file, &STUDY),
            series: listed.collect(),
        };
        listing.series.push(SeriesListing::of(&file)?);
        listing.finish()
    }

    /// Lists a study of which one file is known.
    ///
    /// # Errors
    /// Those of reading it; [`Error::Missing`] for one without its UIDs.
    pub fn of_file(bytes: &[u8]) -> Result<Self> {
        let file = file::read(bytes)?;
        let listing = Self {
            study: taken(&file, &STUDY),
            series: vec![SeriesListing::of(&file)?],
        };
        listing.finish()
    }

    /// Adds the series and instances of another listing of the same study that are not in this one.
    pub fn join(&mut self, other: &Self) {
        for theirs in &other.series {
            let uid = theirs.series.get(&tags::SERIES_INSTANCE_UID);
            let own = |own: &&mut SeriesListing| own.series.get(&tags::SERIES_INSTANCE_UID) == uid;
            match self.series.iter_mut().find(own) {
                None => self.series.push(theirs.clone()),
                Some(own) => {
                    let uid = |it: &DataSet| text(it, tags::SOP_INSTANCE_UID);
                    let known: BTreeSet<_> = own.instances.iter().map(uid).collect();
                    let new = theirs.instances.iter();
                    let new: Vec<_> = new.filter(|it| !known.contains(&uid(it))).collect();
                    own.instances.extend(new.into_iter().cloned());
                }
            }
        }
        self.count();
    }

    /// Returns the Study Instance UID.
    #[must_use]
    pub fn study_uid(&self) -> String {
        text(&self.study, tags::STUDY_INSTANCE_UID).unwrap_or_default()
    }

    /// Lists the instances in order.
    #[must_use]
    pub fn instances(&self) -> Vec<ListedInstance> {
        let uid = |data_set: &DataSet, tag| text(data_set, tag).unwrap_or_default();
        let of_series = |it: &SeriesListing| {
            let series = uid(&it.series, tags::SERIES_INSTANCE_UID);
            let instances = it.instances.iter();
            let listed = |it| ListedInstance {
                series: series.clone(),
                class: uid(it, tags::SOP_CLASS_UID),
                instance: uid(it, tags::SOP_INSTANCE_UID),
            };
            instances.map(listed).collect::<Vec<_>>()
        };
        self.series.iter().flat_map(of_series).collect()
    }

    fn finish(mut self) -> Result<Self> {
        if text(&self.study, tags::STUDY_INSTANCE_UID).is_none() {
            let attribute = "Study Instance UID";
            return Err(Error::Missing { attribute });
        }
        self.count();
        Ok(self)
    }

    /// Fills in what follows from the series.
    fn count(&mut self) {
        let mut instances = 0;
        let (mut modalities, mut classes) = (BTreeSet::new(), BTreeSet::new());
        for series in &mut self.series {
            let count = series.instances.len();
            instances += count;
            let tag = tags::NUMBER_OF_SERIES_RELATED_INSTANCES;
            put(&mut series.series, tag, VR::IS, &count.to_string());
            modalities.extend(text(&series.series, tags::MODALITY));
            let class = |it: &DataSet| text(it, tags::SOP_CLASS_UID);
            classes.extend(series.instances.iter().filter_map(class));
        }
        let joined = |all: BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join("\\");
        for (tag, vr, value) in [
            (tags::SPECIFIC_CHARACTER_SET, VR::CS, UTF_8.to_owned()),
            (tags::INSTANCE_AVAILABILITY, VR::CS, "ONLINE".to_owned()),
            (tags::MODALITIES_IN_STUDY, VR::CS, joined(modalities)),
            (tags::SOP_CLASSES_IN_STUDY, VR::UI, joined(classes)),
            (
                tags::NUMBER_OF_STUDY_RELATED_SERIES,
                VR::IS,
                self.series.len().to_string(),
            ),
            (
                tags::NUMBER_OF_STUDY_RELATED_INSTANCES,
                VR::IS,
                instances.to_string(),
            ),
        ] {
            put(&mut self.study, tag, vr, &value);
        }
    }
}

impl SeriesListing {
    /// The series of a file, with that file alone.
    fn of(file: &File) -> Result<Self> {
        let (series, instance) = (taken(file, &SERIES), taken(file, &INSTANCE));
        for (data_set, tag, attribute) in [
            (&series, tags::SERIES_INSTANCE_UID, "Series Instance UID"),
            (&instance, tags::SOP_CLASS_UID, "SOP Class UID"),
            (&instance, tags::SOP_INSTANCE_UID, "SOP Instance UID"),
        ] {
            text(data_set, tag).ok_or(Error::Missing { attribute })?;
        }
        Ok(Self {
            series,
            instances: vec![instance],
        })
    }
}

/// The name of UTF-8 (PS3.3 §C.12.1.1.2).
pub(crate) const UTF_8: &str = "ISO_IR 192";

/// Attributes of a file: texts in UTF-8 without their padding, numbers little endian.
fn taken(file: &File, wanted: &[Tag]) -> DataSet {
    let charset = CharacterSet::of(&file.data_set);
    let take = |tag: &Tag| {
        let element = file.data_set.get(tag)?;
        let bytes = element.as_bytes()?;
        let bytes = match element.vr {
            VR::US if file.order() == Endianness::Big => bytes.iter().rev().copied().collect(),
            VR::US => bytes.to_vec(),
            vr if is_text(vr) || vr == VR::UI => {
                let text = charset.text(bytes);
                text.trim_matches([' ', '\0']).as_bytes().to_vec()
            }
            _ => return None,
        };
        let value = Value::Bytes(bytes);
        let vr = element.vr;
        Some((*tag, Element { vr, value }))
    };
    wanted.iter().filter_map(take).collect()
}
