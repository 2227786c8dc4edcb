//! Advice about an OpenPGP error.

use crate::Error;
use pcim_core::hint::{CHECK_THE_DISK, Hint, Hints};

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::WrongPassphrase { .. } => {
                "type it again, or check the file that PCIM_PASSPHRASE_FILE names"
            }
            Self::NotForReader { .. } => {
                "it was sealed to another certificate; open it with that home"
            }
            Self::Damaged(_) | Self::Structure { .. } | Self::Signature(_) => {
                "do not use it; ask its author for a new one"
            }
            Self::Unusable { .. } => "ask the owner for a contact card with a valid certificate",
            Self::Read(_) | Self::Write(_) => CHECK_THE_DISK,
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}
