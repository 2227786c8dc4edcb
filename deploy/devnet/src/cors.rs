//! The web pages that may use a devnet: CORS for HTTP, the `Origin` of WebSockets.

use std::{
    convert::Infallible,
    future::{Future, ready},
    pin::Pin,
    str::FromStr,
    sync::Arc,
    task::{Context, Poll},
};

use http_body::Body as _;
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use tower::{Layer, Service};

/// Seconds that a browser may remember the answer to a preflight.
const MAX_AGE: &str = "600";
/// Bytes of the body that the server gives for a notification, which has no answer.
const NULL: u64 = 4;

/// The web pages that may use a devnet. Programs that send no `Origin` are always served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Cors {
    /// No page.
    Off,
    /// Every page, as with other development nodes.
    #[default]
    Any,
    /// Pages of these origins, such as `http://localhost:3000`.
    Only(Vec<String>),
}

impl Cors {
    /// The origins that a page of `origin` is answered with; `None` if it may not use the devnet.
    fn allowed(&self, origin: &str) -> Option<String> {
        match self {
            Self::Off => None,
            Self::Any => Some("*".into()),
            Self::Only(origins) => origins.iter().find(|one| *one == origin).cloned(),
        }
    }
}

impl FromStr for Cors {
    type Err = Infallible;

    /// Reads `off`, `*`, or origins with commas between them.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "off" => Self::Off,
            "*" => Self::Any,
            origins => {
                let trimmed = origins
                    .split(',')
                    .map(|one| one.trim().trim_end_matches('/'));
                Self::Only(trimmed.map(str::to_owned).collect())
            }
        })
    }
}

/// Puts a [`Cors`] in front of a server.
#[derive(Clone, Debug)]
pub(crate) struct CorsLayer(Arc<Cors>);

impl CorsLayer {
    pub(crate) fn new(cors: Cors) -> Self {
        Self(Arc::new(cors))
    }
}

impl<S> Layer<S> for CorsLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded {
            inner,
            cors: self.0.clone(),
        }
    }
}

/// A server with a [`Cors`] in front of it.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<S> {
    inner: S,
    cors: Arc<Cors>,
}

impl<S, B> Service<HttpRequest<B>> for Guarded<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = HttpResponse;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let Some(origin) = request.headers().get("origin") else {
            let answer = self.inner.call(request);
            return Box::pin(async move { Ok(silent(answer.await?)) });
        };
        // An origin that is not text is no page's.
        let Some(allowed) = self.cors.allowed(origin.to_str().unwrap_or_default()) else {
            return Box::pin(ready(Ok(refusal())));
        };
        if request.method() == "OPTIONS" {
            return Box::pin(ready(Ok(preflight(&allowed))));
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = silent(answer.await?);
            if let Ok(allowed) = allowed.parse() {
                let headers = answer.headers_mut();
                headers.insert("access-control-allow-origin", allowed);
            }
            if let Ok(vary) = "origin".parse() {
                answer.headers_mut().insert("vary", vary);
            }
            Ok(answer)
        })
    }
}

/// Takes the body from the answer to a notification.
fn silent(answer: HttpResponse) -> HttpResponse {
    if answer.status().is_success() && answer.body().size_hint().exact() == Some(NULL) {
        return answer.map(|_| HttpBody::empty());
    }
    answer
}

fn preflight(allowed: &str) -> HttpResponse {
    let answer = HttpResponse::builder()
        .status(204)
        .header("access-control-allow-origin", allowed)
        .header("access-control-allow-methods", "POST, GET, OPTIONS")
        .header("access-control-allow-headers", "*")
        .header("access-control-allow-private-network", "true")
        .header("access-control-max-age", MAX_AGE)
        .header("vary", "origin");
    answer.body(HttpBody::empty()).unwrap_or_default()
}

fn refusal() -> HttpResponse {
    let answer = HttpResponse::builder().status(403);
    let body = HttpBody::from(
        "pages of this origin may not use the devnet; its `cors` setting names those that may\n",
    );
    answer.body(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pages_are_allowed_by_their_whole_origin() {
        let some: Cors = "http://localhost:3000, https://a.example/".parse().unwrap();
        let allowed = |cors: &Cors, origin| cors.allowed(origin).is_some();
        assert!(allowed(&some, "http://localhost:3000"));
        assert!(allowed(&some, "https://a.example"));
        for foreign in [
            "http://localhost:30000",
            "http://localhost",
            "https://a.example.evil",
            "https://A.example",
            "null",
            "",
        ] {
            assert!(!allowed(&some, foreign), "{foreign}");
        }
        assert!(!allowed(&"off".parse().unwrap(), "http://localhost:3000"));
        assert_eq!("*".parse::<Cors>().unwrap().allowed("null").unwrap(), "*");
    }
}
