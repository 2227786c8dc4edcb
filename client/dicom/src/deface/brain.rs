//! The brain in a head: the largest piece of tissue once the edges of tissue are taken away, as bone parts it from the scalp.

use super::grid::{Grid, STEP};

/// Hounsfield units of brain, blood and the fluid around them.
const TISSUE: std::ops::RangeInclusive<f32> = 0.0..=100.0;
/// How many layers of voxels are taken away, and put back, until the brain stands alone: nerves, vessels and the spinal cord go
/// through bone.
const LAYERS: std::ops::RangeInclusive<usize> = 2..=6;
/// The most millimetres of a brain from side to side, from front to back and from below to its top.
const EXTENT: [f64; 3] = [180.0, 215.0, 160.0];
/// Millilitres of a brain, from a newborn's on.
const VOLUME: std::ops::RangeInclusive<f64> = 250.0..=2400.0;

/// Square millimetres of the brain at the edge of the slices, from which on it goes on beyond them.
const SECTION: f64 = 1500.0;

/// The voxels of the brain, one layer wider than they are, since more is better here than less.
///
/// # Errors
/// There is none, or nothing of its size.
pub(super) fn brain(grid: &Grid) -> Result<Vec<bool>, &'static str> {
    let head = grid.head();
    let within = head.iter().zip(&grid.values).filter(|(head, _)| **head);
    let within: Vec<f32> = within.map(|(_, value)| *value).collect();
    if within.is_empty() {
        return Err("it shows no body");
    }
    let tissue: Vec<bool> = match grid.units {
        true => grid
            .values
            .iter()
            .map(|value| TISSUE.contains(value))
            .collect(),
        // Bone has no signal in MR.
        false => head,
    };
    let mut core = tissue.clone();
    let mut found = None;
    for layer in 1..=*LAYERS.end() {
        core = eroded(grid, &core);
        if !LAYERS.contains(&layer) {
            continue;
        }
        let mut piece = largest(grid, &core);
        for _ in 0..layer {
            piece = dilated(grid, &piece);
            let both = piece.iter_mut().zip(&tissue);
            both.for_each(|(inside, tissue)| *inside &= tissue);
        }
        let extent = extent(grid, &piece);
        if (0..3).all(|axis| extent[axis] <= EXTENT[axis]) {
            found = Some(piece);
            break;
        }
    }
    let found = found.ok_or("the brain was not told from what is around it")?;
    let volume = found.iter().filter(|inside| **inside).count() as f64 * STEP.powi(3) / 1e3;
    if !VOLUME.contains(&volume) {
        return Err("no brain was found in it");
    }
    // A slab through the middle of the brain ends at the edges of the grid.
    let edge = found.iter().enumerate();
    let edge = edge.filter(|(at, inside)| **inside && grid.is_edge(*at));
    if edge.count() as f64 * STEP.powi(2) > SECTION {
        return Err("the brain is not whole in it");
    }
    Ok(dilated(grid, &found))
}

/// From one end of a mask to the other, along each axis, in millimetres.
fn extent(grid: &Grid, mask: &[bool]) -> [f64; 3] {
    let none = [(f64::INFINITY, f64::NEG_INFINITY); 3];
    let ends = grid.places(mask).fold(none, |ends, place| {
        [0, 1, 2].map(|n| (ends[n].0.min(place[n]), ends[n].1.max(place[n])))
    });
    ends.map(|(least, most)| most - least)
}

fn eroded(grid: &Grid, mask: &[bool]) -> Vec<bool> {
    let stays = |at: usize| mask[at] && grid.neighbours(at).all(|next| mask[next]);
    (0..mask.len()).map(stays).collect()
}

fn dilated(grid: &Grid, mask: &[bool]) -> Vec<bool> {
    let comes = |at: usize| mask[at] || grid.neighbours(at).any(|next| mask[next]);
    (0..mask.len()).map(comes).collect()
}

/// The largest piece of a mask.
fn largest(grid: &Grid, mask: &[bool]) -> Vec<bool> {
    let mut left = mask.to_vec();
    let mut best: Vec<usize> = Vec::new();
    for start in 0..mask.len() {
        if !std::mem::take(&mut left[start]) {
            continue;
        }
        let mut piece = vec![start];
        let mut done = 0;
        while let Some(at) = piece.get(done).copied() {
            done += 1;
            for next in grid.neighbours(at) {
                if std::mem::take(&mut left[next]) {
                    piece.push(next);
                }
            }
        }
        if piece.len() > best.len() {
            best = piece;
        }
    }
    let mut found = vec![false; mask.len()];
    best.into_iter().for_each(|at| found[at] = true);
    found
}
