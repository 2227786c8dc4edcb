//! The entrance: whole files, and for de-identification only those that the profile can make safe.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::error::{Error, Result};
use super::options::Profile;
use super::report::BurnedIn;
use super::table::Definition;
use crate::error::only_uid;
use crate::file::{self, File};
use crate::tree::{DataSet, text};

/// Where the standard's storage classes lie.
const STORAGE_CLASSES: &str = "1.2.840.10008.5.1.4.";

/// Classes whose content cannot be searched.
const OPAQUE: [(&str, &str); 4] = [
    ("1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.66", "raw data"),
    ("1.2.840.10008.5.1.4.1.1.9.4.1", "a voice recording"),
    ("1.2.840.10008.5.1.4.1.1.9.4.2", "an audio recording"),
];

const PIXELS: [Tag; 3] = [
    tags::PIXEL_DATA,
    tags::FLOAT_PIXEL_DATA,
    tags::DOUBLE_FLOAT_PIXEL_DATA,
];

/// Classes without pixel data of their own: reports, presentation states, documents, waveforms, radiotherapy plans and
/// structures, registrations, measurements, work lists, media directories. Their last attribute cannot be known.
const WITHOUT_PIXELS: [&str; 19] = [
    "1.2.840.10008.5.1.4.1.1.4.2",
    "1.2.840.10008.5.1.4.1.1.9.",
    "1.2.840.10008.5.1.4.1.1.11.",
    "1.2.840.10008.5.1.4.1.1.66",
    "1.2.840.10008.5.1.4.1.1.67",
    "1.2.840.10008.5.1.4.1.1.68",
    "1.2.840.10008.5.1.4.1.1.78.",
    "1.2.840.10008.5.1.4.1.1.79.1",
    "1.2.840.10008.5.1.4.1.1.88.",
    "1.2.840.10008.5.1.4.1.1.90.",
    "1.2.840.10008.5.1.4.1.1.91.",
    "1.2.840.10008.5.1.4.1.1.104.",
    "1.2.840.10008.5.1.4.1.1.200.",
    "1.2.840.10008.5.1.4.1.1.481.",
    "1.2.840.10008.5.1.4.34.",
    "1.2.840.10008.5.1.4.38.",
    "1.2.840.10008.5.1.4.39.",
    "1.2.840.10008.5.1.4.4",
    "1.2.840.10008.1.3.10",
];
/// Classes among those that do have pixel data: segmentations, radiotherapy images and doses.
const WITH_PIXELS: [&str; 3] = [
    "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.481.1",
    "1.2.840.10008.5.1.4.1.1.481.2",
];

/// Structured reports and key object selections.
const REPORTS: &str = "1.2.840.10008.5.1.4.1.1.88.";
/// Presentation states.
const PRESENTATIONS: [&str; 2] = [
    "1.2.840.10008.5.1.4.1.1.11.",
    "1.2.840.10008.5.1.4.1.1.9.100.",
];

/// Waveforms, their presentation states among them.
const WAVEFORMS: &str = "1.2.840.10008.5.1.4.1.1.9.";

/// Modalities whose pixels often show text about the patient.
const RISKY_MODALITIES: [&str; 9] = ["US", "SC", "XA", "RF", "ES", "OP", "XC", "DOC", "HC"];
/// The same by class: ultrasound, secondary captures, angiography and fluoroscopy, endoscopy, ophthalmic and other
/// photography and every video.
const RISKY_CLASSES: [&str; 11] = [
    "1.2.840.10008.5.1.4.1.1.3",
    "1.2.840.10008.5.1.4.1.1.6",
    "1.2.840.10008.5.1.4.1.1.7",
    "1.2.840.10008.5.1.4.1.1.12.1",
    "1.2.840.10008.5.1.4.1.1.12.2",
    "1.2.840.10008.5.1.4.1.1.77.1.1",
    "1.2.840.10008.5.1.4.1.1.77.1.2.1",
    "1.2.840.10008.5.1.4.1.1.77.1.4",
    "1.2.840.10008.5.1.4.1.1.77.1.5.1",
    "1.2.840.10008.5.1.4.1.1.77.1.5.2",
    "1.2.840.10008.5.1.4.1.1.77.1.7",
];
/// Video transfer syntaxes: MPEG-2, MPEG-4, HEVC and SMPTE 2110.
const VIDEO: [&str; 2] = ["1.2.840.10008.1.2.4.10", "1.2.840.10008.1.2.7."];

