//! Pinning services (IPFS Pinning Service API 1.0.0): others who keep an image available, encrypted as it is.
//!
//! The service learns the root's CID and the addresses of the node that has it; no name and no description is sent.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use pcim_core::ImageDigest;
use pcim_core::private;

/// How long a service may take to answer.
const ANSWER: Duration = Duration::from_secs(60);
/// Most bytes of an answer.
const MAX_ANSWER: usize = 1024 * 1024;
/// Most bytes of a token file.
const MAX_TOKEN: usize = 4096;
/// Most addresses that a request may name (schema `Origins`).
const MAX_ORIGINS: usize = 20;
/// Most peers of the service that are dialled (schema `Delegates`).
const MAX_DELEGATES: usize = 20;
/// Most characters of the service's own words that are shown.
const MAX_TOLD: usize = 300;
/// Every status: a query without it finds pinned ones only.
const EVERY: &str = "queued,pinning,pinned,failed";

/// A service and the right to use it.
pub struct Service {
    url: Url,
    token: Zeroizing<String>,
    http: Client,
}

/// The state of a request (schema `PinStatus`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinStatus {
    /// Names the request.
    pub requestid: String,
    /// How far it is.
    pub status: Status,
    /// Peers of the service; being connected to them makes it quicker.
    #[serde(default)]
    pub delegates: Vec<String>,
    pin: Pin,
}

/// How far a request is (schema `Status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It waits.
    Queued,
    /// The service fetches the blocks.
    Pinning,
    /// The service has them.
    Pinned,
    /// The service gave up.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pin {
    cid: String,
}

#[derive(Deserialize)]
struct PinResults {
    results: Vec<PinStatus>,
}

/// Why a service did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not an address of a service.
    #[error("`{found}` is no pinning service: wanted https://…, or http:// on this machine")]
    Url {
        /// The value that was given.
        found: String,
    },
    /// The token cannot be read.
    #[error("{}: {source}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others can read the token.
    #[error("{} can be read by others: its mode is {mode:o}, wanted 600", path.display())]
    OpenToken {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The service cannot be reached, or broke off.
    #[error("the pinning service {service} did not answer")]
    Unreachable {
        /// Its host.
        service: String,
        /// Why.
        source: reqwest::Error,
    },
    /// The service said no.
    #[error("the pinning service {service} refused (HTTP {status}): {reason}")]
    Refused {
        /// Its host.
        service: String,
        /// The HTTP status.
        status: u16,
        /// Its own words.
        reason: String,
    },
    /// The service answered something else.
    #[error("the pinning service {service} sent no valid answer: {what}")]
    Nonsense {
        /// Its host.
        service: String,
        /// The reason.
        what: &'static str,
    },
}

/// The result of a call of the service.
pub type Result<T> = std::result::Result<T, Error>;

