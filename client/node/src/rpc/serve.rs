//! The daemon's side: this node's part of the API, on a Unix socket for its owner alone.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use cid::Cid;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};

use super::common::{ANSWER, Tied};
use super::form::Form;
use crate::mail::{MAX_QUESTION, Topic};
use crate::node::Node;
use crate::storage::Reach;
use crate::types::MAX_BLOCK;
use crate::unixfs::{DAG_PB, digest_of, is_of_profile};
use crate::{Cause, Error, Result, body, car};
use pcim_core::ImageDigest;
use pcim_core::socket::bind;

/// Requests that are answered at the same time.
const MAX_REQUESTS: usize = 256;
/// How long others are waited for.
const PATIENCE: Patience = Patience {
    head: Duration::from_secs(10),
    taken: Duration::from_secs(60),
};
/// How long one request may take, a large image on its way in included.
const LONGEST: Duration = Duration::from_secs(6 * 3600);
/// How long the answer to the one who has the node end may take to leave.
const GOODBYE: Duration = Duration::from_millis(200);
/// Most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;

/// How long a caller is waited for, so that callers that hang do not take the places of the others. How long a file may
/// keep silent on its way in is the form's to say.
#[derive(Clone, Copy)]
struct Patience {
    /// For the head of a request.
    head: Duration,
    /// For a piece of the answer to be taken.
    taken: Duration,
}

/// A node's socket; it goes away with this.
pub struct Server {
    path: PathBuf,
    stop: Arc<Notify>,
    _task: Tied<()>,
}

impl Server {
    /// Returns when another process of the home has asked that this node end.
    pub async fn is_to_stop(&self) {
        self.stop.notified().await;
        sleep(GOODBYE).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that cannot be deleted is recognised as stale.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Node {
    /// Serves this node to other processes of the same user on a Unix socket (0600). A socket that is there is taken to be
    /// a dead process's: the caller holds what keeps a second one away. Unpinned blocks younger than `grace` survive a
    /// garbage collection that is asked for over the socket: a writer may be about to pin them.
    ///
    /// # Errors
    /// [`Error::Listen`]
    pub fn serve(&self, socket: &Path, grace: Duration) -> Result<Server> {
        self.serve_with(socket, grace, PATIENCE)
    }

    fn serve_with(&self, socket: &Path, grace: Duration, patience: Patience) -> Result<Server> {
        let failed = |source: io::Error| Error::Listen {
            address: socket.display().to_string(),
            source: source.into(),
        };
        let (listener, owner) = bind(socket).map_err(failed)?;
        let stop = Arc::<Notify>::default();
        let service = Arc::new(Serving {
            node: self.share(),
            stop: Arc::clone(&stop),
            grace,
            patience,
        });
        let task = tokio::spawn(accept(listener, owner, service));
        Ok(Server {
            path: socket.to_owned(),
            stop,
            _task: Tied(task),
        })
    }
}

async fn accept(listener: UnixListener, owner: u32, service: Arc<Serving>) {
    let room = Arc::new(Semaphore::new(MAX_REQUESTS));
    let mut requests = JoinSet::new();
    loop {
        while requests.try_join_next().is_some() {}
        let Ok(place) = room.clone().acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "no connection to the node's socket");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == owner) {
            tracing::warn!("another user at the node's socket");
            continue;
        }
        let service = service.clone();
        requests.spawn(async move {
            let _place = place;
            converse(stream, service).await;
        });
    }
}

/// One connection: one request.
async fn converse(stream: UnixStream, service: Arc<Serving>) {
    let patience = service.patience;
    let stream = Taken::new(stream, patience.taken);
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { Ok::<_, std::convert::Infallible>(service.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer);
    match timeout(LONGEST, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a request broke off"),
        Err(_) => tracing::debug!("a request took too long"),
    }
}

struct Serving {
    node: Node,
    stop: Arc<Notify>,
    grace: Duration,
    patience: Patience,
}

/// A connection that breaks off if what is written to it is not taken in time.
struct Taken<S> {
    stream: S,
    limit: Duration,
    /// Runs while something waits to be taken.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Taken<S> {
    fn new(stream: S, limit: Duration) -> Self {
        Self {
            stream,
            limit,
            waiting: None,
        }
    }

    fn in_time(
        &mut self,
        taken: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if taken.is_ready() {
            self.waiting = None;
            return taken;
        }
        let limit = self.limit;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(limit)));
        match waiting.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Taken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Taken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(taken, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The arguments of a request.
struct Args(Vec<(String, String)>);

impl Args {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |value| value != "false")
    }

    /// Every `arg`, as a CID of the profile.
    fn cids(&self) -> std::result::Result<Vec<Cid>, Cause> {
        let args = self.0.iter().filter(|(key, _)| key == "arg");
        let cids = args.map(|(_, value)| {
            let text = value.strip_prefix("/ipfs/").unwrap_or(value);
            let cid = Cid::try_from(text).ok().filter(is_of_profile);
            cid.ok_or_else(|| "not a CID of version 1, raw or dag-pb, sha2-256".into())
        });
        cids.collect()
    }

    fn cid(&self) -> std::result::Result<Cid, Cause> {
        match self.cids()?.as_slice() {
            [cid] => Ok(*cid),
            other => Err(format!("{} arguments, wanted one", other.len()).into()),
        }
    }

    fn reach(&self) -> Reach {
        match self.flag("offline", false) {
            true => Reach::Local,
            false => Reach::Peers(self.limit()),
        }
    }

    fn limit(&self) -> Duration {
        self.get("timeout").and_then(duration).unwrap_or(ANSWER)
    }
}

