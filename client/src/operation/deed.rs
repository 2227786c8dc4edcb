//! Deeds: what an operation does, as the journal's keys say it.

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use alloy_primitives::FixedBytes;
use pcim_core::{Address, B256, BlockDigest, ImageDigest};
use pcim_ledger::Nonce;

/// The work of an operation. Its text is what the journal's keys say, and never changes: a retry finds the operation by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Registers an image.
    Register {
        /// The image.
        image: ImageDigest,
    },
    /// Asks for an image.
    Request {
        /// The image.
        image: ImageDigest,
        /// The block of the requestor's certificate.
        public_key: BlockDigest,
    },
    /// Approves a request.
    Approve {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
        /// The block of the certificate that the request names.
        public_key: BlockDigest,
    },
    /// Approves several requests.
    ApproveAll {
        /// Keccak-256 of the requests, sorted.
        requests: B256,
    },
    /// Denies a request.
    Deny {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
    },
    /// Denies several requests.
    DenyAll {
        /// Keccak-256 of the pairs, sorted.
        pairs: B256,
    },
    /// Removes an approval or an open request.
    Revoke {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
    },
    /// Removes several approvals or open requests.
    RevokeAll {
        /// Keccak-256 of the pairs, sorted.
        pairs: B256,
    },
    /// Drops the header of a removal that was signed for others to send, once the removal is on the chain.
    Removal {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
        /// The last second in which the removal may be sent, unix.
        deadline: u64,
    },
    /// Limits approvals.
    Limit {
        /// The image.
        image: ImageDigest,
        /// Approvals in one window; 0 is no limit.
        approvals: u32,
        /// The window's length in seconds.
        window_seconds: u32,
    },
    /// Seals an image again, under another session key.
    Reseal {
        /// The image.
        image: ImageDigest,
    },
    /// Tells the chain the owner's new root.
    Announce {
        /// The image.
        image: ImageDigest,
        /// The root.
        root: ImageDigest,
    },
    /// Gives a reader a root over the new body.
    Reshare {
        /// The image.
        image: ImageDigest,
        /// The reader.
        requestor: Address,
        /// The owner's new root.
        root: ImageDigest,
    },
    /// Writes down whether a requestor is authorized.
    Trace {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
    },
    /// Writes down that a requestor opened an image.
    Receipt {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
    },
    /// Accredits a radiologist, or withdraws that.
    Accredit {
        /// The radiologist.
        radiologist: Address,
        /// Accredited or not.
        accredited: bool,
    },
    /// Hands the consortium's role over.
    TransferConsortium {
        /// The new consortium.
        to: Address,
    },
    /// Stops all access to an image but the patient's own.
    Withdraw {
        /// The image.
        image: ImageDigest,
    },
    /// Ends a withdrawal.
    Restore {
        /// The image.
        image: ImageDigest,
    },
    /// Takes an attestation back.
    Retract {
        /// The image.
        image: ImageDigest,
    },
    /// Takes an image over from the contract's predecessor.
    Import {
        /// The image.
        image: ImageDigest,
    },
    /// Names guardians, or ends their set.
    Guardians {
        /// The patient.
        patient: Address,
        /// The commitment; zero ends the set.
        commitment: FixedBytes<24>,
        /// How long their changes wait.
        hours: u16,
    },
    /// Hands an account over.
    Move {
        /// The patient.
        patient: Address,
        /// The key that is to act.
        successor: Address,
    },
    /// Names an emergency desk, or ends it.
    Desk {
        /// The patient.
        patient: Address,
        /// The desk; zero ends it.
        desk: Address,
        /// Hours of an emergency access.
        hours: u8,
    },
    /// Names a delegate, or ends his time.
    Delegate {
        /// The patient.
        patient: Address,
        /// The delegate.
        delegate: Address,
        /// The end of his time, unix seconds; 0 ends it now.
        until: u64,
    },
    /// Has guardians move an account.
    Recover {
        /// The patient.
        patient: Address,
        /// The key that is to act.
        successor: Address,
        /// True if the acting key is stopped.
        lock: bool,
    },
    /// Ends a change that is pending.
    Cancel {
        /// The patient.
        patient: Address,
    },
    /// Puts a ripe change into effect.
    Finish {
        /// The patient.
        patient: Address,
    },
    /// Opens an image in an emergency.
    BreakGlass {
        /// The image.
        image: ImageDigest,
        /// The requestor.
        requestor: Address,
    },
    /// Ends a request or an approval of this home's own.
    GiveUp {
        /// The image.
        image: ImageDigest,
    },
    /// Voids numbers of signed calls.
    Void {
        /// The word of the numbers.
        word: B256,
        /// A bit for each.
        mask: B256,
    },
    /// Retires a radiologist.
    Retire {
        /// The radiologist.
        radiologist: Address,
        /// Until when attestations are taken, unix seconds.
        until: u64,
    },
    /// Takes the consortium's role that was offered.
    AcceptConsortium {
        /// The consortium.
        from: Address,
    },
    /// Sends another's signed call.
    Relay {
        /// The signer.
        signer: Address,
        /// The signer's nonce.
        nonce: Nonce,
        /// Keccak-256 of the call and its signature.
        call: B256,
    },
    /// Seals a study.
    Seal(Once),
    /// Keeps the image of a handover.
    Keep(Once),
    /// Opens an image into a file.
    Open(Once),
}