impl Service {
    /// Names a service at a base URL, with the token that the first line of a file holds. Only its owner may read that file.
    pub fn new(url: &str, token_file: &Path) -> Result<Self> {
        let refused = || Error::Url {
            found: url.to_owned(),
        };
        let mut base = Url::parse(url).map_err(|_| refused())?;
        let is_here = matches!(base.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let is_safe = base.scheme() == "https" || (base.scheme() == "http" && is_here);
        if !is_safe || base.query().is_some() || !base.username().is_empty() {
            return Err(refused());
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        // A redirect would carry the token elsewhere.
        let http = Client::builder()
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("pcim/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            http: http.map_err(|source| Error::Unreachable {
                service: host(&base),
                source,
            })?,
            url: base,
            token: token(token_file)?,
        })
    }

    /// Asks the service to keep an image, which it finds at `origins`. An image that it keeps or fetches already is not
    /// asked for again; one that failed is.
    pub async fn pin(&self, image: &ImageDigest, origins: &[String]) -> Result<PinStatus> {
        let found = self.find(image).await?;
        if let Some(known) = found.into_iter().find(|pin| pin.status != Status::Failed) {
            return Ok(known);
        }
        let origins = &origins[..origins.len().min(MAX_ORIGINS)];
        let body = json!({ "cid": image.to_string(), "origins": origins });
        let request = self
            .request(Method::POST, "pins", &[])?
            .body(body.to_string());
        let request = request.header("content-type", "application/json");
        let answer = self.send(request, StatusCode::ACCEPTED).await?;
        self.status(&answer, image)
    }

    /// Lists the requests for an image, the latest first.
    pub async fn find(&self, image: &ImageDigest) -> Result<Vec<PinStatus>> {
        let cid = image.to_string();
        let query = [("cid", cid.as_str()), ("status", EVERY)];
        let request = self.request(Method::GET, "pins", &query)?;
        let answer = self.send(request, StatusCode::OK).await?;
        let found: PinResults = self.read(&answer)?;
        found
            .results
            .into_iter()
            .map(|pin| self.checked(pin, image))
            .collect()
    }

    /// Has the service forget an image; tells how many requests that were.
    pub async fn unpin(&self, image: &ImageDigest) -> Result<usize> {
        let found = self.find(image).await?;
        for pin in &found {
            let path = format!("pins/{}", pin.requestid);
            let request = self.request(Method::DELETE, &path, &[])?;
            self.send(request, StatusCode::ACCEPTED).await?;
        }
        Ok(found.len())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder> {
        let url = self
            .url
            .join(path)
            .map_err(|_| self.nonsense("a bad request id"))?;
        let request = self.http.request(method, url).query(query);
        Ok(request.bearer_auth(self.token.as_str()))
    }

    async fn send(&self, request: RequestBuilder, wanted: StatusCode) -> Result<Vec<u8>> {
        let failed = |source: reqwest::Error| Error::Unreachable {
            service: host(&self.url),
            source: source.without_url(),
        };
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > MAX_ANSWER {
                return Err(self.nonsense("it is too long"));
            }
            body.extend_from_slice(&piece);
        }
        if status == wanted {
            return Ok(body);
        }
        Err(Error::Refused {
            service: host(&self.url),
            status: status.as_u16(),
            reason: reason(&body),
        })
    }

    fn status(&self, answer: &[u8], image: &ImageDigest) -> Result<PinStatus> {
        self.checked(self.read(answer)?, image)
    }

    fn checked(&self, mut pin: PinStatus, image: &ImageDigest) -> Result<PinStatus> {
        if pin.pin.cid != image.to_string() {
            return Err(self.nonsense("it is about another image"));
        }
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        let id = pin.requestid.as_str();
        if id.is_empty() || id.starts_with('.') || id.len() > 255 || !id.chars().all(is_plain) {
            return Err(self.nonsense("its request id cannot be part of a URL"));
        }
        pin.delegates.truncate(MAX_DELEGATES);
        Ok(pin)
    }

    fn read<'a, T: Deserialize<'a>>(&self, answer: &'a [u8]) -> Result<T> {
        serde_json::from_slice(answer).map_err(|_| self.nonsense("it is not the JSON of the API"))
    }

    fn nonsense(&self, what: &'static str) -> Error {
        Error::Nonsense {
            service: host(&self.url),
            what,
        }
    }
}

fn host(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

fn token(path: &Path) -> Result<Zeroizing<String>> {
    let failed = |source| Error::Token {
        path: path.to_owned(),
        source,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path)
            .map_err(failed)?
            .permissions()
            .mode()
            & 0o777;
        if mode & 0o077 != 0 {
            return Err(Error::OpenToken {
                path: path.to_owned(),
                mode,
            });
        }
    }
    let bytes = Zeroizing::new(private::read_limited(path, MAX_TOKEN).map_err(failed)?);
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_token = !line.is_empty() && line.iter().all(u8::is_ascii_graphic);
    let text = std::str::from_utf8(line).ok().filter(|_| is_token);
    let wrong = || {
        failed(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "no token",
        ))
    };
    Ok(Zeroizing::new(text.ok_or_else(wrong)?.to_owned()))
}

/// The service's words (schema `Failure`), on one line.
fn reason(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &answer["error"];
    let words = [&error["reason"], &error["details"]].map(|word| word.as_str().unwrap_or_default());
    let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let line = words.join(": ");
    let line = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    let line: String = line.take(MAX_TOLD).collect();
    if line.is_empty() {
        "no reason given".to_owned()
    } else {
        line
    }
}

#[cfg(test)]
mod tests;