/// Checks whether a class is a root or lies below it.
fn under(class: &str, root: &str) -> bool {
    match class.strip_prefix(root) {
        Some(rest) => root.ends_with('.') || rest.is_empty() || rest.starts_with('.'),
        None => false,
    }
}

fn under_any(class: &str, roots: &[&str]) -> bool {
    roots.iter().any(|root| under(class, root))
}

/// Checks whether the class is a structured report.
pub(super) fn is_report(class: &str) -> bool {
    under(class, REPORTS)
}

/// Checks whether the class is a presentation state.
pub(super) fn is_presentation(class: &str) -> bool {
    under_any(class, &PRESENTATIONS)
}

/// Checks whether files of the class have pixel data of their own.
pub(super) fn is_image(class: &str) -> bool {
    !under_any(class, &WITHOUT_PIXELS) || under_any(class, &WITH_PIXELS)
}

/// Checks whether the class is a waveform.
pub(super) fn is_waveform(class: &str) -> bool {
    under(class, WAVEFORMS) && !is_presentation(class)
}

/// Refuses a file that ends before what every file of its class has: its UIDs and, for an image, the pixels.
fn whole(data_set: &DataSet) -> Result<()> {
    let class = class_of(data_set)?;
    let attribute = "SOP Instance UID";
    text(data_set, tags::SOP_INSTANCE_UID).ok_or(crate::Error::Missing { attribute })?;
    let elsewhere = data_set.contains_key(&tags::PIXEL_DATA_PROVIDER_URL);
    if is_image(&class) && !elsewhere && !has_pixels(data_set) {
        let attribute = "Pixel Data";
        return Err(crate::Error::Missing { attribute }.into());
    }
    Ok(())
}

fn class_of(data_set: &DataSet) -> Result<String> {
    let attribute = "SOP Class UID";
    Ok(text(data_set, tags::SOP_CLASS_UID).ok_or(crate::Error::Missing { attribute })?)
}

/// Refuses what the profile cannot make safe.
pub(super) fn admit(file: &File, profile: &Profile) -> Result<()> {
    let data_set = &file.data_set;
    let class = class_of(data_set)?;
    let opaque = OPAQUE.iter().find(|(root, _)| match *root {
        // Segmentations and annotations lie below raw data.
        "1.2.840.10008.5.1.4.1.1.66" => class == *root,
        root => under(&class, root),
    });
    let opaque = opaque.map(|(_, what)| *what);
    // Whatever the class says.
    let held = [
        (tags::ENCAPSULATED_DOCUMENT, "an encapsulated document"),
        (
            tags::PIXEL_DATA_PROVIDER_URL,
            "pixel data that lie elsewhere",
        ),
    ];
    let held = held.iter().find(|(tag, _)| data_set.contains_key(tag));
    if let Some(what) = opaque.or(held.map(|(_, what)| *what)) {
        return Err(Error::FreeContent { what });
    }
    let pixels = has_pixels(data_set);
    let standard = class.starts_with(STORAGE_CLASSES) && only_uid(&class) == class;
    if !standard || !(pixels || Definition::of(profile.edition, &class).is_of_a_patient()) {
        return Err(Error::NotAnImage {
            uid: only_uid(&class),
        });
    }
    if pixels && profile.blank.is_empty() && !profile.accept_burned_in {
        match burned_in(data_set) {
            BurnedIn::No | BurnedIn::Unknown if shows_label(data_set, &class) => {
                return Err(Error::SpecimenLabel);
            }
            BurnedIn::No | BurnedIn::NoPixels => {}
            BurnedIn::Yes => return Err(Error::BurnedIn),
            BurnedIn::Unknown if is_risky(data_set, &class, file.syntax.uid()) => {
                return Err(Error::BurnedInUnknown);
            }
            BurnedIn::Unknown => {}
        }
    }
    Ok(())
}

