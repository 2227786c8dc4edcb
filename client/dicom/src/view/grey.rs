//! From stored values to grey levels: the modality's values, then what of them is seen.

use std::ops::RangeInclusive;

use dicom_core::VR;
use dicom_dictionary_std::tags;

use super::error::{Error, Result};
use super::scope::Scope;
use super::window::{Function, Window};
use crate::format::{Colour, Format, Frame};
use crate::lut::LookUp;
use crate::tree::{DataSet, short, text};

/// From stored values to the modality's (PS3.3 §C.11.1).
enum Modality {
    Table(LookUp),
    Rescale { slope: f64, intercept: f64 },
}

impl Modality {
    fn of(scope: &Scope<'_>, format: &Format) -> Result<Self> {
        let image = &scope.file.data_set;
        let item = image.get(&tags::MODALITY_LUT_SEQUENCE);
        if let Some(item) = item.and_then(|e| e.as_items()).and_then(<[_]>::first)
            && let Some(table) = table(scope, item, format.signed)?
        {
            return Ok(Self::Table(table));
        }
        let group = scope.group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE);
        let slope = first_number(group, tags::RESCALE_SLOPE);
        let intercept = first_number(group, tags::RESCALE_INTERCEPT);
        Ok(Self::Rescale {
            slope: slope.unwrap_or(1.0),
            intercept: intercept.unwrap_or(0.0),
        })
    }

    /// Whether values can be negative, so that the first number of a table behind is one with a sign.
    fn is_signed(&self, format: &Format) -> bool {
        let least = match format.signed {
            true => -(1_i64 << (format.stored - 1)),
            false => 0,
        };
        match self {
            Self::Table(_) => false,
            Self::Rescale { slope, intercept } => {
                let most = least + (1_i64 << format.stored) - 1;
                [least, most]
                    .iter()
                    .any(|end| *end as f64 * slope + intercept < 0.0)
            }
        }
    }

    fn value(&self, stored: i64) -> f64 {
        match self {
            Self::Table(table) => table.at(stored).into(),
            Self::Rescale { slope, intercept } => stored as f64 * slope + intercept,
        }
    }
}

/// The values that are seen (PS3.3 §C.11.2).
enum Voi {
    Table(LookUp),
    Window(Window, Function),
    /// From the least value to the greatest.
    Range(f64, f64),
}

impl Voi {
    fn of(scope: &Scope<'_>, signed: bool, asked: Option<Window>) -> Result<Option<Self>> {
        let group = scope.group(tags::FRAME_VOILUT_SEQUENCE);
        let function = match text(group, tags::VOILUT_FUNCTION).as_deref() {
            Some("SIGMOID") => Function::Sigmoid,
            Some("LINEAR_EXACT") => Function::LinearExact,
            _ => Function::Linear,
        };
        if let Some(window) = asked {
            return match window.fits(function) {
                true => Ok(Some(Self::Window(window, function))),
                false => Err(Error::Window),
            };
        }
        let item = group.get(&tags::VOILUT_SEQUENCE).and_then(|e| e.as_items());
        if let Some(item) = item.and_then(<[_]>::first)
            && let Some(table) = table(scope, item, signed)?
        {
            return Ok(Some(Self::Table(table)));
        }
        let center = first_number(group, tags::WINDOW_CENTER);
        let width = first_number(group, tags::WINDOW_WIDTH);
        let window = center
            .zip(width)
            .map(|(center, width)| Window { center, width });
        Ok(window
            .filter(|window| window.fits(function))
            .map(|window| Self::Window(window, function)))
    }

    fn level(&self, value: f64) -> f64 {
        match self {
            Self::Table(table) => {
                let most = (1_u32 << table.bits) - 1;
                f64::from(table.at(value.round() as i64)) / f64::from(most)
            }
            Self::Window(window, function) => window.level(*function, value),
            Self::Range(least, most) if most > least => (value - least) / (most - least),
            Self::Range(..) => 0.0,
        }
    }
}

/// The grey levels of a frame, one byte for each pixel.
pub(super) fn pixels(
    frame: &Frame,
    format: &Format,
    scope: &Scope<'_>,
    asked: Option<Window>,
) -> Result<Vec<u8>> {
    let modality = Modality::of(scope, format)?;
    let voi = match Voi::of(scope, modality.is_signed(format), asked)? {
        Some(voi) => voi,
        None => {
            let ends = |(least, most): (f64, f64), value: f64| (least.min(value), most.max(value));
            let range = |padding: Option<&RangeInclusive<i64>>| {
                let counted = |stored: &i64| padding.is_none_or(|it| !it.contains(stored));
                let values = frame.samples().filter(counted).map(|it| modality.value(it));
                values.fold((f64::INFINITY, f64::NEG_INFINITY), ends)
            };
            let (least, most) = match range(padding(scope, format).as_ref()) {
                // There is nothing but padding.
                (least, most) if least > most => range(None),
                ends => ends,
            };
            Voi::Range(least, most)
        }
    };
    let inverse = frame.colour == Colour::Inverse;
    let grey = |stored: i64| {
        let level = voi.level(modality.value(stored)).clamp(0.0, 1.0);
        let grey = (level * 255.0).round() as u8;
        if inverse { 255 - grey } else { grey }
    };
    // A byte or two have few values: each is looked up rather than worked out again and again.
    let count = 1_i64 << (8 * frame.width.min(2));
    if frame.width > 2 || frame.bytes.len() < 2 * count as usize {
        return Ok(frame.samples().map(grey).collect());
    }
    let first = if frame.signed { -count / 2 } else { 0 };
    let known: Vec<u8> = (first..first + count).map(grey).collect();
    let samples = frame.samples();
    Ok(samples
        .map(|stored| known[(stored - first) as usize])
        .collect())
}

/// The stored values that are padding (PS3.3 §C.7.5.1.1.2), which do not count in the range of values.
fn padding(scope: &Scope<'_>, format: &Format) -> Option<RangeInclusive<i64>> {
    let number = |tag| {
        let number = short(&scope.file.data_set, tag, scope.file.order())?;
        Some(match format.signed {
            true => i64::from(number as i16),
            false => i64::from(number),
        })
    };
    let one = number(tags::PIXEL_PADDING_VALUE)?;
    let other = number(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(one);
    Some(one.min(other)..=one.max(other))
}

fn table(scope: &Scope<'_>, item: &DataSet, signed: bool) -> Result<Option<LookUp>> {
    let signed = match item.get(&tags::LUT_DESCRIPTOR).map(|e| e.vr) {
        Some(VR::SS) => true,
        // Without VRs, and often with them, the numbers are written as unsigned (PS3.3 §C.11.2.1.1).
        _ => signed,
    };
    let order = scope.file.order();
    Ok(LookUp::of(
        item,
        tags::LUT_DESCRIPTOR,
        tags::LUT_DATA,
        signed,
        order,
    )?)
}

/// The first value of a decimal string.
fn first_number(data_set: &DataSet, tag: dicom_core::Tag) -> Option<f64> {
    let text = text(data_set, tag)?;
    let first = text.split('\\').next()?.trim().parse().ok();
    first.filter(|number: &f64| number.is_finite())
}
