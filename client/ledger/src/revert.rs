//! Why the contract refuses: its errors with the values that failed (format.md §3.1).

use alloy_sol_types::{Panic, Revert as RevertString, SolError, SolInterface};

use super::abi::IPcac::IPcacErrors as E;
use super::text::printable;
use pcim_core::date::time;
use pcim_core::{Address, B256, ImageDigest};

/// A refusal of the contract. [`Revert::name`] is the error's name in the ABI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Revert {
    /// `PcacNotPatient`
    #[error("{caller} is not the patient {patient}")]
    NotPatient {
        /// The caller.
        caller: Address,
        /// The account that may.
        patient: Address,
    },
    /// `PcacNotRequesterOrPatient`
    #[error("{caller} is neither the requestor nor the patient")]
    NotRequestorOrPatient {
        /// The caller.
        caller: Address,
    },
    /// `PcacNotConsortium`
    #[error("{caller} is not the consortium")]
    NotConsortium {
        /// The caller.
        caller: Address,
    },
    /// `PcacUnknownImage`
    #[error("no image {image} is registered")]
    UnknownImage {
        /// The image asked for.
        image: ImageDigest,
    },
    /// `PcacImageTaken`
    #[error("image {image} is already registered by {owner}")]
    ImageTaken {
        /// The image.
        image: ImageDigest,
        /// Its owner.
        owner: Address,
    },
    /// `PcacWrongOwner`
    #[error("image {image} belongs to {owner}, not to {wanted}")]
    WrongOwner {
        /// The image.
        image: ImageDigest,
        /// The account that was named.
        wanted: Address,
        /// Its owner.
        owner: Address,
    },
    /// `PcacBadAttestation`
    #[error("the attestation is not the signature of radiologist {radiologist}")]
    BadAttestation {
        /// The account that was named.
        radiologist: Address,
    },
    /// `PcacNotAccredited`
    #[error("radiologist {radiologist} is not accredited")]
    NotAccredited {
        /// The account that was named.
        radiologist: Address,
    },
    /// `PcacNoRequest`
    #[error("{requestor} has no open request for image {image}")]
    NoRequest {
        /// The account that was named.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// `PcacNotApproved`
    #[error("{requestor} has no unexpired approval for image {image}")]
    NotApproved {
        /// The account that was named.
        requestor: Address,
        /// The image.
        image: ImageDigest,
    },
    /// `PcacKeyChanged`
    #[error(
        "the request is for key 0x{}…, not for {wanted}",
        hex::encode(requested)
    )]
    KeyChanged {
        /// The key that was to be approved.
        wanted: B256,
        /// The first half of the one that is requested.
        requested: [u8; 16],
    },
    /// `PcacOwnImage`
    #[error("the patient cannot request an image of his own")]
    OwnImage,
    /// `PcacApprovalLimitReached`
    #[error("the limit of {limit} approvals is reached; again at {}", time(*retry_at))]
    ApprovalLimitReached {
        /// Approvals a window.
        limit: u32,
        /// Unix seconds when the window ends.
        retry_at: u64,
    },
    /// `PcacBadLimit`
    #[error("not a limit: {approvals} approvals in {window_seconds} seconds")]
    BadLimit {
        /// Approvals a window.
        approvals: u32,
        /// The window's length.
        window_seconds: u32,
    },
    /// `PcacBadExpiry`
    #[error("not an expiry: {} (now is {})", time(*expires_at), time(*now))]
    BadExpiry {
        /// The value that was given.
        expires_at: u64,
        /// The chain's time.
        now: u64,
    },
    /// `PcacTextTooLong`
    #[error("the text has {length} bytes, at most {max} are allowed")]
    TextTooLong {
        /// Bytes found.
        length: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// `PcacZero`
    #[error("argument {argument} is zero")]
    Zero {
        /// The argument's position.
        argument: u8,
    },
    /// `PcacExpired`
    #[error("the signed call was to be relayed by {} (now is {})", time(*deadline), time(*now))]
    Expired {
        /// The last second.
        deadline: u64,
        /// The chain's time.
        now: u64,
    },
    /// `PcacBadNonce`
    #[error("the signed call has nonce {nonce}, the next of {signer} is {next}")]
    BadNonce {
        /// The signer.
        signer: Address,
        /// The nonce given.
        nonce: u64,
        /// The nonce wanted.
        next: u64,
    },
    /// `PcacBadSignature`
    #[error("not the signature of {signer} over this call")]
    BadSignature {
        /// The account that was named.
        signer: Address,
    },
    /// `PcacNested`
    #[error(
        "function 0x{} may not be called inside of another call",
        hex::encode(selector)
    )]
    Nested {
        /// The function.
        selector: [u8; 4],
    },
    /// A reason in words, not one of the contract's own errors.
    #[error("{0}")]
    Text(String),
    /// Anything else.
    #[error("no reason that is known (0x{})", short(data))]
    Unknown {
        /// The revert data, at most 4 KiB of it.
        data: Vec<u8>,
    },
}

