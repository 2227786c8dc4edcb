//! From the network's map to boxes: regions of likely text, each grown by what binarization took away from its sides.

use crate::view::Picture;

/// A pixel of the map counts as text from here on.
const LIKELY: f32 = 0.3;
/// A region counts if its pixels are text on average by this much.
const SURE: f32 = 0.6;
/// The least pixels of a region.
const PIXELS_MIN: usize = 9;
/// The most pixels of the picture that a region is wide where it is narrowest, which is a part of a letter's height: what is
/// wider is a body.
const NARROW: f64 = 70.0;
/// A region that is narrower than this many pixels of the picture is a line, and no letters.
const THIN: f64 = 1.5;
/// The least length of a word over its width. A region that is shorter is a letter of a word if it stands beside a region that is
/// about as large, and otherwise taken for a part of the body, which a letter that stands alone may be, too.
const WORD: f64 = 3.0;
/// By how many times two letters of one word differ in size at most.
const LIKE: f64 = 2.0;
/// By how many times area over perimeter a region's sides grow (the ratio that the network was trained to be read with).
const GROWTH: f32 = 1.6;
/// By how many times its width a word grows at both ends: by a letter, which the network takes for a part of the ground more often
/// there than between two others.
const ENDS: f64 = 4.0;

/// A box around text, in pixels of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct TextBox {
    /// Left column.
    pub x: u32,
    /// Upper row.
    pub y: u32,
    /// Width.
    pub w: u32,
    /// Height.
    pub h: u32,
}

impl TextBox {
    fn right(self) -> u32 {
        self.x + self.w
    }

    fn lower(self) -> u32 {
        self.y + self.h
    }

    /// Checks whether two boxes share a pixel.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.lower()
            && other.y < self.lower()
    }

    /// Checks whether two boxes share pixels, and less than half of either.
    fn stands_beside(self, other: Self) -> bool {
        let shared = |from: u32, end: u32, start: u32, stop: u32| {
            u64::from(end.min(stop).saturating_sub(from.max(start)))
        };
        let area = |one: Self| u64::from(one.w) * u64::from(one.h);
        let both = shared(self.x, self.right(), other.x, other.right())
            * shared(self.y, self.lower(), other.y, other.lower());
        both > 0 && 2 * both < area(self).min(area(other))
    }

    /// Returns the box with this much more at both ends of its longer side, within a picture of this width and height.
    fn lengthened(self, by: u32, [width, height]: [u32; 2]) -> Self {
        let grown = |from: u32, end: u32, most: u32| {
            let start = from.saturating_sub(by);
            (
                start,
                end.saturating_add(by).min(most).saturating_sub(start),
            )
        };
        let mut longer = self;
        if self.w >= self.h {
            (longer.x, longer.w) = grown(self.x, self.right(), width);
        } else {
            (longer.y, longer.h) = grown(self.y, self.lower(), height);
        }
        longer
    }

    /// Returns the place in a picture of this width of a box that was found in the picture [`turned`].
    pub(super) fn turned_back(self, width: u32) -> Self {
        Self {
            x: width.saturating_sub(self.lower()),
            y: self.x,
            w: self.h,
            h: self.w,
        }
    }

    fn with(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        Self {
            x,
            y,
            w: self.right().max(other.right()) - x,
            h: self.lower().max(other.lower()) - y,
        }
    }
}

/// A region of a map.
pub(super) struct Region {
    /// Left, upper, right and lower edge of its box, in pixels of the map.
    pub(super) edges: [f32; 4],
    /// Its width where it is narrowest, in pixels of the picture.
    pub(super) narrow: f64,
    /// False if it is text only if it stands beside another.
    pub(super) is_word: bool,
}

/// Finds the regions of a map of this width, which is this many times as large as the picture.
pub(super) fn of_map(map: &[f32], width: usize, times: usize) -> Vec<Region> {
    let height = map.len() / width.max(1);
    let mut seen = vec![false; map.len()];
    let (mut found, mut open) = (Vec::new(), Vec::new());
    for start in 0..width * height {
        if seen[start] || map[start] < LIKELY {
            continue;
        }
        seen[start] = true;
        open.push(start);
        let (mut left, mut right, mut upper, mut lower) = (width, 0, height, 0);
        let (mut sum, mut count) = (0.0_f32, 0_usize);
        let mut spread = Spread::default();
        while let Some(at) = open.pop() {
            let (x, y) = (at % width, at / width);
            (left, right) = (left.min(x), right.max(x));
            (upper, lower) = (upper.min(y), lower.max(y));
            sum += map[at];
            count += 1;
            spread.add(x as f64, y as f64);
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                (y > 0).then(|| at - width),
                (y + 1 < height).then(|| at + width),
            ];
            for next in beside.into_iter().flatten() {
                if !seen[next] && map[next] >= LIKELY {
                    seen[next] = true;
                    open.push(next);
                }
            }
        }
        let [long, narrow] = spread.axes().map(|length| length / times as f64);
        let faint = count < PIXELS_MIN || sum / (count as f32) < SURE;
        if faint || !(THIN..=NARROW).contains(&narrow) {
            continue;
        }
        let (w, h) = ((right - left + 1) as f32, (lower - upper + 1) as f32);
        let by = (w * h * GROWTH / (2.0 * (w + h))).max(1.0);
        let (x, y) = (left as f32 - by, upper as f32 - by);
        found.push(Region {
            edges: [x, y, right as f32 + 1.0 + by, lower as f32 + 1.0 + by],
            narrow,
            is_word: long >= WORD * narrow,
        });
    }
    found
}

