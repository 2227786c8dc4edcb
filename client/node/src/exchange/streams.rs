//! The exchange's part in the swarm: it opens a stream to every peer that is connected, takes theirs, and hands both to
//! the exchange. The messages in them are not its concern.

use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p_core::upgrade::ReadyUpgrade;
use rust_ipfs::swarm::behaviour::{ConnectionClosed, FromSwarm};
use rust_ipfs::swarm::derive_prelude::{Endpoint, PortUse};
use rust_ipfs::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, DialUpgradeError, FullyNegotiatedInbound,
    FullyNegotiatedOutbound, StreamUpgradeError,
};
use rust_ipfs::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, NetworkBehaviour, NotifyHandler,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use rust_ipfs::{Multiaddr, PeerId, Stream, StreamProtocol};
use tokio::sync::mpsc;

/// The protocol: blocks on request, and who has what.
const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/bitswap/1.2.0");

/// An event on a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// A stream to write to.
    Outbound(PeerId, Stream),
    /// A stream to read from.
    Inbound(PeerId, Stream),
    /// The peer does not exchange blocks, or not now.
    Refused(PeerId),
    /// The last connection to the peer is closed.
    Gone(PeerId),
}

/// The behaviour.
pub(crate) struct Streams {
    events: mpsc::UnboundedSender<Event>,
    /// Peers to which another stream is wanted.
    wanted: mpsc::UnboundedReceiver<PeerId>,
}

/// One connection.
pub(crate) struct Handler {
    peer: PeerId,
    events: mpsc::UnboundedSender<Event>,
    wanted: bool,
}

impl Streams {
    pub(super) fn new(
        events: mpsc::UnboundedSender<Event>,
        wanted: mpsc::UnboundedReceiver<PeerId>,
    ) -> Self {
        Self { events, wanted }
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler {
            peer,
            events: self.events.clone(),
            wanted: true,
        }
    }
}

impl NetworkBehaviour for Streams {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id,
            remaining_established: 0,
            ..
        }) = event
        {
            // Nobody listens any more when the node stops.
            let _ = self.events.send(Event::Gone(peer_id));
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        match self.wanted.poll_recv(context) {
            Poll::Ready(Some(peer_id)) => Poll::Ready(ToSwarm::NotifyHandler {
                peer_id,
                handler: NotifyHandler::Any,
                event: (),
            }),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = ();
    type ToBehaviour = Infallible;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, (): Self::FromBehaviour) {
        self.wanted = true;
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        let event = match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => Event::Inbound(self.peer, protocol),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol, ..
            }) => Event::Outbound(self.peer, protocol),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                if !matches!(error, StreamUpgradeError::NegotiationFailed) {
                    tracing::debug!(peer = %self.peer, %error, "no stream for blocks");
                }
                Event::Refused(self.peer)
            }
            _ => return,
        };
        // Nobody listens any more when the node stops.
        let _ = self.events.send(event);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if std::mem::take(&mut self.wanted) {
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ()),
            });
        }
        Poll::Pending
    }
}
