//! `pcim backup release`

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use pcim_client::backup::Given;
use pcim_client::papers::backup::MAX_BACKUP_BYTES;
use pcim_terminal::files::write_result;
use serde_json::json;

use crate::context::{Context, read_card, read_small};

/// Seal what you keep of another's backup to the card of that person's new home
///
/// A guardian gives the letter with the share, a follower the backup. Only you can know that the card is that person's: ask by
/// telephone or in person, and compare the fingerprint that is printed. A stranger with enough shares and one key reads the
/// backup.
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The letter with the share that you were given
    #[arg(value_name = "LETTER", required_unless_present = "backup")]
    share: Option<PathBuf>,
    /// The backup, if you are a follower
    #[arg(long, value_name = "FILE", conflicts_with = "share")]
    backup: Option<PathBuf>,
    #[command(flatten)]
    to: ToArgs,
}

/// Whom a letter is sealed to, and where it is written.
#[derive(Debug, Args)]
pub(crate) struct ToArgs {
    /// Contact card of the new home
    #[arg(long, value_name = "CARD")]
    to: PathBuf,
    /// File for the new letter
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

impl ReleaseArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let bytes = match (&self.share, &self.backup) {
            (_, Some(backup)) => read_backup(backup)?,
            (Some(share), None) => read_small(share)?,
            (None, None) => Vec::new(),
        };
        let given = match self.backup {
            Some(_) => Given::Backup(&bytes),
            None => Given::Share(&bytes),
        };
        release(context, given, &self.to, None).await
    }
}

/// Seals a share or key on, and writes the letter. The card's key must act for the patient since `moved_days`; `None` if the chain is not
/// asked.
pub(crate) async fn release(
    context: &Context,
    given: Given<'_>,
    args: &ToArgs,
    moved_days: Option<u64>,
) -> anyhow::Result<()> {
    let (to, out) = (read_card(&args.to)?, &args.out);
    let client = context.client().await?;
    let work = async {
        let done = client.backups().give_on(given, &to)?;
        if let Some(days) = moved_days {
            client.check_moved(done.patient, to.address, days).await?;
        }
        Ok::<_, pcim_client::Error>(done)
    };
    let done = work.await;
    client.shutdown().await;
    let done = done?;
    write_result(out, &done.letter, args.force)?;
    let share = match done.share {
        Some(number) => format!("share {number}"),
        None => "the key".to_owned(),
    };
    let fingerprint = to.certificate.fingerprint();
    let text = format!(
        "released     {share} of set {}\nof           {}\nto           {}\nfingerprint  {fingerprint}\nletter       {}\n",
        done.set,
        done.patient,
        done.to,
        out.display()
    );
    let value = json!({
        "patient": done.patient,
        "set": done.set,
        "share": done.share,
        "to": done.to,
        "fingerprint": fingerprint,
        "letter": out.display().to_string(),
    });
    context.ui.result(&value, &text)
}

/// Reads a backup.
pub(crate) fn read_backup(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_whole(path, MAX_BACKUP_BYTES)
}

/// Reads a file of at most `max` bytes.
pub(crate) fn read_whole(path: &Path, max: usize) -> anyhow::Result<Vec<u8>> {
    pcim_core::private::read_limited(path, max).with_context(|| path.display().to_string())
}
