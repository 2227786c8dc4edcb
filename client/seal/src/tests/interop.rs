//! Sealed roots are ordinary OpenPGP messages: others' software opens them with the reader's key alone.

use std::path::Path;
use std::process::{Command, Stdio};

use openpgp::Cert;
use openpgp::crypto::SessionKey as Secret;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse;
use openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper,
};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::MarshalInto;
use openpgp::serialize::stream::LiteralWriter;
use openpgp::types::SymmetricAlgorithm;

use super::*;
use pcim_core::LockCost;

/// Does what any program on top of Sequoia does: PKESK packets, the reader's key, the signer's certificate.
struct Stock<'a> {
    reader: &'a Cert,
    signer: Cert,
    good: usize,
}

impl VerificationHelper for Stock<'_> {
    fn get_certs(&mut self, _: &[openpgp::KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.signer.clone()])
    }
    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        for layer in structure {
            if let MessageLayer::SignatureGroup { results } = layer {
                self.good += results.iter().filter(|r| r.is_ok()).count();
            }
        }
        Ok(())
    }
}

impl DecryptionHelper for Stock<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _: &[SKESK],
        hint: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &Secret) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for ka in self.reader.keys().unencrypted_secret() {
            let mut pair = ka.key().clone().into_keypair()?;
            for pkesk in pkesks {
                if let Some((cipher, secret)) = pkesk.decrypt(&mut pair, hint)
                    && decrypt(cipher, &secret)
                {
                    return Ok(Some(self.reader.clone()));
                }
            }
        }
        Ok(None)
    }
}

#[test]
fn a_sealed_root_is_an_ordinary_message() {
    let (radiologist, later) = (v6(Some("Dr")), v6(None));
    for version in [BodyVersion::V1, BodyVersion::V2] {
        let payload = vec![4; 100_000];
        let (body, sealed) = seal(&payload, &radiologist, version);
        let mut root = header_for(&sealed.session_key, version, &later.certificate()).unwrap();
        root.extend(&body);
        let policy = StandardPolicy::new();
        let helper = Stock {
            reader: &later.0,
            signer: radiologist.certificate().0,
            good: 0,
        };
        let mut decryptor = DecryptorBuilder::from_bytes(&root)
            .unwrap()
            .with_policy(&policy, None, helper)
            .unwrap();
        let mut out = Vec::new();
        decryptor.read_to_end(&mut out).unwrap();
        assert_eq!(out, payload);
        assert_eq!(decryptor.helper_ref().good, 1);
    }
}

fn tool(name: &str) -> bool {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success());
    if !found {
        println!("skipped: no `{name}` on PATH");
    }
    found
}

fn gpg(home: &Path, args: &[&str]) -> std::process::Output {
    Command::new("gpg")
        .args(["--batch", "--yes", "--no-tty", "--homedir"])
        .arg(home)
        .args(args)
        .output()
        .unwrap()
}

