//! JSON-RPC over HTTP: every request has a time limit, every answer a size limit, and no URL is shown whole.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alloy_primitives::Bytes;
use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::text::{printable, shown};
use super::{Error, Result, Revert};
use pcim_core::Address;

/// One RPC endpoint.
pub(super) struct Rpc {
    http: reqwest::Client,
    url: Url,
    /// The URL without credentials.
    shown: String,
    limit: Duration,
    /// How often a busy node is asked again.
    patience: u32,
    next_id: AtomicU64,
}

/// The reason why one request has no result. [`Rpc::explain`] makes an [`Error`] of it.
#[derive(Debug)]
pub(super) enum Fault {
    /// No answer, or none that is HTTP.
    Transport(Box<dyn std::error::Error + Send + Sync>),
    /// Too many requests (HTTP status 429); how long to wait, if the node says it.
    Busy(Option<Duration>),
    /// No answer in time.
    Timeout,
    /// More bytes than any honest answer has, or than the node sends (HTTP status 413).
    TooLarge,
    /// An answer, but not to what was asked.
    Nonsense(String),
    /// A JSON-RPC error.
    Node {
        /// JSON-RPC error code.
        code: i64,
        /// As it came.
        message: String,
        /// Revert data, if there is any.
        data: Option<Vec<u8>>,
    },
}

/// The outcome of an `eth_call`.
pub(super) enum Outcome {
    /// Its return data.
    Returned(Bytes),
    /// Its revert data.
    Reverted(Vec<u8>),
}

/// An answer may hold ten thousand logs, not more.
const MAX_RESPONSE_BYTES: usize = 16 << 20;
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// The first pause before a busy node is asked again; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause, whatever the node asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl fmt::Debug for Rpc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rpc({})", self.shown)
    }
}

impl Rpc {
    pub(super) fn new(url: &str) -> Result<Self> {
        Self::with_limit(url, TIME_LIMIT)
    }

    pub(super) fn with_limit(url: &str, limit: Duration) -> Result<Self> {
        let bad = |reason: &str| Error::BadUrl {
            url: shown(url),
            reason: reason.into(),
        };
        let parsed = Url::parse(url).map_err(|e| bad(&e.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(bad("wanted http:// or https://"));
        }
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limit)
            .build()
            .map_err(|e| bad(&e.to_string()))?;
        Ok(Self {
            http,
            url: parsed,
            shown: shown(url),
            limit,
            patience: 0,
            next_id: AtomicU64::new(1),
        })
    }

    /// Has a busy node (HTTP status 429 or 503) asked again, so many times, with growing pauses.
    pub(super) fn patient(self, patience: u32) -> Self {
        Self { patience, ..self }
    }

    /// Asks, and makes an [`Error`] of whatever goes wrong.
    pub(super) async fn ask<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> Result<R> {
        self.request(method, params)
            .await
            .map_err(|fault| self.explain(method, fault))
    }

    /// Asks; `null` is a result like any other.
    pub(super) async fn request<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> std::result::Result<R, Fault> {
        let mut pause = FIRST_PAUSE;
        for _ in 0..self.patience {
            match self.ask_once(method, params.clone()).await {
                Err(Fault::Busy(after)) => {
                    tokio::time::sleep(after.unwrap_or(pause).min(LONGEST_PAUSE)).await;
                    pause *= 2;
                }
                other => return other,
            }
        }
        self.ask_once(method, params).await
    }

