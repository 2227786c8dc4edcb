//! The pictures of an image in which text is looked for: as they are shown, and with all their values from the least to the
//! greatest. Of many frames the brightest of each place, some at a time: text stands still where the picture moves.

use super::error::Result;
use crate::file::{self, File};
use crate::format::{Colour, Format};
use crate::frame;
use crate::view::{self, Image, Picture};

/// Most runs of frames that are looked at one by one.
const RUNS_MAX: usize = 32;
/// The least frames of a run.
const RUN_MIN: usize = 16;

/// Calls with one picture after the other.
///
/// # Errors
/// As [`Image::read`] and [`Image::render`], and what the callback returns.
pub(super) fn pictures(bytes: &[u8], look: &mut dyn FnMut(&Picture) -> Result<()>) -> Result<()> {
    let image = Image::read(bytes)?;
    let file = file::read(bytes).map_err(view::Error::from)?;
    let format = Format::of(&file.data_set, file.order()).map_err(view::Error::from)?;
    let run = image.frames().div_ceil(RUNS_MAX).max(RUN_MIN);
    let mut from = 0;
    while from < image.frames() {
        let until = (from + run).min(image.frames());
        let mut shown: Option<Picture> = None;
        let mut stretched: Option<Picture> = None;
        for number in from..until {
            let picture = image.render(number, None)?;
            shown = Some(brightest(shown, picture));
            if let Some(picture) = whole_range(&file, &format, number)? {
                stretched = Some(brightest(stretched, picture));
            }
        }
        if let Some(picture) = &shown {
            look(picture)?;
        }
        if let Some(picture) = stretched.filter(|picture| shown.as_ref() != Some(picture)) {
            look(&picture)?;
        }
        from = until;
    }
    Ok(())
}

/// The brighter of two pictures, place by place.
fn brightest(one: Option<Picture>, other: Picture) -> Picture {
    let Some(one) = one.filter(|one| one.pixels().len() == other.pixels().len()) else {
        return other;
    };
    let both = one.pixels().iter().zip(other.pixels());
    let pixels = both.map(|(a, b)| *a.max(b)).collect();
    match one.is_colour() {
        true => Picture::of_rgb(one.width(), one.height(), pixels),
        false => Picture::of_grey(one.width(), one.height(), pixels),
    }
}

/// A grey frame from its least to its greatest value; none of a coloured one.
fn whole_range(file: &File, format: &Format, number: usize) -> Result<Option<Picture>> {
    if !matches!(format.colour, Colour::Grey | Colour::Inverse) {
        return Ok(None);
    }
    let decoded = frame::decode(file, format, number).map_err(view::Error::from)?;
    let (mut least, mut most) = (i64::MAX, i64::MIN);
    for value in decoded.samples() {
        (least, most) = (least.min(value), most.max(value));
    }
    let range = (most - least).max(1);
    let level = |value: i64| ((value - least) * 255 / range) as u8;
    let pixels = decoded.samples().map(level).collect();
    Ok(Some(Picture::of_grey(format.columns, format.rows, pixels)))
}