/// Returns what GnuPG makes of `header ‖ body`: the plaintext, if it came out, and what it said.
fn gpg_decrypt(home: &Path, root: &[u8]) -> (Option<Vec<u8>>, String) {
    let (file, out) = (home.join("root.pgp"), home.join("out"));
    std::fs::write(&file, root).unwrap();
    let (file, target) = (file.to_str().unwrap(), out.to_str().unwrap());
    let said = gpg(home, &["--output", target, "--decrypt", file]).stderr;
    (
        std::fs::read(&out).ok(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn gnupg_reads_our_version_1_headers_and_containers() {
    if !tool("gpg") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let made = gpg(
        home,
        &[
            "--passphrase",
            "",
            "--quick-generate-key",
            "Old Reader <old@example.org>",
            "future-default",
            "default",
            "never",
        ],
    );
    assert!(made.status.success(), "{made:?}");
    let exported = gpg(home, &["--export"]);
    let reader = Certificate::from_bytes(&exported.stdout).unwrap();
    assert!(!reader.accepts_v2());
    assert!(reader.needs_user_id());

    let payload: Vec<u8> = (0..200_000_u32).map(|i| i as u8).collect();
    let (body, key) = forgery::body_of(BodyVersion::V1, |message| {
        let mut literal = LiteralWriter::new(message).build().unwrap();
        literal.write_all(&payload).unwrap();
        literal.finalize().unwrap();
    });
    let mut root = header_for(&key, BodyVersion::V1, &reader).unwrap();
    root.extend(&body);
    let (out, said) = gpg_decrypt(home, &root);
    assert!(out.as_ref() == Some(&payload), "{said}");

    // A whole root: GnuPG 2.2 does not skip version 6 signatures as RFC 9580 asks, so it says so and stops.
    // It must never yield anything else than the payload.
    std::fs::remove_file(home.join("out")).unwrap();
    let (body, sealed) = seal(&payload, &v6(None), BodyVersion::V1);
    let mut root = header_for(&sealed.session_key, BodyVersion::V1, &reader).unwrap();
    root.extend(&body);
    match gpg_decrypt(home, &root) {
        (Some(out), said) => assert!(out == payload, "{said}"),
        (None, said) => {
            println!("this gpg cannot read version 6 signatures: {said}");
            assert!(said.contains("unknown version 6"), "{said}");
        }
    }
}

#[test]
fn sq_opens_a_root_with_the_readers_key() {
    if !tool("sq") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let reader = v6(None);
    let (key, root, cert) = (
        dir.path().join("key.pgp"),
        dir.path().join("root.pgp"),
        dir.path().join("signer.pgp"),
    );
    let radiologist = v6(None);
    let (body, sealed) = seal(b"image", &radiologist, BodyVersion::V2);
    let header = header_for(&sealed.session_key, BodyVersion::V2, &reader.certificate()).unwrap();
    std::fs::write(&key, reader.0.as_tsk().to_vec().unwrap()).unwrap();
    std::fs::write(&root, [header, body].concat()).unwrap();
    std::fs::write(&cert, radiologist.certificate().to_bytes()).unwrap();
    let inspected = Command::new("sq")
        .arg("inspect")
        .arg(&key)
        .output()
        .unwrap();
    if !inspected.status.success() {
        println!("skipped: this `sq` is too old for version 6 keys");
        return;
    }
    let opened = Command::new("sq")
        .arg("--home=none")
        .arg("decrypt")
        .arg("--recipient-file")
        .arg(&key)
        .arg("--signer-file")
        .arg(&cert)
        .arg(&root)
        .output()
        .unwrap();
    assert_eq!(
        opened.stdout,
        b"image",
        "{}",
        String::from_utf8_lossy(&opened.stderr)
    );
}

/// A radiologist whose key is of version 4 seals what GnuPG opens and verifies whole.
#[test]
fn gnupg_opens_and_verifies_what_a_version_4_radiologist_sealed() {
    if !tool("gpg") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path();
    let passphrase = pcim_core::Passphrase::new("open sesame".to_owned());
    let locked = LockedKey::generate(KeyKind::V4, None, &passphrase, LockCost::LIGHT).unwrap();
    let radiologist = locked.unlock(&passphrase).unwrap();
    let reader = v4(Some("Reader <reader@example.org>"));
    let payload: Vec<u8> = (0..200_000_u32).map(|i| (i * 3) as u8).collect();
    let (body, sealed) = seal(&payload, &radiologist, BodyVersion::V1);
    let opened = open(&body, &sealed.session_key).unwrap();
    assert!(opened.0 == payload);
    assert_eq!(opened.1.signer, radiologist.certificate());
    assert_eq!(opened.1.seal, sealed.seal);
    // The same payload again is another seal: the signature is not to be guessed from it.
    let (_, again) = seal(&payload, &radiologist, BodyVersion::V1);
    assert_ne!(again.seal, sealed.seal);

    for (name, key) in [
        ("reader", reader.0.as_tsk().to_vec().unwrap()),
        ("signer", radiologist.certificate().to_bytes()),
    ] {
        let file = home.join(name);
        std::fs::write(&file, key).unwrap();
        let imported = gpg(home, &["--import", file.to_str().unwrap()]);
        assert!(imported.status.success(), "{imported:?}");
    }
    let mut root = header_for(&sealed.session_key, BodyVersion::V1, &reader.certificate()).unwrap();
    root.extend(&body);
    let (out, said) = gpg_decrypt(home, &root);
    assert!(out.as_ref() == Some(&payload), "{said}");
    assert!(said.contains("Good signature from \"pcim\""), "{said}");
}
