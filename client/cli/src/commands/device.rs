//! `pcim device`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use pcim_client::papers::backup::MAX_BACKUP_BYTES;
use pcim_terminal::files::write_secret;
use serde_json::json;

use crate::context::{Context, read_card};

/// Use the same keys on another device
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    Add(AddArgs),
    Accept(AcceptArgs),
}

/// Seal this home's keys to the card of a new home of yours on another device
///
/// The file holds everything that this home can do, readable by that home alone. Compare the fingerprint that is printed with
/// the one that `pcim init` printed on the other device.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Contact card of the new home
    #[arg(value_name = "CARD")]
    card: PathBuf,
    /// File to carry to the other device
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Take the keys of your other device into this new home
///
/// This home's own keys are replaced; it must hold nothing yet. A command that was killed is gone on with by the same one.
#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// The file that `pcim device add` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Contact card of the device that wrote it
    #[arg(long, value_name = "CARD")]
    from: PathBuf,
}

impl DeviceCommand {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Add(args) => args.run(context).await,
            Self::Accept(args) => args.run(context).await,
        }
    }
}

impl AddArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let to = read_card(&self.card)?;
        let client = context.client().await?;
        let file = client.backups().add_device(&to);
        client.shutdown().await;
        write_secret(&self.out, &file?)?;
        let fingerprint = to.certificate.fingerprint();
        let text = format!(
            "sealed to    {}\nfingerprint  {fingerprint}\nfile         {}\n",
            to.address,
            self.out.display()
        );
        let value = json!({ "to": to.address, "fingerprint": fingerprint, "file": self.out.display().to_string() });
        context.ui.result(&value, &text)
    }
}

impl AcceptArgs {
    async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let from = read_card(&self.from)?;
        let file = super::backup::release::read_whole(&self.file, MAX_BACKUP_BYTES)?;
        let (client, passphrase) = context.client_and_passphrase().await?;
        let done = client.backups().accept_device(&file, &from, &passphrase);
        client.shutdown().await;
        super::restore::shown(context, "accepted", &done?)
    }
}
