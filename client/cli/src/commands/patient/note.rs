//! `pcim patient note`

use clap::Args;
use pcim_client::Author;
use pcim_client::audit::{escaped, time};
use pcim_core::ImageDigest;

use crate::context::Context;
use crate::names;

/// Keep a note about an image, for yourself: `pcim search` finds it
///
/// Notes stay in this home, encrypted to its own key. At registering and opening, the radiologist's description of the image
/// is kept as a note.
#[derive(Debug, Args)]
pub(crate) struct NoteArgs {
    /// The image
    #[arg(value_parser = names::image)]
    image: ImageDigest,
    /// Text of the note; without it, the image's notes are shown
    text: Option<String>,
}

impl NoteArgs {
    pub(crate) async fn run(&self, context: &Context) -> anyhow::Result<()> {
        let client = context.client().await?;
        if let Some(text) = &self.text {
            client.unlocked().note(&self.image, Author::Owner, text)?;
        }
        let mut notes = client
            .unlocked()
            .notes()?
            .remove(&self.image)
            .unwrap_or_default();
        client.shutdown().await;
        if self.text.is_some() {
            notes.drain(..notes.len().saturating_sub(1));
        }
        let lines = notes
            .iter()
            .map(|note| format!("{}  {}\n", time(note.at), escaped(note.text.chars())));
        context.ui.result(&notes, &lines.collect::<String>())
    }
}
