//! Nothing that is secret, and nothing of what an image shows or says, stands anywhere but where it belongs: after all
//! flows every file of every home, of the chain and of the temporary directory is searched.

use std::fs;
use std::path::Path;
use std::process::Command;

use openpgp::crypto::KeyPair;
use openpgp::packet::key::SecretKeyMaterial;
use openpgp::parse::Parse;
use openpgp::serialize::MarshalInto;
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, Packet, PacketPile};
use pcim_client::home::Home;
use pcim_core::Passphrase;
use sequoia_openpgp as openpgp;

use crate::program::{Actor, Run};
use crate::stage::{IMAGE, PASSPHRASE, Stage, block_files};

/// Stands where the demo's image has its patient's name.
const TEXT: &[u8] = b"CanaryInTheText^A";
/// Stands in the pixels.
const PIXELS: &[u8] = b"canary among the pixels, thirty-eight.";

/// Every file under `dir` in which one of the needles stands, with the needle's name.
pub(crate) fn search(
    dir: &Path,
    needles: &[(String, Vec<u8>)],
    found: &mut Vec<String>,
    files: &mut usize,
) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            search(&entry.path(), needles, found, files);
            continue;
        }
        let Ok(content) = fs::read(entry.path()) else {
            continue;
        };
        *files += 1;
        for (name, needle) in needles {
            if content.windows(needle.len()).any(|at| at == needle) {
                found.push(format!("{name} in {}", entry.path().display()));
            }
        }
    }
}

/// A secret as it is, in hex and in base64.
fn forms(name: &str, secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64: Vec<u8> = secret
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift) as usize & 63])
        })
        .collect();
    let hex = hex::encode(secret);
    vec![
        (name.to_owned(), secret.to_vec()),
        (format!("{name}, hex"), hex.clone().into_bytes()),
        (format!("{name}, HEX"), hex.to_uppercase().into_bytes()),
        (format!("{name}, base64"), base64),
    ]
}

/// The raw secrets of an actor.
pub(crate) fn secrets(actor: &Actor, name: &str) -> Vec<(String, Vec<u8>)> {
    let home = Home::open(&actor.home).unwrap();
    let passphrase = Passphrase::new(PASSPHRASE.to_owned());
    let keys = home.unlock(&passphrase).unwrap();
    let ethereum = keys.account.expose_key();
    let mut all = forms(&format!("{name}'s Ethereum key"), &ethereum[..]);
    for (number, pair) in key_pairs(actor).iter().enumerate() {
        pair.secret().map(|secret| {
            let raw = secret.to_vec().unwrap();
            assert!(raw.len() >= 32);
            all.extend(forms(&format!("{name}'s OpenPGP secret {number}"), &raw));
        });
    }
    all
}

/// An actor's OpenPGP keys, unlocked.
fn key_pairs(actor: &Actor) -> Vec<KeyPair> {
    let cert = Cert::from_file(actor.home.join("openpgp.asc")).unwrap();
    let pairs = cert.keys().secret().map(|ka| {
        let (public, secret) = ka.key().clone().take_secret();
        let SecretKeyMaterial::Encrypted(secret) = secret else {
            panic!("not locked")
        };
        let unlocked = secret.decrypt(&public, &PASSPHRASE.into()).unwrap();
        let (key, _) = public.add_secret(unlocked.into());
        key.into_keypair().unwrap()
    });
    pairs.collect()
}

/// The session keys that an actor takes out of the headers in some home's repository.
fn session_keys(actor: &Actor, home: &Path) -> Vec<Vec<u8>> {
    let mut pairs = key_pairs(actor);
    let mut found = Vec::new();
    for path in block_files(home) {
        let block = fs::read(path).unwrap();
        if block.len() > 4096 {
            continue;
        }
        let Ok(packets) = PacketPile::from_bytes(&block) else {
            continue;
        };
        for packet in packets.children() {
            let Packet::PKESK(pkesk) = packet else {
                continue;
            };
            for pair in &mut pairs {
                let cipher = Some(SymmetricAlgorithm::AES256);
                if let Some((_, key)) = pkesk.decrypt(pair, cipher) {
                    found.push(key.to_vec());
                }
            }
        }
    }
    found
}

