//! Small public documents by HTTP: a network file that its consortium serves, a signed call for a relay.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{StatusCode, Url};

use super::text::{is_insecure, shown};
use super::{Error, Result};

/// How long a document may take.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Fetches a document of at most `max` bytes, over `https://` or from this machine. It is not led elsewhere.
///
/// # Errors
/// [`Error::BadUrl`], [`Error::Web`]
pub async fn fetch_document(url: &str, max: usize) -> Result<Vec<u8>> {
    let parsed = safe(url)?;
    let read = async {
        let response = client()?.get(parsed).send().await?.error_for_status()?;
        if response.status() != StatusCode::OK {
            return Ok(Err(format!("HTTP status {}", response.status())));
        }
        body(response, max).await
    };
    within(url, TIME_LIMIT, read).await
}

/// Gives a JSON document to a service of the same kind of address, which has `limit` to answer; returns its answer of at most
/// `max` bytes, whatever the status.
pub(super) async fn give_document(
    url: &str,
    document: Vec<u8>,
    max: usize,
    limit: Duration,
) -> Result<Vec<u8>> {
    let parsed = safe(url)?;
    let read = async {
        let request = client()?.post(parsed).body(document);
        let request = request.header(CONTENT_TYPE, "application/json");
        body(request.send().await?, max).await
    };
    within(url, limit, read).await
}

/// An address that nobody on the way can answer for.
pub(super) fn safe(url: &str) -> Result<Url> {
    let bad = |reason: &str| Error::BadUrl {
        url: shown(url),
        reason: reason.into(),
    };
    let parsed = Url::parse(url).map_err(|e| bad(&e.to_string()))?;
    match matches!(parsed.scheme(), "http" | "https") && !is_insecure(url) {
        true => Ok(parsed),
        false => Err(bad("wanted https://")),
    }
}

fn client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// An answer's bytes, or why there are none.
type Read = reqwest::Result<std::result::Result<Vec<u8>, String>>;

async fn body(mut response: reqwest::Response, max: usize) -> Read {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > max {
            return Ok(Err(format!("more than {max} bytes")));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Ok(bytes))
}

async fn within(url: &str, limit: Duration, read: impl Future<Output = Read>) -> Result<Vec<u8>> {
    let reason = match tokio::time::timeout(limit, read).await {
        Ok(Ok(Ok(bytes))) => return Ok(bytes),
        Ok(Ok(Err(reason))) => reason,
        Ok(Err(error)) => error.without_url().to_string(),
        Err(_) => format!("nothing within {limit:?}"),
    };
    Err(Error::Web {
        url: shown(url),
        reason,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that answers once; its URL.
    async fn served(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/it", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        url
    }

    #[tokio::test]
    async fn a_document_is_small_and_comes_from_where_it_was_asked_for() {
        let good = served("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfile").await;
        assert_eq!(fetch_document(&good, 4).await.unwrap(), b"file");
        for (answer, why) in [
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfiles",
                "more than 4 bytes",
            ),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "404"),
            (
                "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
                "302",
            ),
        ] {
            let url = served(answer).await;
            let error = fetch_document(&url, 4).await.unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        for url in [
            "http://192.0.2.1/it",
            "ftp://127.0.0.1/it",
            "file:///etc/passwd",
            "it",
        ] {
            let refused = fetch_document(url, 4).await;
            assert!(matches!(refused, Err(Error::BadUrl { .. })), "{url}");
        }
    }
}
