//! From an error to its exit code, its one line and its hint.

use std::io;

use pcim_client::papers::{card, handover};
use pcim_client::{Error as E, study};
use pcim_client::{audit, home, journal};
use pcim_deploy::{deploy, gas};

use crate::commands::audit::NotTheSame;
use crate::commands::deid::check::Faulty;
use crate::commands::deploy::upkeep::NotSound;
use crate::commands::relay::NotRelayed;
use crate::ui::printable;

/// Refused or failed.
const FAILED: u8 = 1;
/// Wrong usage.
const USAGE: u8 = 2;
/// Not authorized.
const NOT_AUTHORIZED: u8 = 4;

/// The hint when a file could not be read or written.
const CHECK_THE_DISK: &str = "check the path, its permissions and the space on the disk";

/// What the user is told.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    /// One line.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
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

impl Failure {
    /// Explains an error.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let (code, hint) = explain(error);
        Self {
            code,
            message: one_line(error),
            hint: hint.map(str::to_owned),
        }
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

fn explain(error: &anyhow::Error) -> (u8, Option<&'static str>) {
    if error.is::<Usage>() {
        return (USAGE, Some("see `pcim help`, or the command's --help"));
    }
    if error.is::<NotAuthorized>() {
        let hint = "`pcim requestor status` tells why; the patient decides";
        return (NOT_AUTHORIZED, Some(hint));
    }
    if error.is::<StillUnfinished>() {
        return (FAILED, Some("nothing is lost: `pcim resume` tries again"));
    }
    if error.is::<NotRelayed>() {
        let hint =
            "the report says why; run it again with what can be put right: nothing is done twice";
        return (FAILED, Some(hint));
    }
    if error.is::<NotTheSame>() {
        let hint = "do not rely on this provider: look again with another --rpc-url, and compare with --compare-rpc-url";
        return (FAILED, Some(hint));
    }
    if error.is::<Faulty>() {
        let hint = "the table names attributes and files: do not give these results away";
        return (FAILED, Some(hint));
    }
    if error.is::<NotSound>() {
        let hint = "check --contract; `pcim deploy keepalive` activates a contract of ours that does not run";
        return (FAILED, Some(hint));
    }
    if let Some(error) = error.downcast_ref::<E>() {
        let code = match error {
            E::NotAuthorized { .. } => NOT_AUTHORIZED,
            E::NotConfigured { .. } | E::NoFile | E::Description => USAGE,
            _ => FAILED,
        };
        return (code, of_client(error));
    }
    let hint = if let Some(error) = error.downcast_ref::<audit::Error>() {
        of_audit(error)
    } else if let Some(error) = error.downcast_ref::<home::Error>() {
        of_home(error)
    } else if let Some(error) = error.downcast_ref::<card::Error>() {
        of_card(error)
    } else if let Some(error) = error.downcast_ref::<pcim_ledger::Error>() {
        of_ledger(error)
    } else if let Some(error) = error.downcast_ref::<deploy::Error>() {
        of_deploy(error)
    } else if let Some(error) = error.downcast_ref::<gas::Error>() {
        of_gas(error)
    } else if let Some(error) = error.downcast_ref::<stylus_devnet::Error>() {
        of_devnet(error)
    } else if let Some(error) = error.downcast_ref::<pcim_dicom::view::Error>() {
        of_view(error)
    } else if error.is::<io::Error>() {
        Some(CHECK_THE_DISK)
    } else {
        None
    };
    (FAILED, hint)
}

fn of_client(error: &E) -> Option<&'static str> {
    Some(match error {
        E::Home(error) => return of_home(error),
        E::Card(error) => return of_card(error),
        E::Handover(error) => return of_handover(error),
        E::Seal(error) => return of_seal(error),
        E::Node(error) => return of_node(error),
        E::Ledger(error) => return of_ledger(error),
        E::Request(_) => "ask the requestor to make the request again",
        E::Dicom { source, .. } => return of_dicom(source),
        E::Study(error) => return of_study(error),
        E::Journal(error) => return of_journal(error),
        E::Audit(error) => return of_audit(error),
        E::Watched { .. } => {
            "a home has one watcher: stop the other one, or put these rules into its file and start it again"
        }
        E::File { .. } => CHECK_THE_DISK,
        E::Description => "give codes such as `CT CHEST`, or leave --description out",
        E::FileExists { .. } => "give another --out, or --force to replace the file",
        E::NotConfigured { .. } => {
            "give --network, --rpc-url, --chain-id and --contract, or write them into the home's config.toml"
        }
        E::UnknownImage { .. } => {
            "check the digest and the contract; the patient registers an image with `pcim patient register`"
        }
        E::NotMine { .. } => "only the patient who registered an image decides about it",
        E::ImageTaken { .. } => "it needs no second registration; see `pcim patient images`",
        E::NotAccredited { .. } => {
            "the consortium accredits radiologists: `pcim consortium accredit`"
        }
        E::SealMismatch { .. }
        | E::SignerMismatch { .. }
        | E::PredecessorMismatch { .. }
        | E::ForeignPredecessor { .. }
        | E::EndlessHistory { .. } => {
            "do not use this image; ask the radiologist for a new handover"
        }
        E::NotAuthorized { .. } => {
            "ask the patient: `pcim requestor request`; look with `pcim requestor status`"
        }
        E::NoOpenRequest { .. } => "see `pcim patient requests`",
        E::AlreadyAuthorized { .. } => {
            "nothing to do; the image can be fetched with `pcim requestor fetch`"
        }
        E::CertificateChanged { .. } => {
            "look at it again with `pcim patient requests`, and ask the requestor why"
        }
        E::NothingToRevoke { .. } => "see `pcim patient audit`",
        E::OtherContract { .. } => "give the --network and --contract that it was signed for",
        E::NonceAhead { .. } => "relay the signer's earlier call first",
        E::TooManyApprovals { .. } => "name the pairs, in several commands",
        E::NothingToApprove => "see `pcim patient requests`",
        E::InBatch { source, .. } => return of_client(source),
        E::TooFewReplicas { .. } => {
            "nodes that follow the contract (`pcim node --follow-chain`) keep it once they can reach this one: `pcim node`"
        }
        E::ReaderLacksV2 { .. } => {
            "ask the requestor for a certificate of the RFC 9580 profile (`pcim init` makes one), or `approve --reseal-v1`"
        }
        _ => return None,
    })
}

