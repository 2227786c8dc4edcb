//! The right to ask: the name under which the door is called, the page that asks, the bearer token.

use std::net::SocketAddr;

use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use sha2::{Digest, Sha256};

use crate::moment::now;
use crate::settings::{Right, Settings, Token};

/// The rules of access.
pub(crate) struct Access {
    tokens: Vec<Token>,
    origins: Vec<String>,
    hosts: Vec<String>,
}

/// A caller, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) name: String,
    /// The host that it called, with its port.
    pub(super) host: String,
    pub(super) may_store: bool,
    pub(super) may_read: bool,
}

/// A request that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefusedRequest {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

impl Caller {
    fn of(name: &str, host: String, may: &[Right]) -> Self {
        Self {
            name: name.to_owned(),
            host,
            may_store: may.contains(&Right::Store),
            may_read: may.contains(&Right::Read),
        }
    }
}

impl Access {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            tokens: settings.token.clone(),
            origins: settings.origins.clone(),
            hosts: settings.hosts.clone(),
        }
    }

    /// The origin of the page that asks, if it is allowed.
    pub(super) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let known = self
            .origins
            .iter()
            .any(|it| it.as_bytes() == origin.as_bytes());
        known.then(|| origin.clone())
    }

    /// Checks a request; returns its caller.
    pub(super) fn check<B>(
        &self,
        request: &Request<B>,
        own: Option<SocketAddr>,
    ) -> Result<Caller, RefusedRequest> {
        let refuse = |status, why| Err(RefusedRequest { status, why });
        let headers = request.headers();
        let Some(host) = self.called(headers, own) else {
            // A name that another made resolve to this machine (DNS rebinding) is not this door's.
            return refuse(StatusCode::MISDIRECTED_REQUEST, "another host was called");
        };
        if headers.contains_key(header::ORIGIN) && self.allowed_origin(headers).is_none() {
            return refuse(StatusCode::FORBIDDEN, "this origin is not allowed");
        }
        let path = request.uri().path();
        if path == "/healthz" || request.method() == Method::OPTIONS {
            return Ok(Caller::of("", host, &[]));
        }
        if self.tokens.is_empty() {
            // Then the door listens on this machine alone, whose users may all send, and not all see images.
            return Ok(Caller::of("local", host, &[Right::Store]));
        }
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|it| it.to_str().ok());
        let given = given.and_then(|it| it.split_once(' '));
        let given = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = given else {
            return refuse(StatusCode::UNAUTHORIZED, "a bearer token is wanted");
        };
        // Hashes of what is secret: how long comparing them takes tells nothing about it.
        let hash = hex::encode(Sha256::digest(token.trim().as_bytes()));
        let known = self
            .tokens
            .iter()
            .find(|it| it.sha256.eq_ignore_ascii_case(&hash));
        match known {
            None => refuse(StatusCode::UNAUTHORIZED, "the token is not known"),
            Some(token) if token.expires.is_some_and(|last| last < now()) => {
                refuse(StatusCode::UNAUTHORIZED, "the token has expired")
            }
            Some(token) => Ok(Caller::of(&token.name, host, &token.may)),
        }
    }

    /// The host that a request names, if it is this door; with its port, which some clients leave out.
    fn called(&self, headers: &HeaderMap, own: Option<SocketAddr>) -> Option<String> {
        let host = headers.get(header::HOST)?.to_str().ok()?;
        if self.hosts.iter().any(|it| it.eq_ignore_ascii_case(host)) {
            return Some(host.to_owned());
        }
        let own = own?;
        let local = own.ip().is_loopback().then_some("localhost");
        let port = own.port();
        if host == own.to_string() || local.is_some_and(|it| host == format!("{it}:{port}")) {
            return Some(host.to_owned());
        }
        let ip = match own {
            SocketAddr::V4(own) => own.ip().to_string(),
            SocketAddr::V6(own) => format!("[{}]", own.ip()),
        };
        (host == ip || local == Some(host)).then(|| format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn access() -> Access {
        let hash = |text: &str| hex::encode(Sha256::digest(text));
        let token = |name: &str, text: &str, expires| Token {
            name: name.to_owned(),
            sha256: hash(text),
            expires,
            may: vec![Right::Store],
        };
        Access::new(&Settings {
            token: vec![
                token("viewer", "s3cret", None),
                token("old", "0ld", Some(1_000_000)),
            ],
            origins: vec!["https://viewer.example".to_owned()],
            hosts: vec!["gateway.example".to_owned()],
            ..Settings::default()
        })
    }

    fn ask(path: &str, headers: &[(&str, &str)]) -> Result<String, u16> {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let own = "127.0.0.1:8042".parse().unwrap();
        let checked = access().check(&request.body(()).unwrap(), Some(own));
        let named = checked.map(|caller| caller.name);
        named.map_err(|refused| refused.status.as_u16())
    }

    #[test]
    fn callers_have_a_token_a_host_and_an_allowed_origin() {
        let host = ("host", "127.0.0.1:8042");
        let token = ("authorization", "Bearer s3cret");
        assert_eq!(ask("/studies", &[host, token]), Ok("viewer".to_owned()));
        assert_eq!(
            ask(
                "/studies",
                &[
                    ("host", "localhost:8042"),
                    ("authorization", "bearer s3cret")
                ]
            ),
            Ok("viewer".to_owned())
        );
        assert_eq!(
            ask("/studies", &[("host", "gateway.example"), token]),
            Ok("viewer".to_owned())
        );
        // dicomweb-client leaves out the port.
        for name in ["127.0.0.1", "localhost"] {
            let read = ask("/studies", &[("host", name), token]);
            assert_eq!(read, Ok("viewer".to_owned()));
        }
        assert_eq!(ask("/healthz", &[host]), Ok(String::new()));
        for (headers, status) in [
            (vec![host], 401),
            (vec![host, ("authorization", "Basic s3cret")], 401),
            (vec![host, ("authorization", "Bearer s3cret2")], 401),
            (vec![host, ("authorization", "Bearer 0ld")], 401),
            (vec![token], 421),
            (vec![("host", "evil.example:8042"), token], 421),
            (vec![host, token, ("origin", "https://evil.example")], 403),
            (vec![host, token, ("origin", "null")], 403),
        ] {
            assert_eq!(ask("/studies", &headers), Err(status), "{headers:?}");
        }
        let origin = ("origin", "https://viewer.example");
        assert_eq!(
            ask("/studies", &[host, token, origin]),
            Ok("viewer".to_owned())
        );
    }
}
