#![allow(clippy::unwrap_used)]

use crate::bench::limits;
use crate::bench::limits::median;
use crate::bench::{BenchReport, Measurement};
use pcim_dicom::deid;
use pcim_dicom::sample::write_instance;

#[test]
fn the_median_is_in_the_middle() {
    assert_eq!(median(&[5.0, 1.0, 3.0]), 3.0);
    assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    assert!(median(&[]).is_nan());
}

#[test]
fn a_sample_is_a_whole_image_of_its_size_and_loses_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("1.dcm");
    write_instance(&path, 1, 87_566).unwrap();
    let file = std::fs::read(&path).unwrap();
    assert_eq!(file.len(), 87_566);
    let (clean, report) = deid::deidentify(
        &file,
        &deid::Options {
            key: [1; 32],
            profile: deid::Profile::default(),
        },
    )
    .unwrap();
    assert_eq!(report.modality.as_deref(), Some("CT"));
    let holds = |bytes: &[u8]| bytes.windows(8).any(|window| window == b"Doe^Jane");
    assert!(holds(&file) && !holds(&clean));
    write_instance(&path, 2, 87_566).unwrap();
    assert_ne!(std::fs::read(&path).unwrap(), file);
}

#[test]
fn the_report_is_the_documented_json_and_a_table() {
    let limits = limits::Limits {
        sha256: 1500.0,
        aes_256_ocb: 4100.0,
        write_fsync: 600.0,
        memcpy: 9000.0,
    };
    let results = vec![Measurement::new("approve_1mb", "ms", vec![9.0, 8.0, 12.5])];
    let report = BenchReport { limits, results };
    let json = serde_json::to_value(&report).unwrap();
    let expected = serde_json::json!({
        "limits": { "sha256": 1500.0, "aes_256_ocb": 4100.0, "write_fsync": 600.0, "memcpy": 9000.0 },
        "results": [{ "name": "approve_1mb", "unit": "ms", "median": 9.0, "runs": [9.0, 8.0, 12.5] }],
    });
    assert_eq!(json, expected);
    let table = report.to_string();
    assert!(
        table.contains("write_fsync") && table.contains("600  MB/s"),
        "{table}"
    );
    assert!(
        table.contains("approve_1mb") && table.contains("9.00 8.00 12.5"),
        "{table}"
    );
}