#[test]
fn no_secret_and_no_plaintext_stands_where_it_does_not_belong() {
    let stage = Stage::new();
    let [patient, radiologist, doctor, clinic] =
        ["patient", "radiologist", "doctor", "clinic"].map(|name| stage.actor(name));
    // What is given and what is opened lies outside of what is searched.
    let outside = tempfile::tempdir().unwrap();
    let temporary = stage.results().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut picture = IMAGE.to_vec();
    let name = b"CompressedSamples";
    let at = picture
        .windows(name.len())
        .position(|it| it == name)
        .unwrap();
    picture[at..at + TEXT.len()].copy_from_slice(TEXT);
    let pixels = picture.len() - 5000;
    picture[pixels..pixels + PIXELS.len()].copy_from_slice(PIXELS);
    let given = outside.path().join("given.dcm");
    fs::write(&given, &picture).unwrap();
    let outside = |name: &str| outside.path().join(name).to_str().unwrap().to_owned();
    let run = |actor: &Actor, args: &[&str]| {
        let mut command: Command = actor.command();
        command.env("TMPDIR", &temporary).env("RUST_LOG", "trace");
        Run::of(command.args(args)).json()
    };

    let card = stage.file("patient.card");
    let handover = stage.file("results/canary.handover");
    let sealed = run(
        &radiologist,
        &[
            "radiologist",
            "seal",
            &outside("given.dcm"),
            "--no-deid",
            "--to",
            &card,
            "--out",
            &handover,
        ],
    );
    let image = sealed["image"].as_str().unwrap();
    let served = radiologist.serve();
    patient.knows(&served.address);
    run(&patient, &["patient", "register", &handover]);
    drop(served);
    for reader in [&doctor, &clinic] {
        let request = ["requestor", "request", "--patient", &card, "--image", image];
        run(reader, &[&request[..], &["--purpose", "TREAT"]].concat());
    }
    let served = [doctor.serve(), clinic.serve()];
    patient.knows_all(&[&served[0].address, &served[1].address]);
    for reader in [&doctor, &clinic] {
        run(&patient, &["patient", "approve", image, &reader.address]);
    }
    drop(served);
    let revoke = ["patient", "revoke", image, &clinic.address, "--rekey"];
    run(&patient, &revoke);
    let open = ["patient", "open", image, "--out", &outside("own.dcm")];
    run(&patient, &open);
    let served = patient.serve();
    doctor.knows(&served.address);
    let fetch = ["requestor", "fetch", image, "--out", &outside("theirs.dcm")];
    run(&doctor, &fetch);
    drop(served);
    assert_eq!(fs::read(outside("theirs.dcm")).unwrap(), picture);
    run(&doctor, &["trace", image]);
    run(&patient, &["patient", "history", image]);
    run(&patient, &["resume"]);

    let mut needles = vec![
        ("the text".to_owned(), TEXT.to_vec()),
        ("the pixels".to_owned(), PIXELS.to_vec()),
    ];
    for (actor, name) in [
        (&patient, "patient"),
        (&radiologist, "radiologist"),
        (&doctor, "doctor"),
        (&clinic, "clinic"),
    ] {
        needles.extend(secrets(actor, name));
    }
    // Those of all images sealed to the patient, and that of the image sealed again.
    let mut keys = session_keys(&patient, &patient.home);
    assert!(keys.len() >= 2, "{}", keys.len());
    keys.extend(session_keys(&patient, &radiologist.home));
    for key in keys {
        assert_eq!(key.len(), 32);
        needles.extend(forms("a session key", &key));
    }
    let (mut found, mut files) = (Vec::new(), 0);
    let places = ["patient", "radiologist", "doctor", "clinic", "results"].map(|it| stage.file(it));
    let mut with_passphrase = needles.clone();
    with_passphrase.extend(forms("the passphrase", PASSPHRASE.as_bytes()));
    for place in &places {
        search(Path::new(place), &with_passphrase, &mut found, &mut files);
    }
    search(
        Path::new(&stage.file("chain")),
        &needles[..2],
        &mut found,
        &mut files,
    );
    assert!(files > 60, "{files}");
    assert!(found.is_empty(), "{found:#?}");

    // The search finds what is there.
    let (mut found, mut files) = (Vec::new(), 0);
    let opened = Path::new(&outside("own.dcm")).parent().unwrap().to_owned();
    search(&opened, &needles[..2], &mut found, &mut files);
    assert_eq!((found.len(), files), (6, 3), "{found:#?}");
}
