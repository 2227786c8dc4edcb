//! A head made here, of which it is known what is brain and what is face; and what is cut of it.

use super::*;
use crate::deface::Slice;

const MR: &str = "1.2.840.10008.5.1.4.1.1.4";
/// Pixels of a slice and millimetres between them; the middle of the brain is the origin.
const SIDE: usize = 112;
const SPACING: f64 = 2.25;
/// Slices and millimetres between them.
const SLICES: usize = 80;
const THICKNESS: f64 = 3.0;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Air,
    Scalp,
    Bone,
    Brain,
    Nose,
    Eye,
    Jaw,
    Neck,
}

fn within(place: [f64; 3], middle: [f64; 3], radii: [f64; 3]) -> bool {
    let parts = (0..3).map(|n| ((place[n] - middle[n]) / radii[n]).powi(2));
    parts.sum::<f64>() < 1.0
}

/// What a place in the patient is: to the left, to the back, to the head.
fn part(place: [f64; 3], size: f64) -> Part {
    let place = place.map(|n| n / size);
    let brain = [66.0, 84.0, 64.0];
    let [x, y, z] = place;
    // The spinal cord goes through a hole in the skull.
    let cord =
        within([x, y - 15.0, 0.0], [0.0; 3], [7.0, 7.0, 1.0]) && (-200.0..-40.0).contains(&z);
    if within(place, [0.0; 3], brain) || cord && z > -75.0 {
        return Part::Brain;
    }
    let canal = within([x, y - 15.0, 0.0], [0.0; 3], [12.0, 12.0, 1.0]) && z < -40.0;
    if within(place, [0.0; 3], brain.map(|n| n + 8.0)) && !canal {
        return Part::Bone;
    }
    if within(place, [0.0, -98.0, -52.0], [9.0, 16.0, 20.0]) {
        return Part::Nose;
    }
    if within([x.abs(), y, z], [32.0, -86.0, -42.0], [12.0; 3]) {
        return Part::Eye;
    }
    if within(place, [0.0, -58.0, -100.0], [38.0, 36.0, 22.0]) {
        return match within(place, [0.0, -58.0, -100.0], [32.0, 30.0, 16.0]) {
            true => Part::Bone,
            false => Part::Jaw,
        };
    }
    let face = within(place, [0.0, -40.0, -60.0], [60.0, 58.0, 58.0]);
    if within(place, [0.0; 3], brain.map(|n| n + 15.0)) || face {
        return Part::Scalp;
    }
    let neck = within([x, y - 10.0, 0.0], [0.0; 3], [50.0, 55.0, 1.0]);
    match neck && z < -60.0 {
        true => Part::Neck,
        false => Part::Air,
    }
}

/// How a series is made.
#[derive(Clone, Copy)]
struct Series {
    ct: bool,
    signed: bool,
    size: f64,
    /// Columns, rows and slices: axes of the patient, and their signs.
    axes: [[f64; 3]; 3],
    syntax: &'static str,
}

const AXIAL: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
const SAGITTAL: [[f64; 3]; 3] = [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]];
const TILTED: [[f64; 3]; 3] = [
    [1.0, 0.0, 0.0],
    [0.0, 0.965_925_8, -0.258_819],
    [0.0, 0.258_819, 0.965_925_8],
];

impl Series {
    fn place(&self, slice: usize, row: usize, column: usize) -> [f64; 3] {
        let along = |at: usize, of: usize, step: f64| (at as f64 - (of as f64 - 1.0) / 2.0) * step;
        let steps = [
            along(column, SIDE, SPACING),
            along(row, SIDE, SPACING),
            along(slice, SLICES, THICKNESS),
        ];
        // The face reaches further down than the brain does up.
        let down = [0.0, 0.0, -20.0];
        [0, 1, 2].map(|n| {
            down[n]
                + (0..3)
                    .map(|axis| self.axes[axis][n] * steps[axis])
                    .sum::<f64>()
        })
    }

