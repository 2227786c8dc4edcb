//! Pixels before and after: equal but where regions were to be blanked, and there of one value.

use crate::deid::{Blank, ProfileOption};
use crate::file;
use crate::format::Format;
use crate::frame;

use super::asked::Rules;
use super::codestream::{self, Markers};
use super::findings::attribute;
use super::walk::{Kind, Span, Walked};

const PIXEL_DATA: u32 = 0x7fe0_0010;
const PIXELS: [u32; 3] = [PIXEL_DATA, 0x7fe0_0008, 0x7fe0_0009];

/// What describes stored pixels (PS3.3 §C.7.6.3.1), and is not to change.
const DESCRIPTION: [u32; 11] = [
    0x0028_0002, // Samples per Pixel
    0x0028_0004, // Photometric Interpretation
    0x0028_0006, // Planar Configuration
    0x0028_0010, // Rows
    0x0028_0011, // Columns
    0x0028_0100, // Bits Allocated
    0x0028_0101, // Bits Stored
    0x0028_0102, // High Bit
    0x0028_0103, // Pixel Representation
    0x0028_1201, // Red Palette Color Lookup Table Data
    0x0028_1202, // Green Palette Color Lookup Table Data
];
/// What a measurement in the picture depends on, and is not to go.
const MEASURES: [u32; 6] = [
    0x0018_1164, // Imager Pixel Spacing
    0x0020_0032, // Image Position (Patient)
    0x0020_0037, // Image Orientation (Patient)
    0x0028_0030, // Pixel Spacing
    0x0028_1052, // Rescale Intercept
    0x0028_1053, // Rescale Slope
];

/// What is wrong with an attribute.
pub(super) struct Wrong {
    pub(super) place: String,
    pub(super) why: String,
}

fn wrong(tag: u32, why: impl Into<String>) -> Wrong {
    Wrong {
        place: attribute(dicom_core::Tag((tag >> 16) as u16, tag as u16)),
        why: why.into(),
    }
}

/// Compares the pixels of a file with those of the file after; notes are what could not be compared.
pub(super) fn compare(
    before: &Walked<'_>,
    after: &Walked<'_>,
    raw: [&[u8]; 2],
    rules: &Rules,
    note: &mut dyn FnMut(String),
) -> Vec<Wrong> {
    let mut found = Vec::new();
    for tag in PIXELS {
        match (before.root(tag), after.root(tag)) {
            (None, None) => {}
            (Some(_), None) => found.push(wrong(tag, "the pixels are gone")),
            (None, Some(_)) => found.push(wrong(tag, "there were no pixels before")),
            (Some(a), Some(b)) => {
                found.extend(of(before, a, after, b, raw, rules, note).map(|why| wrong(tag, why)))
            }
        }
    }
    let transcoded = !rules.profile.blank.is_empty() || rules.found;
    for tag in DESCRIPTION.into_iter().filter(|_| !transcoded) {
        let value = |walked: &Walked<'_>| walked.root(tag).map(|s| walked.value(s).to_vec());
        let (a, b) = (value(before), value(after));
        let same = |a: &[u8], b: &[u8]| super::text::trimmed(a) == super::text::trimmed(b);
        if let Some(a) = a.filter(|a| !a.is_empty())
            && !b.is_some_and(|b| same(&a, &b))
        {
            found.push(wrong(tag, "the description of the pixels changed"));
        }
    }
    for tag in MEASURES {
        let empty = |walked: &Walked<'_>| walked.text(tag).is_empty();
        if !empty(before) && empty(after) {
            found.push(wrong(tag, "a measure of the picture is lost"));
        }
    }
    found
}

fn of(
    before: &Walked<'_>,
    a: &Span,
    after: &Walked<'_>,
    b: &Span,
    raw: [&[u8]; 2],
    rules: &Rules,
    note: &mut dyn FnMut(String),
) -> Option<String> {
    let options = &rules.profile.options;
    if options.contains(&ProfileOption::CleanVisualFeatures) {
        note("pixels, since faces were to be cut (113102)".to_owned());
        return None;
    }
    let shared = before.text(0x0028_0004) != after.text(0x0028_0004);
    match (a.kind, b.kind) {
        (Kind::Encapsulated, Kind::Encapsulated) => match encapsulated(before, a, after, b) {
            Err(_) if by_frames(&before.syntax) && same_frames(raw) => None,
            told => told.err().map(str::to_owned),
        },
        (Kind::Value, Kind::Value) if a.big == b.big && !shared => {
            native(before, a, after, b, rules)
        }
        (_, Kind::Value) if b.tag == PIXEL_DATA => decoded(raw, after, b, rules, note),
        _ => Some("the pixels are stored in another way".to_owned()),
    }
}

