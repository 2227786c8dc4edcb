//! Request documents: one that is read was signed by the requestor for this request. No panic, no hang.
//!
//! `cargo fuzz run request -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pcim_client::papers::request::{Notes, Purpose, RequestDocument, Subject};
use pcim_core::{Address, ImageDigest};
use pcim_fuzz::{account, edited, key, write};
use pcim_seal::UnlockedKey;

/// Ways to change a document.
const WAYS: u8 = 5;

struct Scene {
    requestor: UnlockedKey,
    patient: UnlockedKey,
    subject: Subject,
    document: RequestDocument,
    /// The file, and the JSON in it.
    sealed: Vec<u8>,
    json: Vec<u8>,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (requestor, patient) = (key(), key());
    let subject = Subject {
        chain_id: 412_346,
        contract: Address::repeat_byte(5),
        image: ImageDigest([1; 32]),
        requestor: account(1).address(),
    };
    let name = Some("a name".to_owned());
    let peers = vec!["/ip4/192.0.2.1/tcp/4001".to_owned()];
    let document = RequestDocument::new(subject, Purpose::Treat, name, None, peers);
    let document = document.expect("it is short");
    let sealed = document.seal(&requestor, &[&patient.certificate()]);
    Scene {
        sealed: sealed.expect("it is sealed"),
        json: serde_json::to_vec(&document).expect("it is JSON"),
        requestor,
        patient,
        subject,
        document,
    }
});

/// Signs and encrypts as the requestor does, whatever it is.
fn sealed(scene: &Scene, json: &[u8]) -> Vec<u8> {
    let readers = [&scene.patient.certificate()];
    pcim_seal::encrypt_document(json, &scene.requestor, &readers).expect("it is encrypted")
}

fuzz_target!(
    init: {
        let scene = &*SCENE;
        write(WAYS, &[(0, &scene.sealed), (2, &scene.json), (4, b"TREAT")]);
    },
    |input: &[u8]| {
        let Some((choice, input)) = input.split_first() else {
            return;
        };
        let scene = &*SCENE;
        let way = choice % WAYS;
        let bytes = match way {
            0 => input.to_vec(),
            1 => edited(&scene.sealed, input),
            2 => sealed(scene, input),
            3 => sealed(scene, &edited(&scene.json, input)),
            _ => {
                let text = String::from_utf8_lossy(input);
                let notes = Notes::parse(&text);
                assert!(notes.document.is_some() || notes.to_string() == text);
                return;
            }
        };
        let signer = scene.requestor.certificate();
        let is_document = pcim_seal::is_document(&bytes);
        if let Ok(read) = RequestDocument::open(&bytes, &scene.patient, &signer, &scene.subject) {
            assert!(is_document);
            assert!(read.subject == scene.subject);
            assert!(way >= 2 || read == scene.document);
        }
    }
);
