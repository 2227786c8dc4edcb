//! Hints for this crate's errors.

use crate::error::Error;
use crate::operation::journal;
use crate::papers::backup as papers;
use crate::papers::{card, handover, letter, network, share};
use crate::{audit, backup, home, study};
use pcim_core::GrantStatus;
use pcim_core::hint::{CHECK_THE_DISK, Hint, Hints};

impl Hint for Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Home(error) => return error.hints(),
            Self::Card(error) => return error.hints(),
            Self::Handover(error) => return error.hints(),
            Self::Network(error) => return error.hints(),
            Self::Seal(error) => return error.hints(),
            Self::Node(error) => return error.hints(),
            Self::Ledger(error) => return error.hints(),
            Self::Backup(error) => return error.hints(),
            Self::Mail(error) => return error.hints(),
            Self::Emergency(error) if error.is_of_drill() => {
                "`pcim emergency drill --out FILE` writes one for custodians and desk, once `pcim patient custodians` has named them"
            }
            Self::Guest(error) => return error.hints(),
            Self::Emergency(_) => {
                "ask the custodians again with your card: `pcim custodian consent IMAGE --to CARD`; each is for one image and one card"
            }
            Self::Guardian(_) => "ask the guardian for it again",
            Self::Account(error) => return error.hints(),
            Self::NotActing { .. } => {
                "`pcim account show --patient ADDRESS` shows who acts; `pcim recover finish` makes a key act"
            }
            Self::TooSoonAfter { .. } => "wait until then: the key before may object meanwhile",
            Self::WrongWords { .. } => {
                "call the person up, have the twelve words of `pcim card show` read to you, and give them with --words"
            }
            Self::NoEmergencyObject { .. } => {
                "its patient names custodians: `pcim patient custodians`"
            }
            Self::NoEmergency { .. } => {
                "give nothing: `pcim requestor status IMAGE --requestor ADDRESS` shows how it stands"
            }
            Self::OtherCertificate { .. } => {
                "give nothing before the requestor's newest card is in your hands"
            }
            Self::ProvidersDiffer { .. } => {
                "decide nothing: one of the providers does not tell the truth, or is behind; ask again later, or use another --rpc-url"
            }
            Self::Request(_) => "ask the requestor to make the request again",
            Self::Dicom { source, .. } => return source.hints(),
            Self::Study(error) => return error.hints(),
            Self::Journal(error) => return error.hints(),
            Self::Audit(error) => return error.hints(),
            Self::Watched { .. } => {
                "a home has one watcher: stop the other one, or put these rules into its file and start it again"
            }
            Self::File { .. } => CHECK_THE_DISK,
            Self::Description => {
                "give --description with codes such as `CT CHEST`, or register with --no-description"
            }
            Self::FileExists { .. } => {
                "name another file; --force, where the command has it, replaces this one"
            }
            Self::NotConfigured { .. } => {
                "join the network of your consortium: `pcim network join FILE`; or give --rpc-url, --chain-id and --contract"
            }
            Self::UnknownNetwork { .. } => {
                "see `pcim network list`; `pcim network join FILE` joins one"
            }
            Self::InsecureRpc => {
                "give an https:// address or a node of this machine; --insecure-rpc, or `pcim config set insecure_rpc true`, takes it all the same"
            }
            Self::UnknownImage { .. } => {
                "check the digest and the contract; the patient registers an image with `pcim patient register`"
            }
            Self::NotMine { .. } => "only the patient who registered an image decides about it",
            Self::ImageTaken { .. } => "it needs no second registration; see `pcim patient images`",
            Self::NotAccredited { .. } => {
                "the consortium accredits radiologists: `pcim consortium accredit`; `pcim patient open --handover FILE --unaccredited` opens it all the same"
            }
            Self::SealMismatch { .. }
            | Self::SignerMismatch { .. }
            | Self::PredecessorMismatch { .. }
            | Self::ForeignPredecessor { .. }
            | Self::EndlessHistory { .. } => {
                "do not use this image; ask the radiologist for a new handover"
            }
            Self::NotAuthorized { status, .. } => match status {
                GrantStatus::Requested => {
                    "wait: a second request would cost again and change nothing; look with `pcim requestor status`"
                }
                GrantStatus::Emergency => {
                    "an emergency opened it: ask custodians for their letters, and give enough of them: `pcim requestor fetch IMAGE --consent LETTER`"
                }
                _ => "ask the patient: `pcim requestor request`; look with `pcim requestor status`",
            },
            Self::NotRetracted { .. } => {
                "an image is attested again once its attestation was taken back: `pcim radiologist retract`"
            }
            Self::NoApproval { .. } => {
                "see `pcim audit --who`; `pcim patient approve` decides about a request"
            }
            Self::NoIndex { .. } => {
                "open it whole: `pcim requestor fetch` without --instance, --series and --first"
            }
            Self::NoInstance { .. } => {
                "instances are counted from 1; `manifest.json` of the opened study lists series and instances"
            }
            Self::InstanceTooLarge { .. } => {
                "fetch it into a file: `pcim requestor fetch --instance`"
            }
            Self::NoOpenRequest { .. } => "see `pcim patient requests`",
            Self::AlreadyAuthorized { .. } => {
                "nothing to do; the image can be fetched with `pcim requestor fetch`"
            }
            Self::CertificateChanged { .. } | Self::RequestChanged { .. } => {
                "look at it again with `pcim patient requests`, and ask the requestor why"
            }
            Self::NothingToRevoke { .. } => "see `pcim patient audit`",
            Self::OtherContract { .. } => {
                "give the --network and --contract that it was signed for"
            }
            Self::ContractChanged { .. } | Self::ForgedLog { .. } => {
                "the RPC does not tell the truth, or it is another chain of the same number: use another --rpc-url"
            }
            Self::NoOrder { .. } => "leave --nonce out",
            Self::DeadlineTooLate { .. } | Self::DeadlineTooSoon { .. } => {
                "leave --deadline out, or give one in that range"
            }
            Self::Outstanding { .. } => "void it first: `pcim signed void NUMBER`",
            Self::NotSigned { .. } => "`pcim signed list` lists the calls that were signed here",
            Self::RequestForged { .. } => {
                "the RPC does not tell the truth: use another --rpc-url before you decide anything"
            }
            Self::NothingPending { .. } | Self::NotRipe { .. } => {
                "`pcim account show` shows what is pending"
            }
            Self::NonceAhead { .. } => "relay the signer's earlier call first",
            Self::TooManyApprovals { .. } => "name the pairs, in several commands",
            Self::NothingToApprove => "see `pcim patient requests`",
            Self::InBatch { source, .. } => return source.hints(),
            Self::TooFewReplicas { .. } => {
                "nodes that follow the contract (`pcim node --follow-chain`) keep it once they can reach this one: `pcim node`"
            }
            Self::ReaderLacksV2 { .. } => {
                "ask the requestor for a certificate of the RFC 9580 profile (`pcim init` makes one), or `approve --reseal-v1`"
            }
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}

