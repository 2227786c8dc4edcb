//! The tasks of `pcim node`: the service, and sealed images as they are

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use pcim_client::Target;
use pcim_core::ImageDigest;
use pcim_node::pinning::{PinStatus, Service};
use serde_json::json;

use super::service;
use crate::context::Context;
use crate::failure::Usage;
use crate::names;

/// Names a file that holds the token of the pinning service.
const TOKEN_VARIABLE: &str = "PCIM_PIN_TOKEN_FILE";

/// Run the node as a service; move sealed images about, encrypted as they are
#[derive(Debug, Subcommand)]
pub(crate) enum NodeTask {
    Install(service::InstallArgs),
    Status(service::NodeStatusArgs),
    Stop(service::StopArgs),
    Logs(service::LogsArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Pin(PinArgs),
    Pins(PinsArgs),
    Unpin(UnpinArgs),
}

/// Write a sealed image into a CAR file
///
/// The file holds the image's root, header and body, encrypted as they are; `ipfs dag import` and other
/// IPFS software read it. A block that is not here is fetched. The file appears only when it is whole.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The image, or the root that was shared
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// Where it is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

/// Store and pin the sealed image of a CAR file
///
/// The file must hold exactly one sealed image: every block is hashed, and of any other file nothing is
/// kept.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The CAR file, of version 1
    file: PathBuf,
}

/// Which service, and with what right.
#[derive(Debug, Args)]
struct ServiceArgs {
    /// The pinning service (IPFS Pinning Service API), such as https://pins.example.org/psa
    #[arg(long, value_name = "URL")]
    service: String,
    /// A file (0600) whose first line is the service's access token [default: $PCIM_PIN_TOKEN_FILE]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// Have a pinning service keep a sealed image
///
/// The service learns the image's CID and fetches its blocks, which are encrypted, from this home's
/// node: let `pcim node` run until `pcim node pins` says that they are pinned.
#[derive(Debug, Args)]
pub(crate) struct PinArgs {
    /// The image, or the root that was shared
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Ask a pinning service how far it is with an image
#[derive(Debug, Args)]
pub(crate) struct PinsArgs {
    /// The image, or the root that was shared
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    #[command(flatten)]
    service: ServiceArgs,
}

/// Have a pinning service forget an image
///
/// A peer that has fetched it meanwhile may have kept it.
#[derive(Debug, Args)]
pub(crate) struct UnpinArgs {
    /// The image, or the root that was shared
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    #[command(flatten)]
    service: ServiceArgs,
}

impl NodeTask {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Install(args) => args.run(context).await,
            Self::Status(args) => args.run(context).await,
            Self::Stop(args) => args.run(context).await,
            Self::Logs(args) => args.run(context),
            Self::Export(args) => args.run(context).await,
            Self::Import(args) => args.run(context).await,
            Self::Pin(args) => args.run(context).await,
            Self::Pins(args) => {
                let pins = args.service.open()?.find(&args.image).await?;
                let text: String = pins.iter().map(line).collect();
                let none = "the service was not asked for this image\n";
                let text = if pins.is_empty() { none } else { &text };
                context.ui.result(&pins, text)
            }
            Self::Unpin(args) => {
                let removed = args.service.open()?.unpin(&args.image).await?;
                let text = format!("removed  {removed} requests\n");
                context.ui.result(&json!({ "removed": removed }), &text)
            }
        }
    }
}

impl ExportArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let target = Target {
            path: self.out.clone(),
            overwrite: self.force,
        };
        let client = context.reader()?;
        let exported = client.export_car(&self.image, &target).await;
        client.shutdown().await;
        let exported = exported?;
        let text = format!("{}  {} bytes\n", exported.path.display(), exported.bytes);
        context.ui.result(&exported, &text)
    }
}

impl ImportArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.reader()?;
        let imported = client.import_car(&self.file).await;
        client.shutdown().await;
        let imported = imported?;
        let (image, blocks) = (imported.image, imported.blocks);
        let text = format!("image  {image}\nblocks {blocks}\n");
        context.ui.result(&imported, &text)
    }
}

impl PinArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let service = self.service.open()?;
        let client = context.reader()?;
        let pin = client.pin_at(&service, &self.image).await;
        client.shutdown().await;
        let pin = pin?;
        context.ui.result(&pin, &line(&pin))
    }
}

impl ServiceArgs {
    fn open(&self) -> anyhow::Result<Service> {
        let named = || std::env::var_os(TOKEN_VARIABLE).map(PathBuf::from);
        let file = self.token_file.clone().or_else(named).ok_or_else(|| {
            Usage(format!(
                "no token: give --token-file or set {TOKEN_VARIABLE}"
            ))
        })?;
        Service::new(&self.service, &file).context("no pinning service")
    }
}

fn line(pin: &PinStatus) -> String {
    let status = format!("{:?}", pin.status).to_lowercase();
    format!("{status}  request {}\n", pin.requestid)
}
