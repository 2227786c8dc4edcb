//! Deeds: what an operation does, as the journal's keys say it.

use std::fmt;
use std::str::FromStr;

use pcim_core::{Address, B256, BlockDigest, ImageDigest};

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
    /// Sends another's signed call.
    Relay {
        /// The signer.
        signer: Address,
        /// The signer's nonce.
        nonce: u64,
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Every deed, with its text as journals have it.
    fn deeds() -> Vec<(Deed, String)> {
        let (image, root) = (ImageDigest([7; 32]), ImageDigest([9; 32]));
        let public_key = BlockDigest([8; 32]);
        let hash = B256::repeat_byte(0xab);
        // A mixed-case address shows that the checksum's case is kept.
        let requestor: Address = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc"
            .parse()
            .unwrap();
        let who = "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc";
        let hex = format!("0x{}", "ab".repeat(32));
        let (radiologist, to, signer) = (requestor, requestor, requestor);
        let once = Once(0x1f);
        let number = "000000000000001f";
        vec![
            (Deed::Register { image }, format!("register:{image}")),
            (
                Deed::Request { image, public_key },
                format!("request:{image}:{public_key}"),
            ),
            (
                Deed::Approve {
                    image,
                    requestor,
                    public_key,
                },
                format!("approve:{image}:{who}:{public_key}"),
            ),
            (
                Deed::ApproveAll { requests: hash },
                format!("approve-all:{hex}"),
            ),
            (
                Deed::Deny { image, requestor },
                format!("deny:{image}:{who}"),
            ),
            (Deed::DenyAll { pairs: hash }, format!("deny-all:{hex}")),
            (
                Deed::Revoke { image, requestor },
                format!("revoke:{image}:{who}"),
            ),
            (Deed::RevokeAll { pairs: hash }, format!("revoke-all:{hex}")),
            (
                Deed::Removal {
                    image,
                    requestor,
                    deadline: u64::MAX,
                },
                format!("removal:{image}:{who}:18446744073709551615"),
            ),
            (
                Deed::Limit {
                    image,
                    approvals: 3,
                    window_seconds: 86400,
                },
                format!("limit:{image}:3:86400"),
            ),
            (Deed::Reseal { image }, format!("reseal:{image}")),
            (
                Deed::Announce { image, root },
                format!("announce:{image}:{root}"),
            ),
            (
                Deed::Reshare {
                    image,
                    requestor,
                    root,
                },
                format!("reshare:{image}:{who}:{root}"),
            ),
            (
                Deed::Trace { image, requestor },
                format!("trace:{image}:{who}"),
            ),
            (
                Deed::Receipt { image, requestor },
                format!("receipt:{image}:{who}"),
            ),
            (
                Deed::Accredit {
                    radiologist,
                    accredited: false,
                },
                format!("accredit:{who}:false"),
            ),
            (
                Deed::TransferConsortium { to },
                format!("transfer-consortium:{who}"),
            ),
            (
                Deed::Relay {
                    signer,
                    nonce: 5,
                    call: hash,
                },
                format!("relay:{who}:5:{hex}"),
            ),
            (Deed::Seal(once), format!("seal:{number}")),
            (Deed::Keep(once), format!("keep:{number}")),
            (Deed::Open(once), format!("open:{number}")),
        ]
    }

    #[test]
    fn every_deed_has_its_text_and_reads_back() {
        for (deed, text) in deeds() {
            assert_eq!(deed.to_string(), text);
            assert_eq!(text.parse(), Ok(deed), "{text}");
            let key = DeedKey {
                chain_id: 412_346,
                contract: Address::repeat_byte(0xcd),
                deed,
            };
            let text = key.to_string();
            assert_eq!(
                text,
                format!("412346:{}:{deed}", Address::repeat_byte(0xcd))
            );
            assert_eq!(text.parse(), Ok(key), "{text}");
        }
    }

    #[test]
    fn another_text_is_no_deed() {
        for (_, text) in deeds() {
            let (name, _) = text.split_once(':').unwrap();
            for bad in [
                format!("{text}:"),
                format!(" {text}"),
                format!("{name}:"),
                name.to_owned(),
                text.to_uppercase(),
                format!("x{text}"),
            ] {
                assert!(bad.parse::<Deed>().is_err(), "{bad}");
                assert!(
                    format!("1:0x{}:{bad}", "cd".repeat(20))
                        .parse::<DeedKey>()
                        .is_err()
                );
            }
        }
        // A number that has another text is not the one that was written.
        for bad in [
            "seal:1f",
            "seal:000000000000001F",
            "seal:00000000000000001f",
        ] {
            assert!(bad.parse::<Deed>().is_err(), "{bad}");
        }
    }

    /// Keys of a journal that the program wrote before deeds were a type.
    #[test]
    fn keys_of_older_journals_are_read() {
        for key in include_str!("deed/older-keys.txt").lines() {
            let read: DeedKey = key.parse().unwrap();
            assert_eq!(read.to_string(), key);
        }
    }
}
