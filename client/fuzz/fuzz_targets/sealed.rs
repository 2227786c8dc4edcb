//! Headers and bodies: what opens is what was sealed, or what its signer signed; no panic, no hang.
//!
//! `cargo fuzz run sealed -s none --fuzz-dir client/fuzz`

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

#[path = "common/actor.rs"]
mod actor;
#[allow(dead_code, missing_docs)]
#[path = "../../src/domain/mod.rs"]
mod domain;
#[path = "common/edits.rs"]
mod edits;
#[allow(dead_code, missing_docs)]
#[path = "../../src/seal/mod.rs"]
mod seal;

use edits::edited;
use seal::{BodyVersion, UnlockedKey};

/// Bytes of the payload: more than one of the chunks that are authenticated one by one.
const PAYLOAD: usize = 5000;

struct Scene {
    reader: UnlockedKey,
    /// Header and body.
    sealed: [(Vec<u8>, Vec<u8>); 2],
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (radiologist, reader) = (actor::key(), actor::key());
    let sealed = [BodyVersion::V1, BodyVersion::V2].map(|version| {
        let mut body = Vec::new();
        let payload = vec![7; PAYLOAD];
        let sealed = seal::seal_body(&mut &payload[..], &radiologist, None, version, &mut body);
        let key = sealed.expect("it is sealed").session_key;
        let header = seal::header_for(&key, version, &reader.certificate());
        (header.expect("the reader has a key to encrypt to"), body)
    });
    Scene { reader, sealed }
});

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else {
        return;
    };
    let Scene { reader, sealed } = &*SCENE;
    let (header, body) = &sealed[usize::from(choice & 1)];
    let (header, body) = match choice >> 1 & 3 {
        0 => (input.to_vec(), body.clone()),
        1 => (header.clone(), input.to_vec()),
        2 => (edited(header, input), body.clone()),
        _ => (header.clone(), edited(body, input)),
    };
    if seal::check_header(&header).is_err() {
        assert!(seal::unwrap_header(&header, reader).is_err());
    }
    let mut out = Vec::new();
    if seal::open_sealed(&header, &mut &body[..], reader, &mut out).is_ok() {
        assert!(out == [7; PAYLOAD]);
    }
    // Somebody else's certificate, and a document sent to this reader.
    let _ = seal::Certificate::from_bytes(&input);
    let _ = seal::open_document(&input, reader);
});
