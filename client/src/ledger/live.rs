//! When to look at the chain again: a WebSocket subscription to new heads says so where the node has one, the clock
//! otherwise, and at the latest. What a subscription says is a hint and nothing more: what happened is read from the chain.

use std::fmt;
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt};
use reqwest::Url;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::Deployment;

/// Most bytes of a message; a head has some hundred.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// When a subscription that failed is tried again; doubled each time.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);
const SUBSCRIBE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}"#;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Waits for the chain to go on.
pub struct Live {
    /// The node's address with `ws` in the place of `http`; `None` if it has none.
    url: Option<Url>,
    every: Duration,
    socket: Option<Socket>,
    retry: Duration,
    due: Instant,
}

/// Why the chain should be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nudge {
    /// The node said that there is a new block.
    Head,
    /// The time is up.
    Clock,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.socket.is_some() {
            "subscribed"
        } else {
            "polling"
        };
        write!(f, "Live({state}, every {:?})", self.every)
    }
}

impl Live {
    /// Looks at least `every` so often. A subscription is looked for at the RPC's own address, `ws` for `http` and `wss` for
    /// `https`: many nodes have it there; with the others it remains with the clock.
    pub fn new(deployment: &Deployment, every: Duration) -> Self {
        let url = Url::parse(&deployment.rpc_url).ok().and_then(|mut url| {
            let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
            // `http` and `ws` are both special schemes, so this does not fail.
            url.set_scheme(scheme).ok().map(|()| url)
        });
        Self {
            url,
            every,
            socket: None,
            retry: FIRST_RETRY,
            due: Instant::now(),
        }
    }

    /// Whether a subscription stands.
    pub fn is_subscribed(&self) -> bool {
        self.socket.is_some()
    }

    /// Returns when there is reason to look again.
    pub async fn changed(&mut self) -> Nudge {
        let end = Instant::now() + self.every;
        if self.socket.is_none() && self.due <= Instant::now() {
            self.socket = self.subscribe().await;
            if self.socket.is_some() {
                self.retry = FIRST_RETRY;
                // What happened before the subscription stood is not told by it.
                return Nudge::Clock;
            }
            self.give_up();
        }
        let Some(socket) = &mut self.socket else {
            sleep_until(end).await;
            return Nudge::Clock;
        };
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                () = sleep_until(end) => return Nudge::Clock,
            };
            match message {
                Some(Ok(Message::Text(_) | Message::Binary(_))) => break,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => {
                    self.give_up();
                    return Nudge::Clock;
                }
            }
        }
        // Several at once are one reason.
        while let Some(Some(Ok(_))) = socket.next().now_or_never() {}
        Nudge::Head
    }

    fn give_up(&mut self) {
        self.socket = None;
        self.due = Instant::now() + self.retry;
        self.retry = (2 * self.retry).min(LAST_RETRY);
    }

    async fn subscribe(&self) -> Option<Socket> {
        let url = self.url.as_ref()?;
        let limits = WebSocketConfig {
            max_message_size: Some(MAX_MESSAGE_BYTES),
            max_frame_size: Some(MAX_MESSAGE_BYTES),
            ..WebSocketConfig::default()
        };
        let subscribed = async {
            let connected = connect_async_with_config(url.as_str(), Some(limits), false).await;
            let (mut socket, _) = connected.ok()?;
            socket
                .send(Message::Text(SUBSCRIBE.to_owned()))
                .await
                .ok()?;
            let answer = socket.next().await?.ok()?.into_text().ok()?;
            let answer: serde_json::Value = serde_json::from_str(&answer).ok()?;
            answer.get("result")?.as_str()?;
            Some(socket)
        };
        timeout(PATIENCE, subscribed).await.ok().flatten()
    }
}
