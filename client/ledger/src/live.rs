//! When to look at the chain again: a WebSocket subscription to the contract's logs says so where the node has one, the
//! clock otherwise, and at the latest. A subscription is a hint and nothing more: events are read from the
//! chain.

use std::fmt;
use std::time::Duration;

use alloy_primitives::U64;
use futures::future::{BoxFuture, FutureExt};
use futures::{SinkExt, StreamExt};
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::text::shown;
use super::{Deployment, Error, Result};
use pcim_core::Address;

/// Most bytes of a message; a log of the contract has some thousand.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a subscription that failed is tried again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// How often a node that says nothing is asked whether it is there; one that is silent twice as long is not.
const PING: Duration = Duration::from_secs(20);
/// The least time between two nudges of a subscription.
const LEAST: Duration = Duration::from_secs(1);
/// How soon, and how often, the chain is looked at again if it does not have the block yet that the subscription spoke of.
const CHASE: Duration = Duration::from_millis(500);
const CHASES: u32 = 10;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Waits for the contract to say something.
pub struct Live {
    /// `None` if the node has no address that a subscription could be at.
    url: Option<Url>,
    contract: Address,
    every: Duration,
    state: State,
    retry: Duration,
    /// The first try failed.
    refused: bool,
    /// When the subscription spoke last, and of which block.
    nudged: Option<Instant>,
    block: u64,
    /// How often that block is still looked for.
    chases: u32,
}

enum State {
    /// The next try is then.
    Away(Instant),
    Trying(BoxFuture<'static, Option<Socket>>),
    Subscribed {
        socket: Box<Socket>,
        heard: Instant,
        pinged: Instant,
    },
}

/// Why the chain should be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// The node said that there is a new log.
    Log,
    /// The time is up.
    Clock,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_subscribed() {
            "subscribed"
        } else {
            "polling"
        };
        write!(f, "Live({state}, every {:?})", self.every)
    }
}

impl Live {
    /// Looks at least `every` so often. A subscription is looked for at the RPC's own address, `ws` for `http` and `wss` for
    /// `https`: many nodes have it there; with the others it remains with the clock, unless [`Live::at`] says where it is.
    pub fn new(deployment: &Deployment, every: Duration) -> Self {
        let url = Url::parse(&deployment.rpc_url).ok().and_then(|mut url| {
            let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
            // `http` and `ws` are both special schemes, so this does not fail.
            url.set_scheme(scheme).ok().map(|()| url)
        });
        Self {
            url,
            contract: deployment.contract,
            every,
            state: State::Away(Instant::now()),
            retry: FIRST_RETRY,
            refused: false,
            nudged: None,
            block: 0,
            chases: 0,
        }
    }

    /// Subscribes at this address, `ws://` or `wss://`.
    ///
    /// # Errors
    /// [`Error::BadSocketUrl`]
    pub fn at(mut self, url: &str) -> Result<Self> {
        let bad = |reason: &str| Error::BadSocketUrl {
            url: shown(url),
            reason: reason.into(),
        };
        let parsed = Url::parse(url).map_err(|e| bad(&e.to_string()))?;
        if !matches!(parsed.scheme(), "ws" | "wss") {
            return Err(bad("wanted ws:// or wss://"));
        }
        self.url = Some(parsed);
        Ok(self)
    }

    /// Returns true while a subscription stands.
    fn is_subscribed(&self) -> bool {
        matches!(self.state, State::Subscribed { .. })
    }

    /// Returns true if a subscription was looked for and none was ever had.
    pub fn is_refused(&self) -> bool {
        self.refused
    }

    /// Takes the block up to which the chain was read: what a subscription says may be ahead of what the RPC has.
    pub fn looked(&mut self, block: u64) {
        if block >= self.block {
            self.chases = 0;
        }
    }

