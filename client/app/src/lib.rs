//! The screen: pages on the patient's own machine, for what the command line does.
//!
//! No rule of the protocol lives here: every page asks [`pcim_client`], and every decision is made by it. Nothing that a page
//! shows leaves the machine: the pages name nothing of other places, and the [`door`] opens for one browser alone.
//!
//! | page | what a person does there |
//! |---|---|
//! | `/` | sees what waits for her, and her images |
//! | `/requests` | reads who asks for what, and decides |
//! | `/image/IMAGE` | sees who may open an image, withdraws that, reads what happened to it |
//! | `/image/IMAGE/look` | looks at it |
//! | `/people` | sees whom she knows by name |

pub mod door;

mod failure;
mod frame;
mod house;
mod pages;
mod viewer;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pcim_client::Actor;
use pcim_client::audit::report::Contacts;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use door::Door;
use house::House;

/// How often it is looked whether the screen was used, at most.
const LOOK: Duration = Duration::from_secs(5);

/// An error of the screen itself; those of its pages are shown there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The port could not be had.
    #[error("port {port} of this machine: {source}")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The server ended by itself.
    #[error("the screen's server ended: {0}")]
    Server(std::io::Error),
}

/// Why a screen ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Asked,
    /// Nobody used it for its time: the keys are forgotten.
    Idle,
}

/// A screen that holds its port and shows nothing yet.
pub struct App {
    listener: TcpListener,
    door: Arc<Door>,
    house: Arc<House>,
    token: String,
    idle: Duration,
}

impl App {
    /// Takes a port of this machine, 0 for a free one. After `idle` without a request the screen ends.
    ///
    /// # Errors
    /// [`Error::Port`]
    pub async fn bind(
        actor: Actor,
        contacts: Contacts,
        port: u16,
        idle: Duration,
    ) -> Result<Self, Error> {
        let at = |source| Error::Port { port, source };
        let own = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(own).await.map_err(at)?;
        let port = listener.local_addr().map_err(at)?.port();
        let (door, token) = Door::new(port);
        Ok(Self {
            listener,
            door: Arc::new(door),
            house: Arc::new(House::new(actor, contacts)),
            token,
            idle,
        })
    }

    /// Returns the address to open in a browser. Its token opens the door once.
    #[must_use]
    pub fn address(&self) -> String {
        self.door.address(&self.token)
    }

    /// Shows pages until `stop` ends or nobody has asked for one for long.
    ///
    /// # Errors
    /// [`Error::Server`]
    pub async fn serve(self, stop: impl Future<Output = ()> + Send) -> Result<Ended, Error> {
        let over = Arc::new(Notify::new());
        let router = self.door.guard(pages::router(Arc::clone(&self.house)));
        let until = Arc::clone(&over);
        let mut server = tokio::spawn(async move {
            axum::serve(self.listener, router)
                .with_graceful_shutdown(async move { until.notified().await })
                .await
        });
        tokio::pin!(stop);
        let why = loop {
            tokio::select! {
                () = &mut stop => break Ended::Asked,
                served = &mut server => {
                    let why = served.map_err(std::io::Error::other);
                    return why.flatten().map(|()| Ended::Asked).map_err(Error::Server);
                }
                () = tokio::time::sleep(LOOK.min(self.idle)) => {}
            }
            if self.door.unused_for() >= self.idle {
                break Ended::Idle;
            }
        };
        over.notify_one();
        // A browser that keeps its connection open does not keep the keys.
        if tokio::time::timeout(LOOK, &mut server).await.is_err() {
            server.abort();
        }
        if let Some(house) = Arc::into_inner(self.house) {
            house.close().await;
        }
        Ok(why)
    }
}
