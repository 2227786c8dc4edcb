//! The people whom the owner of a home calls by name: contact cards in a folder, each with the name of its file.

use std::path::Path;

use pcim_client::audit::report::Contacts;

use crate::context::read_card_file;
use crate::failure::Usage;
use crate::ui::{Ui, printable};

/// Most cards of a folder.
const MAX_CONTACTS: usize = 10_000;

/// Reads the cards of a folder, each verified; one that is no good is reported and left out. A folder that is not there has
/// none.
pub(crate) fn read(ui: Ui, dir: &Path) -> anyhow::Result<Contacts> {
    let mut contacts = Contacts::new();
    if !dir.is_dir() {
        return Ok(contacts);
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "card") {
            paths.push(path);
        }
        if paths.len() > MAX_CONTACTS {
            let text = format!("{}: more than {MAX_CONTACTS} cards", dir.display());
            return Err(Usage(text).into());
        }
    }
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match read_card_file(&path) {
            Ok(card) => contacts.add(&card, &name),
            Err(error) => {
                let why = printable(&format!("{error:#}"));
                ui.note(&format!(
                    "note: no name is taken from a card that is no good: {why}"
                ));
            }
        }
    }
    Ok(contacts)
}
