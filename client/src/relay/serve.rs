//! The service itself: a signed call by HTTP `POST`, the terms by `GET`, at any path; TLS is a proxy's before it.
//!
//! A call is simulated before anything is charged: what the contract would refuse, and a signature that is not the signer's, cost
//! nobody anything. Calls are sent one after the other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout;

use super::desk::{RelayDesk, Spent};
use crate::actor::relayer::Relayed;
use crate::error::{Error, Result};
use crate::unlocked::Actor;
use pcim_core::date::now;
use pcim_core::{Address, B256};
use pcim_ledger::{Call, Error as Chain, EventFilter, Nonce, RelayAnswer, RelayCall, RelayTerms};

/// Most bytes of a signed call's document.
const MAX_CALL: usize = 64 * 1024;
/// Connections at the same time; further ones wait.
const CONNECTIONS: usize = 64;
/// Calls that wait for their turn at the same time.
const WAITING: usize = 16;
/// How long the head of a request may take, and then its body.
const TAKEN: Duration = Duration::from_secs(10);
/// How long a connection may take: the call is mined meanwhile.
const LONGEST: Duration = Duration::from_secs(180);
/// Most bytes of a request's head.
const MAX_HEAD: usize = 16 * 1024;
/// How long a failed accept is followed by a pause.
const PAUSE: Duration = Duration::from_millis(100);

