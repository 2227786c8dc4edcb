//! The HTTP door: DICOMweb (PS3.18), FHIR's ImagingStudy, `/healthz` and `/metrics`.

mod accept;
mod access;
mod address;
mod body;
mod connection;
mod fhir;
mod multipart;
mod parts;
mod picture;
mod retrieve;
mod search;
mod stow;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::catalogue::Catalogue;
use crate::current::Current;
use crate::dimse::is_uid;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::moment::asked;
use crate::spool::{Spool, Study};
pub(crate) use access::Access;
use access::Caller;
use address::{Wanted, resource};
use body::Content;
use connection::TimedStream;

/// Connections at the same time.
const CONNECTIONS: usize = 256;
/// For the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// For a connection, a large study on its way in included.
const LONGEST: Duration = Duration::from_secs(3600);
/// Most bytes of a request's head.
const HEAD_MAX: usize = 32 << 10;
/// How long requests may take to end when the gateway stops.
const ENDING: Duration = Duration::from_secs(10);

pub(crate) type Answer = Response<Content>;

/// What every request is answered with.
pub(crate) struct Web {
    current: Current,
    spool: Arc<Spool>,
    metrics: Arc<Metrics>,
    catalogue: Arc<Catalogue>,
    log: Log,
    /// For the next piece of a body to come, or to be taken.
    stall: Duration,
    /// The address under which others call the door, if it is not the one that they name.
    url: Option<String>,
}

/// A request without its body.
struct Asked {
    headers: HeaderMap,
    query: String,
    /// Who asks.
    caller: String,
    /// The address of the service, under which the resources are.
    service: String,
}

impl Web {
    pub(crate) fn new(
        current: &Current,
        spool: &Arc<Spool>,
        catalogue: &Arc<Catalogue>,
        metrics: &Arc<Metrics>,
        log: &Log,
    ) -> Self {
        let settings = &current.get().settings;
        Self {
            current: current.clone(),
            spool: Arc::clone(spool),
            metrics: Arc::clone(metrics),
            catalogue: Arc::clone(catalogue),
            url: settings.url.clone(),
            log: log.clone(),
            stall: Duration::from_secs(settings.stall_seconds),
        }
    }

