//! The gateway: its doors, and the study at which it works.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pcim_client::papers::card::Card;
use pcim_client::study::{Inputs, Opening};
use pcim_client::{Actor, SealOptions, SealedImage, Target};
use pcim_core::private;
use pcim_seal::UnlockedKey;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, watch};

use crate::catalogue::Catalogue;
use crate::catalogue::keeper::Keeper;
use crate::current::{Current, InForce, Reloaded};
use crate::dimse::Door;
use crate::error::{Error, Result};
use crate::http::Web;
use crate::log::{Log, LogSink};
use crate::metrics::Metrics;
use crate::moment::{asked, now};
use crate::rules::Facts;
use crate::settings::Settings;
use crate::spool::kept::Department;
use crate::spool::record::{State, StudyRecord};
use crate::spool::{Object, Spool, Study};

/// How often complete studies are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Work of the client's, whose type stays out of the types of what waits for it.
type Work<'w, T> = Pin<Box<dyn Future<Output = T> + 'w>>;

/// A department's gateway, at work in its home.
pub struct Gateway {
    actor: Actor,
    current: Current,
    reread: Option<Rereading>,
    handovers: PathBuf,
    pub(crate) spool: Arc<Spool>,
    metrics: Arc<Metrics>,
    log: Log,
    /// Held while a study is sealed: one at a time.
    sealing: Mutex<()>,
}

/// Reads the settings again, for a reload.
pub type Rereading = Box<dyn Fn() -> Result<Settings> + Send + Sync>;

/// The addresses at which a gateway listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The DIMSE door.
    pub dicom: SocketAddr,
    /// The HTTP door, if there is one.
    pub http: Option<SocketAddr>,
}

/// The open ports of a gateway that does not serve yet.
pub struct Ports {
    dicom: TcpListener,
    http: Option<TcpListener>,
}

impl Ports {
    /// Opens the ports.
    ///
    /// # Errors
    /// [`Error::Listen`]
    pub async fn open(settings: &Settings) -> Result<Self> {
        let listen = async |port| {
            let address = settings.listening(port);
            TcpListener::bind(address)
                .await
                .map_err(|source| Error::Listen {
                    address: address.to_string(),
                    source,
                })
        };
        Ok(Self {
            dicom: listen(settings.dicom_port).await?,
            http: match settings.http_port {
                Some(port) => Some(listen(port).await?),
                None => None,
            },
        })
    }

    /// Names the addresses.
    ///
    /// # Errors
    /// Those of the system.
    pub fn listening(&self) -> io::Result<Listening> {
        Ok(Listening {
            dicom: self.dicom.local_addr()?,
            http: self
                .http
                .as_ref()
                .map(TcpListener::local_addr)
                .transpose()?,
        })
    }
}

/// Why a study is not sealed, or how it is.
pub(crate) struct Verdict {
    pub(crate) rule: Option<String>,
    pub(crate) card: Option<Card>,
    pub(crate) options: SealOptions,
    pub(crate) waits: Option<String>,
}

impl Gateway {
    /// Opens the gateway of a home: its rules, and its spool, which no other process may have open. `key` is the home's
    /// OpenPGP key, to which the spool is encrypted.
    ///
    /// # Errors
    /// [`Error::Settings`], [`Error::File`], [`Error::Busy`], [`Error::Seal`].
    pub async fn open(
        actor: Actor,
        key: Arc<UnlockedKey>,
        settings: Settings,
        log: LogSink,
    ) -> Result<Self> {
        let own = actor.home().dir().join("gateway");
        let in_home =
            |given: &Option<PathBuf>, name: &str| given.clone().unwrap_or_else(|| own.join(name));
        let (folder, handovers) = (
            in_home(&settings.spool, "spool"),
            in_home(&settings.handovers, "handovers"),
        );
        if !own.exists() {
            private::create_dir(&own).map_err(Error::file(&own))?;
        }
        let limits = settings.limits();
        let current = Current::new(InForce::read(settings)?);
        let opening =
            tokio::task::spawn_blocking(move || Spool::open(&folder, Department::new(key), limits));
        let spool = Arc::new(opening.await??);
        if !handovers.exists() {
            private::create_dir(&handovers).map_err(Error::file(&handovers))?;
        }
        let gateway = Self {
            actor,
            current,
            reread: None,
            handovers,
            spool,
            metrics: Arc::default(),
            log: Log::new(log),
            sealing: Mutex::new(()),
        };
        gateway.recover().await?;
        Ok(gateway)
    }