impl Revert {
    /// Returns the error's name in the ABI, if it is one of the contract's own.
    pub fn name(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotPatient { .. } => "PcacNotPatient",
            Self::NotRequestorOrPatient { .. } => "PcacNotRequesterOrPatient",
            Self::NotConsortium { .. } => "PcacNotConsortium",
            Self::UnknownImage { .. } => "PcacUnknownImage",
            Self::ImageTaken { .. } => "PcacImageTaken",
            Self::WrongOwner { .. } => "PcacWrongOwner",
            Self::BadAttestation { .. } => "PcacBadAttestation",
            Self::NotAccredited { .. } => "PcacNotAccredited",
            Self::NoRequest { .. } => "PcacNoRequest",
            Self::NotApproved { .. } => "PcacNotApproved",
            Self::KeyChanged { .. } => "PcacKeyChanged",
            Self::OwnImage => "PcacOwnImage",
            Self::ApprovalLimitReached { .. } => "PcacApprovalLimitReached",
            Self::BadLimit { .. } => "PcacBadLimit",
            Self::BadExpiry { .. } => "PcacBadExpiry",
            Self::TextTooLong { .. } => "PcacTextTooLong",
            Self::Zero { .. } => "PcacZero",
            Self::Expired { .. } => "PcacExpired",
            Self::BadNonce { .. } => "PcacBadNonce",
            Self::BadSignature { .. } => "PcacBadSignature",
            Self::Nested { .. } => "PcacNested",
            Self::Text(_) | Self::Unknown { .. } => return None,
        })
    }

    /// Reads revert data; what is not known is kept as it is.
    pub(super) fn decode(data: &[u8]) -> Self {
        const KEPT: usize = 4096;
        let unknown = || Self::Unknown {
            data: data[..data.len().min(KEPT)].to_vec(),
        };
        if data.len() > KEPT {
            return unknown();
        }
        if let Ok(text) = RevertString::abi_decode(data) {
            return Self::Text(printable(&text.reason));
        }
        if let Ok(panic) = Panic::abi_decode(data) {
            return Self::Text(format!("panic {:#x}", panic.code));
        }
        let Some((selector, body)) = data.split_first_chunk::<4>() else {
            return unknown();
        };
        match E::abi_decode_raw_validate(*selector, body) {
            Ok(error) => error.into(),
            Err(_) => unknown(),
        }
    }
}

