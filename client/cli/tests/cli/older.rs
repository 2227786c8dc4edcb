//! A reader whose software knows no OpenPGP later than version 4.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pcim_node::car::Decoder;
use serde_json::json;

use crate::program::{Actor, Run};
use crate::stage::{IMAGE, PASSPHRASE, Stage};

fn gpg(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new("gpg");
    command.args(["--batch", "--yes", "--no-tty", "--homedir"]);
    command.arg(home);
    command.args(["--pinentry-mode", "loopback", "--passphrase", PASSPHRASE]);
    command.args(args).output().unwrap()
}

fn request(stage: &Stage, reader: &Actor, image: &str) {
    let mut command = reader.command();
    command.args(["requestor", "request", "--image", image]);
    command.args([
        "--patient",
        &stage.file("patient.card"),
        "--purpose",
        "TREAT",
    ]);
    Run::of(&mut command).json();
}

/// The OpenPGP message under a root: its header's and its body's blocks.
fn message(stage: &Stage, from: &Actor, root: &str) -> Vec<u8> {
    let car = stage.file("message.car");
    from.run(["node", "export", root, "--out", &car]).json();
    let mut decoder = Decoder::default();
    decoder.push(&fs::read(car).unwrap());
    let mut blocks = Vec::new();
    while let Some((_, bytes)) = decoder.next_block().unwrap() {
        blocks.push(bytes.to_vec());
    }
    assert_eq!(blocks.len(), 3, "root, header and a body of one block");
    blocks[1..].concat()
}

/// A patient whose home was made before there were post-quantum keys moves her images to one.
#[test]
fn old_images_are_moved_to_a_post_quantum_key() {
    let stage = Stage::new();
    let (radiologist, clinic) = (stage.actor("radiologist"), stage.actor("clinic"));
    let patient = stage.newcomer("classic", 6, &["--openpgp", "classic"]);
    let (file, card, handover) = (
        stage.file("image.dcm"),
        stage.file("classic.card"),
        stage.file("classic.handover"),
    );
    patient.run(["card", "--out", &card]).json();
    let mut seal = radiologist.command();
    seal.args(["radiologist", "seal", &file, "--no-deid", "--to", &card]);
    let sealed = Run::of(seal.args(["--out", &handover])).json();
    let image = sealed["image"].as_str().unwrap();
    let served = radiologist.serve();
    patient.knows(&served.address);
    patient.run(["patient", "register", &handover]).json();
    drop(served);
    let ask = [
        "requestor",
        "request",
        "--image",
        image,
        "--patient",
        &card,
        "--purpose",
        "TREAT",
    ];
    Run::of(clinic.command().args(ask)).json();
    let served = clinic.serve();
    patient.knows(&served.address);
    let asked = patient.run(["patient", "requests"]).json();
    assert_eq!(asked[0]["post_quantum"], true);
    patient
        .run(["patient", "approve", image, &clinic.address])
        .json();
    drop(served);

    let before = patient.run(["card"]).json();
    let moved = patient.run(["patient", "rekey", "--pq"]).json();
    assert_eq!(moved["subkey_added"], true);
    assert_eq!(moved["rekeyed"][0]["image"], image);
    assert_eq!(
        moved["rekeyed"][0]["readers"][0]["requestor"],
        clinic.address
    );
    let nonce = stage.nonce(&patient);
    let again = patient.run(["patient", "rekey", "--pq", image]).json();
    assert_eq!(again["unchanged"], json!([image]));
    assert_eq!(again["subkey_added"], false);
    assert_eq!(stage.nonce(&patient), nonce, "nothing was sent");
    let after = patient.run(["card"]).json();
    assert_eq!(before["address"], after["address"]);
    assert_ne!(before["certificate"], after["certificate"]);

    let own = stage.file("own.dcm");
    patient
        .run(["patient", "open", image, "--out", &own])
        .json();
    assert_eq!(fs::read(own).unwrap(), IMAGE);
    let served = patient.serve();
    clinic.knows(&served.address);
    let out = stage.file("clinic.dcm");
    clinic
        .run(["requestor", "fetch", image, "--out", &out])
        .json();
    assert_eq!(fs::read(out).unwrap(), IMAGE);
}

