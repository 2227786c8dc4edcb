//! `pcim gateway`

mod check;
mod inbox;
mod reload;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use pcim_client::Session;
use pcim_client::home::Home;
use pcim_gateway::{Error, Gateway, Ports, Settings};
use serde_json::json;

use crate::context::{Context, Stop};
use crate::failure::FromInbox;
use crate::serving::serve_beside;

/// The configuration that is read if no other is named.
const CONFIG: &str = "gateway.toml";

/// Take a department's images by DIMSE and DICOMweb, seal them by rules, and give out what this home may open
///
/// Modalities and PACS send to it as to any storage provider. Each object is encrypted to this home's key as it comes, and
/// acknowledged when it is on the disk to stay. A study is complete when its sender asks for storage commitment or when no
/// more comes for a while; the rules then seal it to its patient's card, or it waits in the inbox. Handovers are written into a
/// folder. Meanwhile the sealed images are served, as by `pcim node`, and the home's other commands can be used.
///
/// Viewers search and retrieve by DICOMweb and FHIR, and PACS by C-FIND, C-GET and C-MOVE, the images that this home may open: its
/// own, and those that it is approved for. Each retrieval asks the chain whether it may; it needs a token, or a peer, that may read.
///
/// docs/gateway.md explains the configuration, the rules, and what to type into Orthanc and dcm4chee. The log goes to standard
/// error, a JSON document a line, without patient data. An interrupt (SIGINT, SIGTERM) ends it with 0 once the message of each
/// association and the study that is being sealed are done.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct GatewayArgs {
    #[command(subcommand)]
    task: Option<GatewayTask>,
    #[command(flatten)]
    given: Given,
}

/// The settings that the command line says, and where the others are.
#[derive(Clone, Debug, Args)]
struct Given {
    #[command(flatten)]
    config: ConfigArg,
    /// The port of the DIMSE door, 0 for a free one [default: the configuration's, or 11112]
    #[arg(long, value_name = "N")]
    dicom_port: Option<u16>,
    /// The port of the HTTP door, 0 for a free one [default: the configuration's, or none]
    #[arg(long, value_name = "N")]
    http_port: Option<u16>,
    /// The AE title that senders call [default: the configuration's, or PCIM]
    #[arg(long, value_name = "TITLE")]
    ae: Option<String>,
}

/// The configuration's file.
#[derive(Clone, Debug, Args)]
struct ConfigArg {
    /// The configuration [default: gateway.toml in the home, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// A task beside serving.
#[derive(Debug, Subcommand)]
enum GatewayTask {
    /// See what waits, and decide about it
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    Check(check::CheckArgs),
    Reload(reload::ReloadArgs),
}

impl ConfigArg {
    fn settings(&self, home: &Path) -> pcim_gateway::Result<Settings> {
        let own = home.join(CONFIG);
        match &self.config {
            Some(path) => Settings::read(path),
            None if own.exists() => Settings::read(&own),
            None => Ok(Settings::default()),
        }
    }
}

impl Given {
    /// What the configuration says where the command line says nothing.
    fn settings(&self, home: &Path) -> pcim_gateway::Result<Settings> {
        let mut settings = self.config.settings(home)?;
        settings.dicom_port = self.dicom_port.unwrap_or(settings.dicom_port);
        settings.http_port = self.http_port.or(settings.http_port);
        if let Some(ae) = &self.ae {
            settings.ae.clone_from(ae);
        }
        settings.check().map_err(|reason| Error::Settings {
            path: PathBuf::from("command line"),
            reason,
        })?;
        Ok(settings)
    }
}

impl GatewayArgs {
    /// Says whether it runs until it is interrupted.
    pub(crate) fn serves(&self) -> bool {
        self.task.is_none()
    }

    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match &self.task {
            Some(GatewayTask::Inbox(command)) => command.run(context).await,
            Some(GatewayTask::Check(args)) => args.run(context),
            Some(GatewayTask::Reload(args)) => args.run(context).await,
            None => self.serve(context).await,
        }
    }

    async fn serve(&self, context: &Context) -> anyhow::Result<()> {
        let home = context.home_dir()?;
        let settings = self.given.settings(&home)?;
        let scheme = if settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let ports = Ports::open(&settings).await?;
        let listening = ports.listening()?;
        // From here on an interrupt waits until what was begun is done.
        let stop = Stop::listen().receiver();
        let (gateway, server) = open(context, settings, true).await?;
        let given = self.given.clone();
        let gateway = gateway.with_rereading(Box::new(move || given.settings(&home)));
        let control = gateway.control()?;
        let mut text = format!("dicom  {}\n", listening.dicom);
        if let Some(http) = listening.http {
            text.push_str(&format!("http   {scheme}://{http}\n"));
        }
        let http = listening
            .http
            .map(|http: SocketAddr| format!("{scheme}://{http}"));
        let said = json!({ "dicom": listening.dicom, "http": http });
        context.ui.result(&said, &text)?;
        let listening = gateway.listen(control, stop.clone());
        let (ended, ()) = tokio::join!(gateway.serve(ports, stop), listening);
        drop(server);
        gateway.shutdown().await;
        ended?;
        Ok(())
    }
}

/// Opens the home's gateway; its node serves others if that is wanted, unless the home's daemon runs and does.
async fn open(
    context: &Context,
    settings: Settings,
    serves: bool,
) -> anyhow::Result<(Gateway, Option<pcim_node::Server>)> {
    let home = Home::open(&context.home_dir()?)?;
    let (home, keys) = context.unlock(home).await?;
    let key = Arc::clone(&keys.openpgp);
    let session = Session::open(home)?.with_overrides(context.overrides()?);
    let mut session = session.with_limits(context.limits());
    session.deployment()?;
    let server = match serves {
        false => None,
        true => serve_beside(&mut session).await?,
    };
    let ui = context.ui;
    let log = Arc::new(move |line: &str| ui.note(line));
    let gateway = Gateway::open(session.with_keys(keys), key, settings, log).await?;
    Ok((gateway, server))
}

/// The error of a running gateway that answers another question.
fn another_answer() -> anyhow::Error {
    let why = "the running gateway answered another question".to_owned();
    let hints = vec!["use the program of the same version".to_owned()];
    FromInbox { why, hints }.into()
}
