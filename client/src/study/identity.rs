//! The identity document: what the pseudonyms of a sealed image stand for. It is sealed by itself, to the patient alone, so
//! that who may open the image cannot open it.

use serde::{Deserialize, Serialize};

use crate::study::parts::{Pair, Study};
use pcim_core::ImageDigest;

/// Its media type.
pub const IDENTITY_MEDIA_TYPE: &str = "application/pcim-identity+json";
/// The version of the format.
const VERSION: u32 = 1;
/// How it begins.
const START: &[u8] = br#"{"pcim-identity":"#;

/// The values that the pseudonyms of an image stand for.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityDocument {
    /// The format's version.
    #[serde(rename = "pcim-identity")]
    pub version: u32,
    /// [`IDENTITY_MEDIA_TYPE`].
    pub media_type: String,
    /// The sealed image that it is about.
    pub image: ImageDigest,
    /// Attributes of the patient and the study, as the study's first file has them.
    pub attributes: Vec<Pair>,
    /// The study.
    pub study_instance_uid: UidPair,
    /// The series, each once.
    pub series: Vec<UidPair>,
    /// The instances, in the order of the image.
    pub instances: Vec<UidPair>,
}

/// A UID as it was and as it is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UidPair {
    /// Its kind.
    pub original: String,
    /// Its pseudonym.
    pub sealed: String,
}

impl IdentityDocument {
    /// The document of a study that was scanned for it; none otherwise.
    pub(crate) fn of(study: &Study, image: ImageDigest) -> Option<Self> {
        let mut instances = Vec::new();
        let mut series: Vec<UidPair> = Vec::new();
        let mut whole = None;
        for instance in &study.instances {
            let (before, after) = (instance.original.as_ref()?, &instance.sealed.as_ref()?.uids);
            let pair = |original: &String, sealed: &String| UidPair {
                original: original.clone(),
                sealed: sealed.clone(),
            };
            instances.push(pair(&before.instance, &after.instance));
            let own = pair(&before.series, &after.series);
            // The instances are in the order of their series.
            if series.last() != Some(&own) {
                series.push(own);
            }
            whole.get_or_insert(pair(&before.study, &after.study));
        }
        Some(Self {
            version: VERSION,
            media_type: IDENTITY_MEDIA_TYPE.to_owned(),
            image,
            attributes: study.identifying.clone(),
            study_instance_uid: whole?,
            series,
            instances,
        })
    }
}

/// Says whether a payload begins as an identity document.
pub(super) fn is_identity(start: &[u8]) -> bool {
    start.starts_with(START)
}
