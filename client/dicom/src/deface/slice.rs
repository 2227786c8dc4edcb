//! Slices of a series: where their pixels lie in the patient, and a smaller picture of each.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use crate::error::{Error, Result};
use crate::file::{self, File};
use crate::format::Format;
use crate::frame;
use crate::tree::{DataSet, text};

/// CT and MR images of one frame.
const SINGLE: [&str; 2] = ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"];
/// CT and MR images of many.
const ENHANCED: [&str; 5] = [
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.3",
    "1.2.840.10008.5.1.4.1.1.4.4",
];
/// Millimetres between the samples of the smaller picture.
const SAMPLED: f64 = 2.0;

/// The part that a file has in the cutting of faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A slice of CT or MR.
    Slice,
    /// CT or MR in a form that is not cut.
    Unknown,
    /// Of another kind: it passes.
    Nothing,
}

/// Tells the part of a file by its SOP class.
#[must_use]
pub fn wanted(class: &str) -> Wanted {
    match class {
        class if SINGLE.contains(&class) => Wanted::Slice,
        class if ENHANCED.contains(&class) => Wanted::Unknown,
        _ => Wanted::Nothing,
    }
}

/// The place of a slice's pixels in the patient (PS3.3 §C.7.6.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placement {
    /// The middle of the first pixel, in millimetres.
    origin: [f64; 3],
    /// From a column to the next, and from a row to the next, in millimetres.
    pub(super) across: [f64; 3],
    pub(super) down: [f64; 3],
}

impl Placement {
    /// Reads it from a data set.
    pub(crate) fn of(data_set: &DataSet) -> Option<Self> {
        let [px, py, pz] = numbers(data_set, tags::IMAGE_POSITION_PATIENT)?;
        let [a, b, c, d, e, f] = numbers(data_set, tags::IMAGE_ORIENTATION_PATIENT)?;
        let [rows, columns] = numbers(data_set, tags::PIXEL_SPACING)?;
        let unit = |v: [f64; 3]| (v.iter().map(|n| n * n).sum::<f64>() - 1.0).abs() < 0.01;
        let right = unit([a, b, c]) && unit([d, e, f]) && (a * d + b * e + c * f).abs() < 0.01;
        let spaced = (0.01..=50.0).contains(&rows) && (0.01..=50.0).contains(&columns);
        (right && spaced).then(|| Self {
            origin: [px, py, pz],
            across: [a, b, c].map(|n| n * columns),
            down: [d, e, f].map(|n| n * rows),
        })
    }

    /// Returns the middle of a pixel, in millimetres.
    #[must_use]
    pub fn at(&self, row: f64, column: f64) -> [f64; 3] {
        [0, 1, 2].map(|n| self.origin[n] + self.across[n] * column + self.down[n] * row)
    }
}

/// As many finite numbers as are wanted.
fn numbers<const N: usize>(data_set: &DataSet, tag: Tag) -> Option<[f64; N]> {
    let text = text(data_set, tag)?;
    let parts = text.split('\\').map(|part| part.trim().parse().ok());
    let found: Vec<f64> = parts.collect::<Option<_>>()?;
    let finite = found.iter().all(|n: &f64| n.is_finite() && n.abs() < 1e5);
    found.try_into().ok().filter(|_| finite)
}

/// A slice: a smaller picture of it, and where that lies.
#[derive(Clone)]
pub struct Slice {
    /// Its Series Instance UID.
    pub series: String,
    /// CT: values are Hounsfield units.
    pub(super) units: bool,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) place: Placement,
    pub(super) values: Vec<f32>,
}

impl Slice {
    /// Reads a slice of CT or MR; none of a file of another kind.
    ///
    /// # Errors
    /// Any [`Error`] of a file that is one and cannot be read, or does not say where it lies.
    pub fn of(bytes: &[u8]) -> Result<Option<Self>> {
        let file = file::read(bytes)?;
        let class = text(&file.data_set, tags::SOP_CLASS_UID).unwrap_or_default();
        match wanted(&class) {
            Wanted::Slice => Self::read(&file, class == SINGLE[0]).map(Some),
            _ => Ok(None),
        }
    }

    fn read(file: &File, units: bool) -> Result<Self> {
        let missing = |attribute| Error::Missing { attribute };
        let data_set = &file.data_set;
        let series = text(data_set, tags::SERIES_INSTANCE_UID);
        let series = series.ok_or(missing("Series Instance UID"))?;
        let place = Placement::of(data_set).ok_or(missing("Image Position (Patient)"))?;
        let format = Format::of(data_set, file.order())?;
        if format.samples != 1 || format.frames != 1 {
            return Err(Error::Unsupported {
                attribute: "Number of Frames",
                found: format.frames as u64,
            });
        }
        let one = |tag, otherwise| numbers::<1>(data_set, tag).map_or(otherwise, |[n]| n);
        let (slope, intercept) = (
            one(tags::RESCALE_SLOPE, 1.0),
            one(tags::RESCALE_INTERCEPT, 0.0),
        );
        let samples: Vec<i64> = frame::decode(file, &format, 0)?.samples().collect();
        let length = |v: [f64; 3]| v.iter().map(|n| n * n).sum::<f64>().sqrt();
        let every = |spacing: f64| ((SAMPLED / spacing).round() as usize).max(1);
        let (by, along) = (every(length(place.down)), every(length(place.across)));
        let (rows, columns) = (format.rows.div_ceil(by), format.columns.div_ceil(along));
        let value = |row: usize, column: usize| {
            let sample = samples[row * by * format.columns + column * along];
            (sample as f64 * slope + intercept) as f32
        };
        let values = (0..rows * columns).map(|n| value(n / columns, n % columns));
        Ok(Self {
            series,
            units,
            rows,
            columns,
            values: values.collect(),
            place: Placement {
                origin: place.origin,
                across: place.across.map(|n| n * along as f64),
                down: place.down.map(|n| n * by as f64),
            },
        })
    }
}