impl From<E> for Revert {
    fn from(error: E) -> Self {
        let image = |digest: B256| ImageDigest(digest.0);
        match error {
            E::PcacNotPatient(e) => Self::NotPatient {
                caller: e.caller,
                patient: e.patient,
            },
            E::PcacNotRequesterOrPatient(e) => Self::NotRequestorOrPatient { caller: e.caller },
            E::PcacNotConsortium(e) => Self::NotConsortium { caller: e.caller },
            E::PcacUnknownImage(e) => Self::UnknownImage {
                image: image(e.image),
            },
            E::PcacImageTaken(e) => Self::ImageTaken {
                image: image(e.image),
                owner: e.owner,
            },
            E::PcacWrongOwner(e) => Self::WrongOwner {
                image: image(e.image),
                wanted: e.wanted,
                owner: e.owner,
            },
            E::PcacBadAttestation(e) => Self::BadAttestation {
                radiologist: e.radiologist,
            },
            E::PcacNotAccredited(e) => Self::NotAccredited {
                radiologist: e.radiologist,
            },
            E::PcacNoRequest(e) => Self::NoRequest {
                requestor: e.requester,
                image: image(e.image),
            },
            E::PcacNotApproved(e) => Self::NotApproved {
                requestor: e.requester,
                image: image(e.image),
            },
            E::PcacKeyChanged(e) => Self::KeyChanged {
                wanted: e.wanted,
                requested: e.requested.0,
            },
            E::PcacOwnImage(_) => Self::OwnImage,
            E::PcacApprovalLimitReached(e) => Self::ApprovalLimitReached {
                limit: e.limit,
                retry_at: e.retryAt,
            },
            E::PcacBadLimit(e) => Self::BadLimit {
                approvals: e.approvals,
                window_seconds: e.windowSeconds,
            },
            E::PcacBadExpiry(e) => Self::BadExpiry {
                expires_at: e.expiresAt,
                now: e.now,
            },
            E::PcacTextTooLong(e) => Self::TextTooLong {
                length: e.length.saturating_to(),
                max: e.max.saturating_to(),
            },
            E::PcacZero(e) => Self::Zero {
                argument: e.argument,
            },
            E::PcacExpired(e) => Self::Expired {
                deadline: e.deadline,
                now: e.now,
            },
            E::PcacBadNonce(e) => Self::BadNonce {
                signer: e.signer,
                nonce: e.nonce,
                next: e.next,
            },
            E::PcacBadSignature(e) => Self::BadSignature { signer: e.signer },
            E::PcacNested(e) => Self::Nested {
                selector: e.selector.0,
            },
        }
    }
}

