//! `pcim man`

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Command};
use clap_mangen::Man;
use serde_json::json;

use super::write_result;
use crate::context::Context;

/// Write manual pages: one a command
///
/// For `man`, put them into a folder `man1` of one that `man --path` lists, such as `~/.local/share/man/man1`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder for them
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace pages that are there
    #[arg(long)]
    force: bool,
}

impl ManArgs {
    pub(crate) fn run(&self, context: &Context, mut root: Command) -> anyhow::Result<()> {
        std::fs::create_dir_all(&self.out).with_context(|| self.out.display().to_string())?;
        root.build();
        let mut written = Vec::new();
        self.write(&root, "pcim", &mut written)?;
        let text = format!("{} pages in {}\n", written.len(), self.out.display());
        context.ui.result(&json!({ "pages": written }), &text)
    }

    /// Writes the page of a command and those of the commands below it.
    fn write(
        &self,
        command: &Command,
        name: &str,
        written: &mut Vec<String>,
    ) -> anyhow::Result<()> {
        let mut page = Vec::new();
        Man::new(command.clone()).title(name).render(&mut page)?;
        let file = format!("{name}.1");
        write_result(&self.out.join(Path::new(&file)), &page, self.force)?;
        written.push(file);
        let below = command.get_subcommands().filter(|sub| !sub.is_hide_set());
        for sub in below.filter(|sub| sub.get_name() != "help") {
            self.write(sub, &format!("{name}-{}", sub.get_name()), written)?;
        }
        Ok(())
    }
}
