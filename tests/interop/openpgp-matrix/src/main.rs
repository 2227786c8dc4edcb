//! rPGP as a requestor's program: makes a locked key, and opens a sealed root with one.
//!
//!     openpgp-matrix version
//!     openpgp-matrix make KIND PASSPHRASE-FILE                    > KEY
//!     openpgp-matrix certificate KEY                              > CERTIFICATE
//!     openpgp-matrix open KEY PASSPHRASE-FILE SIGNER ROOT         > PAYLOAD

use std::fs;
use std::io::Write;

use anyhow::{Context, Result, bail, ensure};
use pgp::composed::{
    Deserializable, EncryptionCaps, KeyType, Message, SecretKeyParamsBuilder, SignedPublicKey,
    SignedSecretKey, SubkeyParamsBuilder,
};
use pgp::crypto::ecc_curve::ECCCurve;
use pgp::ser::Serialize as _;
use pgp::types::{KeyVersion, Password};

fn main() -> Result<()> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["version"] => println!("rPGP {}", pgp::VERSION),
        ["make", kind, passphrase] => make(kind, &password(passphrase)?)?,
        ["certificate", key] => {
            let certificate = locked(key)?.to_public_key();
            std::io::stdout().write_all(&certificate.to_bytes()?)?;
        }
        ["open", key, passphrase, signer, root] => open(key, &password(passphrase)?, signer, root)?,
        _ => bail!("see the start of src/main.rs"),
    }
    Ok(())
}

fn password(file: &str) -> Result<Password> {
    let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
    Ok(text.trim_end().into())
}

/// Makes a key that signs and one that decrypts; both are locked.
fn make(kind: &str, password: &Password) -> Result<()> {
    let (version, signs, decrypts) = match kind {
        "v6-mlkem" => (KeyVersion::V6, KeyType::Ed25519, KeyType::MlKem768X25519),
        "v6-mldsa-mlkem" => (KeyVersion::V6, KeyType::MlDsa65Ed25519, KeyType::MlKem768X25519),
        "v6-classic" => (KeyVersion::V6, KeyType::Ed25519, KeyType::X25519),
        "v4-mlkem" => (KeyVersion::V4, KeyType::Ed25519, KeyType::MlKem768X25519),
        "v4-classic" => (
            KeyVersion::V4,
            KeyType::Ed25519Legacy,
            KeyType::ECDH(ECCCurve::Curve25519Legacy),
        ),
        other => bail!("unknown kind {other}"),
    };
    let mut rng = rand::thread_rng();
    let subkey = SubkeyParamsBuilder::default()
        .version(version)
        .key_type(decrypts)
        .can_encrypt(EncryptionCaps::All)
        .build()?;
    let params = SecretKeyParamsBuilder::default()
        .version(version)
        .key_type(signs)
        .can_certify(true)
        .can_sign(true)
        .feature_seipd_v2(kind != "v4-classic")
        .primary_user_id("Reader <reader@example.org>".into())
        .subkey(subkey)
        .build()?;
    let mut key = params.generate(&mut rng)?;
    key.primary_key.set_password(&mut rng, password)?;
    for subkey in &mut key.secret_subkeys {
        subkey.key.set_password(&mut rng, password)?;
    }
    let armored = key.to_armored_bytes(Default::default())?;
    Ok(std::io::stdout().write_all(&armored)?)
}

fn locked(file: &str) -> Result<SignedSecretKey> {
    let armored = fs::read(file).with_context(|| file.to_owned())?;
    Ok(SignedSecretKey::from_armor_single(&armored[..])?.0)
}

/// Opens a root; nothing is written unless the one signature verifies by one of the signer's keys.
fn open(key: &str, password: &Password, signer: &str, root: &str) -> Result<()> {
    let read = |file: &str| fs::read(file).with_context(|| file.to_owned());
    let key = locked(key)?;
    let signer = SignedPublicKey::from_bytes(&read(signer)?[..])?;
    signer.verify_bindings()?;
    let root = read(root)?;
    let mut message = Message::from_bytes(&root[..])?.decrypt(password, &key)?;
    let payload = message.as_data_vec()?;
    let by_primary = message.verify(&signer.primary_key).is_ok();
    let by_subkey = signer.public_subkeys.iter().any(|it| message.verify(&it.key).is_ok());
    ensure!(by_primary || by_subkey, "the signature does not verify");
    Ok(std::io::stdout().write_all(&payload)?)
}
