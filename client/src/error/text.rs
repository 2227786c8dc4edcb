//! Words in the texts of errors.

use pcim_core::date::time;
use pcim_core::{GrantStatus, ImageDigest};

pub(super) fn or_none(image: Option<ImageDigest>) -> String {
    image.map_or("none".to_owned(), |image| image.to_string())
}

pub(super) fn standing(status: GrantStatus, expires_at: u64) -> String {
    match status {
        GrantStatus::None => "no access was requested".to_owned(),
        GrantStatus::Requested => "the patient has not decided yet".to_owned(),
        GrantStatus::Approved => format!("the approval expired at {}", time(expires_at)),
        GrantStatus::Denied => "the patient denied the request".to_owned(),
        GrantStatus::Removed => "the patient removed the access".to_owned(),
        GrantStatus::Emergency => {
            let until = time(expires_at);
            format!("an emergency opens it until {until} by enough custodians' consents")
        }
    }
}
