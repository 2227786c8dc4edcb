//! Reading by DICOMweb: the patient her own study, a clinic what she approved, and no longer once she ended it.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::gateway::{Gateway, peers};
use crate::program::PATIENCE;
use crate::stage::Stage;

const TOKEN: &str = "r3ader";
const CONFIG: &str = "look_seconds = 1
origins = ['https://viewer.example']
[[token]]
name = 'viewer'
sha256 = '1c73f3b02766dfd970d68de58e2044217b1b4c78e24a0fb3ee6957ea51fcf21f'
may = ['read']
";

impl Gateway {
    /// Asks for a resource as curl does; returns the status and the body.
    fn get(&self, path: &str, more: &[&str]) -> (u16, String) {
        let run = Command::new("curl")
            .args(["-s", "-m", "60", "-w", "\n%{http_code}", "-H"])
            .arg(format!("Authorization: Bearer {TOKEN}"))
            .args(more)
            .arg(format!("{}{path}", self.http))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&run.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// Waits until this many studies can be retrieved.
    fn wait_for(&self, count: usize) -> Vec<Value> {
        let began = Instant::now();
        loop {
            let (status, body) = self.get("/studies", &[]);
            let found: Vec<Value> = serde_json::from_str(&body).unwrap_or_default();
            if found.len() == count {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{status} {body}");
            thread::sleep(Duration::from_millis(300));
        }
    }

    /// Reads with dicomweb-client, if there is a Python that has it.
    fn read_by_client(&self, studies: usize) {
        let Some(python) = std::env::var_os("PCIM_TEST_PYTHON") else {
            println!("skipped: PCIM_TEST_PYTHON names no Python with dicomweb-client");
            return;
        };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/dicomweb.py");
        let run = Command::new(python)
            .arg(script)
            .args([&self.http, TOKEN, &studies.to_string()])
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        print!("{}", String::from_utf8_lossy(&run.stdout));
    }
}

/// A study of four instances, `image`, that its patient has registered: she reads it, and lets the clinic of the stage read it.
pub(crate) fn others_read(stage: &Stage, image: &str, served_at: &[String]) {
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    let config = stage.dir().join("reading.toml");
    std::fs::write(&config, CONFIG).unwrap();

    // Her own: the study, and the image of one file that the stage begins with.
    let hers = Gateway::start(&patient, &config);
    hers.wait_for(2);
    hers.read_by_client(2);

    // The clinic's: the image of one file that it is approved for; then the study, too.
    let all = [served_at, &peers(&patient)].concat();
    clinic.knows_all(&all);
    let theirs = Gateway::start(&clinic, &config);
    theirs.wait_for(1);
    let card = stage.file("patient.card");
    let request = [
        "requestor",
        "request",
        "--patient",
        &card,
        "--image",
        image,
        "--purpose",
        "TREAT",
    ];
    clinic.run(request).json();
    patient.knows_all(&peers(&clinic));
    patient
        .run(["patient", "approve", image, &clinic.address])
        .json();
    let studies = theirs.wait_for(2);
    theirs.read_by_client(2);
    let is_study = |it: &&Value| it["00201208"]["Value"][0] == json!(5);
    let uid = studies.iter().find(is_study).unwrap()["0020000D"]["Value"][0].as_str();
    let path = format!("/studies/{}", uid.unwrap());
    for reader in [&theirs, &hers] {
        assert_eq!(reader.get(&format!("{path}/metadata"), &[]).0, 200);
    }

    // Ended: it is refused at once, with the reason, and soon found no more.
    patient
        .run(["patient", "revoke", image, &clinic.address])
        .json();
    let (status, why) = theirs.get(&path, &[]);
    assert_eq!(status, 403, "{why}");
    assert!(
        why.contains("not authorized to open image") && why.contains("removed"),
        "{why}"
    );
    theirs.wait_for(1);
    assert_eq!(theirs.get(&path, &[]).0, 403);
    hers.wait_for(2);

    // A browser's page of another origin, and one that is named.
    let origin = |origin: &str| hers.get("/studies", &["-i", "-H", &format!("Origin: {origin}")]);
    assert_eq!(origin("https://evil.example").0, 403);
    let (status, answer) = origin("https://viewer.example");
    let answer = answer.to_lowercase();
    assert!(
        status == 200 && answer.contains("access-control-allow-origin: https://viewer.example")
    );

    for log in [hers.end(), theirs.end()] {
        for secret in ["Doe", "12345678", "2.25.", "panicked", TOKEN] {
            assert!(!log.contains(secret), "{log}");
        }
        assert!(log.contains(r#""event":"retrieved""#), "{log}");
    }
}
