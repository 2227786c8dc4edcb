//! From an error to its exit code, its one line and its hint.

use std::io;
use std::process::ExitCode;

use pcim_client::audit::Difference;
use pcim_client::papers::card;
use pcim_client::{Error as E, audit, home};
use pcim_core::hint::{CHECK_THE_DISK, Hint, Hints};
use pcim_deploy::{deploy, gas};

use crate::ui::{Ui, printable};

/// Refused or failed.
const FAILED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// Not authorized.
const NOT_AUTHORIZED: u8 = 4;

/// A failure, as the user reads it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// One line.
    pub(crate) message: String,
    /// Hints: one line each.
    pub(crate) hints: Hints,
}

/// The command line or the environment cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// The answer is no.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotAuthorized(pub(crate) String);

/// Something could not be resumed now.
#[derive(Debug, thiserror::Error)]
#[error("`{operation}` is still unfinished: {why}")]
pub(crate) struct StillUnfinished {
    pub(crate) operation: String,
    pub(crate) why: String,
}

/// The user stopped it.
#[derive(Debug, thiserror::Error)]
#[error(
    "interrupted; `pcim resume`, or the same command again, sees through what was sent to the chain"
)]
pub(crate) struct Interrupted;

/// The logs and the contract, or two providers, do not say the same.
#[derive(Debug, thiserror::Error)]
#[error("the logs and the contract differ in {count} places; first: {first}")]
pub(crate) struct NotTheSame {
    pub(crate) count: usize,
    pub(crate) first: Difference,
}

/// The contract does not run, or is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotSound(pub(crate) String);

/// Calls were refused, or could not be sent.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of {all} calls were not relayed")]
pub(crate) struct NotRelayed {
    pub(crate) failed: usize,
    pub(crate) all: usize,
}

impl Failure {
    /// Explains an error.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let (code, hints) = explain(error);
        Self {
            code,
            message: one_line(error),
            hints,
        }
    }

    /// Writes the error and what can be done; returns the exit code.
    pub(crate) fn tell(&self, ui: Ui) -> ExitCode {
        ui.note(&format!("error: {}", self.message));
        for hint in &self.hints {
            ui.note(&format!("hint: {hint}"));
        }
        ExitCode::from(self.code)
    }
}

/// The error and its causes, each said once.
fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
    }
    // Causes quote what was read: nothing of it may steer a terminal.
    printable(&line)
}

/// The exit code, and what can be done.
fn explain(error: &anyhow::Error) -> (u8, Hints) {
    let one = |code, hint: &'static str| (code, vec![hint.into()]);
    if error.is::<Usage>() {
        return one(USAGE, "see `pcim help`, or the command's --help");
    }
    if error.is::<NotAuthorized>() {
        let hint = "`pcim requestor status` tells why; the patient decides";
        return one(NOT_AUTHORIZED, hint);
    }
    if error.is::<StillUnfinished>() {
        return one(FAILED, "nothing is lost: `pcim resume` tries again");
    }
    if error.is::<NotRelayed>() {
        let hint =
            "the report says why; run it again with what can be put right: nothing is done twice";
        return one(FAILED, hint);
    }
    if error.is::<NotTheSame>() {
        let hint = "do not rely on this provider: look again with another --rpc-url, and compare with --compare-rpc-url";
        return one(FAILED, hint);
    }
    if error.is::<NotSound>() {
        let hint = "check --contract; `pcim deploy keepalive` activates a contract of ours that does not run";
        return one(FAILED, hint);
    }
    let code = match error.downcast_ref::<E>() {
        Some(E::NotAuthorized { .. }) => NOT_AUTHORIZED,
        Some(E::NotConfigured { .. } | E::NoFile | E::Description) => USAGE,
        _ => FAILED,
    };
    (code, hints(error))
}

/// An error of a type that says itself what can be done.
type AsHint = fn(&anyhow::Error) -> Option<&dyn Hint>;

/// The types of errors that come up to the commands and say themselves what can be done.
const HINTING: [AsHint; 7] = [
    as_hint::<E>,
    as_hint::<audit::Error>,
    as_hint::<home::Error>,
    as_hint::<card::Error>,
    as_hint::<pcim_ledger::Error>,
    as_hint::<pcim_dicom::view::Error>,
    as_hint::<io::Error>,
];

