//! The home's own mail: the letters that it fetched, and the token that its cards carry; and the file of a node that keeps mail
//! for others.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::{Home, Result, io_at};
use crate::mail::MAX_SEALED;
use crate::mail::wire::MailId;
use crate::papers::card::PushToken;
use pcim_core::private;

/// The folder of fetched letters.
const INBOX: &str = "inbox";
/// The ending of a letter's file.
const ENDING: &str = ".pgp";
/// The token.
const TOKEN: &str = "mailbox.token";
/// Most letters that a home keeps.
pub const MAX_INBOX: usize = 1_000;

impl Home {
    /// Names the file of the documents that this home's node keeps for others.
    pub fn mailbox_path(&self) -> PathBuf {
        self.dir.join("mailbox.sqlite")
    }

    /// Names the file of the host's part of the links that were given to guests.
    pub fn guests_path(&self) -> PathBuf {
        self.dir.join("guests.sqlite")
    }

    /// Names the file of the invitations that this home gave.
    pub fn invitations_path(&self) -> PathBuf {
        self.dir.join("invitations.pgp")
    }

    /// Returns the token of this home's cards; drawn at the first call, and again if it is to be renewed.
    ///
    /// # Errors
    /// [`super::Error::Io`]
    pub fn push_token(&self, renew: bool) -> Result<PushToken> {
        let path = self.dir.join(TOKEN);
        if !renew && let Some(token) = self.known_push_token()? {
            return Ok(token);
        }
        let token = PushToken::random();
        let text = format!("{}\n", hex::encode(token.0));
        private::replace(&path, text.as_bytes()).map_err(io_at(&path))?;
        Ok(token)
    }

    /// The token, if the file has one.
    fn known_push_token(&self) -> Result<Option<PushToken>> {
        let path = self.dir.join(TOKEN);
        let text = match private::read_limited(&path, 64) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_at(&path)(error)),
        };
        let mut token = [0; 16];
        let read = hex::decode_to_slice(text.trim_ascii(), &mut token);
        // One that is damaged is drawn again.
        Ok(read.is_ok().then_some(PushToken(token)))
    }

    /// Lists the letters of the inbox, by id.
    ///
    /// # Errors
    /// [`super::Error::Io`]
    pub(crate) fn inbox(&self) -> Result<Vec<MailId>> {
        let folder = self.dir.join(INBOX);
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_at(&folder)(error)),
        };
        let mut ids = Vec::new();
        for entry in entries.take(2 * MAX_INBOX) {
            let name = entry.map_err(io_at(&folder))?.file_name();
            let digits = name.to_str().and_then(|name| name.strip_suffix(ENDING));
            let mut id = MailId::default();
            if digits.is_some_and(|digits| hex::decode_to_slice(digits, &mut id).is_ok()) {
                ids.push(id);
            }
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Keeps a letter; it is on the disk when this returns.
    pub(crate) fn put_mail(&self, id: &MailId, letter: &[u8]) -> Result<()> {
        let folder = self.dir.join(INBOX);
        if !folder.is_dir() {
            private::create_dir(&folder).map_err(io_at(&folder))?;
        }
        let path = self.mail_path(id);
        private::replace(&path, letter).map_err(io_at(&path))
    }

    /// Reads a letter of the inbox.
    pub(crate) fn mail(&self, id: &MailId) -> Result<Vec<u8>> {
        let path = self.mail_path(id);
        private::read_limited(&path, MAX_SEALED).map_err(io_at(&path))
    }

    /// Forgets a letter of the inbox.
    ///
    /// # Errors
    /// [`super::Error::Io`]
    pub fn remove_mail(&self, id: &MailId) -> Result<()> {
        let path = self.mail_path(id);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(io_at(&path)(error)),
            _ => Ok(()),
        }
    }

    fn mail_path(&self, id: &MailId) -> PathBuf {
        let name = hex::encode(id) + ENDING;
        self.dir.join(INBOX).join(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::home::{Config, NewHome};
    use pcim_core::{LockCost, Passphrase};
    use pcim_seal::KeyKind;

    #[test]
    fn letters_and_the_token_stay() {
        let dir = tempfile::tempdir().unwrap();
        let passphrase = Passphrase::new("correct horse".to_owned());
        let new = NewHome {
            config: Config::default(),
            passphrase: &passphrase,
            cost: LockCost::LIGHT,
            openpgp: KeyKind::Classic,
            user_id: None,
            account: None,
        };
        let home = Home::init(&dir.path().join("home"), new).unwrap();
        let token = home.push_token(false).unwrap();
        assert_eq!(home.push_token(false).unwrap(), token);
        assert_ne!(home.push_token(true).unwrap(), token);
        assert_eq!(home.inbox().unwrap(), Vec::<MailId>::new());
        for number in [2, 1] {
            home.put_mail(&[number; 32], b"letter").unwrap();
        }
        assert_eq!(home.inbox().unwrap(), [[1; 32], [2; 32]]);
        assert_eq!(home.mail(&[1; 32]).unwrap(), b"letter");
        home.remove_mail(&[1; 32]).unwrap();
        home.remove_mail(&[1; 32]).unwrap();
        assert_eq!(home.inbox().unwrap(), [[2; 32]]);
    }
}