    async fn ask_once<R: DeserializeOwned>(
        &self,
        method: &'static str,
        params: Value,
    ) -> std::result::Result<R, Fault> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let (status, bytes) = tokio::time::timeout(self.limit, self.exchange(body.to_string()))
            .await
            .map_err(|_| Fault::Timeout)??;
        read_answer(status, id, &bytes)
    }

    async fn exchange(
        &self,
        body: String,
    ) -> std::result::Result<(reqwest::StatusCode, Vec<u8>), Fault> {
        let transport = |e: reqwest::Error| Fault::Transport(Box::new(e.without_url()));
        let mut response = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .map_err(transport)?;
        let status = response.status();
        if status == reqwest::StatusCode::TOO_MANY_REQUESTS
            || self.patience > 0 && status == reqwest::StatusCode::SERVICE_UNAVAILABLE
        {
            let after = response.headers().get("retry-after");
            let seconds = after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
            return Err(Fault::Busy(seconds.map(Duration::from_secs)));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(transport)? {
            if bytes.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(Fault::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((response.status(), bytes))
    }

    /// Simulates a call on the latest block. Only a revert is an outcome; any other fault is an error.
    pub(super) async fn call(
        &self,
        from: Option<Address>,
        to: Address,
        data: &[u8],
    ) -> std::result::Result<Outcome, Fault> {
        let mut tx = json!({"to": to, "data": Bytes::copy_from_slice(data)});
        if let Some(from) = from {
            tx["from"] = json!(from);
        }
        match self.request("eth_call", json!([tx, "latest"])).await {
            Ok(returned) => Ok(Outcome::Returned(returned)),
            Err(fault) => fault.into_revert().map(Outcome::Reverted),
        }
    }

    pub(super) fn explain(&self, method: &'static str, fault: Fault) -> Error {
        let url = self.shown.clone();
        match fault {
            Fault::Transport(source) => Error::Rpc { url, source },
            Fault::Busy(_) => Error::Rpc {
                url,
                source: match self.patience {
                    0 => "too many requests (HTTP status 429)".into(),
                    times => format!("busy {times} times over (HTTP status 429 or 503)").into(),
                },
            },
            Fault::Timeout => Error::Timeout {
                url,
                method,
                limit: self.limit,
            },
            Fault::TooLarge => {
                let most = MAX_RESPONSE_BYTES;
                self.nonsense(
                    method,
                    format!("more than {most} bytes, or than the node sends"),
                )
            }
            Fault::Nonsense(detail) => self.nonsense(method, detail),
            Fault::Node {
                data: Some(data), ..
            } if !data.is_empty() => Error::Refused(Revert::decode(&data)),
            Fault::Node { code, message, .. } => Error::Node {
                url,
                method,
                code,
                message: printable(&message),
            },
        }
    }

    /// The endpoint, without credentials.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn nonsense(&self, method: &'static str, detail: impl Into<String>) -> Error {
        Error::Nonsense {
            url: self.shown.clone(),
            method,
            detail: detail.into(),
        }
    }
}

/// Reads what came back to request `id`.
pub(super) fn read_answer<R: DeserializeOwned>(
    status: reqwest::StatusCode,
    id: u64,
    bytes: &[u8],
) -> std::result::Result<R, Fault> {
    let answer: Value = match serde_json::from_slice(bytes) {
        Ok(answer) => answer,
        Err(_) if status == reqwest::StatusCode::PAYLOAD_TOO_LARGE => return Err(Fault::TooLarge),
        Err(_) if !status.is_success() => {
            return Err(Fault::Transport(format!("HTTP status {status}").into()));
        }
        Err(e) => return Err(Fault::Nonsense(format!("not JSON ({e})"))),
    };
    let Value::Object(mut answer) = answer else {
        return Err(Fault::Nonsense("not a JSON-RPC response".into()));
    };
    if let Some(error) = answer.get("error").filter(|e| !e.is_null()) {
        return Err(node_error(error));
    }
    if answer.get("id") != Some(&json!(id)) {
        return Err(Fault::Nonsense("the response is to another request".into()));
    }
    let result = answer
        .remove("result")
        .ok_or_else(|| Fault::Nonsense("neither result nor error".into()))?;
    serde_json::from_value(result).map_err(|e| Fault::Nonsense(printable(&e.to_string())))
}

impl Fault {
    /// The revert data, if the fault says that the EVM reverted (code 3, or words to that effect).
    pub(super) fn into_revert(self) -> std::result::Result<Vec<u8>, Self> {
        match self {
            Self::Node {
                data: Some(data), ..
            } if !data.is_empty() => Ok(data),
            Self::Node { code, message, .. }
                if code == 3 || message.to_ascii_lowercase().contains("revert") =>
            {
                Ok(Vec::new())
            }
            other => Err(other),
        }
    }

    /// Returns true if a JSON-RPC error's words contain one of these.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        let Self::Node { message, .. } = self else {
            return false;
        };
        let message = message.to_ascii_lowercase();
        words.iter().any(|word| message.contains(word))
    }
}

