//! `pcim-dev demo --json`: the document, the steps, the files of others.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use pcim_tests::program::{Run, names};

use crate::pcim_dev;
/// The image, the program's own.
const IMAGE: &[u8] = include_bytes!("../../../../client/cli/assets/demo.dcm");
/// The chain's id.
const CHAIN_ID: u64 = 412_346;

/// Who does what on the chain, in the order of Figures 4 to 9, and the events of each transaction.
const ON_CHAIN: [(&str, &str, &[&str]); 11] = [
    ("consortium", "deploy the contract", &[]),
    (
        "consortium",
        "accredit the radiologist",
        &["RadiologistAccredited"],
    ),
    (
        "patient",
        "verify and register the image",
        &["ContractCreated"],
    ),
    (
        "requestor-a",
        "request access (TREAT)",
        &["RequestedForApproval"],
    ),
    (
        "requestor-b",
        "request access (HRESCH)",
        &["RequestedForApproval"],
    ),
    (
        "patient",
        "approve requestor-a",
        &["Requestaccepted", "Approved"],
    ),
    ("patient", "deny requestor-b", &["Requestdenied", "Reason"]),
    (
        "requestor-a",
        "trace the authorization",
        &["AuthorizationSuccess"],
    ),
    (
        "requestor-b",
        "trace the authorization",
        &["AuthorizationFailed"],
    ),
    ("patient", "remove requestor-a", &["UserRemoved", "Reason"]),
    (
        "requestor-a",
        "trace the authorization",
        &["AuthorizationFailed"],
    ),
];

/// What everyone does, in order.
const STEPS: [(&str, &str); 17] = [
    ("consortium", "deploy the contract"),
    ("consortium", "accredit the radiologist"),
    ("patient", "give the radiologist a card"),
    ("radiologist", "sign and seal as it is"),
    ("patient", "verify and register the image"),
    ("requestor-a", "request access (TREAT)"),
    ("requestor-b", "request access (HRESCH)"),
    ("patient", "read the requests"),
    ("patient", "approve requestor-a"),
    ("patient", "deny requestor-b"),
    ("requestor-a", "trace the authorization"),
    ("requestor-b", "trace the authorization"),
    ("requestor-a", "fetch and open"),
    ("requestor-b", "fetch is refused"),
    ("patient", "remove requestor-a"),
    ("requestor-a", "trace the authorization"),
    ("requestor-a", "fetch is refused"),
];

fn demo(args: &[&str]) -> Run {
    Run::of(pcim_dev().args(["--json", "demo"]).args(args))
}