/// How the pixels of a region lie.
#[derive(Default)]
struct Spread {
    count: f64,
    sums: [f64; 2],
    squares: [f64; 3],
}

impl Spread {
    fn add(&mut self, x: f64, y: f64) {
        self.count += 1.0;
        self.sums = [self.sums[0] + x, self.sums[1] + y];
        let [xx, yy, xy] = self.squares;
        self.squares = [xx + x * x, yy + y * y, xy + x * y];
    }

    /// The sides of the region, the longer one first, if it were a rectangle at whatever angle.
    fn axes(&self) -> [f64; 2] {
        let [x, y] = self.sums.map(|sum| sum / self.count);
        let [xx, yy, xy] = self.squares.map(|sum| sum / self.count);
        let (xx, yy, xy) = (xx - x * x, yy - y * y, xy - x * y);
        let (middle, apart) = ((xx + yy) / 2.0, ((xx - yy).powi(2) / 4.0 + xy * xy).sqrt());
        [middle + apart, middle - apart].map(|variance| (12.0 * variance.max(0.0)).sqrt())
    }
}

/// A region in the picture.
#[derive(Clone, Copy)]
pub(super) struct Spot {
    pub(super) place: TextBox,
    pub(super) narrow: f64,
    pub(super) is_word: bool,
}

/// Returns the boxes of words, and of letters that stand beside one of their size (not themselves as another tile shows them), in
/// a picture of this width and height.
pub(super) fn words(found: &[Spot], size: [u32; 2]) -> Vec<TextBox> {
    let alike = |one: &Spot, other: &Spot| {
        one.narrow.max(other.narrow) <= LIKE * one.narrow.min(other.narrow)
            && other.place.stands_beside(one.place)
    };
    let kept = found.iter().filter_map(|one| {
        if one.is_word {
            return Some(one.place.lengthened((ENDS * one.narrow) as u32, size));
        }
        let is_letter = found.iter().any(|other| alike(one, other));
        is_letter.then_some(one.place)
    });
    kept.collect()
}

/// Turns a picture by a quarter, against the clock: its right edge becomes the upper one.
pub(super) fn turned(picture: &Picture) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let samples = if picture.is_colour() { 3 } else { 1 };
    let pixels: Vec<u8> = (0..width)
        .rev()
        .flat_map(|x| (0..height).map(move |y| samples * (y * width + x)))
        .flat_map(|at| &picture.pixels()[at..at + samples])
        .copied()
        .collect();
    match samples {
        3 => Picture::of_rgb(height, width, pixels),
        _ => Picture::of_grey(height, width, pixels),
    }
}

/// Makes one box of those that share pixels.
pub(super) fn merged(mut boxes: Vec<TextBox>) -> Vec<TextBox> {
    boxes.sort_unstable();
    boxes.dedup();
    let mut whole: Vec<TextBox> = Vec::new();
    for mut one in boxes {
        // A grown box may meet others that it did not meet before.
        while let Some(at) = whole.iter().position(|other| other.meets(one)) {
            one = one.with(whole.swap_remove(at));
        }
        whole.push(one);
    }
    whole.sort_unstable_by_key(|one| (one.y, one.x));
    whole
}

/// Draws boxes over a picture: a line of two pixels around each, red or white.
#[must_use]
pub fn framed(picture: &Picture, boxes: &[TextBox]) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    let samples = if picture.is_colour() { 3 } else { 1 };
    let spread = |pixel: &[u8]| match *pixel {
        [red, green, blue] => [red, green, blue],
        _ => [pixel[0]; 3],
    };
    let mut pixels: Vec<u8> = picture
        .pixels()
        .chunks_exact(samples)
        .flat_map(spread)
        .collect();
    for one in boxes {
        let [left, upper] = [one.x, one.y].map(|n| n as usize);
        let right = (one.right() as usize).min(width);
        let lower = (one.lower() as usize).min(height);
        for y in upper..lower {
            for x in left..right {
                let edge = x < left + 2 || x + 2 >= right || y < upper + 2 || y + 2 >= lower;
                if edge {
                    let at = 3 * (y * width + x);
                    pixels[at..at + 3].copy_from_slice(&[255, 0, 0]);
                }
            }
        }
    }
    Picture::of_rgb(width, height, pixels)
}
