//! `pcim backup`

mod paper;
pub(crate) mod release;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use pcim_client::backup::{Keepers, Made};
use pcim_client::papers::card::CardDocument;
use pcim_client::papers::sheet::Form;
use pcim_terminal::files::{write_result, write_secret};
use serde::Serialize;

use crate::context::{Context, read_small};
use crate::failure::Usage;

/// Back up keys, contacts and notes, encrypted under keys that others keep
///
/// The first backup names who keeps them: each guardian gets a share, and N shares together give one key; each
/// follower gets the other key whole. Neither can read anything alone. Later backups are made under the same keys: name
/// nobody then, and give the new file to your followers. Other keepers, or --new-keys, mean new keys: the shares that are out
/// open no later backup then. A command that was killed is gone on with by the same one. The Ethereum key is not in a backup: the account moves to another key.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    command: Option<BackupCommand>,
    /// Contact card of a guardian, who gets a share; 2 to 15 of them
    #[arg(long, value_name = "CARD")]
    guardian: Vec<PathBuf>,
    /// How many shares give the key back; at least 2
    #[arg(long, value_name = "N", requires = "guardian")]
    threshold: Option<u8>,
    /// Contact card of a follower, who gets the other key; 2 to 5 of them, or fewer with --sheet-b
    #[arg(long, value_name = "CARD", requires = "guardian")]
    follower: Vec<PathBuf>,
    /// Begin with new keys, though the keepers are the same
    #[arg(long, requires = "guardian")]
    new_keys: bool,
    /// Print the other key as 24 words too: a page (.html) or a text
    #[arg(long, value_name = "FILE")]
    sheet_b: Option<PathBuf>,
    /// Folder for the backup and the shares; made if it is not there
    #[arg(long, value_name = "FOLDER", required = true)]
    out: Option<PathBuf>,
}

/// More about backups.
#[derive(Debug, Subcommand)]
enum BackupCommand {
    Paper(paper::PaperArgs),
    Release(release::ReleaseArgs),
}

/// The files of a backup.
#[derive(Serialize)]
struct Written<'a> {
    number: u64,
    set: String,
    #[serde(serialize_with = "pcim_core::text::path")]
    backup: &'a Path,
    shares: Vec<WrittenShare>,
    #[serde(
        serialize_with = "pcim_core::text::path_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    sheet_a: Option<PathBuf>,
    #[serde(
        serialize_with = "pcim_core::text::path_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    sheet_b: Option<&'a Path>,
    /// The address that sheet A gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    paper_guardian: Option<String>,
}

/// A guardian's file.
#[derive(Serialize)]
struct WrittenShare {
    guardian: String,
    share: u8,
    #[serde(serialize_with = "pcim_core::text::path")]
    file: PathBuf,
}

impl BackupArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        match &self.command {
            Some(BackupCommand::Paper(args)) => return args.run(context).await,
            Some(BackupCommand::Release(args)) => return args.run(context).await,
            None => {}
        }
        let Some(out) = &self.out else {
            return Err(Usage("give --out FOLDER".to_owned()).into());
        };
        let keepers = match (self.guardian.is_empty(), self.threshold) {
            (true, _) => None,
            (false, None) => {
                let text = "give --threshold N: how many of the guardians are enough";
                return Err(Usage(text.to_owned()).into());
            }
            (false, Some(threshold)) => Some(Keepers::Guardians {
                cards: cards(&self.guardian)?,
                threshold,
            }),
        };
        let followers = cards(&self.follower)?;
        let form = self.sheet_b.as_deref().map(form);
        let client = context.client().await?;
        let made = match &keepers {
            Some(keepers) => client
                .backups()
                .begin(keepers, &followers, form, self.new_keys),
            None => client.backups().renew(form),
        };
        let sheets = Sheets {
            a: None,
            b: self.sheet_b.clone(),
        };
        let written = made
            .map_err(anyhow::Error::from)
            .and_then(|made| written(context, &made, out, &sheets))
            .and_then(|()| Ok(client.backups().handed()?));
        client.shutdown().await;
        written
    }
}

/// Where sheets are written.
struct Sheets {
    a: Option<PathBuf>,
    b: Option<PathBuf>,
}

/// Writes the files of a backup; those that an attempt left that was killed are replaced.
fn written(context: &Context, made: &Made, out: &Path, sheets: &Sheets) -> anyhow::Result<()> {
    let at = |source| pcim_client::Error::File {
        path: out.to_owned(),
        source,
    };
    std::fs::create_dir_all(out).map_err(at)?;
    let mut text = format!("set          {}\n", made.set);
    let mut shares = Vec::new();
    for share in &made.shares {
        let file = out.join(format!(
            "share-{}-{:#x}.letter",
            share.index, share.guardian
        ));
        write_result(&file, &share.bytes, made.resumed)?;
        text.push_str(&format!(
            "share {:>2}     {}\n",
            share.index,
            file.display()
        ));
        shares.push(WrittenShare {
            guardian: share.guardian.to_string(),
            share: share.index,
            file,
        });
    }
    let sheet = |name: &str, path: &Path, page: &str, text: &mut String| {
        if made.resumed && path.exists() {
            std::fs::remove_file(path).map_err(at)?;
        }
        text.push_str(&format!("sheet {name}      {}\n", path.display()));
        write_secret(path, page.as_bytes())
    };
    if let (Some(path), Some(page)) = (&sheets.a, &made.sheet_a) {
        sheet("A", path, page, &mut text)?;
    }
    if let (Some(path), Some(page)) = (&sheets.b, &made.sheet_b) {
        sheet("B", path, page, &mut text)?;
    }
    let backup = out.join(format!("backup-{}.json", made.number));
    write_result(&backup, &made.backup, made.resumed)?;
    text.push_str(&format!(
        "backup {:>3}   {}\n",
        made.number,
        backup.display()
    ));
    if let Some(guardian) = made.paper_guardian {
        text.push_str(&format!(
            "guardian     {guardian}, the address that sheet A gives\n"
        ));
    }
    if made.sheet_a.is_some() || made.sheet_b.is_some() {
        context.ui.note(
            "note: print the sheets, delete the files, and keep the two sheets in different places: the holder of both opens the backup",
        );
    }
    let value = Written {
        number: made.number,
        set: made.set.to_string(),
        backup: &backup,
        shares,
        sheet_a: sheets.a.clone().filter(|_| made.sheet_a.is_some()),
        sheet_b: sheets.b.as_deref(),
        paper_guardian: made.paper_guardian.map(|it| it.to_string()),
    };
    context.ui.result(&value, &text)
}

/// Reads contact cards, which are verified where they are used.
pub(crate) fn cards(paths: &[PathBuf]) -> anyhow::Result<Vec<CardDocument>> {
    let mut cards = Vec::new();
    for path in paths {
        crate::context::read_card(path)?;
        cards.push(serde_json::from_slice(&read_small(path)?)?);
    }
    Ok(cards)
}

/// A page for a browser, unless the file's name says otherwise.
fn form(path: &Path) -> Form {
    match path.extension().is_some_and(|it| it == "html") {
        true => Form::Html,
        false => Form::Text,
    }
}