impl Hint for backup::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::NoSet => {
                "name them: `pcim backup --guardian CARD --threshold N --follower CARD`, or print paper: `pcim backup paper`"
            }
            Self::NamedTwice { .. } | Self::Own { .. } => "name each keeper once, and not yourself",
            Self::Classic { .. } => {
                "have them make a home with `pcim init`, and ask for its contact card"
            }
            Self::Followers { .. } => {
                "name two followers or more, or print sheet B with --sheet-b FILE"
            }
            Self::InUse { .. } => {
                "make one with `pcim init`, and send its card to guardians and followers"
            }
            Self::NoLetter { .. } => {
                "take the home that the patient named as her follower (--home)"
            }
            Self::OtherAuthor { .. } | Self::OtherKey { .. } | Self::Name | Self::Config { .. } => {
                "do not use it; find out where it comes from"
            }
            Self::OtherSet { .. } => "take the newest backup, and what belongs to its set",
            Self::Document(error) => return error.hints(),
        };
        vec![hint.into()]
    }
}

impl Hint for papers::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Version { .. } => "update pcim",
            Self::Card(error) => return error.hints(),
            Self::Share(share::Error::TooFew { .. }) => {
                "ask more guardians for their shares: `pcim backup release`"
            }
            Self::Share(share::Error::Numbers { .. }) => {
                "name as many guardians as there are shares, and a --threshold among them"
            }
            Self::Share(share::Error::Damaged { .. } | share::Error::NotListed { .. }) => {
                "leave that share out, and ask another guardian"
            }
            Self::Share(share::Error::Twice { .. }) => "give each share once",
            Self::Share(_) | Self::WrongKeys { .. } | Self::OtherPatient { .. } => {
                "take the newest backup, and what belongs to its set"
            }
            Self::Kept { .. } => {
                "give the guardians' shares with --share, or sheet A with --sheet-a"
            }
            Self::Letter(letter::Error::OpenPgp(error)) => return error.hints(),
            Self::TooLarge { .. } => "keep fewer contacts and notes in the home",
            _ => "do not use it; ask for it again",
        };
        vec![hint.into()]
    }
}

