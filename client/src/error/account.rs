//! Errors about who acts for a patient: guardians, delegates, keys.

use pcim_core::Address;
use pcim_core::date::time;
use pcim_core::hint::{Hint, Hints};

/// Why an actor does nothing for a patient.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The patient herself, as her own guardian.
    #[error("{patient} is this home's own account: a guardian is another person")]
    OwnGuardian {
        /// The patient.
        patient: Address,
    },
    /// A drill whose terms would change something, or that meets a pending change.
    #[error(
        "the drill of {patient} is none: its terms name another key than the one that acts, or a lock, or a change is pending"
    )]
    NoDrill {
        /// The patient.
        patient: Address,
    },
    /// A home that is no delegate, or is one no more.
    #[error("{delegate} is no delegate of {patient}{}", ended(*until))]
    NotDelegate {
        /// The patient.
        patient: Address,
        /// This home.
        delegate: Address,
        /// When the delegate's time ended, unix seconds; 0 if it never began or was ended.
        until: u64,
    },
    /// Another change of the account, which a new one would replace.
    #[error("another change of the account of {patient} is pending")]
    ChangePending {
        /// The patient.
        patient: Address,
    },
    /// A file that does not hold the key that is to act next.
    #[error("{} does not hold a key of this home's", path.display())]
    NextKey {
        /// The file.
        path: std::path::PathBuf,
    },
}

fn ended(until: u64) -> String {
    match until {
        0 => String::new(),
        until => format!(" since {}", time(until)),
    }
}

impl Hint for AccountError {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::OwnGuardian { .. } => "give the card of the patient whom you are to help",
            Self::NoDrill { .. } => {
                "sign nothing; ask the patient by telephone, and look with `pcim account show --patient ADDRESS`"
            }
            Self::NotDelegate { .. } => {
                "the patient names delegates: `pcim patient delegate ADDRESS --until WHEN`; a move or recovery of her account ends them"
            }
            Self::ChangePending { .. } => {
                "see `pcim account show`; finish it (`pcim account finish`) or end it (`pcim account cancel`) first"
            }
            Self::NextKey { .. } => {
                "restore the file from a copy of the home, or end what is pending with `pcim account cancel` and delete it"
            }
        };
        vec![hint.into()]
    }
}