/// The number of an operation that is never begun again: a random one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once(pub u64);

/// The key of an operation in the journal: a deed at one contract on one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeedKey {
    /// The chain's id.
    pub chain_id: u64,
    /// The contract.
    pub contract: Address,
    /// The deed.
    pub deed: Deed,
}

/// Why a text is no deed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no operation that this program knows")]
pub struct UnknownDeed {
    /// The text.
    pub text: String,
}

impl Once {
    /// Draws a number.
    #[must_use]
    pub fn draw() -> Self {
        Self(rand::random())
    }
}

impl fmt::Display for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Once {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { image } => write!(f, "register:{image}"),
            Self::Request { image, public_key } => write!(f, "request:{image}:{public_key}"),
            Self::Approve {
                image,
                requestor,
                public_key,
            } => write!(f, "approve:{image}:{requestor}:{public_key}"),
            Self::ApproveAll { requests } => write!(f, "approve-all:{requests}"),
            Self::Deny { image, requestor } => write!(f, "deny:{image}:{requestor}"),
            Self::DenyAll { pairs } => write!(f, "deny-all:{pairs}"),
            Self::Revoke { image, requestor } => write!(f, "revoke:{image}:{requestor}"),
            Self::RevokeAll { pairs } => write!(f, "revoke-all:{pairs}"),
            Self::Removal {
                image,
                requestor,
                deadline,
            } => write!(f, "removal:{image}:{requestor}:{deadline}"),
            Self::Limit {
                image,
                approvals,
                window_seconds,
            } => write!(f, "limit:{image}:{approvals}:{window_seconds}"),
            Self::Reseal { image } => write!(f, "reseal:{image}"),
            Self::Announce { image, root } => write!(f, "announce:{image}:{root}"),
            Self::Reshare {
                image,
                requestor,
                root,
            } => write!(f, "reshare:{image}:{requestor}:{root}"),
            Self::Trace { image, requestor } => write!(f, "trace:{image}:{requestor}"),
            Self::Receipt { image, requestor } => write!(f, "receipt:{image}:{requestor}"),
            Self::Accredit {
                radiologist,
                accredited,
            } => write!(f, "accredit:{radiologist}:{accredited}"),
            Self::TransferConsortium { to } => write!(f, "transfer-consortium:{to}"),
            Self::Withdraw { image } => write!(f, "withdraw:{image}"),
            Self::Restore { image } => write!(f, "restore:{image}"),
            Self::Retract { image } => write!(f, "retract:{image}"),
            Self::Import { image } => write!(f, "import:{image}"),
            Self::Guardians {
                patient,
                commitment,
                hours,
            } => write!(f, "guardians:{patient}:{commitment}:{hours}"),
            Self::Move { patient, successor } => write!(f, "move:{patient}:{successor}"),
            Self::Desk {
                patient,
                desk,
                hours,
            } => write!(f, "desk:{patient}:{desk}:{hours}"),
            Self::Delegate {
                patient,
                delegate,
                until,
            } => write!(f, "delegate:{patient}:{delegate}:{until}"),
            Self::Recover {
                patient,
                successor,
                lock,
            } => write!(f, "recover:{patient}:{successor}:{lock}"),
            Self::Cancel { patient } => write!(f, "cancel:{patient}"),
            Self::Finish { patient } => write!(f, "finish:{patient}"),
            Self::BreakGlass { image, requestor } => write!(f, "break-glass:{image}:{requestor}"),
            Self::GiveUp { image } => write!(f, "give-up:{image}"),
            Self::Void { word, mask } => write!(f, "void:{word}:{mask}"),
            Self::Retire { radiologist, until } => write!(f, "retire:{radiologist}:{until}"),
            Self::AcceptConsortium { from } => write!(f, "accept-consortium:{from}"),
            Self::Relay {
                signer,
                nonce,
                call,
            } => write!(f, "relay:{signer}:{nonce}:{call}"),
            Self::Seal(once) => write!(f, "seal:{once}"),
            Self::Keep(once) => write!(f, "keep:{once}"),
            Self::Open(once) => write!(f, "open:{once}"),
        }
    }
}

impl FromStr for Deed {
    type Err = UnknownDeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownDeed {
            text: text.to_owned(),
        };
        let deed = read(text).ok_or_else(unknown)?;
        // Only what this program writes is taken: two texts of one deed would be two operations.
        match deed.to_string() == text {
            true => Ok(deed),
            false => Err(unknown()),
        }
    }
}

