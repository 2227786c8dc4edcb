//! The engine's own results: clean, and with a leak put back not clean.

use super::*;
use crate::deid::{Options, deidentify};

#[test]
fn results_of_the_engine_are_clean() {
    let parts = image(
        "1.2.3.6",
        &[
            text(0x0010_0010, b"PN", "Grundmann^Eva"),
            text(0x0010_0020, b"LO", "PID-77120"),
            text(0x0010_0030, b"DA", "19610312"),
            text(0x0008_0020, b"DA", "20200105"),
            text(0x0008_0030, b"TM", "101112"),
            text(0x0008_0050, b"SH", "ACC4711"),
            text(0x0008_0080, b"LO", "Sankt Elsewhere"),
            text(0x0008_0090, b"PN", "Doktor^Wer"),
            text(0x0018_1000, b"LO", "SER-99017"),
            uid(0x0020_000d, "1.2.3.4"),
            uid(0x0020_000e, "1.2.3.5"),
            uid(0x0020_0052, "1.2.3.7"),
            sequence(0x0008_1140, &[item(&[uid(0x0008_1155, "1.2.3.9")])]),
        ],
    );
    for purpose in [Purpose::Care, Purpose::Research] {
        let before = file(&parts);
        let options = Options {
            key: [7; 32],
            profile: purpose.into(),
        };
        let (after, _) = deidentify(&before, &options).unwrap();
        let found = check(purpose, &before, &after);
        assert!(found.is_clean(), "{found}");
        // Held against another purpose's promises it is not.
        if purpose == Purpose::Care {
            let found = check(Purpose::Research, &before, &after);
            assert!(has(&found, Fault::Row, "DeviceSerialNumber"), "{found}");
            assert!(
                found.findings.iter().any(|f| f.place.contains("StudyDate")) || !found.is_clean()
            );
        }
        // Through it again: it changes no byte, and that is no fault.
        let (again, _) = deidentify(&after, &options).unwrap();
        let found = check(purpose, &after, &again);
        assert!(found.is_clean(), "{found}");
        // With other pixels blanked than were asked for.
        let blanked = Options {
            key: [7; 32],
            profile: Profile {
                blank: vec![Blank::Rectangle {
                    x: 0,
                    y: 0,
                    w: 2,
                    h: 2,
                }],
                ..purpose.into()
            },
        };
        let (black, _) = deidentify(&before, &blanked).unwrap();
        let found = check_by(blanked.profile.clone(), &before, &black);
        assert!(found.is_clean(), "{found}");
        assert!(has(
            &check(purpose, &before, &black),
            Fault::Pixels,
            "PixelData"
        ));
    }
}
