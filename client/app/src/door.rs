//! The door: who may ask for a page at all.
//!
//! The address that is printed has a token, which opens once and gives the browser a cookie; every page wants that cookie. A name
//! that another makes resolve to this machine (DNS rebinding) is refused by its `Host`, a form of another page by its `Origin`.
//! No page may be framed, kept by a cache, or name anything of another place.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tower_http::csrf::CsrfLayer;

/// The cookie's name.
const COOKIE: &str = "pcim";
/// The headers of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; img-src 'self'; style-src 'self'; script-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// The rules of access to one screen.
pub struct Door {
    port: u16,
    /// Hashes of what is secret: how long comparing them takes tells nothing about it.
    token: Mutex<Option<[u8; 32]>>,
    cookie: [u8; 32],
    /// What the browser is given for the token.
    session: String,
    used: Mutex<Instant>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    t: String,
}

impl Door {
    /// Makes a door of this port; also returns the token that opens it once.
    #[must_use]
    pub fn new(port: u16) -> (Self, String) {
        let (token, session) = (drawn(), drawn());
        let door = Self {
            port,
            token: Mutex::new(Some(hash(&token))),
            cookie: hash(&session),
            session,
            used: Mutex::new(Instant::now()),
        };
        (door, token)
    }

    pub(crate) fn address(&self, token: &str) -> String {
        format!("http://127.0.0.1:{}/enter?t={token}", self.port)
    }

    /// Returns the time since the last page was asked for by one who may.
    pub(crate) fn unused_for(&self) -> Duration {
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// Puts every page of a router behind the door.
    pub fn guard(self: &Arc<Self>, pages: Router) -> Router {
        // A layer covers what was added before it: the names of the host go last, and cover all.
        let within = pages
            .layer(middleware::from_fn_with_state(Arc::clone(self), known))
            .layer(CsrfLayer::new());
        let entrance = Router::new()
            .route("/enter", get(enter))
            .with_state(Arc::clone(self));
        within
            .merge(entrance)
            .layer(middleware::from_fn_with_state(Arc::clone(self), called))
            .layer(middleware::map_response(with_headers))
    }

    /// Says whether a request has the cookie.
    fn knows(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter();
        cookies
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.split(';'))
            .filter_map(|it| it.trim().split_once('='))
            .any(|(name, value)| name == COOKIE && hash(value) == self.cookie)
    }
}

fn drawn() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Refuses what was not called by this machine's own name.
async fn called(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let port = door.port;
    let own = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    match own.iter().any(|it| it == host) {
        true => next.run(request).await,
        false => refused(
            StatusCode::MISDIRECTED_REQUEST,
            "This page is only for the machine that it runs on.",
        ),
    }
}

/// Refuses a browser that did not come by the token.
async fn known(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if !door.knows(request.headers()) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "Open the address that `pcim app` printed. It opens once; start `pcim app` again for another browser.",
        );
    }
    *door.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    next.run(request).await
}

/// Gives the cookie for the token.
async fn enter(
    State(door): State<Arc<Door>>,
    key: Result<Query<Key>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    if door.knows(&headers) {
        return Redirect::to("/").into_response();
    }
    let given = key.ok().map(|Query(key)| hash(&key.t));
    let mut token = door.token.lock().unwrap_or_else(PoisonError::into_inner);
    if given.is_none() || *token != given {
        return refused(
            StatusCode::UNAUTHORIZED,
            "This address has been used, or is not the one that `pcim app` printed. Start `pcim app` again.",
        );
    }
    *token = None;
    let session = &door.session;
    let cookie = format!("{COOKIE}={session}; HttpOnly; SameSite=Strict; Path=/");
    // A redirection would come from the page that the address was clicked on, and the browser would hold the cookie back.
    let page = "<!DOCTYPE html><html lang=\"en\"><title>PCIM</title><meta http-equiv=\"refresh\" content=\"0; url=/\"><p><a href=\"/\">Go on</a></p></html>";
    ([(header::SET_COOKIE, cookie)], Html(page)).into_response()
}