fn of_study(error: &study::Error) -> Option<&'static str> {
    use study::Error as S;
    Some(match error {
        S::SeveralPatients { .. } => "give each patient's files by themselves",
        S::SeveralStudies { .. } => "give the files of one study",
        S::SameInstance { .. } => "find out which of the two is right, and give that one",
        S::Zip { .. } => {
            "find out where the archive comes from; unpack what you trust, and give the folder"
        }
        S::Directory { .. } => {
            "copy the whole medium again, or leave out what is missing with --skip-refused"
        }
        S::NothingFound { .. } => "give DICOM files with their preamble and `DICM` (PS3.10)",
        S::TooManyFiles { .. } | S::TooDeep { .. } => "give fewer files at once",
        S::Changed { .. } => "run it again when nothing writes there",
        S::Damaged { .. } => {
            "open it with --out NAME.tar, and ask the radiologist how the study came about"
        }
        S::Version { .. } => "update pcim",
        S::Write(_) => CHECK_THE_DISK,
        _ => return None,
    })
}

fn of_dicom(error: &pcim_dicom::deid::Error) -> Option<&'static str> {
    Some(match error {
        pcim_dicom::deid::Error::File(pcim_dicom::Error::NotDicom) => {
            "give a DICOM file with its preamble and `DICM` (PS3.10)"
        }
        pcim_dicom::deid::Error::File(_) => "export the file again from its source",
        pcim_dicom::deid::Error::Pixels(_) => "decompress the file with another program first",
        pcim_dicom::deid::Error::BurnedIn | pcim_dicom::deid::Error::BurnedInUnknown => {
            "look at the pixels: blank the text with --blank x,y,w,h (or --blank ultrasound), or let them pass with --accept-burned-in"
        }
        pcim_dicom::deid::Error::CannotBlank { .. } => {
            "decompress the file first, or give --blank as x,y,w,h in pixels"
        }
        _ => "clean the file with a tool for its kind; --no-deid seals it with everything it tells",
    })
}