impl Hint for study::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::SeveralPatients { .. } => "give each patient's files by themselves",
            Self::SeveralStudies { .. } => "give the files of one study",
            Self::SameInstance { .. } => "find out which of the two is right, and give that one",
            Self::Zip { .. } => {
                "find out where the archive comes from; unpack what you trust, and give the folder"
            }
            Self::Directory { .. } => {
                "copy the whole medium again, or leave out what is missing with --skip-refused"
            }
            Self::NothingFound { .. } => "give DICOM files with their preamble and `DICM` (PS3.10)",
            Self::TooManyFiles { .. } | Self::TooDeep { .. } => "give fewer files at once",
            Self::Changed { .. } => "run it again when nothing writes there",
            Self::Damaged { .. } => {
                "open it with --out NAME.tar, and ask the radiologist how the study came about"
            }
            Self::Version { .. } => "update pcim",
            Self::Unsigned => "this is a fault of the program: report it",
            Self::Write(_) => CHECK_THE_DISK,
        };
        vec![hint.into()]
    }
}

impl Hint for home::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Exists { .. } => "give another --home; a home is never overwritten",
            Self::NotAHome { .. } => "make one with `pcim init`, or name another with --home",
            Self::Busy { .. } => "wait until that process ends, or stop it",
            Self::Config { .. } => "correct the file by hand",
            Self::OpenPgp(error) => return error.hints(),
            Self::Ethereum(error) => return error.hints(),
            Self::ContactName => "give a plain name with --name",
            Self::Contact(error) => return error.hints(),
            Self::Network { .. } => "join the network again: `pcim network join FILE`",
            Self::Io { .. } => CHECK_THE_DISK,
            Self::OpenToOthers { path, .. } => {
                let path = path.display();
                return vec![format!("close it: chmod 600 {path}; if others use this machine, they may have read it").into()];
            }
            Self::DeidKey { .. } => "restore the file from a backup of the home",
        };
        vec![hint.into()]
    }
}

impl Hint for audit::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Ledger(error) => return error.hints(),
            Self::ProvidersDiffer { .. } | Self::ForkedProviders { .. } => {
                "one of the two leaves something out, or is behind: ask a third one"
            }
            Self::BadLogs { .. } | Self::Restless { .. } => {
                "look again later, or with another --rpc-url"
            }
            Self::OtherContract { .. } | Self::Damaged(_) => {
                "delete the home's audit-*.sqlite: it is read again"
            }
            Self::Io { .. } | Self::Sqlite(_) | Self::Open(_) => CHECK_THE_DISK,
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}

impl Hint for journal::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::NotAJournal { .. } | Self::Damaged { .. } => {
                "restore the file from a backup of the home"
            }
            Self::Newer { .. } => "update pcim",
            Self::Io { .. } | Self::Sqlite(_) => CHECK_THE_DISK,
            _ => return Vec::new(),
        };
        vec![hint.into()]
    }
}

impl Hint for network::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Version { .. } => "update pcim",
            Self::Unsigned { .. } => {
                "the consortium signs it: `pcim network sign FILE`; ask it for the signed one"
            }
            Self::Altered { .. } | Self::OtherConsortium { .. } | Self::OtherCode { .. } => {
                "do not use it; ask the consortium for its network file by another channel"
            }
            Self::Expired { .. } | Self::Older { .. } => {
                "ask the consortium for its newest network file"
            }
            Self::Early { .. } => "set this machine's clock",
            Self::OtherChain { .. } => "tell the consortium: the file names a wrong endpoint",
            Self::Silent { .. } => "check this machine's connection, and try again later",
            Self::Changed { .. } => {
                "ask the consortium why by another channel; --accept-change takes it all the same"
            }
            Self::NotConsortium { .. } => "use the consortium's home (--home)",
            Self::Ledger(error) => return error.hints(),
            _ => "ask the consortium for its network file again",
        };
        vec![hint.into()]
    }
}

impl Hint for card::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::Version { .. } => "update pcim",
            _ => "ask the owner for a new contact card: `pcim card`",
        };
        vec![hint.into()]
    }
}

impl Hint for handover::Error {
    fn hints(&self) -> Hints {
        let hint = match self {
            Self::NotForThisKey(_) | Self::NotForYou { .. } => {
                "open it with the home whose card the radiologist was given (--home)"
            }
            Self::ForgedAttestation { .. } | Self::BadAttestation(_) | Self::NotAccepted { .. } => {
                "do not register this image; ask the radiologist how the handover came about"
            }
            Self::WrongChain { .. } | Self::WrongContract { .. } => {
                "give the --network and --contract that the radiologist uses"
            }
            Self::Version { .. } => "update pcim",
            Self::Card(error) => return error.hints(),
            _ => "ask the radiologist for a new handover",
        };
        vec![hint.into()]
    }
}
