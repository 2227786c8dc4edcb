//! Listens, and serves each association.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pcim_dicom::commitment::CommitmentRequest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::association::{Association, Broken, Piece};
use super::classes::{COMMITMENT, COMMITMENT_INSTANCE, Model, Operation, is_storage};
use super::command::{Command, field};
use super::negotiate::{Admission, Context};
use super::report::{Report, event};
use crate::catalogue::Catalogue;
use crate::current::Current;
use crate::limits::Timing;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::moment::asked;
use crate::settings::Right;
use crate::spool::arrive::{Arriving, Origin, Taken};
use crate::spool::{Refused, Spool};
use crate::status;

/// Connections that are rejected at the same time because too many associations are open; more are closed at once.
const REJECTING: usize = 32;
/// Most bytes of a data set that is no object.
const DATA_SET_MAX: usize = 8 << 20;
/// The comment for an application that may not read, of at most 64 characters.
const NO_RIGHT: &str = "this application may not read: its [[peer]] has no such right";
/// How long associations may take to end when the gateway stops.
const ENDING: Duration = Duration::from_secs(10);

/// What every association is served with.
pub(crate) struct Door {
    /// The AE title that is to be called; any if none is given.
    pub(crate) called: Option<String>,
    pub(crate) current: Current,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) timing: Timing,
    pub(crate) spool: Arc<Spool>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Log,
    /// Most associations at the same time.
    pub(crate) associations: usize,
}

impl Door {
    /// Serves until `stop` says true; associations then end with the message that is under way.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
    ) {
        let places = Arc::new(Semaphore::new(self.associations));
        let rejecting = Arc::new(Semaphore::new(REJECTING));
        let mut open = JoinSet::new();
        loop {
            while open.try_join_next().is_some() {}
            let accepted = tokio::select! {
                () = asked(&mut stop) => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "no connection was accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let place = Arc::clone(&places).try_acquire_owned();
            let is_busy = place.is_err();
            let Ok(place) = place.or_else(|_| Arc::clone(&rejecting).try_acquire_owned()) else {
                self.metrics.rejected.add(1);
                continue;
            };
            let (door, stop) = (Arc::clone(&self), stop.clone());
            open.spawn(async move {
                let _place = place;
                door.converse(stream, peer, is_busy, stop).await;
            });
        }
        drop(listener);
        let ending = async { while open.join_next().await.is_some() {} };
        // Those that do not end are cut off with the set.
        let _ = tokio::time::timeout(ENDING, ending).await;
    }

    async fn converse(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        is_busy: bool,
        stop: watch::Receiver<bool>,
    ) {
        let current = self.current.get();
        let admit = |calling: &str, called: &str| {
            let is_called = self.called.as_deref().is_none_or(|title| title == called);
            match (is_busy, is_called) {
                (true, _) => Admission::Busy,
                (_, false) => Admission::WrongCalled,
                _ if current.peers.admits(calling, peer.ip()) => Admission::Welcome,
                _ => Admission::Unknown,
            }
        };
        let address = peer.ip().to_string();
        let acceptor = &current.acceptors.dimse;
        let accepted = match acceptor.accept(stream, self.timing.request).await {
            Ok(stream) => {
                let accepted = Association::accept(stream, self.timing, admit).await;
                accepted.map_err(|broken| broken.to_string())
            }
            Err(why) => Err(why),
        };
        let association = match accepted {
            Ok(association) => association,
            Err(why) => {
                self.metrics.rejected.add(1);
                self.log.event(
                    "association_refused",
                    &[("address", &address), ("why", &why)],
                );
                return;
            }
        };
        self.metrics.accepted.add(1);
        self.metrics.associations.add(1);
        let may = |right| current.peers.may(&association.calling, peer.ip(), right);
        let mut service = Service {
            may_store: may(Right::Store),
            may_read: may(Right::Read),
            door: self,
            association,
            peer,
            stop,
            kept: 0,
            refused: 0,
        };
        let ended = service.run().await;
        self.metrics.associations.sub_one();
        let (kept, refused) = (service.kept, service.refused);
        let calling = service.association.calling.clone();
        let ended = match ended {
            Ok(()) => service.association.release().await,
            Err(broken) => {
                if !matches!(broken, Broken::Closed | Broken::Aborted | Broken::Io(_)) {
                    service.association.abort().await;
                }
                Err(broken)
            }
        };
        let why = ended
            .as_ref()
            .err()
            .map_or("released".to_owned(), ToString::to_string);
        if ended.is_err() {
            self.metrics.broken.add(1);
        }
        self.log.event(
            "association",
            &[
                ("ae", &calling),
                ("address", &address),
                ("kept", &kept),
                ("refused", &refused),
                ("ended", &why),
            ],
        );
    }
}

