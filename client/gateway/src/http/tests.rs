#![allow(clippy::unwrap_used)]

use std::path::Path;

use pcim_dicom::sample::write_instance;
use pcim_seal::{KeyKind, UnlockedKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

mod reading;

use super::*;
use crate::catalogue::Ask;
use crate::current::InForce;
use crate::limits::Limits;
use crate::settings::{Right, Settings, Token};
use crate::spool::kept::Department;

/// A door that listens.
struct Open {
    address: SocketAddr,
    spool: Arc<Spool>,
    catalogue: Arc<Catalogue>,
    /// Requests to open images, which are answered by those tests that have some.
    asks: Option<tokio::sync::mpsc::Receiver<Ask>>,
    dir: TempDir,
    _stop: watch::Sender<bool>,
}

impl Open {
    async fn new(spool_bytes: u64) -> Self {
        Self::with(spool_bytes, |_| {}).await
    }

    async fn with(spool_bytes: u64, change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = Arc::new(UnlockedKey::generate(KeyKind::default(), None).unwrap());
        let limits = Limits {
            spool_bytes,
            free_bytes: 0,
            object_bytes: 1 << 30,
            remember: Duration::from_secs(60),
        };
        let spool = Spool::open(&dir.path().join("spool"), Department::new(key), limits);
        let spool = Arc::new(spool.unwrap());
        let token = |name: &str, text: &str, right| Token {
            name: name.to_owned(),
            sha256: hex::encode(Sha256::digest(text)),
            expires: None,
            may: vec![right],
        };
        let mut settings = Settings {
            token: vec![
                token("web", "s3cret", Right::Store),
                token("viewer", "r3ader", Right::Read),
            ],
            origins: vec!["https://viewer.example".to_owned()],
            stall_seconds: 1,
            ..Settings::default()
        };
        change(&mut settings);
        let log = Log::new(Arc::new(|_| {}));
        let (catalogue, asks) = Catalogue::new();
        let catalogue = Arc::new(catalogue);
        let current = Current::new(InForce::read(settings).unwrap());
        let web = Web::new(&current, &spool, &catalogue, &Arc::default(), &log);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(Arc::new(web).serve(listener, stopped));
        Self {
            address,
            spool,
            catalogue,
            asks: Some(asks),
            dir,
            _stop: stop,
        }
    }

    /// Sends a request, its body as long as `claimed` says; returns status and body.
    async fn ask(&self, head: &str, headers: &str, body: &[u8], claimed: usize) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let host = self.address;
        let head = format!(
            "{head} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {claimed}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        // It may answer, and close, before the end.
        let _ = stream.write_all(body).await;
        let mut answer = Vec::new();
        let reading = stream.read_to_end(&mut answer);
        let read = tokio::time::timeout(Duration::from_secs(30), reading).await;
        let _ = read.expect("it does not answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).map_or(0, |it| it.parse().unwrap());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, body.to_owned())
    }

    /// Stores files as the only parts of a body.
    async fn store(&self, path: &str, files: &[Vec<u8>]) -> (u16, Value) {
        let mut body = Vec::new();
        for file in files {
            body.extend(b"--xyz\r\nContent-Type: application/dicom\r\n\r\n");
            body.extend(file);
            body.extend(b"\r\n");
        }
        body.extend(b"--xyz--\r\n");
        let (status, text) = self
            .ask(&format!("POST {path}"), STORE, &body, body.len())
            .await;
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn file(&self, number: u64, bytes: u64) -> Vec<u8> {
        let path = self.dir.path().join("file.dcm");
        write_instance(&path, number, bytes).unwrap();
        std::fs::read(Path::new(&path)).unwrap()
    }
}

const STORE: &str = "Authorization: Bearer s3cret\r\nContent-Type: multipart/related; type=\"application/dicom\"; boundary=xyz\r\n";

#[tokio::test]
async fn objects_are_stored_and_each_is_answered() {
    let open = Open::new(1 << 30).await;
    let files = [
        open.file(1, 5000),
        open.file(2, 3 << 20),
        open.file(3, 70_000),
    ];
    let (status, answer) = open.store("/studies", &files).await;
    assert_eq!(status, 200, "{answer}");
    let kept = &answer["00081199"]["Value"];
    assert_eq!(kept.as_array().unwrap().len(), 3);
    assert_eq!(kept[1]["00081155"]["Value"][0], "2.25.1000002");
    assert_eq!(open.spool.study(1).unwrap().objects.len(), 3);
    assert_eq!(open.spool.study(1).unwrap().sender, "web");
    // Again, with one that has changed, and one that is none.
    let mut changed = files[0].clone();
    *changed.last_mut().unwrap() ^= 1;
    let (status, answer) = open
        .store(
            "/studies/2.25.2",
            &[changed, files[2].clone(), b"none".to_vec()],
        )
        .await;
    assert_eq!(status, 202, "{answer}");
    let failed = answer["00081198"]["Value"].as_array().unwrap();
    let reasons: Vec<_> = failed
        .iter()
        .map(|it| it["00081197"]["Value"][0].as_u64().unwrap())
        .collect();
    assert_eq!(reasons, [0x0111, 0xc000]);
    // Of another study than the path says.
    let (status, answer) = open.store("/studies/1.2.3", &files[..1]).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(
        answer["00081198"]["Value"][0]["00081197"]["Value"][0],
        0xa900
    );
    assert_eq!(open.spool.numbers_of(|_| true), [1]);
}

#[tokio::test]
async fn requests_that_are_wrong_are_told_so() {
    let open = Open::new(1 << 30).await;
    let body = b"--xyz\r\n\r\n\r\n--xyz--";
    let length = body.len();
    let kind = "Content-Type: multipart/related; type=\"application/dicom\"; boundary=xyz\r\n";
    let token = "Authorization: Bearer s3cret\r\n";
    for (head, headers, wanted) in [
        ("POST /studies", kind.to_owned(), 401),
        (
            "POST /studies",
            format!("{token}{kind}Accept: text/html\r\n"),
            406,
        ),
        (
            "POST /studies",
            format!("{token}Content-Type: application/dicom\r\n"),
            415,
        ),
        (
            "POST /studies",
            format!(
                "{token}Content-Type: multipart/related; type=\"application/dicom+json\"; boundary=xyz\r\n"
            ),
            415,
        ),
        (
            "POST /studies",
            format!("{token}Content-Type: multipart/related\r\n"),
            415,
        ),
        ("POST /studies", format!("{token}{kind}"), 409),
        (
            "POST /studies",
            format!("{token}{}", kind.replace("=xyz", "=other")),
            400,
        ),
        ("PUT /studies", token.to_owned(), 405),
        ("GET /studies", token.to_owned(), 403),
        ("POST /studies/no.uid", format!("{token}{kind}"), 404),
        ("GET /healthz", String::new(), 200),
        ("GET /metrics", String::new(), 401),
        (
            "OPTIONS /studies",
            "Origin: https://viewer.example\r\n".to_owned(),
            204,
        ),
        (
            "OPTIONS /studies",
            "Origin: https://evil.example\r\n".to_owned(),
            403,
        ),
    ] {
        let (status, text) = open.ask(head, &headers, body, length).await;
        assert_eq!(status, wanted, "{head} {headers} {text}");
    }
    // A body that is cut, or does not go on: what came whole is kept, and said.
    let file = open.file(1, 3000);
    let part = [
        &b"--xyz\r\nContent-Type: application/dicom\r\n\r\n"[..],
        &file,
        b"\r\n--xyz\r\n",
    ]
    .concat();
    let (status, text) = open.ask("POST /studies", STORE, &part, part.len()).await;
    assert_eq!(status, 202, "{text}");
    assert!(
        text.contains("0008119A") && text.contains("2.25.1000001"),
        "{text}"
    );
    let (status, _) = open
        .ask("POST /studies", STORE, &part[..2000], part.len())
        .await;
    assert_eq!(status, 400);
    assert_eq!(open.spool.study(1).unwrap().objects.len(), 1);
}

#[tokio::test]
async fn a_full_spool_is_said_to_be() {
    let open = Open::new(10_000).await;
    let (status, _) = open
        .store("/studies", &[open.file(1, 20_000), open.file(2, 20_000)])
        .await;
    assert_eq!(status, 202);
    let (status, _) = open.store("/studies", &[open.file(3, 2000)]).await;
    assert_eq!(status, 503);
    assert_eq!(open.ask("GET /healthz", "", b"", 0).await.0, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_asks_by_https() {
    let dir = tempfile::tempdir().unwrap();
    let Some((certificate, key)) = crate::tls::standing::certificate(dir.path(), "door") else {
        return;
    };
    let files = crate::tls::TlsFiles {
        certificate: certificate.clone(),
        key,
        clients: None,
    };
    let open = Open::with(1 << 30, |settings| settings.tls = Some(files)).await;
    let ask = async |scheme: &str| {
        let address = format!("{scheme}://{}/healthz", open.address);
        let asked = tokio::process::Command::new("curl")
            .args(["-s", "-m", "20", "--cacert"])
            .arg(&certificate)
            .arg(address)
            .output();
        asked.await.unwrap()
    };
    assert_eq!(ask("https").await.stdout, b"ok\n");
    assert!(!ask("http").await.status.success());
}