/// Slide microscopy.
const SLIDES: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";
/// Computed and digital radiography, whose images say that they came over a digital interface.
const PROJECTIONS: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"];
/// Attributes that only images have that were made of a screen, a film or a video (PS3.3 §C.8.6.1), in whatever class.
const CAPTURED: [Tag; 9] = [
    tags::SECONDARY_CAPTURE_DEVICE_ID,
    Tag(0x0018, 0x1011),
    tags::DATE_OF_SECONDARY_CAPTURE,
    tags::TIME_OF_SECONDARY_CAPTURE,
    tags::SECONDARY_CAPTURE_DEVICE_MANUFACTURER,
    tags::SECONDARY_CAPTURE_DEVICE_MANUFACTURER_MODEL_NAME,
    tags::SECONDARY_CAPTURE_DEVICE_SOFTWARE_VERSIONS,
    tags::VIDEO_IMAGE_FORMAT_ACQUIRED,
    tags::DIGITAL_IMAGE_FORMAT_ACQUIRED,
];
/// Parts of an Image Type or a description, without what is no letter, that screen saves and reports in pixels have.
const CAPTURES: [&str; 12] = [
    "SCREENSAVE",
    "SCREENSHOT",
    "SCREENCAP",
    "SAVESCREEN",
    "CAPTURE",
    "SNAPSHOT",
    "REPORT",
    "DOSEINFO",
    "DOSESUMMARY",
    "DOSERECORD",
    "DOSEPAGE",
    "PATIENTPROTOCOL",
];

/// Checks whether the image is of a slide's label, or shows it.
fn shows_label(data_set: &DataSet, class: &str) -> bool {
    let kind = text(data_set, tags::IMAGE_TYPE).unwrap_or_default();
    let said = text(data_set, tags::SPECIMEN_LABEL_IN_IMAGE).as_deref() == Some("YES");
    said || class == SLIDES && kind.split('\\').any(|value| value.trim() == "LABEL")
}

/// Checks whether the image was made of a screen, a film or a video, or is a report.
fn is_capture(data_set: &DataSet, class: &str) -> bool {
    let letters = |tag| {
        let text = text(data_set, tag).unwrap_or_default().to_ascii_uppercase();
        text.replace(|c: char| !c.is_ascii_alphabetic() && c != '\\', "")
    };
    let conversion = text(data_set, tags::CONVERSION_TYPE);
    let converted = match conversion.as_deref() {
        None | Some("SYN") => false,
        Some("DI") => !PROJECTIONS.contains(&class),
        Some(_) => true,
    };
    let described = [
        tags::IMAGE_TYPE,
        tags::SERIES_DESCRIPTION,
        tags::PROTOCOL_NAME,
    ];
    let named = described.into_iter().map(letters);
    converted
        || CAPTURED.iter().any(|tag| text(data_set, *tag).is_some())
        || named
            .into_iter()
            .any(|it| CAPTURES.iter().any(|word| it.contains(word)))
}

fn is_risky(data_set: &DataSet, class: &str, syntax: &str) -> bool {
    let modality = text(data_set, tags::MODALITY).unwrap_or_default();
    let kind = text(data_set, tags::IMAGE_TYPE).unwrap_or_default();
    let overview = class == SLIDES && kind.contains("OVERVIEW");
    overview
        || is_capture(data_set, class)
        || RISKY_MODALITIES.contains(&modality.as_str())
        || under_any(class, &RISKY_CLASSES)
        || VIDEO.iter().any(|root| syntax.starts_with(root))
}

/// Reads a whole file.
pub(super) fn read(bytes: &[u8]) -> Result<File> {
    let file = file::read(bytes)?;
    whole(&file.data_set)?;
    Ok(file)
}

/// Reads Burned In Annotation.
pub(super) fn burned_in(data_set: &DataSet) -> BurnedIn {
    match text(data_set, tags::BURNED_IN_ANNOTATION).as_deref() {
        _ if !has_pixels(data_set) => BurnedIn::NoPixels,
        Some("NO") => BurnedIn::No,
        Some("YES") => BurnedIn::Yes,
        _ => BurnedIn::Unknown,
    }
}

/// Checks whether there are pixels.
pub(super) fn has_pixels(data_set: &DataSet) -> bool {
    PIXELS.iter().any(|tag| data_set.contains_key(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_end_at_a_dot() {
        let us_multiframe = "1.2.840.10008.5.1.4.1.1.3.1";
        assert!(under(us_multiframe, "1.2.840.10008.5.1.4.1.1.3"));
        assert!(!under(
            "1.2.840.10008.5.1.4.1.1.30",
            "1.2.840.10008.5.1.4.1.1.3"
        ));
        assert!(is_report("1.2.840.10008.5.1.4.1.1.88.59"));
        assert!(!is_report("1.2.840.10008.5.1.4.1.1.881"));
    }
}
