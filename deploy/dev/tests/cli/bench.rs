//! `pcim-dev bench`.

use pcim_tests::program::Run;

use crate::pcim_dev;

#[test]
fn the_benchmark_measures_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = pcim_dev();
    command
        .args(["bench", "--json", "--runs", "1", "--dir"])
        .arg(dir.path());
    let run = Run::of(&mut command);
    assert_eq!(run.code, Some(0), "{run:?}");
    let report = run.json();
    for limit in ["sha256", "aes_256_ocb", "write_fsync", "memcpy"] {
        assert!(
            report["limits"][limit].as_f64().unwrap() > 0.0,
            "{limit}: {report}"
        );
    }
    let median = |name: &str| {
        let rows = report["results"].as_array().unwrap();
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(row["runs"].as_array().unwrap().len(), 1, "{row}");
        row["median"].as_f64().unwrap()
    };
    for name in [
        "seal_store_100mb",
        "open_local_100mb",
        "fetch_open_100mb",
        "approve_1mb",
    ] {
        assert!(median(name) > 0.0, "{name}");
    }
    assert!(median("approve_1mb_new_blocks") <= 2048.0, "{report}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let refused = Run::of(pcim_dev().args(["bench", "--runs", "0"]));
    assert_eq!(refused.code, Some(2), "{refused:?}");
}
