//! TLS of the DIMSE door, with another program at its other end.

use super::*;
use crate::tls::TlsFiles;
use crate::tls::standing::certificate;

#[tokio::test(flavor = "multi_thread")]
async fn applications_show_their_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let made = ["door", "known", "stranger"].map(|name| certificate(dir.path(), name));
    let [Some(door), Some(known), Some(stranger)] = made else {
        return;
    };
    let settings = Settings {
        tls: Some(TlsFiles {
            certificate: door.0.clone(),
            key: door.1,
            clients: Some(known.0.clone()),
        }),
        ..Settings::default()
    };
    let open = Open::with(|door| door.current = in_force(settings)).await;
    let port = open.address.port().to_string();
    let echo = async |shown: &[&str]| {
        let rest = ["-aec", "PCIM", "127.0.0.1", &port];
        let ran = dcmtk("echoscu", &[shown, &rest].concat()).await?;
        Some(ran.status.success())
    };
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let root = text(&door.0);
    let pair = |pair: &(PathBuf, PathBuf)| [text(&pair.1), text(&pair.0)];
    let (known, stranger) = (pair(&known), pair(&stranger));
    let with = |[key, certificate]: &[String; 2]| {
        let words = ["+tls", key, certificate, "+cf", &root];
        words.map(str::to_owned).to_vec()
    };
    for (shown, is_let_in) in [
        (with(&known), true),
        (with(&stranger), false),
        (
            vec!["+tla".to_owned(), "+cf".to_owned(), root.clone()],
            false,
        ),
        (Vec::new(), false),
    ] {
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        let Some(came_in) = echo(&shown).await else {
            return;
        };
        assert_eq!(came_in, is_let_in, "{shown:?}");
    }
    let log = open.log.lock().unwrap().join("\n");
    assert_eq!(log.matches("TLS was not agreed on").count(), 3, "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_do_not_fit_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let made = ["one", "two"].map(|name| certificate(dir.path(), name));
    let [Some(one), Some(two)] = made else { return };
    let tls = |certificate: &Path, key: &Path| Settings {
        tls: Some(TlsFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            clients: None,
        }),
        ..Settings::default()
    };
    for (settings, path, why) in [
        (tls(&one.0, &two.1), &one.0, "does not fit its key"),
        (tls(&one.1, &one.1), &one.1, "has no certificate in PEM"),
        (tls(&one.0, &one.0), &one.0, "no private key in PEM"),
        (
            tls(dir.path(), &one.1),
            &dir.path().to_owned(),
            "no certificates in PEM",
        ),
    ] {
        let files = settings.tls.clone().unwrap();
        let error = InForce::read(settings).err().unwrap().to_string();
        assert_eq!(files.check().unwrap_err().to_string(), error);
        assert!(
            error.starts_with(path.to_str().unwrap()) && error.contains(why),
            "{error}"
        );
    }
}