/// Checks whether frames of a transfer syntax are compared when they are decoded: their codestreams have no segments.
fn by_frames(syntax: &str) -> bool {
    let last = syntax.strip_prefix("1.2.840.10008.1.2.");
    matches!(last, Some("8.1" | "1.98" | "4.110" | "4.111" | "4.112"))
}

/// Checks whether two files have the same frames.
fn same_frames(raw: [&[u8]; 2]) -> bool {
    let read = |bytes| -> crate::Result<_> {
        let file = file::read(bytes)?;
        let format = Format::of(&file.data_set, file.order())?;
        Ok((file, format))
    };
    let (Ok((before, format)), Ok((after, other))) = (read(raw[0]), read(raw[1])) else {
        return false;
    };
    let same = |number| {
        let pair = (
            frame::decode(&before, &format, number),
            frame::decode(&after, &other, number),
        );
        matches!(pair, (Ok(a), Ok(b)) if a == b)
    };
    format.frames == other.frames && (0..format.frames).all(same)
}

/// Compressed pixels are compared without comments and the like; fragments may lie otherwise.
fn encapsulated(
    before: &Walked<'_>,
    a: &Span,
    after: &Walked<'_>,
    b: &Span,
) -> Result<(), &'static str> {
    let (left, right) = (before.value(a), after.value(b));
    if before.syntax != after.syntax {
        return Err("the transfer syntax changed");
    }
    if left == right {
        return Ok(());
    }
    let family = Markers::of(&before.syntax);
    let picture = |walked: &Walked<'_>, span: &Span| -> (Vec<u8>, u32) {
        let inside = walked.spans.iter().filter(|fragment| {
            fragment.kind == Kind::Fragment
                && fragment.start >= span.start
                && fragment.end <= span.end
        });
        // The first is the offset table (PS3.5 §A.4).
        let all: Vec<&[u8]> = inside.skip(1).map(|f| walked.value(f)).collect();
        (all.concat(), span.items)
    };
    let ((left, fragments), (right, others)) = (picture(before, a), picture(after, b));
    let (left_parts, right_parts) = (
        codestream::picture(family, &left),
        codestream::picture(family, &right),
    );
    if codestream::equal(&left, &left_parts, &right, &right_parts) {
        return Ok(());
    }
    // Run lengths have no end of their own: what is behind the last frame's is cut.
    let cut = family == Markers::Other && fragments >= others && !right.is_empty();
    let run = before.syntax == "1.2.840.10008.1.2.5";
    match cut && run && run_lengths(before, a) == run_lengths(after, b) {
        true => Ok(()),
        false => Err("the compressed pixels changed"),
    }
}

/// The frames that RLE fragments decode to (PS3.5 Annex G), by a reader that stops where the rows end. None if it cannot.
fn run_lengths(walked: &Walked<'_>, pixels: &Span) -> Option<Vec<Vec<u8>>> {
    let plane = walked
        .short(0x0028_0010)?
        .checked_mul(walked.short(0x0028_0011)?)?;
    let frames: usize = walked.text(0x0028_0008).parse().unwrap_or(1);
    let inside = walked.spans.iter().filter(|span| {
        span.kind == Kind::Fragment && span.start >= pixels.start && span.end <= pixels.end
    });
    let decode = |fragment: &[u8]| -> Option<Vec<u8>> {
        let number = |at: usize| {
            let bytes = *fragment.get(4 * at..)?.first_chunk()?;
            usize::try_from(u32::from_le_bytes(bytes)).ok()
        };
        let mut out = Vec::new();
        for segment in 1..=number(0)?.min(15) {
            let mut at = number(segment)?;
            let end = out.len() + plane;
            while out.len() < end {
                let count = *fragment.get(at)?;
                at += 1;
                match count {
                    0..=127 => {
                        out.extend_from_slice(fragment.get(at..at + usize::from(count) + 1)?);
                        at += usize::from(count) + 1;
                    }
                    128 => {}
                    _ => {
                        let times = 257 - usize::from(count);
                        out.resize(out.len() + times, *fragment.get(at)?);
                        at += 1;
                    }
                }
            }
            out.truncate(end);
        }
        Some(out)
    };
    inside
        .skip(1)
        .take(frames)
        .map(|span| decode(walked.value(span)))
        .collect()
}

