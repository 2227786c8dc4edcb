//! A running devnet: its server, and what the program that started it may ask of it.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use alloy_primitives::{Address, B256, Bytes};
use jsonrpsee::server::{BatchRequestConfig, ServerBuilder, ServerConfig, ServerHandle};
use tokio::task::AbortHandle;
use tower::ServiceBuilder;

use super::{methods, subscribe::HexIds};
use crate::{
    chain::{self, Chain, Config, ForkError, StoreError, overrides::BlockOverride},
    cors::CorsLayer,
    evm::Status,
    faucet::{Faucet, FaucetLayer},
    genesis::{self, DevAccount, dev_accounts},
};

/// The longest request, bytes: the largest transaction with room for a batch and overrides.
const MAX_REQUEST: u32 = 10 << 20;
/// The longest response, bytes.
const MAX_RESPONSE: u32 = 64 << 20;
/// The most calls in one batch.
const MAX_BATCH: u32 = 1_000;
/// The most connections at a time.
const MAX_CONNECTIONS: u32 = 512;
/// The most subscriptions of one connection.
const MAX_SUBSCRIPTIONS: u32 = 256;
/// Why a devnet did not start, or did not do as asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain to go on from cannot be used.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// The port is taken, or not ours to take.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The chain does not take a transaction or run a call; worded as its JSON-RPC words it.
    #[error("{0}")]
    Refused(String),
    /// A call reverted, or burnt its gas.
    #[error("the call failed: {reason}")]
    Failed {
        /// The chain's reason.
        reason: String,
        /// The revert data; empty if it burnt its gas.
        data: Bytes,
    },
    /// A bug here.
    #[error("the devnet cannot be set up: {0}")]
    Setup(#[source] Box<dyn std::error::Error + Send + Sync>),
}
impl Error {
    pub(crate) fn setup(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Setup(Box::new(error))
    }
}

/// A running devnet; dropping it stops it.
pub struct Handle {
    address: SocketAddr,
    chain: Arc<Chain>,
    accounts: Vec<DevAccount>,
    server: ServerHandle,
    /// Makes blocks by the clock.
    miner: AbortHandle,
}
impl Handle {
    /// Returns the node's address for HTTP, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the node's address for WebSocket, `ws://127.0.0.1:PORT`.
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Returns the chain id (EIP-155).
    pub fn chain_id(&self) -> u64 {
        self.chain.chain_id
    }

    pub(crate) fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Lists the prefunded accounts; the first is the well-known dev account.
    pub fn accounts(&self) -> &[DevAccount] {
        &self.accounts
    }

    /// Lists the contracts that are there from the start, with their addresses.
    pub fn preloaded(&self) -> impl Iterator<Item = (&'static str, Address)> {
        genesis::PRELOADED.into_iter()
    }

    /// Sends a signed transaction (EIP-2718 bytes) as `eth_sendRawTransaction` does, without the wire, and returns its hash.
    /// Blocks the thread until it is mined, or held because its nonce is ahead; also without a runtime.
    pub fn send_raw(&self, raw: Bytes) -> Result<B256, Error> {
        let sent = self.chain.submit(raw);
        sent.map_err(|error| Error::Refused(error.to_string()))
    }

    /// Calls a contract as `eth_call` does, on the latest state, without the wire, and returns its output. Blocks the
    /// thread.
    pub fn call(&self, from: Address, to: Address, input: Bytes) -> Result<Bytes, Error> {
        let call = chain::Call {
            from,
            to: Some(to),
            input,
            ..chain::Call::default()
        };
        let called = self.chain.call(
            &call,
            chain::BlockId::Latest,
            HashMap::new(),
            &BlockOverride::default(),
        );
        let outcome = called.map_err(|error| Error::Refused(error.to_string()))?;
        if let Some(failure) = chain::fork::failure() {
            return Err(Error::Refused(failure));
        }
        let reason = match outcome.status {
            Status::Success => return Ok(outcome.output),
            Status::Revert => "execution reverted".into(),
            Status::Halt(reason) => reason,
        };
        Err(Error::Failed {
            reason,
            data: outcome.output,
        })
    }

    /// Moves the clock of the next block forward.
    pub async fn increase_time(&self, seconds: u64) {
        let chain = self.chain.clone();
        let moved = tokio::task::spawn_blocking(move || chain.increase_time(seconds)).await;
        match moved {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::error!(%error, "the clock could not be moved"),
            Err(error) => tracing::error!(%error, "the clock could not be moved"),
        }
    }

    /// Stops it. All that was acknowledged is on disk already; afterwards the state directory can
    /// be opened again.
    pub async fn shutdown(self) {
        let _ = self.server.stop();
        self.server.clone().stopped().await;
        let chain = self.chain.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || chain.close()).await {
            tracing::error!(%error, "the chain did not close");
        }
    }
}
impl Drop for Handle {
    fn drop(&mut self) {
        // It is stopped already after a shutdown.
        let _ = self.server.stop();
        self.miner.abort();
        self.chain.close();
    }
}

/// Starts a devnet on the current tokio runtime.
pub async fn spawn(config: Config) -> Result<Handle, Error> {
    let accounts = dev_accounts().map_err(Error::setup)?;
    let address = SocketAddr::new(config.host, config.port);
    let funded = accounts.clone();
    let cors = CorsLayer::new(config.cors.clone());
    let faucet = config.faucet.zip(accounts.last());
    let faucet = faucet.map(|(wei, account)| (wei, account.address));
    let chain = tokio::task::spawn_blocking(move || Chain::open(&config, &funded))
        .await
        .map_err(Error::setup)?
        .map_err(|error| match error {
            chain::Error::Store(error) => Error::Store(error),
            chain::Error::Fork(error) => Error::Fork(error),
            chain::Error::Unread(reason) => Error::Refused(reason),
            other => Error::setup(other),
        })?;
    let chain = Arc::new(chain);
    let faucet = faucet.map(|(wei, from)| {
        let chain = chain.clone();
        Arc::new(Faucet { chain, from, wei })
    });
    let module = methods::module(chain.clone()).map_err(Error::setup)?;
    let server = ServerBuilder::new()
        .set_http_middleware(ServiceBuilder::new().layer(cors).layer(FaucetLayer(faucet)))
        .set_config(
            ServerConfig::builder()
                .max_request_body_size(MAX_REQUEST)
                .max_response_body_size(MAX_RESPONSE)
                .max_connections(MAX_CONNECTIONS)
                .max_subscriptions_per_connection(MAX_SUBSCRIPTIONS)
                .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
                .set_id_provider(HexIds::new())
                .build(),
        )
        .build(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    let address = server
        .local_addr()
        .map_err(|source| Error::Listen { address, source })?;
    let miner = tokio::spawn(chain::mine::by_the_clock(chain.clone()));
    Ok(Handle {
        address: reachable(address),
        chain,
        accounts,
        server: server.start(module),
        miner: miner.abort_handle(),
    })
}

/// An address a client on this machine can connect to.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