#[test]
fn an_image_is_sealed_anew_for_a_reader_of_version_4_who_opens_it_with_gnupg_too() {
    let stage = Stage::new();
    let (patient, clinic) = (stage.actor("patient"), stage.actor("clinic"));
    // GnuPG 2.2 stops at signatures of version 6: the radiologist's key is of version 4 as well.
    let radiologist = stage.newcomer("old radiologist", 6, &["--openpgp", "v4"]);
    let named = [
        "--openpgp",
        "v4",
        "--user-id",
        "Old Reader <old@example.org>",
    ];
    let reader = stage.newcomer("old reader", 7, &named);
    stage
        .actor("consortium")
        .run(["consortium", "accredit", &radiologist.address])
        .json();
    let (file, card, handover) = (
        stage.file("image.dcm"),
        stage.file("patient.card"),
        stage.file("old.handover"),
    );
    let mut seal = radiologist.command();
    seal.args(["radiologist", "seal", &file, "--no-deid", "--to", &card]);
    let sealed = Run::of(seal.args(["--out", &handover])).json();
    let image = sealed["image"].as_str().unwrap();
    let served = radiologist.serve();
    patient.knows(&served.address);
    patient.run(["patient", "register", &handover]).json();
    drop(served);
    request(&stage, &clinic, image);
    request(&stage, &reader, image);
    let served = [clinic.serve(), reader.serve()];
    patient.knows_all(&[&served[0].address, &served[1].address]);
    patient
        .run(["patient", "approve", image, &clinic.address])
        .json();

    let nonce = stage.nonce(&patient);
    let approve = ["patient", "approve", image, &reader.address];
    let [a, b, c, d] = approve;
    patient
        .run(approve)
        .refused(1, "does not accept this image's encryption");
    assert_eq!(stage.nonce(&patient), nonce, "nothing was sent");
    let approved = patient.run([a, b, c, d, "--reseal-v1"]).json();
    assert_eq!(stage.nonce(&patient), nonce + 3, "reseal, reshare, approve");
    drop(served);
    let resealed = &approved["resealed"];
    assert_eq!(resealed["left_out"], json!([]));
    assert_eq!(resealed["readers"][0]["requestor"], clinic.address);
    assert_eq!(resealed["readers"].as_array().unwrap().len(), 1);
    let root = approved["shared_image"].as_str().unwrap();

    // Owner, the reader from before and the new one open the same picture.
    let own = stage.file("own.dcm");
    patient
        .run(["patient", "open", image, "--out", &own])
        .json();
    assert_eq!(fs::read(own).unwrap(), IMAGE);
    let served = patient.serve();
    for actor in [&clinic, &reader] {
        actor.knows(&served.address);
        let out = stage.file(&format!("{}.dcm", actor.address));
        actor
            .run(["requestor", "fetch", image, "--out", &out])
            .json();
        assert_eq!(fs::read(out).unwrap(), IMAGE);
    }
    drop(served);

    if Command::new("gpg").arg("--version").output().is_err() {
        println!("skipped: there is no `gpg` to open it with");
        return;
    }
    // Short: sockets are in it.
    let home = tempfile::tempdir().unwrap();
    let message = message(&stage, &patient, root);
    let (file, out) = (home.path().join("message.pgp"), home.path().join("out"));
    fs::write(&file, message).unwrap();
    let key = reader.home.join("openpgp.asc");
    let imported = gpg(home.path(), &["--import", key.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let signer = radiologist.home.join("openpgp.asc");
    let imported = gpg(home.path(), &["--import", signer.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let (file, out_name) = (file.to_str().unwrap(), out.to_str().unwrap());
    let opened = gpg(home.path(), &["--output", out_name, "--decrypt", file]);
    let said = String::from_utf8_lossy(&opened.stderr).into_owned();
    assert_eq!(fs::read(&out).unwrap_or_default(), IMAGE, "{said}");
    assert!(said.contains("Good signature"), "{said}");
}