fn node_error(error: &Value) -> Fault {
    // Most nodes put revert data into `error.data`, some one level deeper.
    let data = match &error["data"] {
        Value::Object(inner) => inner.get("data").and_then(Value::as_str),
        other => other.as_str(),
    };
    Fault::Node {
        code: error["code"].as_i64().unwrap_or_default(),
        message: error["message"].as_str().unwrap_or_default().into(),
        data: data
            .and_then(|text| text.strip_prefix("0x"))
            .and_then(|digits| hex::decode(digits).ok()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::fake::{Fake, Reply};
    use super::*;

    #[test]
    fn credentials_are_not_shown() {
        let shown = shown("https://user:secret@rpc.example:8443/v3/KEY?token=T");
        assert_eq!(shown, "https://rpc.example:8443/…");
        assert_eq!(
            super::shown("http://127.0.0.1:8547"),
            "http://127.0.0.1:8547"
        );
        let Error::BadUrl { url, .. } = Rpc::new("ftp://user:secret@host/").unwrap_err() else {
            panic!("ftp is no RPC")
        };
        assert_eq!(url, "ftp://host");
        assert!(matches!(Rpc::new("not a url"), Err(Error::BadUrl { .. })));
    }

    async fn fault(reply: Reply) -> Fault {
        let fake = Fake::always(reply).await;
        let rpc = Rpc::with_limit(&fake.url, Duration::from_millis(300)).unwrap();
        rpc.request::<u64>("eth_chainId", json!([]))
            .await
            .unwrap_err()
    }

    #[tokio::test]
    async fn faults_are_told_apart() {
        assert!(matches!(fault(Reply::Close).await, Fault::Transport(_)));
        assert!(matches!(fault(Reply::Silence).await, Fault::Timeout));
        assert!(matches!(
            fault(Reply::Http(503, "<html>".into())).await,
            Fault::Transport(e) if e.to_string().contains("503")
        ));
        let fault_413 = fault(Reply::Http(413, "<html>".into())).await;
        assert!(matches!(fault_413, Fault::TooLarge));
        assert!(matches!(
            fault(Reply::Http(200, "<html>".into())).await,
            Fault::Nonsense(_)
        ));
        assert!(matches!(
            fault(Reply::Http(200, "[]".into())).await,
            Fault::Nonsense(_)
        ));
        assert!(matches!(
            fault(Reply::Http(200, r#"{"jsonrpc":"2.0","id":1}"#.into())).await,
            Fault::Nonsense(_)
        ));
        assert!(matches!(
            fault(Reply::Http(
                200,
                r#"{"jsonrpc":"2.0","id":77,"result":1}"#.into()
            ))
            .await,
            Fault::Nonsense(_)
        ));
        assert!(matches!(
            fault(Reply::Result(json!("a word"))).await,
            Fault::Nonsense(_)
        ));
        assert!(matches!(
            fault(Reply::Http(200, " ".repeat(MAX_RESPONSE_BYTES + 1))).await,
            Fault::TooLarge
        ));
        assert!(matches!(
            fault(Reply::Error(-32601, "no such method".into(), None)).await,
            Fault::Node {
                code: -32601,
                data: None,
                ..
            }
        ));
        let reverted = fault(Reply::Error(
            3,
            "execution reverted".into(),
            Some(vec![1, 2]),
        ))
        .await;
        assert_eq!(reverted.into_revert().unwrap(), [1, 2]);
    }

    #[tokio::test]
    async fn nobody_there_is_an_rpc_error_without_the_url_inside() {
        let port = {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let rpc = Rpc::new(&format!("http://u:secret@127.0.0.1:{port}/key")).unwrap();
        let error = rpc
            .ask::<Value>("eth_chainId", json!([]))
            .await
            .unwrap_err();
        let Error::Rpc { url, source } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(url, &format!("http://127.0.0.1:{port}/…"));
        assert!(!format!("{error} {source} {error:?} {rpc:?}").contains("secret"));
    }

    #[test]
    fn a_nodes_words_cannot_draw_on_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\u{200b}\n"),
            "a\\u{1b}[2Jb\\u{200b}\\n"
        );
        assert_eq!(printable(&"x".repeat(500)).chars().count(), 201);
    }
}
