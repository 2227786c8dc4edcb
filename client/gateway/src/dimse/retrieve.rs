//! C-GET and C-MOVE (PS3.4 §C.4.2, §C.4.3): objects of the images that this home may open, to the peer or to another application.
//!
//! An object goes out in the transfer syntax that it was sealed in, where its receiver takes that; else without compression.

use std::collections::BTreeSet;
use std::fmt::Display;

use pcim_dicom::arrival::file_parts;
use pcim_dicom::little_endian_data_set;
use pcim_dicom::query::{Selection, failed_instances};

use super::association::{Broken, Piece};
use super::classes::{EXPLICIT, IMPLICIT, Operation};
use super::command::{Command, Counts, field};
use super::negotiate::Context;
use super::outgoing::{Callee, Outgoing, Proposed};
use super::serve::Service;
use crate::catalogue::chosen::{Chosen, Held, apart};
use crate::catalogue::{Refusal, Scope};
use crate::status;

/// Most contexts of an association (PS3.8 §9.3.2.2), of which each class has two.
const CONTEXTS_MAX: usize = 128;

/// The receiver of objects.
enum Receiver {
    /// The peer, on its own association.
    Peer,
    /// Another application.
    Other(Box<Outgoing>),
}

/// The end of one operation.
enum Sent {
    Completed,
    /// The receiver took it and had something to say.
    Warned,
    Failed,
    /// The peer wants no more.
    Cancelled,
}

