//! The people whom the owner calls by name: contact cards in the folder `contacts`.

use std::io::ErrorKind;

use super::{Error, Home, Result, io_at};
use crate::papers::card::{Card, MAX_CARD_BYTES};
use pcim_core::private;

/// The ending of a card's file.
const ENDING: &str = "card";

impl Home {
    /// Says whether a contact may have this name.
    pub fn can_name(&self, name: &str) -> bool {
        self.has_place(&format!("contacts/{name}.{ENDING}"))
    }

    /// Keeps a card that verifies, under a name; false if another one has the name and is not to be replaced.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::ContactName`], [`Error::Contact`]
    pub fn put_contact(&self, name: &str, json: &[u8], replace: bool) -> Result<bool> {
        if !self.can_name(name) {
            return Err(Error::ContactName);
        }
        Card::read(json).map_err(|error| Error::Contact(Box::new(error)))?;
        let folder = self.contacts_dir();
        if !folder.is_dir() {
            private::create_dir(&folder).map_err(io_at(&folder))?;
        }
        let path = folder.join(format!("{name}.{ENDING}"));
        if !replace && path.exists() {
            let known = private::read_limited(&path, MAX_CARD_BYTES).map_err(io_at(&path))?;
            return Ok(known == json);
        }
        private::replace(&path, json).map_err(io_at(&path))?;
        Ok(true)
    }

    /// Forgets the contact of this name; false if there is none.
    ///
    /// # Errors
    /// [`Error::Io`]
    pub fn remove_contact(&self, name: &str) -> Result<bool> {
        if !self.can_name(name) {
            return Ok(false);
        }
        let path = self.contacts_dir().join(format!("{name}.{ENDING}"));
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(io_at(&path)(error)),
        }
    }
}