fn refused(status: StatusCode, why: &'static str) -> Response {
    (status, why).into_response()
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::body::Body;
    use axum::http::Method;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    /// The way in, with a page that can be read and a form.
    struct Fixture {
        door: Arc<Door>,
        token: String,
    }

    impl Fixture {
        fn new() -> Self {
            let (door, token) = Door::new(4711);
            let door = Arc::new(door);
            Self { door, token }
        }

        /// The cookie that the token gives.
        async fn entered(&self) -> String {
            let path = format!("/enter?t={}", self.token);
            let entered = self.ask(Method::GET, &path, &[]).await;
            let cookie = entered.headers()[header::SET_COOKIE].clone();
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
            cookie.split(';').next().unwrap().to_owned()
        }

        async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
            let pages = Router::new()
                .route("/", get(|| async { "page" }))
                .route("/form", post(|| async { "done" }));
            let mut request = Request::builder().method(method).uri(path);
            if !headers.iter().any(|(name, _)| *name == "host") {
                request = request.header("host", "127.0.0.1:4711");
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::empty()).unwrap();
            self.door.guard(pages).oneshot(request).await.unwrap()
        }

        async fn read(&self, path: &str, headers: &[(&str, &str)]) -> u16 {
            self.status(Method::GET, path, headers).await
        }

        async fn status(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
            self.ask(method, path, headers).await.status().as_u16()
        }
    }

    #[tokio::test]
    async fn a_token_opens_once_and_for_one_browser() {
        let fixture = Fixture::new();
        assert_eq!(fixture.read("/", &[]).await, 401);
        assert_eq!(fixture.read("/enter", &[]).await, 401);
        assert_eq!(fixture.read("/enter?t=", &[]).await, 401);
        assert_eq!(fixture.read("/enter?t=00", &[]).await, 401);
        let cookie = fixture.entered().await;
        let again = format!("/enter?t={}", fixture.token);
        assert_eq!(fixture.read(&again, &[]).await, 401, "used");
        assert_eq!(
            fixture.read(&again, &[("cookie", &cookie)]).await,
            303,
            "a second tab"
        );
        assert_eq!(fixture.read("/", &[("cookie", &cookie)]).await, 200);
        let beside = format!("other=1; {cookie}");
        assert_eq!(fixture.read("/", &[("cookie", &beside)]).await, 200);
        assert_eq!(fixture.read("/", &[("cookie", "pcim=00")]).await, 401);
        let other = Fixture::new();
        let foreign = [("cookie", cookie.as_str())];
        assert_eq!(
            other.status(Method::GET, "/", &foreign).await,
            401,
            "another screen's"
        );
    }

    #[tokio::test]
    async fn other_names_of_this_machine_and_other_pages_are_refused() {
        let fixture = Fixture::new();
        let cookie = fixture.entered().await;
        for host in [
            "evil.example:4711",
            "127.0.0.1",
            "127.0.0.1:4712",
            "localhost:4711.evil.example",
            "",
        ] {
            let headers = [("host", host), ("cookie", cookie.as_str())];
            assert_eq!(
                fixture.status(Method::GET, "/", &headers).await,
                421,
                "{host}"
            );
            assert_eq!(
                fixture.status(Method::GET, "/enter", &headers[..1]).await,
                421,
                "{host}"
            );
        }
        let named = [("host", "localhost:4711"), ("cookie", cookie.as_str())];
        assert_eq!(fixture.status(Method::GET, "/", &named).await, 200);
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("origin", "http://127.0.0.1:9999"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let headers = [(name, value), ("cookie", cookie.as_str())];
            assert_eq!(
                fixture.status(Method::POST, "/form", &headers).await,
                403,
                "{name}: {value}"
            );
        }
        let own = [
            ("origin", "http://127.0.0.1:4711"),
            ("cookie", cookie.as_str()),
        ];
        assert_eq!(fixture.status(Method::POST, "/form", &own).await, 200);
        assert_eq!(fixture.status(Method::POST, "/form", &own[..1]).await, 401);
    }

    #[tokio::test]
    async fn every_answer_forbids_frames_caches_and_foreign_sources() {
        let fixture = Fixture::new();
        let cookie = fixture.entered().await;
        for (path, headers) in [
            ("/", vec![]),
            ("/", vec![("cookie", cookie.as_str())]),
            ("/enter", vec![]),
        ] {
            let answer = fixture.ask(Method::GET, path, &headers).await;
            for (name, value) in HEADERS {
                assert_eq!(answer.headers()[&name], value, "{path}");
            }
        }
    }

    #[tokio::test]
    async fn only_one_who_may_keeps_the_screen_awake() {
        let fixture = Fixture::new();
        let cookie = fixture.entered().await;
        tokio::time::sleep(Duration::from_millis(30)).await;
        fixture.ask(Method::GET, "/", &[]).await;
        assert!(fixture.door.unused_for() >= Duration::from_millis(30));
        fixture.ask(Method::GET, "/", &[("cookie", &cookie)]).await;
        assert!(fixture.door.unused_for() < Duration::from_millis(30));
    }
}
