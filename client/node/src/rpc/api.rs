//! One call of the API: a connection, a request, an answer of limited size.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use reqwest::Url;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::common::{Body, CONNECT, Tied};
use crate::{Cause, Error, Result};
use pcim_core::text::escaped;

/// Most bytes of a refusal that are read, and most characters that are shown.
const MAX_REFUSAL: usize = 64 * 1024;
const MAX_SHOWN: usize = 400;
/// How an answer that breaks off tells why (Kubo's trailer).
const STREAM_ERROR: &str = "x-stream-error";

/// Where an API is.
#[derive(Clone, Debug)]
pub(super) struct Api {
    endpoint: Endpoint,
    /// The name that the user gave it.
    pub(super) name: String,
}

#[derive(Clone, Debug)]
enum Endpoint {
    /// Host and port.
    Tcp(String, u16),
    Unix(PathBuf),
}

/// The reason why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("no connection")]
    Unreachable(#[source] io::Error),
    #[error("no answer within {0} s")]
    Late(u64),
    #[error("the connection broke")]
    Broke(#[source] Cause),
    #[error("an answer of more than {0} bytes")]
    TooLong(usize),
    #[error("an answer that makes no sense")]
    Nonsense,
    /// The node's own words.
    #[error("{0}")]
    Refused(String),
}

impl Fault {
    /// Returns true if the node said something with one of these words.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        matches!(self, Self::Refused(text) if words.iter().any(|word| text.contains(word)))
    }
}

impl Api {
    pub(super) fn unix(path: PathBuf, name: &str) -> Self {
        Self {
            endpoint: Endpoint::Unix(path),
            name: name.to_owned(),
        }
    }

    /// `http://host[:port]` or `unix:/path`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let endpoint = match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') => Some(Endpoint::Unix(path.into())),
            Some(_) => None,
            None => Url::parse(text).ok().and_then(|url| {
                let plain = url.scheme() == "http"
                    && url.path() == "/"
                    && url.query().is_none()
                    && url.username().is_empty()
                    && url.password().is_none();
                let port = url.port_or_known_default()?;
                let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
                plain.then_some(Endpoint::Tcp(host, port))
            }),
        };
        Ok(Self {
            endpoint: endpoint.ok_or_else(|| Error::Endpoint {
                found: text.to_owned(),
            })?,
            name: text.to_owned(),
        })
    }

    /// Calls a command; the answer has at most `max` bytes and comes within `limit`.
    pub(super) async fn call(
        &self,
        command: &str,
        args: &[(&str, &str)],
        form: Option<(String, Body)>,
        limit: Duration,
        max: usize,
    ) -> std::result::Result<Bytes, Fault> {
        timeout(limit, self.call_now(command, args, form, max))
            .await
            .unwrap_or(Err(Fault::Late(limit.as_secs())))
    }

    /// The node's error for a call that was refused or broke.
    pub(super) fn failed(&self, doing: &'static str) -> impl Fn(Fault) -> Error + '_ {
        move |fault| Error::Api {
            endpoint: self.name.clone(),
            doing,
            source: fault.into(),
        }
    }

    async fn call_now(
        &self,
        command: &str,
        args: &[(&str, &str)],
        form: Option<(String, Body)>,
        max: usize,
    ) -> std::result::Result<Bytes, Fault> {
        let broke = |error: hyper::Error| Fault::Broke(error.into());
        let (mut sender, connection) = http1::handshake(TokioIo::new(self.connect().await?))
            .await
            .map_err(broke)?;
        let _connection = Tied(tokio::spawn(connection));
        let request = self.request(command, args, form)?;
        let answer = sender.send_request(request).await.map_err(broke)?;
        if answer.status() == StatusCode::OK {
            return collect(answer, max).await;
        }
        let status = answer.status();
        let text = collect(answer, MAX_REFUSAL).await.unwrap_or_default();
        Err(Fault::Refused(refusal(status, &text)))
    }

    fn request(
        &self,
        command: &str,
        args: &[(&str, &str)],
        form: Option<(String, Body)>,
    ) -> std::result::Result<Request<Body>, Fault> {
        let base = format!("http://localhost/api/v0/{command}");
        let url = Url::parse_with_params(&base, args).map_err(|_| Fault::Nonsense)?;
        let target = match url.query() {
            Some(query) if !query.is_empty() => format!("{}?{query}", url.path()),
            _ => url.path().to_owned(),
        };
        let host = match &self.endpoint {
            Endpoint::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            Endpoint::Tcp(host, port) => format!("{host}:{port}"),
            Endpoint::Unix(_) => "localhost".to_owned(),
        };
        let mut request = Request::post(target)
            .header(header::HOST, host)
            .header(header::CONNECTION, "close")
            .header(
                header::USER_AGENT,
                concat!("pcim/", env!("CARGO_PKG_VERSION")),
            );
        let body = match form {
            Some((boundary, body)) => {
                let kind = format!("multipart/form-data; boundary={boundary}");
                request = request.header(header::CONTENT_TYPE, kind);
                body
            }
            None => http_body_util::Empty::new()
                .map_err(|never| match never {})
                .boxed_unsync(),
        };
        request.body(body).map_err(|_| Fault::Nonsense)
    }

    async fn connect(&self) -> std::result::Result<Box<dyn Stream>, Fault> {
        let connected = timeout(CONNECT, async {
            Ok(match &self.endpoint {
                Endpoint::Tcp(host, port) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await?;
                    stream.set_nodelay(true)?;
                    Box::new(stream) as Box<dyn Stream>
                }
                Endpoint::Unix(path) => Box::new(pcim_core::socket::connect(path).await?),
            })
        });
        match connected.await {
            Ok(connected) => connected.map_err(Fault::Unreachable),
            Err(_) => Err(Fault::Unreachable(io::ErrorKind::TimedOut.into())),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn collect(answer: Response<Incoming>, max: usize) -> std::result::Result<Bytes, Fault> {
    let mut body = answer.into_body();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Fault::Broke(error.into()))?;
        if let Some(trailer) = frame.trailers_ref().and_then(|all| all.get(STREAM_ERROR)) {
            let text = String::from_utf8_lossy(trailer.as_bytes());
            return Err(Fault::Refused(shortened(&text)));
        }
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > max {
                return Err(Fault::TooLong(max));
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes.into())
}

/// The message of a refusal, on one line.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        #[serde(rename = "Message")]
        message: String,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => shortened(&refusal.message),
        Err(_) => format!("HTTP status {status}"),
    }
}

fn shortened(text: &str) -> String {
    escaped(text.chars().take(MAX_SHOWN))
}
