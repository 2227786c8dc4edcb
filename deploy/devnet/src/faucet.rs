//! Ether for whom asks: `POST /faucet/ADDRESS`.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use alloy_primitives::{Address, U256};
use jsonrpsee::server::{HttpBody, HttpRequest, HttpResponse};
use serde_json::{Value, json};
use tower::{Layer, Service};

use crate::chain::{Call, Chain};

/// The path that an address follows.
const PATH: &str = "/faucet/";

/// Gifts that a faucet holds which was filled; what they cost to send is less than one.
const FILLED: u64 = 1_000_000;

/// Gives an account's ether away.
pub(crate) struct Faucet {
    pub(crate) chain: Arc<Chain>,
    pub(crate) from: Address,
    /// Wei for each request.
    pub(crate) wei: U256,
}

impl Faucet {
    /// Sends to the address that is written behind the path; the answer's status and body.
    fn give(&self, to: &str) -> (u16, Value) {
        let Ok(to) = to.parse::<Address>() else {
            let error = format!("want {PATH} and an address of 20 bytes in hexadecimal digits");
            return (400, json!({ "error": error }));
        };
        let send = || {
            self.chain.send_unsigned(Call {
                from: self.from,
                to: Some(to),
                value: self.wei,
                ..Call::default()
            })
        };
        // One that has run dry is filled: ether is made here.
        let sent = send().or_else(|_| {
            let filled = self.wei.saturating_mul(U256::from(FILLED));
            self.chain.set_balance(self.from, filled)?;
            send()
        });
        match sent {
            Ok(hash) => (200, json!({ "transaction": hash, "wei": self.wei })),
            Err(error) => (503, json!({ "error": error.to_string() })),
        }
    }
}

/// Puts a [`Faucet`] in front of a server, if there is one.
#[derive(Clone)]
pub(crate) struct FaucetLayer(pub(crate) Option<Arc<Faucet>>);

impl<S> Layer<S> for FaucetLayer {
    type Service = Giving<S>;

    fn layer(&self, inner: S) -> Giving<S> {
        Giving {
            inner,
            faucet: self.0.clone(),
        }
    }
}

/// A server with a [`Faucet`] in front of it.
#[derive(Clone)]
pub(crate) struct Giving<S> {
    inner: S,
    faucet: Option<Arc<Faucet>>,
}

impl<S, B> Service<HttpRequest<B>> for Giving<S>
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
        let asked = request.uri().path().strip_prefix(PATH);
        let (Some(faucet), Some(to)) = (self.faucet.clone(), asked) else {
            return Box::pin(self.inner.call(request));
        };
        // Looking at a page must not spend: only POST does.
        if request.method() != "POST" {
            let error = json!({ "error": "want the method POST" });
            return Box::pin(async move { Ok(answer(405, &error)) });
        }
        let to = to.to_owned();
        Box::pin(async move {
            let given = tokio::task::spawn_blocking(move || faucet.give(&to)).await;
            let stopped = |_| (503, json!({ "error": "the devnet stops" }));
            let (status, body) = given.unwrap_or_else(stopped);
            Ok(answer(status, &body))
        })
    }
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let answer = HttpResponse::builder()
        .status(status)
        .header("content-type", "application/json");
    answer
        .body(HttpBody::from(format!("{body}\n")))
        .unwrap_or_default()
}