    /// Returns when there is reason to look again. It may be given up for a look at any time, and called again.
    pub async fn changed(&mut self) -> Nudge {
        let pause = match self.chases {
            0 => self.every,
            _ => self.every.min(CHASE),
        };
        self.chases = self.chases.saturating_sub(1);
        let end = Instant::now() + pause;
        loop {
            match &mut self.state {
                State::Away(due) => {
                    let due = *due;
                    let Some(url) = self.url.as_ref().filter(|_| due <= Instant::now()) else {
                        let due = if self.url.is_some() { due } else { end };
                        sleep_until(due.min(end)).await;
                        if Instant::now() >= end {
                            return Nudge::Clock;
                        }
                        continue;
                    };
                    self.state = State::Trying(subscribe(url.clone(), self.contract).boxed());
                }
                State::Trying(attempt) => tokio::select! {
                    socket = attempt => match socket {
                        Some(socket) => {
                            let now = Instant::now();
                            let socket = Box::new(socket);
                            self.state = State::Subscribed { socket, heard: now, pinged: now };
                            (self.retry, self.refused) = (FIRST_RETRY, false);
                            // An event before the subscription stood does not come through it.
                            return Nudge::Clock;
                        }
                        None => {
                            self.refused |= self.retry == FIRST_RETRY;
                            self.give_up();
                        }
                    },
                    () = sleep_until(end) => return Nudge::Clock,
                },
                State::Subscribed {
                    socket,
                    heard,
                    pinged,
                } => {
                    let message = tokio::select! {
                        message = socket.next() => message,
                        () = sleep_until(end.min(*pinged + PING)) => {
                            let now = Instant::now();
                            if now >= *pinged + PING {
                                *pinged = now;
                                let ping = socket.send(Message::Ping(Default::default()));
                                let sent = matches!(timeout(PATIENCE, ping).await, Ok(Ok(())));
                                if !sent || now >= *heard + 2 * PING {
                                    self.give_up();
                                }
                            }
                            if Instant::now() >= end {
                                return Nudge::Clock;
                            }
                            continue;
                        }
                    };
                    *heard = Instant::now();
                    match message {
                        Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                            if let Some(last) = self.nudged {
                                sleep_until(last + LEAST).await;
                            }
                            self.nudged = Some(Instant::now());
                            self.block = block_of(message.to_text().unwrap_or_default());
                            // Several at once are one reason.
                            while let Some(Some(Ok(more))) = socket.next().now_or_never() {
                                self.block =
                                    self.block.max(block_of(more.to_text().unwrap_or_default()));
                            }
                            self.chases = CHASES;
                            return Nudge::Log;
                        }
                        Some(Ok(Message::Close(_)) | Err(_)) | None => {
                            self.give_up();
                            return Nudge::Clock;
                        }
                        Some(Ok(_)) => {}
                    }
                }
            }
        }
    }

    fn give_up(&mut self) {
        self.state = State::Away(Instant::now() + self.retry);
        self.retry = (2 * self.retry).min(LAST_RETRY);
    }
}

async fn subscribe(url: Url, contract: Address) -> Option<Socket> {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let request = json!({
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_subscribe",
        "params": ["logs", { "address": contract }],
    });
    let subscribed = async {
        let connected = connect_async_with_config(url.as_str(), Some(limits), false).await;
        let (mut socket, _) = connected.ok()?;
        socket
            .send(Message::Text(request.to_string().into()))
            .await
            .ok()?;
        let answer = socket.next().await?.ok()?.into_text().ok()?;
        let answer: serde_json::Value = serde_json::from_str(&answer).ok()?;
        answer.get("result")?.as_str()?;
        Some(socket)
    };
    timeout(PATIENCE, subscribed).await.ok().flatten()
}