fn of_view(error: &pcim_dicom::view::Error) -> Option<&'static str> {
    Some(match error {
        pcim_dicom::view::Error::NoImage => {
            "give a DICOM file, a tar of such, or a directory with --sheet"
        }
        pcim_dicom::view::Error::Window => {
            "give --window as center,width with a width of at least 1"
        }
        pcim_dicom::view::Error::Dicom(pcim_dicom::Error::NoSuchFrame { .. }) => {
            "give another --frame"
        }
        pcim_dicom::view::Error::Dicom(
            pcim_dicom::Error::Compression { .. } | pcim_dicom::Error::Codec { .. },
        ) => "decompress the file with another program first",
        pcim_dicom::view::Error::Dicom(pcim_dicom::Error::Malformed) => {
            "export the file again from its source"
        }
        _ => return None,
    })
}

fn of_home(error: &home::Error) -> Option<&'static str> {
    Some(match error {
        home::Error::Exists { .. } => "give another --home; a home is never overwritten",
        home::Error::NotAHome { .. } => "make one with `pcim init`, or name another with --home",
        home::Error::Busy { .. } => "wait until that process ends, or stop it",
        home::Error::Config { .. } => "correct the file by hand",
        home::Error::OpenPgp(error) => return of_seal(error),
        home::Error::Ethereum(error) => return of_ledger(error),
        home::Error::Io { .. } => CHECK_THE_DISK,
        home::Error::DeidKey { .. } => "restore the file from a backup of the home",
        _ => return None,
    })
}

fn of_audit(error: &audit::Error) -> Option<&'static str> {
    use audit::Error as A;
    Some(match error {
        A::Ledger(error) => return of_ledger(error),
        A::ProvidersDiffer { .. } | A::ForkedProviders { .. } => {
            "one of the two leaves something out, or is behind: ask a third one"
        }
        A::BadLogs { .. } | A::Restless { .. } => "look again later, or with another --rpc-url",
        A::OtherContract { .. } | A::Damaged(_) => {
            "delete the home's audit-*.sqlite: it is read anew"
        }
        A::Io { .. } | A::Sqlite(_) | A::Open(_) => CHECK_THE_DISK,
        _ => return None,
    })
}

fn of_journal(error: &journal::Error) -> Option<&'static str> {
    use journal::Error as J;
    Some(match error {
        J::NotAJournal { .. } | J::Damaged { .. } => "restore the file from a backup of the home",
        J::Newer { .. } => "update pcim",
        J::Io { .. } | J::Sqlite(_) => CHECK_THE_DISK,
        _ => return None,
    })
}

fn of_card(error: &card::Error) -> Option<&'static str> {
    Some(match error {
        card::Error::Version { .. } => "update pcim",
        _ => "ask the owner for a new contact card: `pcim card`",
    })
}

fn of_handover(error: &handover::Error) -> Option<&'static str> {
    use handover::Error as H;
    Some(match error {
        H::NotForThisKey(_) | H::NotForYou { .. } => {
            "open it with the home whose card the radiologist was given (--home)"
        }
        H::ForgedAttestation { .. } | H::BadAttestation(_) | H::NotAccepted { .. } => {
            "do not register this image; ask the radiologist how the handover came about"
        }
        H::WrongChain { .. } | H::WrongContract { .. } => {
            "give the --network and --contract that the radiologist uses"
        }
        H::Version { .. } => "update pcim",
        H::Card(error) => return of_card(error),
        _ => "ask the radiologist for a new handover",
    })
}

fn of_seal(error: &pcim_seal::Error) -> Option<&'static str> {
    Some(match error {
        pcim_seal::Error::WrongPassphrase { .. } => {
            "type it again, or check the file that PCIM_PASSPHRASE_FILE names"
        }
        pcim_seal::Error::NotForReader { .. } => {
            "it was sealed to another certificate; open it with that home"
        }
        pcim_seal::Error::Damaged(_)
        | pcim_seal::Error::Structure { .. }
        | pcim_seal::Error::Signature(_) => "do not use it; ask its author for a new one",
        pcim_seal::Error::Unusable { .. } => {
            "ask the owner for a contact card with a valid certificate"
        }
        pcim_seal::Error::Read(_) | pcim_seal::Error::Write(_) => CHECK_THE_DISK,
        _ => return None,
    })
}

