//! Help texts.

use pcim_tests::program::Run;

use crate::pcim_dev;

#[test]
fn every_command_explains_itself() {
    for name in ["demo", "gas", "bench", "devnet", "faucet"] {
        let help = Run::of(pcim_dev().args([name, "--help"]));
        assert_eq!((help.code, &*help.stderr), (Some(0), ""), "{help:?}");
        assert!(
            help.stdout.contains(&format!("Usage: pcim-dev {name}")),
            "{help:?}"
        );
        assert!(!help.stdout.starts_with("Usage"), "{help:?}");
    }
    let version = Run::of(pcim_dev().arg("--version"));
    assert_eq!(
        version.stdout.trim(),
        concat!("pcim-dev ", env!("CARGO_PKG_VERSION"))
    );
}