fn fields(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

#[test]
fn the_document_tells_the_whole_story() {
    let kept = tempfile::tempdir().unwrap();
    let dir = kept.path().join("kept");
    let told = demo(&["--no-deid", "--keep", dir.to_str().unwrap()]).json();
    let mut wanted = [
        "chain_id",
        "contract",
        "image",
        "image_digest",
        "original_sha256",
        "opened_sha256",
        "steps",
    ];
    let mut found = fields(&told);
    wanted.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(told["chain_id"], CHAIN_ID);
    assert_eq!(told["image"], "demo.dcm");
    assert_eq!(told["original_sha256"], sha256(IMAGE));
    assert_eq!(told["opened_sha256"], told["original_sha256"]);
    assert_eq!(fs::read(dir.join("opened-by-a")).unwrap(), IMAGE);

    let steps = told["steps"].as_array().unwrap();
    let who_what = |step: &Value| {
        let text = |name: &str| step[name].as_str().unwrap().to_owned();
        (text("actor"), text("action"))
    };
    let found: Vec<_> = steps.iter().map(who_what).collect();
    assert_eq!(
        found,
        STEPS.map(|(who, what)| (who.to_owned(), what.to_owned()))
    );

    let mut on_chain = Vec::new();
    for step in steps {
        let mut found = fields(step);
        found.sort_unstable();
        assert_eq!(
            found,
            ["action", "actor", "events", "gas_used", "millis", "tx"]
        );
        assert!(step["millis"].is_u64(), "{step}");
        let events = step["events"].as_array().unwrap();
        if step["tx"].is_null() {
            assert!(step["gas_used"].is_null() && events.is_empty(), "{step}");
            continue;
        }
        assert_eq!(step["tx"].as_str().unwrap().len(), 66, "{step}");
        assert!(step["gas_used"].as_u64().unwrap() > 21_000, "{step}");
        let names: Vec<_> = events
            .iter()
            .map(|it| it["event"].as_str().unwrap().to_owned())
            .collect();
        let (who, what) = who_what(step);
        on_chain.push((who, what, names));
    }
    let wanted = ON_CHAIN.map(|(who, what, events)| {
        let events: Vec<_> = events.iter().map(|name| (*name).to_owned()).collect();
        (who.to_owned(), what.to_owned(), events)
    });
    assert_eq!(on_chain, wanted);

    // What is kept can be gone on with, and another demo does not go there.
    for name in [
        "chain",
        "patient",
        "requestor-a",
        "passphrase",
        "patient.card",
        "handover.pgp",
    ] {
        assert!(dir.join(name).exists(), "{name}");
    }
    assert!(!names(&dir).iter().any(|name| name.starts_with("refused")));
    demo(&["--keep", dir.to_str().unwrap()]).refused(2, "is not empty");
}

#[test]
fn de_identification_is_the_default() {
    let told = demo(&[]).json();
    assert_eq!(told["original_sha256"], sha256(IMAGE));
    assert_ne!(told["opened_sha256"], told["original_sha256"]);
    let seal = &told["steps"][3];
    assert_eq!(seal["action"], "de-identify, sign and seal");
}

#[test]
fn people_read_a_timeline() {
    let run = Run::of(pcim_dev().arg("demo"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    for text in [
        "who ",
        "transaction",
        "gas",
        "ms",
        "fetch is refused",
        "where the time went",
        "de-identified",
        "exit code 4",
    ] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("0x0000000000000000"), "{}", run.stdout);
}

#[test]
fn a_bad_image_ends_the_demo() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.dcm");
    fs::write(&path, &IMAGE[..3000]).unwrap();
    demo(&["--image", path.to_str().unwrap()]).refused(1, "cut short or malformed");
}

/// Real files of three modalities, if a Python that has them is named.
#[test]
fn the_images_of_pydicom_data() {
    let Some(python) = std::env::var_os("PCIM_TEST_PYTHON") else {
        eprintln!("skipped: PCIM_TEST_PYTHON names no Python that has pydicom and pydicom-data");
        return;
    };
    let script = "import sys; from pydicom.data import get_testdata_file\n\
                  for n in sys.argv[1:]: print(get_testdata_file(n, download=False) or '')";
    let files = ["693_UNCI.dcm", "MR2_J2KR.dcm", "US1_UNCR.dcm"];
    let found = Command::new(&python)
        .args(["-c", script])
        .args(files)
        .output();
    let found = match found {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
        Ok(output) => {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            eprintln!("skipped: PCIM_TEST_PYTHON: {why}");
            return;
        }
        Err(error) => {
            eprintln!("skipped: PCIM_TEST_PYTHON: {error}");
            return;
        }
    };
    let paths: Vec<_> = found.lines().collect();
    for (path, name) in paths.iter().zip(files) {
        assert!(
            Path::new(path).is_file(),
            "{name} is not in pydicom-data: `{path}`"
        );
        let original = sha256(&fs::read(path).unwrap());
        let run = demo(&["--image", path]);
        let told = run.json();
        assert_eq!(told["original_sha256"], *original, "{name}");
        assert_ne!(told["opened_sha256"], *original, "{name}");
        let told = demo(&["--no-deid", "--image", path]).json();
        assert_eq!(told["opened_sha256"], *original, "{name}");
    }
    assert_eq!(paths.len(), files.len());
    // They are of different patients: never one image.
    let args: Vec<_> = paths.iter().flat_map(|path| ["--image", path]).collect();
    demo(&args).refused(1, "of different patients");
}
