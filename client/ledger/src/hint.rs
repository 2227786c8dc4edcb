//! Advice about an error of the chain, or a refusal of the contract.

use crate::{Error, Revert};
use pcim_core::hint::{Hint, Hints};

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Refused(revert) => return revert.hints(),
            Self::BadUrl { .. } => "give an http:// or https:// address with --rpc-url",
            Self::BadSocketUrl { .. } => {
                "give a ws:// or wss:// address with --ws-url, or as `ws_url` in the home's config.toml"
            }
            Self::Web { .. } => "check the address, or ask for the file itself",
            Self::NotRelayed { later: true, .. } => {
                "`pcim resume`, or the same command again, hands the same call over later"
            }
            Self::NotRelayed { later: false, .. } => {
                "ask its operator; --sign-only FILE signs the call for anyone else to send, and `pcim config set pays_itself true` sends from this home's own ether"
            }
            Self::RelayedTooLate { .. } => "give the command again",
            Self::Rpc { .. } | Self::Timeout { .. } => {
                "check --rpc-url and that the chain runs (`pcim-dev devnet` starts one here)"
            }
            Self::Nonsense { .. } => "check that --rpc-url is an Ethereum JSON-RPC endpoint",
            Self::WrongChain { .. } => {
                "give the --rpc-url of the chain the home is set up for, or another --chain-id"
            }
            Self::NoContract { .. } | Self::NotPcac { .. } => {
                "check --contract; `pcim deploy` deploys the contract and records where"
            }
            Self::NotActivated { .. } => {
                "activate the contract again: `pcim deploy` deploys and activates"
            }
            Self::Funds { .. } => {
                "have others send it, who pay: the same command with --sign-only FILE, then `pcim relay FILE`; or send ether to this address on this chain"
            }
            Self::UnknownVersion { .. } => "check --contract; a newer pcim may know it",
            Self::Lacks { .. } => {
                "images can be moved to a contract of version 2 that names this one as its predecessor: \
                 `pcim patient migrate`"
            }
            Self::Gas { .. } => {
                "the signer's contract account may burn gas on purpose; --max-gas pays for more"
            }
            Self::Fee { .. } => "check that --rpc-url is the endpoint you mean",
            Self::NotMined { .. } => {
                "run the same command again: it goes on with the same transaction"
            }
            Self::Replaced { .. } | Self::Rejected { .. } => {
                "run the same command again: it makes a new transaction"
            }
            Self::BadGuardians { .. } => {
                "ask more guardians: `pcim guardian agree`; the file of the set is that of `pcim patient guardians`"
            }
            Self::Node { .. } => "look up the RPC's own words; another --rpc-url may do",
            Self::Passphrase => "type it again, or check the file that PCIM_PASSPHRASE_FILE names",
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}

impl Hint for Revert {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::NoRequest { .. } => "see `pcim patient requests`",
            Self::ImageTaken { .. } => "it needs no second registration; see `pcim patient images`",
            Self::NotAccredited { .. } => {
                "the consortium accredits radiologists: `pcim consortium accredit`"
            }
            Self::ApprovalLimitReached { .. } => "wait, or change the limit: `pcim patient limit`",
            Self::KeyChanged { .. } | Self::RequestChanged { .. } => {
                "the request is another one now; look again: `pcim patient requests`"
            }
            Self::RoundChanged { .. } | Self::TooSoon { .. } => "run the same command again",
            Self::Withdrawn { .. } => {
                "end a withdrawal with `pcim patient restore`; after a retraction a radiologist attests again: \
                 `pcim radiologist reattest`"
            }
            Self::NotPatient { .. } => {
                "the key that acts for the patient decides: `pcim account show` names it"
            }
            Self::Locked { .. } => {
                "guardians have locked the account; its successor ends that: `pcim recover finish`"
            }
            Self::Pending { .. } => {
                "see `pcim account show`; `pcim account cancel` ends a change that is pending"
            }
            Self::NotRipe { .. } => "wait until then, and run the same command again",
            Self::NothingPending { .. } => {
                "it was finished, cancelled or ran out: see `pcim account show`"
            }
            Self::NotSuccessor { .. } => "use the successor's home (--home)",
            Self::NotDesk { .. } => "use the emergency desk's home (--home)",
            Self::NotAttester { .. } => "use the home of the radiologist who attested the image",
            Self::BadGuardians { .. } | Self::TooFewGuardians { .. } => {
                "guardians, threshold and salt stand in the guardians' documents; ask more of them to agree"
            }
            Self::BadHours { .. } => "give hours in that range",
            Self::BadNonce { .. } => {
                "that number was used by a call that is done, or voided: sign the call again"
            }
            Self::Expired { .. } => "have it signed again, with a later --deadline",
            Self::NotConsortium { .. } => "use the consortium's home (--home)",
            Self::NotRequestorOrPatient { .. } => "only the requestor and the patient may trace",
            Self::OwnImage => "open your own image with `pcim patient open`",
            Self::BadExpiry { .. } => {
                "give --expires as a length of time (12h, 30d) or a later day (2027-01-31)"
            }
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}