/// The block that a subscription speaks of; 0 if it does not say.
pub(super) fn block_of(text: &str) -> u64 {
    #[derive(Deserialize)]
    struct Notice {
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        result: Log,
    }
    #[derive(Deserialize)]
    struct Log {
        #[serde(rename = "blockNumber")]
        block: U64,
    }
    let notice = serde_json::from_str::<Notice>(text);
    notice.map_or(0, |notice| notice.params.result.block.to())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    const FAR: Duration = Duration::from_secs(600);

    fn at(url: &str, every: Duration) -> Live {
        let deployment = Deployment {
            rpc_url: url.to_owned(),
            chain_id: 1,
            contract: Address::repeat_byte(7),
        };
        Live::new(&deployment, every)
    }

    /// A node that passes on what it is given to every subscriber; `None` drops the connection.
    async fn node() -> (String, mpsc::UnboundedSender<Option<u64>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (say, mut given) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
                let asked = socket.next().await.unwrap().unwrap();
                let asked: serde_json::Value =
                    serde_json::from_str(asked.to_text().unwrap()).unwrap();
                assert_eq!(asked["params"][0], "logs");
                assert_eq!(
                    asked["params"][1]["address"],
                    "0x0707070707070707070707070707070707070707"
                );
                let answer = json!({"jsonrpc": "2.0", "id": 1, "result": "0x1"});
                let mut say = Message::Text(answer.to_string().into());
                loop {
                    socket.send(say).await.unwrap();
                    let Some(Some(block)) = given.recv().await else {
                        break;
                    };
                    let log = json!({ "blockNumber": U64::from(block) });
                    let params = json!({ "subscription": "0x1", "result": log });
                    let method = "eth_subscription";
                    say = Message::Text(
                        json!({ "method": method, "params": params })
                            .to_string()
                            .into(),
                    );
                }
            }
        });
        (url, say)
    }

    #[tokio::test]
    async fn a_log_is_told_at_once_and_looked_for_until_the_chain_has_it() {
        let (url, say) = node().await;
        let mut live = at(&url, FAR);
        let start = Instant::now();
        assert_eq!(live.changed().await, Nudge::Clock, "subscribed by now");
        assert!(live.is_subscribed() && !live.is_refused());
        say.send(Some(9)).unwrap();
        assert_eq!(live.changed().await, Nudge::Log);
        // The RPC does not have the block yet.
        live.looked(8);
        assert_eq!(live.changed().await, Nudge::Clock);
        live.looked(9);
        let quiet = timeout(Duration::from_millis(1500), live.changed()).await;
        assert!(quiet.is_err(), "there is nothing more to look for");
        // A connection that is lost is reason to look, and is made again.
        say.send(None).unwrap();
        assert_eq!(live.changed().await, Nudge::Clock);
        assert!(!live.is_subscribed());
        assert_eq!(live.changed().await, Nudge::Clock);
        assert!(live.is_subscribed());
        say.send(Some(10)).unwrap();
        assert_eq!(live.changed().await, Nudge::Log);
        assert!(start.elapsed() < FAR / 10);
    }

    #[tokio::test]
    async fn without_a_subscription_it_remains_with_the_clock() {
        // Nobody listens; then a peer listens and says nothing.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = format!("http://{}", silent.local_addr().unwrap());
        for (url, refused) in [("http://127.0.0.1:1", true), (&silent, false)] {
            let every = Duration::from_millis(200);
            let mut live = at(url, every);
            let start = Instant::now();
            for _ in 0..3 {
                assert_eq!(live.changed().await, Nudge::Clock);
            }
            let took = start.elapsed();
            assert!(took >= 3 * every && took < PATIENCE / 2, "{took:?}");
            assert_eq!(live.is_refused(), refused, "{url}");
        }
    }

    #[test]
    fn another_address_is_a_web_sockets() {
        for url in ["http://127.0.0.1:1", "127.0.0.1:1", "ws//x"] {
            let refused = at(url, FAR).at(url).unwrap_err();
            assert!(matches!(refused, Error::BadSocketUrl { .. }), "{refused}");
        }
        let secret = "ftp://127.0.0.1/key-of-mine";
        let refused = at(secret, FAR).at(secret).unwrap_err().to_string();
        assert!(!refused.contains("key-of-mine"), "{refused}");
    }
}