    /// Has a reload read its settings by this.
    #[must_use]
    pub fn with_rereading(mut self, reread: Rereading) -> Self {
        self.reread = Some(reread);
        self
    }

    /// Reads the settings, the rules and the certificates again, for what begins from now on. Those that do not read leave
    /// everything as it is.
    ///
    /// # Errors
    /// [`Error::Settings`], [`Error::File`].
    pub(crate) fn reload(&self) -> Result<Reloaded> {
        let before = self.current.get();
        let read = || {
            let settings = match &self.reread {
                Some(reread) => reread()?,
                None => before.settings.clone(),
            };
            InForce::read(settings)
        };
        let next = match read() {
            Ok(next) => next,
            Err(error) => {
                self.log.event("reload_failed", &[("why", &error)]);
                return Err(error);
            }
        };
        let differing = before.settings.differing(&next.settings);
        let (rules, patients) = next.rules.counts();
        self.current.set(next);
        let later = differing.join(", ");
        self.log
            .event("reloaded", &[("rules", &rules), ("at_next_start", &later)]);
        Ok(Reloaded {
            rules,
            patients,
            at_next_start: differing.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Reloads at each SIGHUP until `stop` says true.
    async fn reload_at_hangup(&self, mut stop: watch::Receiver<bool>) {
        #[cfg(unix)]
        if let Ok(mut hangups) = signal(SignalKind::hangup()) {
            loop {
                tokio::select! {
                    () = asked(&mut stop) => return,
                    // Its outcome is in the log.
                    Some(()) = hangups.recv() => drop(self.reload()),
                }
            }
        }
        asked(&mut stop).await;
    }

    /// Ends what was being sealed when the program ended: a handover that is there was finished, everything else was not.
    async fn recover(&self) -> Result<()> {
        let is_begun = |study: &Study| matches!(study.record.state, State::Sealing { .. });
        let begun = self.spool.numbers_of(is_begun);
        if !begun.is_empty() {
            self.resume().await?;
        }
        for number in begun {
            let Some(study) = self.spool.study(number) else {
                continue;
            };
            let State::Sealing { handover } = study.record.state.clone() else {
                continue;
            };
            let state = match self.handover(&handover).exists() {
                true => sealed(&study, None, handover),
                false => State::Waiting,
            };
            self.spool
                .change(number, |record| record.state = state)
                .await?;
        }
        Ok(())
    }

    /// Drops what the node has of studies that were being sealed, or gives their handovers their names.
    fn resume(&self) -> Work<'_, Result<()>> {
        Box::pin(async {
            for resumed in self.actor.unlocked().resume_all().await? {
                tracing::debug!(?resumed, "resumed");
            }
            Ok(())
        })
    }

    /// Returns the actor whose home it is.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The path of a handover.
    pub(crate) fn handover(&self, name: &str) -> PathBuf {
        self.handovers.join(name)
    }

    /// Ends the work, and stops the actor's node.
    pub async fn shutdown(self) {
        self.actor.shutdown().await;
    }

    /// Serves until `stop` says true: takes objects, seals complete studies as the rules say, and gives out images.
    ///
    /// # Errors
    /// Those of a door that cannot go on.
    pub async fn serve(&self, ports: Ports, stop: watch::Receiver<bool>) -> Result<()> {
        let swapping = crate::memory::lock();
        self.log.event("memory", &[("swapping", &swapping)]);
        let settings = &self.current.get().settings;
        let (catalogue, asks) = Catalogue::new();
        let catalogue = Arc::new(catalogue);
        let door = Arc::new(Door {
            called: (!settings.any_called_ae).then(|| settings.ae.clone()),
            current: self.current.clone(),
            catalogue: Arc::clone(&catalogue),
            timing: settings.timing(),
            spool: Arc::clone(&self.spool),
            metrics: Arc::clone(&self.metrics),
            log: self.log.clone(),
            associations: settings.associations,
        });
        let dimse = tokio::spawn(door.serve(ports.dicom, stop.clone()));
        let http = ports.http.map(|listener| {
            let (metrics, log) = (&self.metrics, &self.log);
            let web = Web::new(&self.current, &self.spool, &catalogue, metrics, log);
            tokio::spawn(Arc::new(web).serve(listener, stop.clone()))
        });
        let keeper = Keeper::new(&self.actor, &catalogue, &self.log, settings);
        let keeping: Work<'_, ()> = Box::pin(keeper.keep(asks, stop.clone()));
        let sealing = async {
            let mut ending = stop.clone();
            loop {
                tokio::select! {
                    () = asked(&mut ending) => break,
                    () = tokio::time::sleep(LOOK) => {}
                }
                self.seal_complete(&stop).await;
            }
        };
        tokio::join!(sealing, keeping, self.reload_at_hangup(stop.clone()));
        dimse.await?;
        if let Some(http) = http {
            http.await?;
        }
        Ok(())
    }

    /// Seals every study that is complete and that the rules seal.
    async fn seal_complete(&self, stop: &watch::Receiver<bool>) {
        for number in self.spool.numbers_of(|study| self.is_complete(study)) {
            if *stop.borrow() {
                return;
            }
            let study = self.spool.study(number);
            if study.is_some_and(|study| self.verdict(&study).waits.is_none()) {
                // It is recorded why it failed.
                let _ = self.seal(number).await;
            }
        }
    }

    /// Says whether a study waits for no more objects: its sender asked for storage commitment, or it is quiet.
    pub(crate) fn is_complete(&self, study: &Study) -> bool {
        let quiet = now().saturating_sub(study.newest) >= self.current.get().settings.quiet_seconds;
        let waits = study.record.state == State::Waiting && !study.objects.is_empty();
        waits && study.coming == 0 && (study.record.committed || quiet)
    }

    /// Decides about a study: by a person's word, which stands above the rules, and by the rules.
    pub(crate) fn verdict(&self, study: &Study) -> Verdict {
        let record = &study.record;
        let facts = Facts {
            arrival: &study.arrival,
            sender: &study.sender,
            modalities: &study.modalities,
        };
        let current = self.current.get();
        let decision = current.rules.decide(facts);
        let assigned = record.card.as_ref().and_then(|card| {
            let bytes = hex::decode(card).ok()?;
            Card::read(&bytes).ok()
        });
        let card = assigned.or_else(|| decision.card.cloned());
        let waits = if study.mixed {
            Some("its objects are of several patients".to_owned())
        } else if card.is_none() {
            Some(decision.lacks.to_owned())
        } else if !record.conflicts.is_empty() {
            let count = record.conflicts.len();
            Some(format!(
                "{count} of its objects came again with other content"
            ))
        } else {
            record.failure.clone().or(decision.holds)
        };
        Verdict {
            rule: decision.rule.map(str::to_owned),
            card,
            options: decision.options,
            waits,
        }
    }

    /// Seals a study now, whatever holds it.
    ///
    /// # Errors
    /// [`Error::NoSuchStudy`], [`Error::NotNow`], [`Error::Client`]; the last is recorded too.
    pub(crate) async fn seal(&self, number: u64) -> Result<()> {
        let _one = self.sealing.lock().await;
        let study = self.spool.close(number)?;
        let verdict = self.verdict(&study);
        let card = match (verdict.card, study.mixed) {
            (Some(card), false) => card,
            (_, mixed) => {
                self.spool.reopen(number);
                let state = match mixed {
                    true => "has objects of several patients: it can only be rejected",
                    false => "has no patient's card",
                };
                return Err(Error::NotNow { number, state });
            }
        };
        let name = format!("handover-{number}-{}.pgp", now());
        let sealing = State::Sealing {
            handover: name.clone(),
        };
        self.spool
            .change(number, |record| record.state = sealing)
            .await?;
        let handover = self.handover(&name);
        match self
            .seal_to(&study, &card, &verdict.options, &handover)
            .await
        {
            Ok(image) => {
                let state = sealed(&study, Some(image.image.to_string()), name);
                self.spool
                    .change(number, |record| record.state = state)
                    .await?;
                self.metrics.sealed.add(1);
                let objects = study.objects.len();
                self.log.event(
                    "sealed",
                    &[
                        ("study", &number),
                        ("objects", &objects),
                        ("image", &image.image),
                    ],
                );
                Ok(())
            }
            Err(error) => {
                let why = error.to_string();
                self.metrics.failed.add(1);
                self.log
                    .event("seal_failed", &[("study", &number), ("why", &why)]);
                let failed = |record: &mut StudyRecord| {
                    record.state = State::Waiting;
                    record.failure = Some(why);
                };
                self.spool.change(number, failed).await?;
                Err(error)
            }
        }
    }

    /// Rejects a study: its objects are deleted.
    ///
    /// # Errors
    /// [`Error::NoSuchStudy`], [`Error::NotNow`], [`Error::File`].
    pub(crate) async fn reject(&self, number: u64, reason: String) -> Result<()> {
        let _one = self.sealing.lock().await;
        self.spool.close(number)?;
        let state = State::Rejected { reason, at: now() };
        self.spool
            .change(number, |record| record.state = state)
            .await
    }

    fn seal_to<'w>(
        &'w self,
        study: &'w Study,
        card: &'w Card,
        options: &'w SealOptions,
        handover: &'w Path,
    ) -> Work<'w, Result<SealedImage>> {
        Box::pin(async move {
            let inputs = inputs(&self.spool, &study.objects);
            let work = self.actor.radiologist();
            let quiet = Arc::new(|_: pcim_client::study::FileOutcome<'_>| {});
            let mut studies = work.studies(inputs, options, quiet).await?;
            let (Some(found), true) = (studies.pop(), studies.is_empty()) else {
                let found = studies.len() + 2;
                let error = pcim_client::study::Error::SeveralStudies { found };
                return Err(pcim_client::Error::from(error).into());
            };
            let target = |path: &Path| Target {
                path: path.to_owned(),
                overwrite: false,
            };
            let identity = target(&handover.with_extension("identity.pgp"));
            let handover = target(handover);
            let sealed = work.seal_into(found, card, options, &handover, &identity);
            Ok(sealed.await?)
        })
    }
}

/// The objects of a study as files of an input, called by their number.
fn inputs(spool: &Arc<Spool>, objects: &[Object]) -> Inputs {
    let names = (1..=objects.len()).map(|number| PathBuf::from(format!("object {number}")));
    let (spool, objects) = (Arc::clone(spool), Arc::new(objects.to_vec()));
    let open: Opening = Arc::new(move |number| match objects.get(number) {
        Some(object) => spool.open_object(object),
        None => Err(io::ErrorKind::NotFound.into()),
    });
    Inputs::kept(names.collect(), &open)
}

/// The state of a study that was sealed.
fn sealed(study: &Study, image: Option<String>, handover: String) -> State {
    let instance = |object: &Object| (object.instance.clone(), object.sha256.clone());
    State::Sealed {
        image,
        handover,
        at: now(),
        instances: study.objects.iter().map(instance).collect(),
        bytes: study.bytes,
    }
}