/// The outcome of a call, for the operator.
#[derive(Clone, Debug, Serialize)]
pub struct RelayEvent {
    /// The function.
    pub function: String,
    /// The signer.
    pub signer: Address,
    /// The number of the call.
    pub nonce: Nonce,
    /// The transaction, if it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx: Option<B256>,
    /// The gas that was paid now.
    pub gas: u64,
    /// Why it was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Hears what became of each call.
pub type RelaySink = Arc<dyn Fn(RelayEvent) + Send + Sync>;

/// A relay service.
pub struct RelayServer {
    actor: Actor,
    desk: RelayDesk,
    terms: RelayTerms,
    tell: RelaySink,
    /// Held while a call is sent.
    sending: Mutex<()>,
    waiting: Semaphore,
}

/// Why a call was not sent, and whether it may be later.
struct Refused {
    reason: String,
    later: bool,
}

impl RelayServer {
    /// Makes the service of an actor, who pays.
    ///
    /// # Errors
    /// Those of the chain: the contract must be there, and of version 2.
    pub async fn new(actor: Actor, desk: RelayDesk, tell: RelaySink) -> Result<Self> {
        actor.needs_version_2("relay").await?;
        let deployment = actor.deployment()?;
        let limits = desk.limits();
        let terms = RelayTerms {
            version: 1,
            chain_id: deployment.chain_id,
            contract: deployment.contract,
            gas_per_call: limits.gas_per_call,
            calls_per_signer: limits.calls_per_signer,
        };
        let mut bounds = actor.limits;
        bounds.relay_gas = limits.gas_per_call;
        Ok(Self {
            actor: actor.with_limits(bounds),
            desk,
            terms,
            tell,
            sending: Mutex::new(()),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// Serves until the future is dropped; requests that are under way are cut off then.
    pub async fn serve(&self, listener: TcpListener) {
        let mut open = FuturesUnordered::new();
        loop {
            let accepted = tokio::select! {
                Some(()) = open.next(), if !open.is_empty() => continue,
                accepted = listener.accept(), if open.len() < CONNECTIONS => accepted,
            };
            match accepted {
                Ok((stream, _)) => open.push(self.converse(stream)),
                Err(error) => {
                    tracing::warn!(%error, "no connection to the relay");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// One connection: one request.
    async fn converse(&self, stream: TcpStream) {
        let answer = service_fn(async |request| {
            Ok::<_, std::convert::Infallible>(self.answer(request).await)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(TAKEN)
            .keep_alive(false)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), answer);
        match timeout(LONGEST, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a request broke off"),
            Err(_) => tracing::debug!("a request took too long"),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match *request.method() {
            Method::GET => document(StatusCode::OK, &self.terms),
            Method::POST => {
                let body = Limited::new(request.into_body(), MAX_CALL).collect();
                let parsed = match timeout(TAKEN, body).await {
                    Ok(Ok(body)) => RelayCall::parse(&body.to_bytes()).map_err(|e| e.to_string()),
                    Ok(Err(_)) => Err(format!("wanted one call of at most {MAX_CALL} bytes")),
                    Err(_) => Err(format!("no call within {TAKEN:?}")),
                };
                match parsed {
                    Ok(call) => self.decided(&call).await,
                    Err(reason) => {
                        let later = false;
                        let answer = RelayAnswer::Refused { reason, later };
                        document(StatusCode::BAD_REQUEST, &answer)
                    }
                }
            }
            _ => {
                let mut answer = Response::new(Full::default());
                *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                let allowed = HeaderValue::from_static("GET, POST");
                answer.headers_mut().insert(ALLOW, allowed);
                answer
            }
        }
    }

    /// Sends a call or refuses it; the operator hears which.
    async fn decided(&self, call: &RelayCall) -> Response<Full<Bytes>> {
        let mut event = RelayEvent {
            function: call.function.clone(),
            signer: call.signer,
            nonce: call.nonce,
            tx: None,
            gas: 0,
            refused: None,
        };
        let (status, answer) = match self.relay(call, &mut event.gas).await {
            Ok(tx) => {
                event.tx = Some(tx);
                (StatusCode::OK, RelayAnswer::Done { tx })
            }
            Err(Refused { reason, later }) => {
                event.refused = Some(reason.clone());
                let status = match later {
                    true => StatusCode::SERVICE_UNAVAILABLE,
                    false => StatusCode::UNPROCESSABLE_ENTITY,
                };
                (status, RelayAnswer::Refused { reason, later })
            }
        };
        (self.tell)(event);
        document(status, &answer)
    }

    async fn relay(&self, call: &RelayCall, gas: &mut u64) -> std::result::Result<B256, Refused> {
        let wanted = (self.terms.chain_id, self.terms.contract);
        if (call.chain_id, call.contract) != wanted {
            let reason = format!(
                "this relay calls contract {} on chain {} alone",
                wanted.1, wanted.0
            );
            return Err(Refused::for_good(reason));
        }
        let Ok(_turn) = self.waiting.try_acquire() else {
            return Err(Refused::for_now("too many calls wait".to_owned()));
        };
        let _alone = self.sending.lock().await;
        let relayer = self.actor.relayer();
        let ledger = relayer.ledger().await?;
        // What is done already costs nothing, and neither does what the contract would refuse.
        if !ledger.is_used(call.signer, call.nonce).await? {
            let simulated = Call::Relay(call.clone());
            ledger.simulate(self.actor.address(), &simulated).await?;
        }
        let charged = match self.charge(call).await? {
            Ok(charged) => charged,
            Err(spent) => return Err(Refused::for_now(spent.to_string())),
        };
        let done = relayer.relay(call).await;
        let used = match &done {
            Ok(Relayed::Sent(written)) => Some(written.mined.gas_used),
            // Mined and failed, or it may be yet: it has cost what it may.
            Err(Error::Ledger(Chain::Reverted { .. } | Chain::NotMined { .. })) => {
                Some(self.terms.gas_per_call)
            }
            _ => None,
        };
        *gas = used.unwrap_or(0);
        self.desk.settle(charged, used).map_err(Error::from)?;
        match done? {
            Relayed::Sent(written) => Ok(written.mined.tx),
            Relayed::Found(mined) => Ok(mined.tx),
            Relayed::Used { .. } => {
                let reason = "its number is used or void, and this call is not found on the chain";
                Err(Refused::for_good(reason.to_owned()))
            }
        }
    }

    /// Charges for a call. The chain is asked about the signer only when strangers have used up their part.
    async fn charge(
        &self,
        call: &RelayCall,
    ) -> Result<std::result::Result<super::desk::Charged, Spent>> {
        let signer = call.signer;
        // A radiologist's attestation is in it, and the contract would take it.
        let vouched = call.function == "create_contract";
        let known = vouched || self.desk.is_known(signer)?;
        match self.desk.charge(now(), signer, known)? {
            Err(Spent::Strangers) if self.is_of_contract(signer).await? => {
                self.desk.know(signer)?;
                Ok(self.desk.charge(now(), signer, true)?)
            }
            charged => Ok(charged),
        }
    }

    /// Says whether the contract knows an account: as a patient in its events, or as an accredited radiologist.
    async fn is_of_contract(&self, signer: Address) -> Result<bool> {
        let ledger = self.actor.ledger().await?;
        if ledger.is_accredited(signer).await? {
            return Ok(true);
        }
        let named = EventFilter {
            patient: Some(signer),
            ..EventFilter::default()
        };
        Ok(!ledger.events(&named).await?.is_empty())
    }
}

impl Refused {
    fn for_good(reason: String) -> Self {
        let later = false;
        Self { reason, later }
    }

    fn for_now(reason: String) -> Self {
        let later = true;
        Self { reason, later }
    }
}

/// The contract's refusals are told; what else fails here is the operator's, and is told as no more than that.
impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::Ledger(
                refused @ (Chain::Refused(_) | Chain::Reverted { .. } | Chain::Gas { .. }),
            ) => Self::for_good(refused.to_string()),
            Error::NonceAhead { .. } => Self::for_now(error.to_string()),
            error => {
                tracing::warn!(%error, "a call was not relayed");
                Self::for_now("the relay cannot send now".to_owned())
            }
        }
    }
}

impl From<Chain> for Refused {
    fn from(error: Chain) -> Self {
        Error::from(error).into()
    }
}

fn document(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let mut answer = Response::new(Full::from(json));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