/// Where native pixels lie.
struct Layout {
    rows: usize,
    columns: usize,
    frames: usize,
    samples: usize,
    /// Bytes of a sample.
    width: usize,
    planar: bool,
    /// The bits that mean something, as the bytes lie.
    mask: Vec<u8>,
}

impl Layout {
    fn of(walked: &Walked<'_>, pixels: &Span) -> Option<Self> {
        let short = |tag| walked.short(tag);
        let allocated = match pixels.tag {
            PIXEL_DATA => short(0x0028_0100)?,
            0x7fe0_0008 => 32,
            _ => 64,
        };
        if allocated % 8 != 0 || allocated == 0 || allocated > 64 {
            return None;
        }
        let (stored, high) = (
            short(0x0028_0101).unwrap_or(allocated),
            short(0x0028_0102).unwrap_or(allocated - 1),
        );
        let bits = match pixels.tag == PIXEL_DATA && (1..=allocated).contains(&stored) {
            true if high < allocated && high + 1 >= stored => {
                (u64::MAX >> (64 - stored)) << (high + 1 - stored)
            }
            _ => u64::MAX,
        };
        let width = allocated / 8;
        let mut mask = bits.to_le_bytes()[..width].to_vec();
        if pixels.big {
            mask.reverse();
        }
        let frames = walked.text(0x0028_0008);
        Some(Self {
            rows: short(0x0028_0010)?,
            columns: short(0x0028_0011)?,
            frames: frames.split('.').next()?.parse().unwrap_or(1).max(1),
            samples: short(0x0028_0002).unwrap_or(1).max(1),
            width,
            planar: short(0x0028_0006) == Some(1),
            mask,
        })
    }

    /// Bytes of all frames.
    fn bytes(&self) -> Option<usize> {
        let pixel = self.samples * self.width;
        let frame = (self.rows * self.columns).checked_mul(pixel)?;
        frame.checked_mul(self.frames)
    }

    /// Whether two runs of samples are equal in the bits that mean something.
    fn same(&self, a: &[u8], b: &[u8]) -> bool {
        let masked = || {
            let pairs = a.iter().zip(b).zip(self.mask.iter().cycle());
            pairs.into_iter().all(|((a, b), mask)| (a ^ b) & mask == 0)
        };
        a == b || a.len() == b.len() && masked()
    }
}

fn native(
    before: &Walked<'_>,
    a: &Span,
    after: &Walked<'_>,
    b: &Span,
    rules: &Rules,
) -> Option<String> {
    let (left, right) = (before.value(a), after.value(b));
    let asked = !rules.profile.blank.is_empty() || rules.found;
    if left == right && !asked {
        return None;
    }
    let Some(layout) = Layout::of(before, a) else {
        return (left != right).then(|| "the pixels changed".to_owned());
    };
    let used = layout.bytes().unwrap_or(usize::MAX).min(left.len());
    let (Some(left), Some(right)) = (left.get(..used), right.get(..used)) else {
        return Some("there are fewer pixels than before".to_owned());
    };
    match asked {
        false => (!layout.same(left, right)).then(|| "the pixels changed".to_owned()),
        true => blanked(&layout, left, right, &regions(before, rules), rules.found),
    }
}

/// A region of every frame: columns and rows, the ends left out.
type Region = [usize; 4];

/// What was to be blanked: rectangles, or all but rectangles.
struct Regions {
    inside: Vec<Region>,
    /// Where the ultrasound's own regions lie, if all else was to go.
    only: Option<Vec<Region>>,
}

impl Regions {
    /// Whether a pixel was to be blanked.
    fn hold(&self, x: usize, y: usize) -> bool {
        let within = |region: &Region| {
            (region[0]..region[2]).contains(&x) && (region[1]..region[3]).contains(&y)
        };
        self.inside.iter().any(within)
            || self
                .only
                .as_ref()
                .is_some_and(|only| !only.iter().any(within))
    }
}