fn short(data: &[u8]) -> String {
    const SHOWN: usize = 36;
    let cut = if data.len() > SHOWN { "…" } else { "" };
    format!("{}{cut}", hex::encode(&data[..data.len().min(SHOWN)]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use alloy_primitives::{FixedBytes, U256, address, b256};

    use super::super::abi::IPcac as sol;
    use super::*;

    const A: Address = address!("00000000000000000000000000000000000000a1");
    const B: Address = address!("00000000000000000000000000000000000000b2");
    const I: B256 = b256!("1111111111111111111111111111111111111111111111111111111111111111");

    #[test]
    fn each_error_keeps_its_values_and_its_name() {
        let image = ImageDigest(I.0);
        let cases: Vec<(Vec<u8>, Revert, &str)> = vec![
            (
                sol::PcacNotPatient {
                    caller: A,
                    patient: B,
                }
                .abi_encode(),
                Revert::NotPatient {
                    caller: A,
                    patient: B,
                },
                "PcacNotPatient(address,address)",
            ),
            (
                sol::PcacNotRequesterOrPatient { caller: A }.abi_encode(),
                Revert::NotRequestorOrPatient { caller: A },
                "PcacNotRequesterOrPatient(address)",
            ),
            (
                sol::PcacNotConsortium { caller: A }.abi_encode(),
                Revert::NotConsortium { caller: A },
                "PcacNotConsortium(address)",
            ),
            (
                sol::PcacUnknownImage { image: I }.abi_encode(),
                Revert::UnknownImage { image },
                "PcacUnknownImage(bytes32)",
            ),
            (
                sol::PcacImageTaken { image: I, owner: B }.abi_encode(),
                Revert::ImageTaken { image, owner: B },
                "PcacImageTaken(bytes32,address)",
            ),
            (
                sol::PcacWrongOwner {
                    image: I,
                    wanted: A,
                    owner: B,
                }
                .abi_encode(),
                Revert::WrongOwner {
                    image,
                    wanted: A,
                    owner: B,
                },
                "PcacWrongOwner(bytes32,address,address)",
            ),
            (
                sol::PcacBadAttestation { radiologist: A }.abi_encode(),
                Revert::BadAttestation { radiologist: A },
                "PcacBadAttestation(address)",
            ),
            (
                sol::PcacNotAccredited { radiologist: A }.abi_encode(),
                Revert::NotAccredited { radiologist: A },
                "PcacNotAccredited(address)",
            ),
            (
                sol::PcacNoRequest {
                    requester: A,
                    image: I,
                }
                .abi_encode(),
                Revert::NoRequest {
                    requestor: A,
                    image,
                },
                "PcacNoRequest(address,bytes32)",
            ),
            (
                sol::PcacNotApproved {
                    requester: A,
                    image: I,
                }
                .abi_encode(),
                Revert::NotApproved {
                    requestor: A,
                    image,
                },
                "PcacNotApproved(address,bytes32)",
            ),
            (
                sol::PcacKeyChanged {
                    wanted: I,
                    requested: FixedBytes([7; 16]),
                }
                .abi_encode(),
                Revert::KeyChanged {
                    wanted: I,
                    requested: [7; 16],
                },
                "PcacKeyChanged(bytes32,bytes16)",
            ),
            (
                sol::PcacOwnImage {}.abi_encode(),
                Revert::OwnImage,
                "PcacOwnImage()",
            ),
            (
                sol::PcacApprovalLimitReached {
                    limit: 3,
                    retryAt: 99,
                }
                .abi_encode(),
                Revert::ApprovalLimitReached {
                    limit: 3,
                    retry_at: 99,
                },
                "PcacApprovalLimitReached(uint32,uint64)",
            ),
            (
                sol::PcacBadLimit {
                    approvals: 1 << 24,
                    windowSeconds: 5,
                }
                .abi_encode(),
                Revert::BadLimit {
                    approvals: 1 << 24,
                    window_seconds: 5,
                },
                "PcacBadLimit(uint32,uint32)",
            ),
            (
                sol::PcacBadExpiry {
                    expiresAt: 4,
                    now: 5,
                }
                .abi_encode(),
                Revert::BadExpiry {
                    expires_at: 4,
                    now: 5,
                },
                "PcacBadExpiry(uint64,uint64)",
            ),
            (
                sol::PcacTextTooLong {
                    length: U256::from(257),
                    max: U256::from(256),
                }
                .abi_encode(),
                Revert::TextTooLong {
                    length: 257,
                    max: 256,
                },
                "PcacTextTooLong(uint256,uint256)",
            ),
            (
                sol::PcacZero { argument: 2 }.abi_encode(),
                Revert::Zero { argument: 2 },
                "PcacZero(uint8)",
            ),
            (
                sol::PcacExpired {
                    deadline: 4,
                    now: 5,
                }
                .abi_encode(),
                Revert::Expired {
                    deadline: 4,
                    now: 5,
                },
                "PcacExpired(uint64,uint64)",
            ),
            (
                sol::PcacBadNonce {
                    signer: A,
                    nonce: 6,
                    next: 7,
                }
                .abi_encode(),
                Revert::BadNonce {
                    signer: A,
                    nonce: 6,
                    next: 7,
                },
                "PcacBadNonce(address,uint64,uint64)",
            ),
            (
                sol::PcacBadSignature { signer: A }.abi_encode(),
                Revert::BadSignature { signer: A },
                "PcacBadSignature(address)",
            ),
            (
                sol::PcacNested {
                    selector: FixedBytes([1, 2, 3, 4]),
                }
                .abi_encode(),
                Revert::Nested {
                    selector: [1, 2, 3, 4],
                },
                "PcacNested(bytes4)",
            ),
        ];
        assert_eq!(cases.len(), E::COUNT);
        for (data, wanted, signature) in cases {
            assert_eq!(
                data[..4],
                alloy_primitives::keccak256(signature)[..4],
                "{signature}"
            );
            let found = Revert::decode(&data);
            assert_eq!(found, wanted);
            assert_eq!(found.name(), signature.split('(').next());
        }
    }

    #[test]
    fn what_is_not_known_is_kept_and_never_misread() {
        assert_eq!(Revert::decode(&[]), Revert::Unknown { data: vec![] });
        assert_eq!(
            Revert::decode(&[1, 2, 3]),
            Revert::Unknown {
                data: vec![1, 2, 3]
            }
        );
        let mut cut = sol::PcacNotPatient {
            caller: A,
            patient: B,
        }
        .abi_encode();
        cut.truncate(40);
        assert_eq!(Revert::decode(&cut), Revert::Unknown { data: cut.clone() });
        let mut dirty = sol::PcacNotConsortium { caller: A }.abi_encode();
        dirty[4] = 1;
        assert_eq!(
            Revert::decode(&dirty),
            Revert::Unknown {
                data: dirty.clone()
            }
        );
        let Revert::Unknown { data } = Revert::decode(&[9; 100_000]) else {
            panic!("oversized data is not known")
        };
        assert_eq!(data.len(), 4096);
        let words = RevertString {
            reason: "no\u{1b}[31m".into(),
        }
        .abi_encode();
        assert_eq!(Revert::decode(&words), Revert::Text("no\\u{1b}[31m".into()));
    }
}