    fn value(&self, part: Part, noise: i32) -> i16 {
        let (level, wide) = match (self.ct, part) {
            (true, Part::Air) => (-1000, 8),
            (true, Part::Scalp) => (-70, 12),
            (true, Part::Bone) => (950, 60),
            (true, Part::Brain | Part::Eye) => (34, 5),
            (true, Part::Nose | Part::Jaw | Part::Neck) => (48, 8),
            (false, Part::Air) => (12, 6),
            (false, Part::Bone) => (30, 10),
            (false, Part::Brain) => (420, 40),
            (false, Part::Scalp) => (610, 50),
            (false, _) => (350, 40),
        };
        let offset = if self.ct && !self.signed { 1024 } else { 0 };
        (level + noise % wide + offset) as i16
    }

    /// The files, and of each what its pixels are.
    fn made(&self) -> Vec<(Vec<u8>, Vec<Part>)> {
        let mut state = 0x2545_f491_u32;
        let mut noise = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 16) as i32 - 32_768
        };
        (0..SLICES)
            .map(|slice| {
                let pixels = (0..SIDE * SIDE).map(|at| self.place(slice, at / SIDE, at % SIDE));
                let parts: Vec<Part> = pixels.map(|place| part(place, self.size)).collect();
                let values = parts.iter().map(|part| self.value(*part, noise()));
                let values: Vec<u16> = values.map(|value| value as u16).collect();
                let numbers = |all: &[f64]| {
                    let texts = all.iter().map(|n| format!("{n:.6}"));
                    texts.collect::<Vec<_>>().join("\\")
                };
                let [across, down, _] = self.axes;
                let origin = self.place(slice, 0, 0);
                let class = if self.ct { CT } else { MR };
                let instance = format!("1.2.3.4.5.{slice}");
                let image = image_with([
                    element(tags::SOP_CLASS_UID, VR::UI, class),
                    element(tags::SOP_INSTANCE_UID, VR::UI, &instance),
                    element(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.4.6"),
                    element(tags::MODALITY, VR::CS, if self.ct { "CT" } else { "MR" }),
                    element(tags::IMAGE_POSITION_PATIENT, VR::DS, &numbers(&origin)),
                    element(
                        tags::IMAGE_ORIENTATION_PATIENT,
                        VR::DS,
                        &numbers(&[across, down].concat()),
                    ),
                    element(tags::PIXEL_SPACING, VR::DS, &numbers(&[SPACING, SPACING])),
                    element(tags::RESCALE_SLOPE, VR::DS, "1"),
                    element(
                        tags::RESCALE_INTERCEPT,
                        VR::DS,
                        if self.ct && !self.signed {
                            "-1024"
                        } else {
                            "0"
                        },
                    ),
                    number(tags::ROWS, SIDE as u16),
                    number(tags::COLUMNS, SIDE as u16),
                    number(tags::BITS_STORED, 16),
                    number(tags::HIGH_BIT, 15),
                    number(tags::PIXEL_REPRESENTATION, u16::from(self.signed)),
                    InMemElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into())),
                ]);
                (write(image, self.syntax), parts)
            })
            .collect()
    }
}

fn faces<'a>(files: impl Iterator<Item = &'a Vec<u8>>) -> Faces {
    let slices = files.map(|file| Slice::of(file).unwrap().unwrap());
    Faces::of(slices.collect())
}

fn values(file: &[u8]) -> Vec<i64> {
    let file = file::read(file).unwrap();
    let format = crate::format::Format::of(&file.data_set, file.order()).unwrap();
    let frame = crate::frame::decode(&file, &format, 0).unwrap();
    frame.samples().collect()
}