impl Service<'_> {
    /// Sends what is selected to the peer itself.
    pub(super) async fn get(&mut self, context: u8, command: Command) -> Result<(), Broken> {
        let asked = self.asked(context, &command, Operation::Get).await?;
        let Some((data, named, model)) = asked else {
            return Ok(());
        };
        let chosen = self.choose(&data, &named, model.has_patients).await;
        match chosen {
            Ok(chosen) => {
                self.send_all(context, &command, &named, &chosen, Receiver::Peer)
                    .await
            }
            Err((status, why)) => self.answer(context, &command, status, &why).await,
        }
    }

    /// Sends what is selected to the application that the request names.
    pub(super) async fn move_to(&mut self, context: u8, command: Command) -> Result<(), Broken> {
        let asked = self.asked(context, &command, Operation::Move).await?;
        let Some((data, named, model)) = asked else {
            return Ok(());
        };
        let title = command.destination().unwrap_or_default().to_owned();
        let Some(address) = self.door.current.get().peers.destination(&title) else {
            let why = "no [[peer]] of this AE title has move_to";
            return self
                .answer(context, &command, status::DESTINATION_UNKNOWN, why)
                .await;
        };
        let chosen = match self.choose(&data, &named, model.has_patients).await {
            Ok(chosen) => chosen,
            Err((status, why)) => return self.answer(context, &command, status, &why).await,
        };
        let proposed = match self.proposed(&chosen).await {
            Ok(proposed) => proposed,
            Err(refusal) => {
                let why = refusal.to_string();
                return self
                    .answer(context, &command, status::CANNOT_SEND, &why)
                    .await;
            }
        };
        let own = self.association.called.clone();
        let callee = Callee {
            address: &address,
            title: &title,
            own: &own,
        };
        let pairs = proposed.iter().map(|(class, syntax)| Proposed {
            class,
            syntaxes: match syntax {
                Some(syntax) => vec![syntax],
                None => vec![EXPLICIT, IMPLICIT],
            },
            serves: false,
        });
        let pairs: Vec<_> = pairs.collect();
        match Outgoing::establish(&callee, &pairs).await {
            Ok(outgoing) => {
                self.send_all(
                    context,
                    &command,
                    &named,
                    &chosen,
                    Receiver::Other(Box::new(outgoing)),
                )
                .await
            }
            Err(why) => {
                let why = format!("the destination: {why}");
                self.answer(context, &command, status::CANNOT_SEND, &why)
                    .await
            }
        }
    }

    /// Opens what an identifier selects; the error is a status and a comment.
    async fn choose(
        &mut self,
        data: &[u8],
        named: &Context,
        has_patients: bool,
    ) -> Result<Chosen, (u16, String)> {
        let selection = Selection::read(data, &named.syntax, has_patients)
            .map_err(|error| (status::DOES_NOT_MATCH, error.to_string()))?;
        let catalogue = &self.door.catalogue;
        let of_study = |study| Scope {
            study: Some(study),
            ..Scope::default()
        };
        let studies;
        let scopes: Vec<Scope<'_>> = match &selection {
            Selection::Patient(id) => {
                studies = catalogue.studies_of_patient(id);
                studies.iter().map(|it| of_study(it)).collect()
            }
            Selection::Studies(uids) => uids.iter().map(|it| of_study(it)).collect(),
            Selection::Series { study, series } => {
                let of = |series| Scope {
                    series: Some(series),
                    ..of_study(study)
                };
                series.iter().map(|it| of(it.as_str())).collect()
            }
            Selection::Instances {
                study,
                series,
                instances,
            } => {
                let of = |instance| Scope {
                    series: Some(series),
                    instance: Some(instance),
                    ..of_study(study)
                };
                instances.iter().map(|it| of(it.as_str())).collect()
            }
        };
        match Chosen::of_all(catalogue, &scopes).await {
            Ok(chosen) => Ok(chosen),
            // Nothing of this is no fault: none of it is sent.
            Err(Refusal::Absent) => Ok(Chosen::default()),
            Err(Refusal::Ended(why)) => Err((status::NOT_AUTHORIZED, why)),
            Err(refusal) => Err((status::CANNOT_SEND, refusal.to_string())),
        }
    }

    /// The classes and transfer syntaxes that are offered to another application: those of the first object of each series, and
    /// each class without compression.
    async fn proposed(
        &self,
        chosen: &Chosen,
    ) -> Result<BTreeSet<(String, Option<String>)>, Refusal> {
        let (mut proposed, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for (at, member) in chosen.members.iter().enumerate() {
            if !seen.insert((&member.series, &member.class)) || proposed.len() + 2 > CONTEXTS_MAX {
                continue;
            }
            let held = chosen.read(&self.door.catalogue, at).await?;
            let (syntax, _) = file_parts(&held.bytes)?;
            proposed.insert((member.class.clone(), Some(syntax)));
            proposed.insert((member.class.clone(), None));
        }
        Ok(proposed)
    }

    /// Sends each object, reports the progress, and says at the end what was not sent.
    async fn send_all(
        &mut self,
        context: u8,
        command: &Command,
        named: &Context,
        chosen: &Chosen,
        mut receiver: Receiver,
    ) -> Result<(), Broken> {
        let number = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let mut counts = Counts {
            remaining: number(chosen.members.len()),
            ..Counts::default()
        };
        let (mut failed, mut cancelled) = (Vec::new(), false);
        for (at, member) in chosen.members.iter().enumerate() {
            if self.association.is_cancelled(command.message()).await? {
                cancelled = true;
                break;
            }
            chosen.fetch_ahead(at);
            let held = chosen.read(&self.door.catalogue, at).await;
            let sent = match held {
                Ok(held) => {
                    let object = Outbound {
                        class: &member.class,
                        instance: &member.instance,
                        message: number(at).wrapping_add(1),
                    };
                    self.send_one(command, &object, held, &mut receiver).await?
                }
                Err(refusal) => {
                    self.not_sent(refusal);
                    Sent::Failed
                }
            };
            counts.remaining = number(chosen.members.len() - at - 1);
            match sent {
                Sent::Completed => counts.completed = counts.completed.saturating_add(1),
                Sent::Warned => counts.warned = counts.warned.saturating_add(1),
                Sent::Failed => {
                    counts.failed = counts.failed.saturating_add(1);
                    failed.push(member.instance.clone());
                }
                Sent::Cancelled => {
                    cancelled = true;
                    break;
                }
            }
            if counts.remaining > 0 {
                let progress = command.response(status::PENDING, "");
                let progress = progress.with_counts(counts, false);
                self.association.send(context, &progress, None).await?;
            }
        }
        if let Receiver::Other(outgoing) = receiver {
            outgoing.release().await;
        }
        let sent = u64::from(counts.completed) + u64::from(counts.warned);
        self.door.metrics.retrieved.add(sent);
        let images: BTreeSet<_> = chosen.sources.keys().map(ToString::to_string).collect();
        let images = images.into_iter().collect::<Vec<_>>().join(" ");
        self.door.log.event(
            "retrieved",
            &[
                ("caller", &self.association.calling),
                ("to", &command.destination().unwrap_or("the caller")),
                ("images", &images),
                ("instances", &sent),
            ],
        );
        let status = match (cancelled, counts.failed, sent) {
            (true, ..) => status::CANCELLED,
            (_, 0, _) => status::SUCCESS,
            (_, _, 0) => status::CANNOT_SEND,
            _ => status::SOME_FAILED,
        };
        let last = command.response(status, "");
        let last = last.with_counts(counts, !cancelled);
        match failed_instances(&failed, &named.syntax) {
            Ok(list) if !failed.is_empty() => {
                let last = last.with_data_set();
                self.association.send(context, &last, Some(&list)).await
            }
            _ => self.association.send(context, &last, None).await,
        }
    }

    /// Sends one object.
    async fn send_one(
        &mut self,
        command: &Command,
        object: &Outbound<'_>,
        held: Held,
        receiver: &mut Receiver,
    ) -> Result<Sent, Broken> {
        let parts = file_parts(&held.bytes);
        let Ok((own, start)) = parts else {
            return Ok(Sent::Failed);
        };
        let syntaxes = [own.as_str(), EXPLICIT, IMPLICIT];
        let found = match receiver {
            Receiver::Peer => self.association.receiving(object.class, &syntaxes),
            Receiver::Other(outgoing) => syntaxes
                .into_iter()
                .find_map(|syntax| Some((outgoing.context(object.class, syntax)?, syntax))),
        };
        let Some((context, syntax)) = found else {
            self.not_sent("the receiver takes neither its class nor its transfer syntax");
            return Ok(Sent::Failed);
        };
        let recoded;
        let data = match syntax == own {
            true => &held.bytes[start..],
            false => {
                let to = syntax.to_owned();
                // The file stays until it is encoded, and in memory for no longer than that.
                match apart(move || little_endian_data_set(&held.bytes, &to)).await {
                    Ok(data) => recoded = zeroize::Zeroizing::new(data),
                    Err(refusal) => {
                        self.not_sent(refusal);
                        return Ok(Sent::Failed);
                    }
                }
                &recoded[..]
            }
        };
        match receiver {
            Receiver::Peer => {
                let store = Command::store(object.class, object.instance, object.message, None);
                self.association.send(context, &store, Some(data)).await?;
                self.stored(command.message()).await
            }
            Receiver::Other(outgoing) => {
                let moved = (self.association.calling.as_str(), command.message());
                let store =
                    Command::store(object.class, object.instance, object.message, Some(moved));
                match outgoing.ask(context, &store, data).await {
                    Ok(answer) => Ok(outcome(&answer)),
                    Err(why) => {
                        self.not_sent(why);
                        Ok(Sent::Failed)
                    }
                }
            }
        }
    }

    /// The peer's answer to an object.
    async fn stored(&mut self, message: u16) -> Result<Sent, Broken> {
        let mut cancelled = false;
        loop {
            match self.association.next(true).await? {
                Piece::Command(_, answer) if answer.answers(field::C_STORE) => {
                    return Ok(match cancelled {
                        true => Sent::Cancelled,
                        false => outcome(&answer),
                    });
                }
                Piece::Command(_, answer) if answer.cancels(message) => cancelled = true,
                _ => return Err(Broken::Protocol("an object was not answered")),
            }
        }
    }

    fn not_sent(&self, why: impl Display) {
        let ae = &self.association.calling;
        self.door
            .log
            .event("not_sent", &[("ae", ae), ("why", &why)]);
    }
}

/// An object on its way out.
struct Outbound<'a> {
    class: &'a str,
    instance: &'a str,
    message: u16,
}

/// The outcome that a receiver's status says (PS3.4 §B.2.3).
fn outcome(answer: &Command) -> Sent {
    match answer.status() {
        Some(status::SUCCESS) => Sent::Completed,
        Some(status) if status & 0xf000 == 0xb000 => Sent::Warned,
        _ => Sent::Failed,
    }
}