    /// Serves until `stop` says true.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
    ) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut open = JoinSet::new();
        let own = listener.local_addr().ok();
        loop {
            while open.try_join_next().is_some() {}
            let place = tokio::select! {
                () = asked(&mut stop) => break,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            let accepted = tokio::select! {
                () = asked(&mut stop) => break,
                accepted = listener.accept() => accepted,
            };
            let (Ok(place), Ok((stream, peer))) = (place, accepted) else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let web = Arc::clone(&self);
            let mut stop = stop.clone();
            open.spawn(async move {
                let _place = place;
                let stall = web.stall;
                let acceptor = web.current.get().acceptors.http.clone();
                let stream = match acceptor.accept(stream, HEAD).await {
                    Ok(stream) => stream,
                    Err(why) => {
                        let address = peer.ip();
                        let fields: [(&str, &dyn std::fmt::Display); 2] =
                            [("address", &address), ("why", &why)];
                        return web.log.event("request_refused", &fields);
                    }
                };
                let answer = service_fn(|request| {
                    let web = Arc::clone(&web);
                    async move {
                        Ok::<_, std::convert::Infallible>(web.answer(request, peer, own).await)
                    }
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEAD)
                    .max_buf_size(HEAD_MAX)
                    .serve_connection(TokioIo::new(TimedStream::new(stream, stall)), answer);
                let mut connection = std::pin::pin!(connection);
                let ended = tokio::select! {
                    ended = tokio::time::timeout(LONGEST, connection.as_mut()) => ended,
                    () = asked(&mut stop) => {
                        connection.as_mut().graceful_shutdown();
                        tokio::time::timeout(ENDING, connection).await
                    }
                };
                if let Ok(Err(error)) = ended {
                    tracing::debug!(%error, "a request broke off");
                }
            });
        }
        drop(listener);
        let ending = async { while open.join_next().await.is_some() {} };
        // Those that do not end are cut off with the set.
        let _ = tokio::time::timeout(ENDING, ending).await;
    }

    async fn answer(
        self: &Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
        own: Option<SocketAddr>,
    ) -> Answer {
        self.metrics.requests.add(1);
        let current = self.current.get();
        let origin = current.access.allowed_origin(request.headers());
        let mut answer = match current.access.check(&request, own) {
            Ok(caller) => self.route(request, caller).await,
            Err(refused) => {
                let status = refused.status.as_u16();
                let address = peer.ip();
                self.log.event(
                    "request_refused",
                    &[
                        ("address", &address),
                        ("status", &status),
                        ("why", &refused.why),
                    ],
                );
                let mut answer = plain(refused.status, refused.why);
                if refused.status == StatusCode::UNAUTHORIZED {
                    let scheme = HeaderValue::from_static("Bearer realm=\"pcim\"");
                    answer
                        .headers_mut()
                        .insert(header::WWW_AUTHENTICATE, scheme);
                }
                answer
            }
        };
        let headers = answer.headers_mut();
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            let exposed = HeaderValue::from_static("warning");
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
            headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        }
        answer
    }

    async fn route(self: &Arc<Self>, request: Request<Incoming>, caller: Caller) -> Answer {
        let path = request.uri().path().to_owned();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let method = request.method().clone();
        match (&method, &parts[..]) {
            (&Method::OPTIONS, _) => preflight(),
            (&Method::GET, ["healthz"]) => self.health(),
            (&Method::GET, ["metrics"]) => self.numbers(),
            (&Method::POST, ["studies"]) if caller.may_store => {
                stow::store(self, request, &caller.name, None).await
            }
            (&Method::POST, ["studies", study]) if is_uid(study) && caller.may_store => {
                stow::store(self, request, &caller.name, Some(study)).await
            }
            (&Method::POST, ["studies", ..]) if !caller.may_store => no_right("store"),
            (&Method::GET, ["fhir", ..]) => match fhir::resource(&parts) {
                Some(_) if !caller.may_read => no_right("read"),
                Some((release, wanted)) => {
                    let asked = self.asked(&request, caller);
                    fhir::answer(self, &asked, release, wanted)
                }
                None => plain(StatusCode::NOT_FOUND, "there is no such resource"),
            },
            (&Method::GET, _) => match resource(&parts) {
                Some(_) if !caller.may_read => no_right("read"),
                Some((scope, wanted)) => {
                    let asked = self.asked(&request, caller);
                    match wanted {
                        Wanted::Search(level) => search::search(self, &asked, scope, level),
                        wanted => retrieve::retrieve(self, &asked, scope, wanted).await,
                    }
                }
                None => plain(StatusCode::NOT_FOUND, "there is no such resource"),
            },
            (_, ["healthz" | "metrics"]) => not_allowed("GET"),
            (_, ["studies"]) => not_allowed("GET, POST"),
            (_, ["studies", study]) if is_uid(study) => not_allowed("GET, POST"),
            _ if resource(&parts).is_some() => not_allowed("GET"),
            _ => plain(StatusCode::NOT_FOUND, "there is no such resource"),
        }
    }

    fn asked(&self, request: &Request<Incoming>, caller: Caller) -> Asked {
        let scheme = match self.current.get().acceptors.http.is_tls() {
            true => "https",
            false => "http",
        };
        let called = || format!("{scheme}://{}", caller.host);
        Asked {
            headers: request.headers().clone(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            service: self.url.clone().unwrap_or_else(called),
            caller: caller.name,
        }
    }

    fn health(&self) -> Answer {
        match self.spool.has_room() {
            true => plain(StatusCode::OK, "ok"),
            false => plain(StatusCode::SERVICE_UNAVAILABLE, "the spool is full"),
        }
    }

    fn numbers(&self) -> Answer {
        let waits = |study: &Study| !study.objects.is_empty();
        let studies = self.spool.numbers_of(waits).len() as u64;
        let gauges = [
            (
                "spool_bytes",
                "Bytes of the objects in the spool.",
                self.spool.used(),
            ),
            ("studies_waiting", "Studies in the spool.", studies),
            (
                "studies_open",
                "Studies that can be retrieved.",
                self.catalogue.studies() as u64,
            ),
        ];
        let mut answer = plain(StatusCode::OK, &self.metrics.text(&gauges));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4");
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
        answer
    }
}

/// The parts of a body that comes in pieces of this size; none if it is malformed.
#[cfg(any(test, fuzzing))]
pub(crate) fn read_parts(bytes: &[u8], piece: usize) -> Option<Vec<(String, Vec<u8>)>> {
    multipart::parts(bytes, "x", piece).ok()
}

/// An answer in words.
fn plain(status: StatusCode, text: &str) -> Answer {
    let text = format!("{}\n", text.trim_end());
    typed(status, "text/plain; charset=utf-8", text)
}

/// An answer in one piece.
fn typed(status: StatusCode, kind: &str, body: impl Into<Bytes>) -> Answer {
    answer(status, kind, body.into().into())
}

fn answer(status: StatusCode, kind: &str, body: Content) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    // Types are made of what is allowed in a header.
    if let Ok(kind) = HeaderValue::from_str(kind) {
        answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    answer
}

/// The answer to a caller who may not do this.
fn no_right(right: &str) -> Answer {
    let why = format!(
        "this caller may not {right}: its [[token]] needs may = [\"{right}\"], and without a token nobody reads"
    );
    plain(StatusCode::FORBIDDEN, &why)
}

fn not_allowed(methods: &'static str) -> Answer {
    let mut answer = plain(
        StatusCode::METHOD_NOT_ALLOWED,
        "this method is not taken here",
    );
    let methods = HeaderValue::from_static(methods);
    answer.headers_mut().insert(header::ALLOW, methods);
    answer
}

/// The answer to a browser that asks before it sends (Fetch, CORS preflight); its origin is added where it is allowed.
fn preflight() -> Answer {
    let mut answer = plain(StatusCode::NO_CONTENT, "");
    *answer.body_mut() = Bytes::new().into();
    let headers = answer.headers_mut();
    let methods = HeaderValue::from_static("GET, POST");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let allowed = HeaderValue::from_static("authorization, content-type, accept");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static("600"),
    );
    answer
}

#[cfg(test)]
mod tests;