fn regions(before: &Walked<'_>, rules: &Rules) -> Regions {
    let mut regions = Regions {
        inside: Vec::new(),
        only: None,
    };
    for blank in &rules.profile.blank {
        match *blank {
            Blank::Rectangle { x, y, w, h } => {
                let [x, y, w, h] = [x, y, w, h].map(|n| n as usize);
                regions.inside.push([x, y, x + w, y + h]);
            }
            Blank::OutsideUltrasoundRegions => regions.only = Some(ultrasound(before)),
        }
    }
    regions
}

/// The regions of Sequence of Ultrasound Regions (0018,6011).
fn ultrasound(walked: &Walked<'_>) -> Vec<Region> {
    let corner = |item: usize, tag: u32| {
        let span = walked.spans.iter().find(|span| {
            span.parent as usize == item && span.tag == tag && span.kind == Kind::Value
        })?;
        let bytes = *walked.value(span).first_chunk()?;
        Some(match span.big {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        } as usize)
    };
    let items = walked.spans.iter().enumerate().filter(|(_, span)| {
        let parent = walked.spans.get(span.parent as usize);
        span.kind == Kind::Item && parent.is_some_and(|parent| parent.tag == 0x0018_6011)
    });
    items
        .take(64)
        .filter_map(|(item, _)| {
            Some([
                corner(item, 0x0018_6018)?,
                corner(item, 0x0018_601a)?,
                corner(item, 0x0018_601c)? + 1,
                corner(item, 0x0018_601e)? + 1,
            ])
        })
        .collect()
}

/// Pixels outside of the regions are as before, those inside have one value. Where regions were found by looking, it is
/// not known where they lie: then what changed has one value.
fn blanked(
    layout: &Layout,
    left: &[u8],
    right: &[u8],
    regions: &Regions,
    found: bool,
) -> Option<String> {
    let Layout {
        rows,
        columns,
        samples,
        width,
        planar,
        ..
    } = *layout;
    let (mut missed, mut changed) = (0_u64, 0_u64);
    let mut value: Vec<Option<Vec<u8>>> = vec![None; samples];
    let total = left.len() / width;
    for sample in 0..total {
        let (pixel, kind) = match planar {
            true => {
                let plane = rows * columns;
                (sample % plane, sample / plane % samples)
            }
            false => (sample / samples % (rows * columns), sample % samples),
        };
        let at = sample * width..(sample + 1) * width;
        let (a, b) = (&left[at.clone()], &right[at]);
        let inside = regions.hold(pixel % columns, pixel / columns);
        let same = layout.same(a, b);
        if !inside && (same || !found) {
            changed += u64::from(!same);
            continue;
        }
        let first = value[kind].get_or_insert_with(|| b.to_vec());
        match (first.as_slice() == b, inside) {
            (true, _) => {}
            (false, true) => missed += 1,
            (false, false) => changed += 1,
        }
    }
    match (missed, changed) {
        (0, 0) => None,
        (0, _) => Some(format!(
            "{changed} samples changed outside of what was to be blanked"
        )),
        (missed, _) => Some(format!("{missed} samples that were to be blanked are not")),
    }
}

/// Pixels that were compressed before: they are decoded (the one thing that the check shares with the de-identification;
/// the decoders have judges of their own).
fn decoded(
    raw: [&[u8]; 2],
    after: &Walked<'_>,
    b: &Span,
    rules: &Rules,
    note: &mut dyn FnMut(String),
) -> Option<String> {
    let unread = |why: crate::Error| format!("pixels that were compressed: {why}");
    let read = |bytes| {
        let file = file::read(bytes)?;
        let format = Format::of(&file.data_set, file.order())?;
        Ok((file, format))
    };
    let (before, format) = match read(raw[0]) {
        Ok(read) => read,
        Err(why) => {
            note(unread(why));
            return None;
        }
    };
    let regions = Walked::of(raw[0]);
    let regions = self::regions(&regions, rules);
    let layout = Layout::of(after, b)?;
    let right = after.value(b);
    let size = format.frame_bytes();
    if right.len() < size.saturating_mul(format.frames) || layout.width != format.width() {
        return Some("there are fewer pixels than before".to_owned());
    }
    let single = Layout {
        frames: 1,
        ..layout
    };
    for number in 0..format.frames {
        let frame = match frame::decode(&before, &format, number) {
            Ok(frame) => frame,
            Err(why) => {
                note(unread(why));
                return None;
            }
        };
        let right = &right[number * size..(number + 1) * size];
        let why = blanked(&single, &frame.bytes, right, &regions, rules.found);
        if why.is_some() {
            return why;
        }
    }
    None
}