fn of_node(error: &pcim_node::Error) -> Option<&'static str> {
    Some(match error {
        pcim_node::Error::Timeout { .. } | pcim_node::Error::PeerUnreachable { .. } => {
            "the owner's node must run and be reachable: `pcim node` there, its address in the `peers` of this home's config.toml"
        }
        pcim_node::Error::SwarmKey { .. } => {
            "a swarm.key has three lines: /key/swarm/psk/1.0.0/, /base16/ and 64 hexadecimal digits; chmod 600 it"
        }
        pcim_node::Error::NoSwarmKey => {
            "put the swarm's swarm.key into the home, or set `private = false`"
        }
        pcim_node::Error::RepoLocked { .. } => {
            "this home's `pcim node` runs already, or another program has the repository open"
        }
        pcim_node::Error::Endpoint { .. } => {
            "correct --ipfs-api or `ipfs_api` in the home's config.toml"
        }
        pcim_node::Error::Api { .. } => {
            "check that the IPFS node runs and that --ipfs-api is its RPC API; what was stored stays"
        }
        pcim_node::Error::Listen { .. } => {
            "another program has the port; change `listen` in the home's config.toml"
        }
        pcim_node::Error::Address { .. } => {
            "correct `listen`, `peers` or `relays` in the home's config.toml"
        }
        pcim_node::Error::BlockMismatch { .. } => {
            "the block is damaged on this disk or at its sender; fetch it again from another peer"
        }
        pcim_node::Error::Io { .. } => CHECK_THE_DISK,
        _ => return None,
    })
}

fn of_ledger(error: &pcim_ledger::Error) -> Option<&'static str> {
    use pcim_ledger::Error as L;
    Some(match error {
        L::Refused(revert) => return of_revert(revert),
        L::BadUrl { .. } => "give an http:// or https:// address with --rpc-url",
        L::BadSocketUrl { .. } => {
            "give a ws:// or wss:// address with --ws-url, or as `ws_url` in the home's config.toml"
        }
        L::Rpc { .. } | L::Timeout { .. } => {
            "check --rpc-url and that the chain runs (`pcim devnet` starts one here)"
        }
        L::Nonsense { .. } => "check that --rpc-url is an Ethereum JSON-RPC endpoint",
        L::WrongChain { .. } => {
            "give the --rpc-url of the chain the home is set up for, or another --chain-id"
        }
        L::NoContract { .. } | L::NotPcac { .. } => {
            "check --contract; `pcim deploy` deploys the contract and records where"
        }
        L::NotActivated { .. } => {
            "activate the contract again: `pcim deploy` deploys and activates"
        }
        L::Funds { .. } => "send ether to this address on this chain",
        L::Fee { .. } => "check that --rpc-url is the endpoint you mean",
        L::NotMined { .. } => "run the same command again: it goes on with the same transaction",
        L::Replaced { .. } | L::Rejected { .. } => {
            "run the same command again: it makes a new transaction"
        }
        L::Node { .. } => "look up the RPC's own words; another --rpc-url may do",
        L::Passphrase => "type it again, or check the file that PCIM_PASSPHRASE_FILE names",
        _ => return None,
    })
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

fn of_revert(revert: &pcim_ledger::Revert) -> Option<&'static str> {
    use pcim_ledger::Revert as R;
    Some(match revert {
        R::NoRequest { .. } => "see `pcim patient requests`",
        R::ImageTaken { .. } => "it needs no second registration; see `pcim patient images`",
        R::NotAccredited { .. } => {
            "the consortium accredits radiologists: `pcim consortium accredit`"
        }
        R::ApprovalLimitReached { .. } => "wait, or change the limit: `pcim patient limit`",
        R::KeyChanged { .. } => {
            "the requestor changed the key; look again: `pcim patient requests`"
        }
        R::NotConsortium { .. } => "use the consortium's home (--home)",
        R::NotRequesterOrPatient { .. } => "only the requestor and the patient may trace",
        R::OwnImage => "open your own image with `pcim patient open`",
        R::BadExpiry { .. } => {
            "give --expires as a length of time (12h, 30d) or later unix seconds"
        }
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
        assert!(failure.hint.is_some());
    }
}
