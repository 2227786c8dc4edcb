//! Faces in series of heads (CT, MR): a plane that has the brain behind it and the face before it, found by thresholds.
//!
//! Experimental. A head's tissue is distinguished from bone and air by thresholds, its brain by what stays together when the edges of
//! tissue are taken away, and the plane touches a margin around it from below and before (after quickshear: Schimke, Kuehler
//! and Hale, 2011). A series in which no brain is found is refused: whether there is a face in it is not known. Ears, the back
//! of the head and what lies behind the plane stay.

mod brain;
mod grid;
mod slice;

pub use slice::{Placement, Slice, Wanted, wanted};

use brain::brain;
use grid::Grid;

/// The least slices of a series.
const SLICES_MIN: usize = 16;
/// The most slices that are looked at.
const SLICES_MAX: usize = 4096;
/// Millimetres between the brain and the plane, beside two voxels of the grid.
const MARGIN: f64 = 5.0;
/// Degrees below the horizontal to which the plane's normal may point, from the front.
const ANGLES: std::ops::RangeInclusive<u32> = 25..=55;
/// Millimetres from the top of the head in which what is cut is counted, to choose among the planes.
const HEAD: f64 = 220.0;

/// A plane in the patient's coordinates (PS3.3 §C.7.6.2.1.1): what lies before it is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Cut {
    /// The direction to what is cut, in millionths: to the left, to the back, to the head.
    pub normal: [i32; 3],
    /// The distance of the plane from the origin in that direction, in micrometres.
    pub distance: i64,
}

impl Cut {
    /// Checks whether a place, in millimetres, lies before the plane.
    #[must_use]
    pub fn takes(&self, place: [f64; 3]) -> bool {
        let along: f64 = (0..3).map(|n| f64::from(self.normal[n]) * place[n]).sum();
        along / 1e3 > self.distance as f64
    }
}

/// Finds the plane for the slices of one series.
///
/// # Errors
/// Why there is none: too few slices, slices that do not belong together, or no brain.
pub fn cut(slices: &[Slice]) -> Result<Cut, &'static str> {
    if slices.len() < SLICES_MIN {
        return Err("the series has too few slices");
    }
    if slices.len() > SLICES_MAX {
        return Err("the series has more slices than are looked at");
    }
    let grid = Grid::of(slices)?;
    let brain = brain(&grid)?;
    let head = grid.head();
    let top = grid.places(&head).map(|place| place[2]);
    let top = top.fold(f64::NEG_INFINITY, f64::max);
    let best = ANGLES.step_by(5).map(|degrees| {
        let (down, front) = f64::from(degrees).to_radians().sin_cos();
        let normal = [0.0, -front, -down];
        let along = |place: [f64; 3]| normal[1] * place[1] + normal[2] * place[2];
        let edge = grid.places(&brain).map(along);
        // A voxel of the grid reaches half its width beyond its middle.
        let edge = edge.fold(f64::NEG_INFINITY, f64::max) + MARGIN + grid::STEP;
        let taken = grid
            .places(&head)
            .filter(|place| place[2] > top - HEAD && along(*place) > edge);
        (taken.count(), normal, edge)
    });
    let best = best.max_by_key(|(taken, ..)| *taken);
    let (taken, normal, edge) = best.ok_or("no plane was tried")?;
    if taken == 0 {
        return Err("no face lies before the brain");
    }
    Ok(Cut {
        normal: normal.map(|n| (n * 1e6).round() as i32),
        distance: (edge * 1e3).ceil() as i64,
    })
}
