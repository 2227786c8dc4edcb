//! Others' software opens what `cat` of a sealed root through the node gives, with the reader's key file alone, and
//! verifies the radiologist's signature with his certificate.
//!
//! GnuPG knows nothing of version 6: it opens a body that was sealed to a version 4 patient as SEIPDv1, but the
//! signature inside is version 6 unless the radiologist's key is version 4; GnuPG 2.2 and 2.4 stop at it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pcim_client::{Actor, Error};
use pcim_core::{LockCost, Passphrase};
use pcim_seal::{KeyKind, LockedKey};

use crate::actors::{DEMO, DOCTOR, PASSPHRASE, World, card, cat};

/// What a reader has in hand, as files.
struct Files {
    world: World,
    /// The message.
    root: PathBuf,
    /// The reader's key as it lies in his home, locked.
    key: PathBuf,
    /// What unlocks it.
    passphrase: PathBuf,
    /// The radiologist's certificate.
    signer: PathBuf,
    /// Somebody else's.
    other: PathBuf,
    /// Fingerprint of the radiologist's certificate.
    fingerprint: String,
}

fn key_of(client: &Actor) -> PathBuf {
    client.home().dir().join("openpgp.asc")
}

async fn approved(kind: KeyKind) -> Files {
    let mut world = World::start().await;
    let (sealed, _) = world.registered(DEMO).await;
    let passphrase = Passphrase::new(PASSPHRASE.to_owned());
    let key = LockedKey::generate(kind, None, &passphrase, LockCost::LIGHT).unwrap();
    let mut reader = world.actor_with("reader", DOCTOR, &key.to_armored()).await;
    world.ask(&mut reader, sealed.image).await;
    let decision = world
        .patient
        .patient()
        .approve(&sealed.image, reader.address(), 0)
        .await
        .unwrap()
        .mined()
        .unwrap();
    let root = cat(&reader, &decision.shared_image).await;
    let (radiologist, patient) = (card(&world.radiologist).await, card(&world.patient).await);
    Files {
        root: world.file("root.pgp", &root),
        key: key_of(&reader),
        passphrase: world.file("passphrase", PASSPHRASE.as_bytes()),
        signer: world.file("signer.pgp", &radiologist.certificate.to_bytes()),
        other: world.file("other.pgp", &patient.certificate.to_bytes()),
        fingerprint: radiologist.certificate.fingerprint(),
        world,
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sequoias_command_line_opens_and_verifies() {
    let Some(sop) = std::env::var_os("PCIM_TEST_SOP") else {
        println!("skipped: PCIM_TEST_SOP names no Stateless OpenPGP program such as `sqop`");
        return;
    };
    let files = approved(KeyKind::Classic).await;
    let decrypt = |key: &Path, signer: &Path, name: &str| {
        let verifications = files.world.path(name);
        let output = Command::new(&sop)
            .arg("decrypt")
            .arg("--with-key-password")
            .arg(&files.passphrase)
            .arg("--verify-with")
            .arg(signer)
            .arg("--verifications-out")
            .arg(&verifications)
            .arg(key)
            .stdin(std::fs::File::open(&files.root).unwrap())
            .output()
            .unwrap();
        (
            output,
            std::fs::read_to_string(verifications).unwrap_or_default(),
        )
    };
    let (opened, verified) = decrypt(&files.key, &files.signer, "verified");
    assert!(opened.status.success(), "{}", said(&opened));
    assert!(opened.stdout == DEMO);
    assert_eq!(verified.lines().count(), 1, "{verified}");
    assert!(
        verified.to_uppercase().contains(&files.fingerprint),
        "{verified}"
    );

    let (_, verified) = decrypt(&files.key, &files.other, "unverified");
    assert_eq!(
        verified, "",
        "verified with a certificate that did not sign"
    );
    let wrong = key_of(&files.world.radiologist);
    let (refused, _) = decrypt(&wrong, &files.signer, "refused");
    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn openpgpjs_opens_and_verifies() {
    if std::env::var_os("PCIM_TEST_NPM").is_none() {
        println!("skipped: PCIM_TEST_NPM is not set (1 after `npm ci` in tests/interop/openpgpjs)");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/openpgpjs/open.mjs");
    let files = approved(KeyKind::Classic).await;
    let open = |key: &Path, signer: &Path| {
        Command::new("node")
            .arg(&script)
            .args([key, &files.passphrase, signer, &files.root])
            .output()
            .unwrap()
    };
    let opened = open(&files.key, &files.signer);
    assert!(opened.status.success(), "{}", said(&opened));
    assert!(opened.stdout == DEMO);
    assert_eq!(said(&opened).trim().to_uppercase(), files.fingerprint);

    let unverified = open(&files.key, &files.other);
    assert!(!unverified.status.success());
    assert!(unverified.stdout.is_empty());
    let refused = open(&key_of(&files.world.radiologist), &files.signer);
    assert!(!refused.status.success());
    assert!(refused.stdout.is_empty());
}

/// Programs that know nothing of RFC 9980 say so and give out nothing; those that do open the image.
#[tokio::test(flavor = "multi_thread")]
async fn a_post_quantum_root_opens_or_is_refused() {
    let sop = std::env::var_os("PCIM_TEST_SOP");
    let npm = std::env::var_os("PCIM_TEST_NPM");
    if sop.is_none() && npm.is_none() {
        println!("skipped: neither PCIM_TEST_SOP nor PCIM_TEST_NPM is set");
        return;
    }
    let files = approved(KeyKind::Hybrid).await;
    let judge = |name: &str, output: Output| {
        let first = said(&output).lines().next().unwrap_or_default().to_owned();
        match output.status.success() {
            true => assert!(output.stdout == DEMO, "{name}"),
            false => assert!(output.stdout.is_empty() && !first.is_empty(), "{name}"),
        }
        let opened = if output.status.success() {
            "opened"
        } else {
            "refused"
        };
        println!("{name}: {opened} {first}");
    };
    if let Some(sop) = sop {
        let mut command = Command::new(sop);
        command.arg("decrypt").arg("--with-key-password");
        command.arg(&files.passphrase).arg(&files.key);
        let root = std::fs::File::open(&files.root).unwrap();
        judge("sqop", command.stdin(root).output().unwrap());
    }
    if npm.is_some() {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("interop/openpgpjs/open.mjs");
        let mut command = Command::new("node");
        command.arg(&script);
        command.args([&files.key, &files.passphrase, &files.signer, &files.root]);
        judge("OpenPGP.js", command.output().unwrap());
    }
}

fn gpg(home: &Path, args: &[&str]) -> Output {
    Command::new("gpg")
        .args([
            "--batch",
            "--yes",
            "--no-tty",
            "--pinentry-mode",
            "loopback",
        ])
        .args(["--passphrase", PASSPHRASE, "--homedir"])
        .arg(home)
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A patient with a GnuPG key is a full patient. Her own root is SEIPDv1; GnuPG unwraps its header, and never yields
/// anything else than the image.
#[tokio::test(flavor = "multi_thread")]
async fn a_patient_may_bring_a_gnupg_key() {
    if Command::new("gpg").arg("--version").output().is_err() {
        println!("skipped: no `gpg` on PATH");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let name = "Old Patient <old@example.org>";
    let made = gpg(
        home,
        &[
            "--quick-generate-key",
            name,
            "future-default",
            "default",
            "never",
        ],
    );
    assert!(made.status.success(), "{}", said(&made));
    let exported = gpg(home, &["--armor", "--export-secret-keys"]);
    assert!(exported.status.success(), "{}", said(&exported));

    let mut world = World::start_with(Some(&exported.stdout)).await;
    assert!(!card(&world.patient).await.certificate.accepts_v2());
    let (sealed, _) = world.registered(DEMO).await;
    let opened = world
        .patient
        .patient()
        .open_own(&sealed.image, &world.target("own.dcm"))
        .await
        .unwrap();
    assert_eq!(opened.sha256, sealed.payload_sha256);
    let refused = world
        .patient
        .patient()
        .open_own(&sealed.image, &world.target("own.dcm"))
        .await;
    assert!(matches!(refused, Err(Error::FileExists { .. })));

    let root = world.file("root.pgp", &cat(&world.patient, &sealed.image).await);
    let (out, root) = (world.path("by-gpg"), root.to_str().unwrap().to_owned());
    let by_gpg = gpg(
        home,
        &["--output", out.to_str().unwrap(), "--decrypt", &root],
    );
    match std::fs::read(&out) {
        Ok(bytes) => assert!(bytes == DEMO, "{}", said(&by_gpg)),
        Err(_) => {
            println!("this gpg stops at version 6 signatures");
            assert!(
                said(&by_gpg).contains("unknown version 6"),
                "{}",
                said(&by_gpg)
            );
        }
    }
    // The session key came out: what gpg stops at is what it found inside.
    let shown = gpg(home, &["--show-session-key", "--list-packets", &root]);
    let listed = format!("{}{}", said(&shown), String::from_utf8_lossy(&shown.stdout));
    assert!(listed.contains(":encrypted data packet:"), "{listed}");
    assert!(listed.contains("session key: "), "{listed}");
    // The agent would outlive the test.
    let _ = Command::new("gpgconf")
        .arg("--homedir")
        .arg(home)
        .args(["--kill", "all"])
        .status();
}
