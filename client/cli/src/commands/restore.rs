//! `pcim restore`

use std::path::{Path, PathBuf};

use clap::Args;
use pcim_client::backup::{Key, Restored, Restoring};
use pcim_client::papers::sheet::Sheet;
use pcim_core::Secret;
use pcim_core::date::time;
use zeroize::Zeroizing;

use super::backup::release::read_backup;
use crate::context::{Context, read_small};
use crate::failure::Usage;

/// Restore a backup into a new home
///
/// Make a home with `pcim init`, and give its card (`pcim card`) to your guardians and one follower; they answer with letters
/// to it (`pcim backup release`). The home gets the backup's OpenPGP key, contacts, notes and settings, and keeps its own
/// Ethereum key. A restore that was killed is gone on with by the same command.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The newest backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// A guardian's letter; once for each of those that are enough
    #[arg(long, value_name = "LETTER", conflicts_with = "sheet_a")]
    share: Vec<PathBuf>,
    /// The 24 words of sheet A in a file, or `-` to be asked for them
    #[arg(long, value_name = "FILE")]
    sheet_a: Option<PathBuf>,
    /// A follower's letter
    #[arg(
        long,
        value_name = "LETTER",
        required_unless_present = "sheet_b",
        conflicts_with = "sheet_b"
    )]
    key: Option<PathBuf>,
    /// The 24 words of sheet B in a file, or `-` to be asked for them
    #[arg(long, value_name = "FILE")]
    sheet_b: Option<PathBuf>,
}

impl RestoreArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let backup = read_backup(&self.backup)?;
        let mut shares = Vec::new();
        for share in &self.share {
            shares.push(read_small(share)?);
        }
        let seed = words(context, Sheet::A, self.sheet_a.as_deref())?;
        let sheet_b = words(context, Sheet::B, self.sheet_b.as_deref())?;
        let letter = match &self.key {
            Some(path) => read_small(path)?,
            None => Vec::new(),
        };
        let given = Restoring {
            backup: &backup,
            shares: &shares,
            seed: seed.as_ref(),
            key: match &sheet_b {
                Some(key) => Key::Sheet(key),
                None => Key::Letter(&letter),
            },
        };
        let (client, passphrase) = context.client_and_passphrase().await?;
        let restored = client.backups().restore(&given, &passphrase);
        client.shutdown().await;
        shown(context, "restored", &restored?)
    }
}

/// Shows a home with other keys.
pub(super) fn shown(context: &Context, what: &str, restored: &Restored) -> anyhow::Result<()> {
    for name in &restored.kept {
        context.ui.note(&format!(
            "note: {} is this home's own and was left; the other one of that name was not taken",
            crate::ui::printable(name)
        ));
    }
    let done = match restored.already {
        true => "  (nothing to do: this home has that key)",
        false => "",
    };
    let text = format!(
        "{what:<11}  backup {} of {}{done}\nmade         {}\nOpenPGP key  {}\n",
        restored.number,
        restored.patient,
        time(restored.at),
        restored.fingerprint
    );
    context.ui.result(restored, &text)
}

/// The words of a sheet, from a file or asked for.
fn words(context: &Context, sheet: Sheet, path: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    let Some(path) = path else {
        return Ok(None);
    };
    let wrong = |error| Usage(format!("sheet {sheet:?}: {error}"));
    let text = if path.as_os_str() == "-" {
        let asked = context
            .ui
            .ask_secret(&format!("The 24 words of sheet {sheet:?}: "))?;
        asked.ok_or_else(|| Usage("no terminal to ask for the words: name a file".to_owned()))?
    } else {
        let bytes = Zeroizing::new(read_small(path)?);
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Usage(format!("sheet {sheet:?}: not a text")))?;
        Zeroizing::new(text.to_owned())
    };
    Ok(Some(sheet.read(&text).map_err(wrong)?))
}
