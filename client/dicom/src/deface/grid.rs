//! The slices of a series on a grid of cubes, whose axes are the patient's.

use super::slice::Slice;

/// Millimetres from a voxel to the next.
pub(super) const STEP: f64 = 3.0;
/// The most voxels along an axis.
const SIDE_MAX: usize = 400;
/// Millimetres from a slice to the next that are bridged.
const GAP_MAX: f64 = 10.0;
/// From here on a value of CT is of a body, not of air.
const AIR: f32 = -300.0;

/// A grid of values; outside of the slices there is air.
pub(super) struct Grid {
    pub(super) size: [usize; 3],
    corner: [f64; 3],
    pub(super) values: Vec<f32>,
    /// Values are Hounsfield units.
    pub(super) units: bool,
    /// What parts a body from air.
    air: f32,
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

impl Grid {
    /// Lays the slices on a grid.
    ///
    /// # Errors
    /// Slices of several directions, or too far from one another.
    pub(super) fn of(slices: &[Slice]) -> Result<Self, &'static str> {
        let first = &slices[0];
        let (a, b) = (first.place.across, first.place.down);
        let normal = [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ];
        let length = dot(normal, normal).sqrt();
        let normal = normal.map(|n| n / length);
        let near = |a: [f64; 3], b: [f64; 3]| (0..3).all(|n| (a[n] - b[n]).abs() < 1e-3);
        let alike = slices.iter().all(|slice| {
            near(slice.place.across, a)
                && near(slice.place.down, b)
                && (slice.rows, slice.columns) == (first.rows, first.columns)
                && slice.units == first.units
        });
        if !alike {
            return Err("its slices are of several directions or sizes");
        }
        let mut sorted: Vec<(f64, &Slice)> = slices
            .iter()
            .map(|slice| (dot(slice.place.at(0.0, 0.0), normal), slice))
            .collect();
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let gap = sorted.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let gap = gap.fold(0.0, f64::max);
        if gap > GAP_MAX {
            return Err("its slices lie too far from one another");
        }
        let (mut least, mut most) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for (_, slice) in &sorted {
            let (rows, columns) = ((slice.rows - 1) as f64, (slice.columns - 1) as f64);
            for (row, column) in [(0.0, 0.0), (rows, 0.0), (0.0, columns), (rows, columns)] {
                let place = slice.place.at(row, column);
                for axis in 0..3 {
                    least[axis] = least[axis].min(place[axis]);
                    most[axis] = most[axis].max(place[axis]);
                }
            }
        }
        let size = [0, 1, 2].map(|axis| ((most[axis] - least[axis]) / STEP) as usize + 1);
        if size.iter().any(|side| *side > SIDE_MAX) {
            return Err("it reaches further than a head does");
        }
        let empty = match first.units {
            true => -1000.0,
            false => sorted
                .iter()
                .flat_map(|(_, slice)| &slice.values)
                .copied()
                .fold(f32::MAX, f32::min),
        };
        let mut grid = Self {
            size,
            corner: least,
            values: vec![empty; size.iter().product()],
            units: first.units,
            air: AIR,
        };
        let (across, down) = (dot(a, a), dot(b, b));
        for at in 0..grid.values.len() {
            let place = grid.place(at);
            let along = dot(place, normal);
            let next = sorted.partition_point(|(distance, _)| *distance < along);
            let close = [next.checked_sub(1), Some(next)].into_iter().flatten();
            let close = close.filter_map(|n| sorted.get(n));
            let Some((distance, slice)) =
                close.min_by(|a, b| (a.0 - along).abs().total_cmp(&(b.0 - along).abs()))
            else {
                continue;
            };
            if (distance - along).abs() > gap.max(STEP) {
                continue;
            }
            let origin = slice.place.at(0.0, 0.0);
            let from = [0, 1, 2].map(|n| place[n] - origin[n]);
            let (column, row) = (
                (dot(from, a) / across).round(),
                (dot(from, b) / down).round(),
            );
            let inside = (0.0..slice.columns as f64).contains(&column)
                && (0.0..slice.rows as f64).contains(&row);
            if inside {
                grid.values[at] = slice.values[row as usize * slice.columns + column as usize];
            }
        }
        if !grid.units {
            grid.air = parting(&grid.values);
        }
        Ok(grid)
    }

    /// The middle of a voxel.
    fn place(&self, at: usize) -> [f64; 3] {
        let [x, y, _] = self.size;
        let steps = [at % x, at / x % y, at / (x * y)];
        [0, 1, 2].map(|n| self.corner[n] + steps[n] as f64 * STEP)
    }

    /// The places of the voxels of a mask.
    pub(super) fn places<'a>(&'a self, mask: &'a [bool]) -> impl Iterator<Item = [f64; 3]> + 'a {
        let inside = mask.iter().enumerate().filter(|(_, inside)| **inside);
        inside.map(|(at, _)| self.place(at))
    }

    /// The voxels that are not air.
    pub(super) fn head(&self) -> Vec<bool> {
        self.values.iter().map(|value| *value > self.air).collect()
    }

    /// The neighbours of a voxel that are in the grid.
    pub(super) fn neighbours(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let [x, y, z] = self.size;
        let steps = [(at % x, x, 1), (at / x % y, y, x), (at / (x * y), z, x * y)];
        steps.into_iter().flat_map(move |(step, size, width)| {
            let before = (step > 0).then(|| at - width);
            let behind = (step + 1 < size).then(|| at + width);
            before.into_iter().chain(behind)
        })
    }

    /// Checks whether a voxel lies at the edge of the grid.
    pub(super) fn is_edge(&self, at: usize) -> bool {
        self.neighbours(at).count() < 6
    }
}

/// The value that parts values into two kinds best (Otsu).
pub(super) fn parting(values: &[f32]) -> f32 {
    let (least, most) = values
        .iter()
        .fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    let width = (most - least).max(f32::MIN_POSITIVE) / 256.0;
    let mut counts = [0_u64; 256];
    for value in values {
        counts[(((value - least) / width) as usize).min(255)] += 1;
    }
    let weigh = |range: std::ops::Range<usize>| {
        let all: u64 = counts[range.clone()].iter().sum();
        let sum: f64 = range.map(|n| n as f64 * counts[n] as f64).sum();
        (all as f64, sum)
    };
    let spread = |level: usize| {
        let ((below, low), (above, high)) = (weigh(0..level), weigh(level..256));
        match below > 0.0 && above > 0.0 {
            true => below * above * (low / below - high / above).powi(2),
            false => 0.0,
        }
    };
    let best = (1..256).max_by(|a, b| spread(*a).total_cmp(&spread(*b)));
    least + width * best.unwrap_or(128) as f32
}