#[test]
fn no_voxel_of_the_brain_changes_and_the_face_goes() {
    let plain = Series {
        ct: true,
        signed: false,
        size: 1.0,
        axes: AXIAL,
        syntax: uids::EXPLICIT_VR_LITTLE_ENDIAN,
    };
    for (name, series) in [
        ("CT", plain),
        (
            "CT with a sign, tilted",
            Series {
                signed: true,
                axes: TILTED,
                ..plain
            },
        ),
        (
            "CT of a child, in big endian",
            Series {
                size: 0.75,
                syntax: "1.2.840.10008.1.2.2",
                ..plain
            },
        ),
        ("MR", Series { ct: false, ..plain }),
        (
            "MR, sagittal",
            Series {
                ct: false,
                axes: SAGITTAL,
                ..plain
            },
        ),
    ] {
        let made = series.made();
        let mut options = options("care");
        options.profile.faces = Some(faces(made.iter().map(|(file, _)| file)));
        let (mut whole, mut cut) = ([0_u32; 8], [0_u32; 8]);
        for (file, parts) in &made {
            let (out, report) = deidentify(file, &options).unwrap();
            assert_eq!(report.frames_defaced, 1);
            let codes: Vec<u32> = report.methods.iter().map(|method| method.code).collect();
            assert!(
                codes.contains(&113_102) && !codes.contains(&113_101),
                "{codes:?}"
            );
            let object = parse(&out);
            let said = value(&object, tags::RECOGNIZABLE_VISUAL_FEATURES);
            assert_eq!(said.as_deref(), Some("NO"));
            let (before, after) = (values(file), values(&out));
            let least = *before.iter().min().unwrap();
            for (part, (before, after)) in parts.iter().zip(before.iter().zip(&after)) {
                whole[*part as usize] += 1;
                cut[*part as usize] += u32::from(before != after);
                assert!(before == after || *after == least);
            }
        }
        let share =
            |part: Part| 100.0 * f64::from(cut[part as usize]) / f64::from(whole[part as usize]);
        println!(
            "{name}: of {} voxels of brain {} changed; nose {:.1} %, eyes {:.1} %, jaw {:.1} %",
            whole[Part::Brain as usize],
            cut[Part::Brain as usize],
            share(Part::Nose),
            share(Part::Eye),
            share(Part::Jaw),
        );
        assert!(whole[Part::Brain as usize] > 40_000);
        assert_eq!(cut[Part::Brain as usize], 0, "{name}");
        // Of an eye's ball the front is enough.
        for (part, least) in [(Part::Nose, 95.0), (Part::Jaw, 95.0), (Part::Eye, 40.0)] {
            assert!(share(part) > least, "{name} {part:?} {}", share(part));
        }
    }
}

#[test]
fn series_without_a_whole_brain_are_refused() {
    let series = Series {
        ct: true,
        signed: false,
        size: 1.0,
        axes: AXIAL,
        syntax: uids::EXPLICIT_VR_LITTLE_ENDIAN,
    };
    let made = series.made();
    let refused = |files: &[(Vec<u8>, Vec<Part>)]| {
        let mut options = options("care");
        options.profile.faces = Some(faces(files.iter().map(|(file, _)| file)));
        match deidentify(&files[0].0, &options) {
            Err(Error::Face { why }) => why,
            other => panic!("{:?}", other.map(|(_, report)| report)),
        }
    };
    // A localizer, a slab through the middle, the neck alone, and a slice that is missing.
    assert_eq!(refused(&made[..3]), "the series has too few slices");
    assert_eq!(refused(&made[40..60]), "the brain is not whole in it");
    let neck = refused(&made[..18]);
    assert!(neck.contains("brain"), "{neck}");
    let holed = [&made[..30], &made[36..]].concat();
    assert_eq!(refused(&holed), "its slices lie too far from one another");
    // A series that nobody looked at, and images of many frames.
    let mut options = options("care");
    options.profile.faces = Some(Faces::default());
    assert!(matches!(
        deidentify(&made[0].0, &options),
        Err(Error::Face { .. })
    ));
    let enhanced = image_with([element(
        tags::SOP_CLASS_UID,
        VR::UI,
        "1.2.840.10008.5.1.4.1.1.2.1",
    )]);
    assert!(matches!(
        deidentify(&explicit(enhanced), &options),
        Err(Error::Face { .. })
    ));
    // Of other kinds files pass, and nothing is claimed.
    let other = image_with([element(
        tags::SOP_CLASS_UID,
        VR::UI,
        "1.2.840.10008.5.1.4.1.1.128",
    )]);
    let (_, report) = deidentify(&explicit(other), &options).unwrap();
    assert!(report.methods.iter().all(|method| method.code != 113_102));
}
