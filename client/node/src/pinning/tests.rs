//! A server that follows the Pinning Service API as far as the client goes. It stands in for a real service, which is not to
//! be had here: it shows the wire format and faults, not that a service keeps anything.

#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Error, Service, Status};
use pcim_core::ImageDigest;

const IMAGE: ImageDigest = ImageDigest([7; 32]);
const TOKEN: &str = "tokenOfTheTest";

/// A request that came in: method and target, whether the token was right, the body.
type Seen = Arc<Mutex<Vec<(String, bool, Value)>>>;

/// Answers every request with what the test says: a status and a body.
async fn serve(
    answer: impl Fn(&str, &Value) -> (u16, String) + Send + Sync + 'static,
) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/psa", listener.local_addr().unwrap());
    let seen = Seen::default();
    let log = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            let (head, body) = loop {
                let mut piece = [0; 4096];
                let n = stream.read(&mut piece).await.unwrap();
                bytes.extend_from_slice(&piece[..n]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let head = head.to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    break (text[..head.len()].to_owned(), body.to_owned());
                }
            };
            let line = head
                .lines()
                .next()
                .unwrap()
                .trim_end_matches(" HTTP/1.1")
                .to_owned();
            let right = head.contains(&format!("Bearer {TOKEN}"));
            let body = serde_json::from_str(&body).unwrap_or_default();
            let (status, text) = answer(&line, &body);
            log.lock().unwrap().push((line, right, body));
            let length = text.len();
            let text = format!(
                "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{text}"
            );
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    (url, seen)
}

fn token(dir: &Path, mode: u32) -> std::path::PathBuf {
    let path = dir.join("token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

fn service(url: &str) -> Service {
    let dir = tempfile::tempdir().unwrap();
    Service::new(url, &token(dir.path(), 0o600)).unwrap()
}

fn status(id: &str, status: &str, cid: &str) -> Value {
    let created = "2026-01-01T00:00:00Z";
    json!({ "requestid": id, "status": status, "created": created, "delegates": ["/ip4/192.0.2.1/tcp/4001"],
        "pin": { "cid": cid, "name": "", "origins": [], "meta": {} }, "info": {} })
}

#[tokio::test]
async fn an_image_is_pinned_once_watched_and_removed() {
    let cid = IMAGE.to_string();
    let held = Arc::new(Mutex::new(Vec::<Value>::new()));
    let (url, seen) = serve({
        let cid = cid.clone();
        move |line, body| {
            let mut held = held.lock().unwrap();
            match line.split(' ').next().unwrap() {
                "POST" => {
                    let new = status("id-1", "queued", body["cid"].as_str().unwrap());
                    held.push(new.clone());
                    (202, new.to_string())
                }
                "DELETE" => {
                    held.clear();
                    (202, String::new())
                }
                _ => {
                    assert!(
                        line.contains(&format!(
                            "cid={cid}&status=queued%2Cpinning%2Cpinned%2Cfailed"
                        )),
                        "{line}"
                    );
                    (
                        200,
                        json!({ "count": held.len(), "results": *held }).to_string(),
                    )
                }
            }
        }
    })
    .await;
    let service = service(&url);
    let origins: Vec<_> = (0..30).map(|n| format!("/ip4/192.0.2.1/tcp/{n}")).collect();
    let pinned = service.pin(&IMAGE, &origins).await.unwrap();
    assert_eq!(
        (pinned.requestid.as_str(), pinned.status),
        ("id-1", Status::Queued)
    );
    assert_eq!(pinned.delegates, ["/ip4/192.0.2.1/tcp/4001"]);
    // Once is enough.
    assert_eq!(service.pin(&IMAGE, &origins).await.unwrap(), pinned);
    assert_eq!(service.find(&IMAGE).await.unwrap(), [pinned]);
    assert_eq!(service.unpin(&IMAGE).await.unwrap(), 1);
    assert!(service.find(&IMAGE).await.unwrap().is_empty());

    let seen = seen.lock().unwrap();
    assert!(seen.iter().all(|(_, right, _)| *right), "{seen:?}");
    let posts: Vec<_> = seen
        .iter()
        .filter(|(line, ..)| line == "POST /psa/pins")
        .collect();
    // The CID and where to fetch it from, and nothing else.
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].2, json!({ "cid": cid, "origins": origins[..20] }));
    assert!(
        seen.iter()
            .any(|(line, ..)| line == "DELETE /psa/pins/id-1")
    );
}

#[tokio::test]
async fn what_a_service_says_wrong_is_refused() {
    let cid = IMAGE.to_string();
    let results = |pin: Value| json!({ "count": 1, "results": [pin] }).to_string();
    let other = ImageDigest([8; 32]).to_string();
    let cases = [
        (
            (200, results(status("id", "pinned", &other))),
            "about another image",
        ),
        (
            (200, results(status("../../x", "pinned", &cid))),
            "cannot be part of a URL",
        ),
        (
            (200, results(status("..", "pinned", &cid))),
            "cannot be part of a URL",
        ),
        (
            (200, results(status("id", "lost", &cid))),
            "not the JSON of the API",
        ),
        ((200, "[".repeat(10)), "not the JSON of the API"),
        ((200, "x".repeat(2 << 20)), "too long"),
        (
            (
                401,
                json!({ "error": { "reason": "UNAUTHORIZED", "details": "no\nright" } })
                    .to_string(),
            ),
            "(HTTP 401): UNAUTHORIZED: no right",
        ),
        ((302, String::new()), "(HTTP 302): no reason given"),
    ];
    for (answer, wanted) in cases {
        let (url, _) = serve(move |_, _| answer.clone()).await;
        let shown = service(&url).find(&IMAGE).await.unwrap_err().to_string();
        assert!(shown.contains(wanted), "{shown}");
        assert!(!shown.contains(TOKEN));
    }
    let gone = service("http://127.0.0.1:1/");
    assert!(matches!(
        gone.find(&IMAGE).await,
        Err(Error::Unreachable { .. })
    ));
}

#[test]
fn the_token_stays_with_its_owner_and_off_the_open_net() {
    let dir = tempfile::tempdir().unwrap();
    let file = token(dir.path(), 0o640);
    let opened = Service::new("https://pins.example.org/psa", &file).map(|_| ());
    assert!(
        matches!(opened, Err(Error::OpenToken { mode: 0o640, .. })),
        "{opened:?}"
    );
    let file = token(dir.path(), 0o600);
    assert!(Service::new("https://pins.example.org/psa", &file).is_ok());
    for url in [
        "http://pins.example.org/",
        "ftp://127.0.0.1/",
        "https://u@example.org/",
        "x",
    ] {
        assert!(
            matches!(Service::new(url, &file), Err(Error::Url { .. })),
            "{url}"
        );
    }
    std::fs::write(&file, "two words\n").unwrap();
    assert!(matches!(
        Service::new("https://example.org/", &file),
        Err(Error::Token { .. })
    ));
}