fn as_hint<T: Hint + std::error::Error + Send + Sync + 'static>(
    error: &anyhow::Error,
) -> Option<&dyn Hint> {
    error.downcast_ref::<T>().map(|error| error as &dyn Hint)
}

/// Collects what the error says can be done.
fn hints(error: &anyhow::Error) -> Hints {
    if let Some(hint) = HINTING.iter().find_map(|as_hint| as_hint(error)) {
        return hint.hints();
    }
    // Errors of crates that know no hints.
    let hint = if let Some(error) = error.downcast_ref::<deploy::Error>() {
        of_deploy(error)
    } else if let Some(error) = error.downcast_ref::<gas::Error>() {
        of_gas(error)
    } else if let Some(error) = error.downcast_ref::<stylus_devnet::Error>() {
        of_devnet(error)
    } else {
        None
    };
    hint.into_iter().map(Into::into).collect()
}

fn of_gas(error: &gas::Error) -> Option<&'static str> {
    use gas::Error as G;
    Some(match error {
        G::Module(_)
        | G::Deploy(
            deploy::Error::NotWasm
            | deploy::Error::TooLarge { .. }
            | deploy::Error::Activation { .. },
        ) => "check the file that --wasm names",
        G::Deploy(error) => return of_deploy(error),
        G::Refused { .. } | G::Logs { .. } => {
            "check that the module --wasm names is this contract, of this version"
        }
        _ => return None,
    })
}

fn of_deploy(error: &deploy::Error) -> Option<&'static str> {
    use deploy::Error as D;
    Some(match error {
        D::NoConsortium => "give the --consortium's own address",
        D::NoContract { .. } => "check --contract and the chain",
        D::TooYoung { .. } => "`pcim deploy status` tells from when on it can be kept alive",
        D::NotActive { .. } => "activate it: `pcim deploy keepalive`",
        D::LowBid { .. } => "give a higher --bid, or none",
        D::Key => "check the file that --key-file names",
        D::BadUrl { .. } => "give an http:// or https:// address with --rpc-url",
        D::Rpc { .. } | D::Timeout { .. } => {
            "check --rpc-url and that the chain runs (`pcim devnet` starts one here)"
        }
        D::Nonsense { .. } => "check that --rpc-url is an Ethereum JSON-RPC endpoint",
        D::WrongChain { .. } => {
            "give the --rpc-url of that chain, or another --network or --chain-id"
        }
        D::NoStylus | D::NoDeployer { .. } => {
            "deploy on an Arbitrum chain with Stylus, or on `pcim devnet`"
        }
        D::Funds { .. } => "send ether to this address on this chain",
        D::NotMined { .. } => "look for the transaction before deploying again",
        D::Node { .. } | D::Rejected { .. } => {
            "look up the RPC's own words; another --rpc-url may do"
        }
        D::Write { .. } => "give another --record-dir; the contract is deployed",
        _ => return None,
    })
}

fn of_devnet(error: &stylus_devnet::Error) -> Option<&'static str> {
    use stylus_devnet::{Error as D, StoreError as S};
    Some(match error {
        D::Listen { .. } => "give another --port or --host",
        D::Store(S::Io { .. }) => CHECK_THE_DISK,
        D::Store(S::Locked(_)) => "wait until that process ends, or give another --state-dir",
        D::Store(S::WrongChain { .. }) => "give that --chain-id, or another --state-dir",
        D::Store(_) => "give another --state-dir; this one cannot be gone on with",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_each_cause_once() {
        let error = anyhow::anyhow!("disk full").context("cannot write x: disk full");
        assert_eq!(one_line(&error), "cannot write x: disk full");
        let error = anyhow::anyhow!("line 1\nline 2").context("outer");
        assert_eq!(one_line(&error), "outer: line 1 line 2");
    }

    #[test]
    fn codes_follow_the_kind_of_error() {
        assert_eq!(Failure::of(&Usage("x".to_owned()).into()).code, 2);
        assert_eq!(Failure::of(&NotAuthorized("x".to_owned()).into()).code, 4);
        assert_eq!(Failure::of(&anyhow::anyhow!("x")).code, 1);
        let error = home::Error::Busy {
            dir: "h".into(),
            pid: Some(7),
        };
        let failure = Failure::of(&error.into());
        assert_eq!(failure.code, 1);
        assert_eq!(failure.message, "h is open in another process (pid 7)");
        assert_eq!(failure.hints, ["wait until that process ends, or stop it"]);
    }
}