/// A length of time such as `1500ms`, `60s`, `2m` or `1h`.
fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let millis = number.parse::<u64>().ok()?.checked_mul(unit)?;
    Some(Duration::from_millis(millis).min(LONGEST))
}

enum Reply {
    Bytes(Bytes),
    /// JSON values, one a line.
    Lines(Vec<Value>),
    Unknown,
}

impl Serving {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let respond = |status: StatusCode, kind: &'static str, body: Bytes| {
            let mut response = Response::new(Full::new(body));
            *response.status_mut() = status;
            let kind = header::HeaderValue::from_static(kind);
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        };
        if request.method() != Method::POST {
            return respond(StatusCode::METHOD_NOT_ALLOWED, "text/plain", Bytes::new());
        }
        match self.run(request).await {
            Ok(Reply::Bytes(bytes)) => respond(StatusCode::OK, "application/octet-stream", bytes),
            Ok(Reply::Lines(lines)) => {
                let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
                respond(StatusCode::OK, "application/json", text.into())
            }
            Ok(Reply::Unknown) => respond(StatusCode::NOT_FOUND, "text/plain", Bytes::new()),
            Err(error) => {
                let answer =
                    json!({ "Message": words(error.as_ref()), "Code": 0, "Type": "error" });
                let answer = answer.to_string().into();
                respond(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "application/json",
                    answer,
                )
            }
        }
    }

    async fn run(&self, request: Request<Incoming>) -> std::result::Result<Reply, Cause> {
        let target = format!("http://localhost{}", request.uri());
        let url = Url::parse(&target)?;
        let args = Args(url.query_pairs().into_owned().collect());
        let Some(command) = url.path().strip_prefix("/api/v0/") else {
            return Ok(Reply::Unknown);
        };
        let node = &self.node;
        let store = &node.store;
        let one = |value: Value| Ok(Reply::Lines(vec![value]));
        match command {
            "id" => {
                let addresses = store.addresses().await?;
                let id = addresses.first().and_then(|it| it.rsplit('/').next());
                let agent = concat!("pcim/", env!("CARGO_PKG_VERSION"));
                one(json!({ "ID": id, "Addresses": addresses, "AgentVersion": agent }))
            }
            "block/get" => {
                let bytes = store.get(&args.cid()?, MAX_BLOCK, args.reach()).await;
                Ok(Reply::Bytes(bytes.map_err(offline)?))
            }
            "block/stat" => {
                let cid = args.cid()?;
                let bytes = store.get(&cid, MAX_BLOCK, args.reach()).await;
                let size = bytes.map_err(offline)?.len();
                one(json!({ "Key": cid.to_string(), "Size": size }))
            }
            "block/rm" => {
                let _gate = node.gate.write().await;
                let mut lines = Vec::new();
                for cid in args.cids()? {
                    store.discard(&[cid]).await?;
                    lines.push(match store.local(&cid, MAX_BLOCK).await {
                        Ok(None) => json!({ "Hash": cid.to_string() }),
                        _ => json!({ "Hash": cid.to_string(), "Error": "pinned" }),
                    });
                }
                Ok(Reply::Lines(lines))
            }
            "dag/import" => self.import(&args, request).await,
            "pin/add" => {
                let _gate = node.gate.read().await;
                let cids = args.cids()?;
                for cid in &cids {
                    self.pin(cid, args.flag("recursive", true))
                        .await
                        .map_err(offline)?;
                }
                one(pins(&cids))
            }
            "pin/rm" => {
                let cids = args.cids()?;
                for cid in &cids {
                    store.unpin(cid).await?;
                }
                one(pins(&cids))
            }
            "pin/ls" => {
                let cid = args.cid()?;
                if !store.is_pinned(&cid).await? {
                    return Err(format!("{cid} is not pinned").into());
                }
                one(json!({ "Keys": { cid.to_string(): {} } }))
            }
            "repo/gc" => {
                node.collect_old_garbage(self.grace).await?;
                Ok(Reply::Lines(Vec::new()))
            }
            "repo/stat" => {
                let stat = store.stat().await?;
                one(json!({ "NumObjects": stat.blocks, "RepoSize": stat.bytes }))
            }
            "swarm/connect" => {
                let address = args.get("arg").unwrap_or_default();
                store.connect(address).await?;
                one(json!({ "Strings": [format!("connect {address} success")] }))
            }
            "swarm/peers" => {
                let peers = store.peers().await?.into_iter();
                let peers: Vec<_> = peers.map(|peer| json!({ "Peer": peer })).collect();
                one(json!({ "Peers": peers }))
            }
            // Kubo's API has no command for this.
            "pcim/about" => {
                store.about(&args.cid()?).await;
                Ok(Reply::Lines(Vec::new()))
            }
            "pcim/stop" => {
                self.stop.notify_one();
                Ok(Reply::Lines(Vec::new()))
            }
            "pcim/ask" => self.ask(&args, request).await,
            "pcim/survey" => {
                let cid = args.cid()?;
                let digest = digest_of(&cid).filter(|_| cid.codec() == DAG_PB);
                let digest = digest.ok_or("not the CID of a sealed root")?;
                let limit = args.limit();
                let survey = node.survey(&ImageDigest(digest), limit).await?;
                one(serde_json::to_value(survey)?)
            }
            _ => Ok(Reply::Unknown),
        }
    }

    async fn pin(&self, cid: &Cid, recursive: bool) -> Result<()> {
        let store = &self.node.store;
        let below = match recursive {
            true => body::below(store, cid).await?,
            false => Vec::new(),
        };
        let all: Vec<_> = below.iter().copied().chain([*cid]).collect();
        store.keep(&all).await?;
        match recursive {
            true => store.pin_tree(cid, below).await,
            false => store.pin_direct(&[*cid]).await,
        }
    }

    /// Carries a question to a peer's mailbox, or to a guest's host.
    async fn ask(
        &self,
        args: &Args,
        request: Request<Incoming>,
    ) -> std::result::Result<Reply, Cause> {
        let mut form = form_of(request).await?;
        let mut question = Vec::new();
        while let Some(piece) = form.next().await? {
            question.extend_from_slice(&piece);
            if question.len() > MAX_QUESTION {
                return Err(format!("a question of more than {MAX_QUESTION} bytes").into());
            }
        }
        let address = args.get("arg").unwrap_or_default();
        let topics = [Topic::Mail, Topic::Guests];
        let topic = args.get("topic");
        let topic = topics.into_iter().find(|it| Some(it.name()) == topic);
        let topic = topic.ok_or("no topic that is known here")?;
        let (store, limit) = (&self.node.store, args.limit());
        let answer = store.ask(topic, address, question.into(), limit).await?;
        Ok(Reply::Bytes(answer))
    }

    /// Stores the blocks of a CAR file, all of them or none.
    async fn import(
        &self,
        args: &Args,
        request: Request<Incoming>,
    ) -> std::result::Result<Reply, Cause> {
        let mut form = form_of(request).await?;
        let store = &self.node.store;
        let gate = self.node.gate.read().await;
        let mut batch = store.batch();
        let (mut blocks, mut bytes) = (0u64, 0u64);
        let taken: std::result::Result<_, Cause> = async {
            let mut decoder = car::Decoder::default();
            while let Some(piece) = form.next().await? {
                decoder.push(&piece);
                while let Some((cid, block)) = decoder.next_block()? {
                    blocks += 1;
                    bytes += block.len() as u64;
                    batch.put(cid, block).await?;
                }
            }
            Ok((decoder.finish()?, batch.commit().await?))
        }
        .await;
        let (roots, written) = match taken {
            Ok(taken) => taken,
            Err(error) => {
                let written = batch.give_up().await;
                drop(gate);
                return self.node.settle(Err(error), written).await;
            }
        };
        store.announce(&written);
        let mut lines = Vec::new();
        if args.flag("pin-roots", true) {
            for root in roots {
                let pinned = self.pin(&root, true).await;
                let error = pinned.err().map_or(String::new(), |error| words(&error));
                let root = json!({ "Cid": { "/": root.to_string() }, "PinErrorMsg": error });
                lines.push(json!({ "Root": root }));
            }
        }
        if args.flag("stats", false) {
            let stats = json!({ "BlockCount": blocks, "BlockBytesCount": bytes });
            lines.push(json!({ "Stats": stats }));
        }
        Ok(Reply::Lines(lines))
    }
}

/// The file that a request carries.
async fn form_of(request: Request<Incoming>) -> io::Result<Form<Incoming>> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_owned();
    Form::open(&kind, request.into_body()).await
}

/// In the words that clients of this API know.
fn offline(error: Error) -> Cause {
    match error {
        Error::Missing { cid } => format!("block {cid} was not found locally (offline)").into(),
        other => other.into(),
    }
}

/// An error with its causes.
fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

fn pins(cids: &[Cid]) -> Value {
    let cids: Vec<_> = cids.iter().map(Cid::to_string).collect();
    json!({ "Pins": cids })
}

#[cfg(test)]
mod tests;