/// An association at work.
pub(super) struct Service<'d> {
    pub(super) door: &'d Door,
    pub(super) association: Association,
    peer: SocketAddr,
    may_store: bool,
    may_read: bool,
    stop: watch::Receiver<bool>,
    kept: u64,
    refused: u64,
}

impl Service<'_> {
    /// Serves messages until the peer releases.
    async fn run(&mut self) -> Result<(), Broken> {
        loop {
            let piece = tokio::select! {
                biased;
                piece = self.association.next(false) => piece?,
                () = asked(&mut self.stop) => return Err(Broken::Stopping),
            };
            match piece {
                Piece::Release => return Ok(()),
                Piece::Data(..) => return Err(Broken::Protocol("a data set without a command")),
                Piece::Command(context, command) => self.command(context, command).await?,
            }
            if *self.stop.borrow() {
                return Err(Broken::Stopping);
            }
        }
    }

    async fn command(&mut self, context: u8, command: Command) -> Result<(), Broken> {
        match command.field() {
            field::C_ECHO if !command.has_data_set() => {
                self.answer(context, &command, status::SUCCESS, "").await
            }
            field::C_STORE if command.has_data_set() => self.store(context, command).await,
            field::N_ACTION => self.action(context, command).await,
            field::C_FIND if command.has_data_set() => self.find(context, command).await,
            field::C_GET if command.has_data_set() => self.get(context, command).await,
            field::C_MOVE if command.has_data_set() => self.move_to(context, command).await,
            // What it cancels has ended; the answer to an event says nothing that is not known.
            field::C_CANCEL => Ok(()),
            _ if command.is_response() => match command.has_data_set() {
                true => self.collect().await.map(drop),
                false => Ok(()),
            },
            _ => {
                if command.has_data_set() {
                    self.collect().await?;
                }
                self.answer(context, &command, status::UNRECOGNIZED, "")
                    .await
            }
        }
    }

    pub(super) async fn answer(
        &mut self,
        context: u8,
        to: &Command,
        status: u16,
        why: &str,
    ) -> Result<(), Broken> {
        self.association
            .send(context, &to.response(status, why), None)
            .await
    }

    /// The next fragment of the data set that follows a command, and whether it is the last.
    async fn fragment(&mut self) -> Result<(Vec<u8>, bool), Broken> {
        match self.association.next(true).await? {
            Piece::Data(bytes, last) => Ok((bytes, last)),
            Piece::Command(..) => Err(Broken::Protocol("a command before the end of a data set")),
            Piece::Release => Err(Broken::Protocol("a release before the end of a data set")),
        }
    }

    /// Reads a data set that is no object; none if it is too long to be one of those.
    async fn collect(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let mut data = Some(Vec::new());
        loop {
            let (bytes, last) = self.fragment().await?;
            data = data.filter(|data| data.len() + bytes.len() <= DATA_SET_MAX);
            if let Some(data) = &mut data {
                data.extend(bytes);
            }
            if last {
                return Ok(data);
            }
        }
    }

    /// The identifier of an operation, its context and model; none if it was refused.
    pub(super) async fn asked(
        &mut self,
        context: u8,
        command: &Command,
        operation: Operation,
    ) -> Result<Option<(Vec<u8>, Context, Model)>, Broken> {
        let data = self.collect().await?;
        let named = self.association.context(context).cloned();
        let named = named.filter(|it| command.class() == Some(&it.class));
        let model = named.as_ref().and_then(|it| Model::of(&it.class));
        let model = model.filter(|it| it.operation == operation);
        let (Some(named), Some(model)) = (named, model) else {
            return self
                .answer(context, command, status::CLASS_NOT_SUPPORTED, "")
                .await
                .map(|()| None);
        };
        let (status, why) = match data {
            Some(data) if self.may_read => return Ok(Some((data, named, model))),
            Some(_) => (status::NOT_AUTHORIZED, NO_RIGHT),
            None => (status::OUT_OF_RESOURCES, "the identifier is too long"),
        };
        self.answer(context, command, status, why).await?;
        Ok(None)
    }

    async fn store(&mut self, context: u8, command: Command) -> Result<(), Broken> {
        let origin = self.origin(context, &command);
        let mut arriving = origin.and_then(|origin| self.door.spool.begin(origin));
        let mut bytes = 0;
        // What is refused is read to its end, for the answer stands behind it.
        loop {
            let (piece, last) = self.fragment().await?;
            bytes += piece.len() as u64;
            if let Ok(object) = &mut arriving
                && let Err(refused) = object.push(&piece).await
            {
                arriving = Err(refused);
            }
            if last {
                break;
            }
        }
        let taken = match arriving {
            Ok(object) => Arriving::end(object).await,
            Err(refused) => Err(refused),
        };
        let metrics = &self.door.metrics;
        let (status, why) = match taken {
            Ok((Taken::New, _)) => {
                self.kept += 1;
                metrics.kept.add(1);
                metrics.bytes.add(bytes);
                (status::SUCCESS, String::new())
            }
            Ok((Taken::Known, _)) => {
                metrics.known.add(1);
                (status::SUCCESS, String::new())
            }
            Err(refused) => {
                self.refused += 1;
                metrics.refused.add(1);
                let why = refused.to_string();
                let ae = &self.association.calling;
                self.door
                    .log
                    .event("object_refused", &[("ae", ae), ("why", &why)]);
                (refused.status(), why)
            }
        };
        self.answer(context, &command, status, &why).await
    }

    fn origin(&self, context: u8, command: &Command) -> Result<Origin, Refused> {
        if !self.may_store {
            return Err(Refused::NoRight);
        }
        let context = self.association.context(context).ok_or(Refused::Mismatch)?;
        let (Some(class), Some(instance)) = (command.class(), command.instance()) else {
            return Err(Refused::NotUnderstood("the command names no instance"));
        };
        if class != context.class || !is_storage(class) {
            return Err(Refused::Mismatch);
        }
        Ok(Origin {
            sender: self.association.calling.clone(),
            class: Some(class.to_owned()),
            instance: Some(instance.to_owned()),
            study: None,
            syntax: context.syntax.clone(),
        })
    }

    /// Storage commitment: answers the request, then reports which instances are kept: on the same association, or on one of its own
    /// to an application that waits for it there.
    async fn action(&mut self, context: u8, command: Command) -> Result<(), Broken> {
        let data = match command.has_data_set() {
            true => self.collect().await?,
            false => None,
        };
        let named = self.association.context(context).cloned();
        let refused = match (&named, command.instance(), command.action()) {
            (Some(named), ..) if named.class != COMMITMENT => Some(status::CLASS_NOT_SUPPORTED),
            (_, Some(COMMITMENT_INSTANCE), Some(1)) if command.class() == Some(COMMITMENT) => None,
            (_, Some(COMMITMENT_INSTANCE), Some(1)) => Some(status::CLASS_CONFLICT),
            (_, Some(COMMITMENT_INSTANCE), _) => Some(status::NO_SUCH_ACTION),
            _ => Some(status::NO_SUCH_INSTANCE),
        };
        if let Some(status) = refused {
            return self.answer(context, &command, status, "").await;
        }
        let (Some(data), Some(named)) = (data, named) else {
            return self
                .answer(context, &command, status::NO_SUCH_ARGUMENT, "")
                .await;
        };
        let request = match CommitmentRequest::read(&data, &named.syntax) {
            Ok(request) => request,
            Err(error) => {
                let why = error.to_string();
                return self
                    .answer(context, &command, status::INVALID_ARGUMENT, &why)
                    .await;
            }
        };
        let spool = &self.door.spool;
        let (mut studies, mut missing) = (Vec::new(), Vec::new());
        for (_, instance) in &request.instances {
            match spool.holds(instance) {
                Some(study) => studies.extend(study),
                None => missing.push(instance.clone()),
            }
        }
        studies.sort_unstable();
        studies.dedup();
        for study in studies {
            if let Err(error) = spool.change(study, |record| record.committed = true).await {
                tracing::warn!(%error, "a commitment was not recorded");
            }
        }
        self.answer(context, &command, status::SUCCESS, "").await?;
        let calling = &self.association.calling;
        if let Some(port) = self
            .door
            .current
            .get()
            .peers
            .report_port(calling, self.peer.ip())
        {
            let report = Report {
                address: SocketAddr::new(self.peer.ip(), port),
                peer: calling.clone(),
                own: self.association.called.clone(),
                request,
                missing,
            };
            tokio::spawn(report.deliver(self.door.log.clone()));
            return Ok(());
        }
        let reason = |instance: &str| {
            let is_missing = missing.iter().any(|it| it == instance);
            is_missing.then_some(status::NO_SUCH_INSTANCE)
        };
        // It is encoded as the request was.
        let report = request.report(reason, &named.syntax);
        let report = report.map_err(|_| Broken::Protocol("a report could not be written"))?;
        let event = event(missing.is_empty());
        self.association.send(context, &event, Some(&report)).await
    }
}