/// Reads the words of a deed.
fn read(text: &str) -> Option<Deed> {
    let mut words = text.split(':');
    let name = words.next()?;
    let words: Vec<_> = words.collect();
    Some(match (name, &words[..]) {
        ("register", [image]) => Deed::Register {
            image: word(image)?,
        },
        ("request", [image, public_key]) => Deed::Request {
            image: word(image)?,
            public_key: word(public_key)?,
        },
        ("approve", [image, requestor, public_key]) => Deed::Approve {
            image: word(image)?,
            requestor: word(requestor)?,
            public_key: word(public_key)?,
        },
        ("approve-all", [requests]) => Deed::ApproveAll {
            requests: word(requests)?,
        },
        ("deny", [image, requestor]) => Deed::Deny {
            image: word(image)?,
            requestor: word(requestor)?,
        },
        ("deny-all", [pairs]) => Deed::DenyAll {
            pairs: word(pairs)?,
        },
        ("revoke", [image, requestor]) => Deed::Revoke {
            image: word(image)?,
            requestor: word(requestor)?,
        },
        ("revoke-all", [pairs]) => Deed::RevokeAll {
            pairs: word(pairs)?,
        },
        ("removal", [image, requestor, deadline]) => Deed::Removal {
            image: word(image)?,
            requestor: word(requestor)?,
            deadline: word(deadline)?,
        },
        ("limit", [image, approvals, window_seconds]) => Deed::Limit {
            image: word(image)?,
            approvals: word(approvals)?,
            window_seconds: word(window_seconds)?,
        },
        ("reseal", [image]) => Deed::Reseal {
            image: word(image)?,
        },
        ("announce", [image, root]) => Deed::Announce {
            image: word(image)?,
            root: word(root)?,
        },
        ("reshare", [image, requestor, root]) => Deed::Reshare {
            image: word(image)?,
            requestor: word(requestor)?,
            root: word(root)?,
        },
        ("trace", [image, requestor]) => Deed::Trace {
            image: word(image)?,
            requestor: word(requestor)?,
        },
        ("receipt", [image, requestor]) => Deed::Receipt {
            image: word(image)?,
            requestor: word(requestor)?,
        },
        ("accredit", [radiologist, accredited]) => Deed::Accredit {
            radiologist: word(radiologist)?,
            accredited: word(accredited)?,
        },
        ("transfer-consortium", [to]) => Deed::TransferConsortium { to: word(to)? },
        ("withdraw", [image]) => Deed::Withdraw {
            image: word(image)?,
        },
        ("restore", [image]) => Deed::Restore {
            image: word(image)?,
        },
        ("retract", [image]) => Deed::Retract {
            image: word(image)?,
        },
        ("import", [image]) => Deed::Import {
            image: word(image)?,
        },
        ("guardians", [patient, commitment, hours]) => Deed::Guardians {
            patient: word(patient)?,
            commitment: word(commitment)?,
            hours: word(hours)?,
        },
        ("move", [patient, successor]) => Deed::Move {
            patient: word(patient)?,
            successor: word(successor)?,
        },
        ("desk", [patient, desk, hours]) => Deed::Desk {
            patient: word(patient)?,
            desk: word(desk)?,
            hours: word(hours)?,
        },
        ("delegate", [patient, delegate, until]) => Deed::Delegate {
            patient: word(patient)?,
            delegate: word(delegate)?,
            until: word(until)?,
        },
        ("recover", [patient, successor, lock]) => Deed::Recover {
            patient: word(patient)?,
            successor: word(successor)?,
            lock: word(lock)?,
        },
        ("cancel", [patient]) => Deed::Cancel {
            patient: word(patient)?,
        },
        ("finish", [patient]) => Deed::Finish {
            patient: word(patient)?,
        },
        ("break-glass", [image, requestor]) => Deed::BreakGlass {
            image: word(image)?,
            requestor: word(requestor)?,
        },
        ("give-up", [image]) => Deed::GiveUp {
            image: word(image)?,
        },
        ("void", [of, mask]) => Deed::Void {
            word: word(of)?,
            mask: word(mask)?,
        },
        ("retire", [radiologist, until]) => Deed::Retire {
            radiologist: word(radiologist)?,
            until: word(until)?,
        },
        ("accept-consortium", [from]) => Deed::AcceptConsortium { from: word(from)? },
        ("relay", [signer, nonce, call]) => Deed::Relay {
            signer: word(signer)?,
            nonce: word(nonce)?,
            call: word(call)?,
        },
        ("seal", [once]) => Deed::Seal(word(once)?),
        ("keep", [once]) => Deed::Keep(word(once)?),
        ("open", [once]) => Deed::Open(word(once)?),
        _ => return None,
    })
}

fn word<T: FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}

impl fmt::Display for DeedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.chain_id, self.contract, self.deed)
    }
}

impl FromStr for DeedKey {
    type Err = UnknownDeed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.splitn(3, ':').collect();
        let key = match parts[..] {
            [chain_id, contract, deed] => word(chain_id)
                .zip(word(contract))
                .zip(deed.parse().ok())
                .map(|((chain_id, contract), deed)| Self {
                    chain_id,
                    contract,
                    deed,
                }),
            _ => None,
        };
        key.filter(|key| key.to_string() == text)
            .ok_or_else(|| UnknownDeed {
                text: text.to_owned(),
            })
    }
}
