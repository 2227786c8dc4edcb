//! Questions to a mailbox and its answers as bytes (format.md §13.15).

use pcim_core::Address;

/// The version of both.
const VERSION: u8 = 1;
/// Bytes of a push token.
pub const TOKEN: usize = 16;
/// Bytes of a challenge, of a document's id and of a token's digest.
pub const DIGEST: usize = 32;
/// Bytes of an account's signature.
pub const SIGNATURE: usize = 65;
/// Most documents of one list or one question.
pub const MAX_LISTED: usize = 512;

/// A document in a mailbox: the SHA-256 of its bytes.
pub type MailId = [u8; DIGEST];

/// Writes an id as hex digits.
pub(crate) fn id_as_hex<S: serde::Serializer>(
    id: &MailId,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(id))
}

/// A question to a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Keep a document for `to`.
    Leave {
        /// The owner of the mailbox.
        to: Address,
        /// The token of the receiver's card; zeros for none.
        token: [u8; TOKEN],
        /// The sealed document.
        document: Vec<u8>,
    },
    /// Give a challenge to sign.
    Challenge {
        /// The owner of the mailbox that is to be opened.
        owner: Address,
    },
    /// List a mailbox, and take note of its owner's token.
    List {
        /// The challenge that was given.
        challenge: [u8; DIGEST],
        /// The SHA-256 of the token that the owner's cards carry now; zeros if it has none.
        token: [u8; DIGEST],
        /// The owner's signature over [`statement`].
        signature: [u8; SIGNATURE],
    },
    /// Give a document of the mailbox that was opened by a challenge.
    Take {
        /// The challenge.
        challenge: [u8; DIGEST],
        /// The document.
        id: MailId,
    },
    /// Drop documents that the owner has.
    Taken {
        /// The challenge.
        challenge: [u8; DIGEST],
        /// The documents.
        ids: Vec<MailId>,
    },
    /// Say what became of documents, whose ids their sender knows.
    State {
        /// The documents.
        ids: Vec<MailId>,
    },
}

/// A mailbox's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailAnswer {
    /// No.
    Refused(Refusal),
    /// The document is kept until this time, unix seconds.
    Left {
        /// When it is dropped, fetched or not.
        until: u64,
    },
    /// Sign this.
    Challenge([u8; DIGEST]),
    /// The documents that wait, the oldest first.
    Listed(Vec<Listed>),
    /// A document.
    Document(Vec<u8>),
    /// The documents are dropped.
    Dropped,
    /// The state of each document, in the order of the question.
    States(Vec<MailState>),
}

/// A document that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: MailId,
    /// When it came, unix seconds.
    pub arrived: u64,
    /// False if it was left without the owner's token.
    pub known: bool,
}

/// A mailbox's word about a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// Not here: it never came, or is too old, or made room for others.
    Unknown,
    /// It waits since then, unix seconds.
    Waiting(u64),
    /// Its owner fetched it then, unix seconds.
    Fetched(u64),
}

/// Why a mailbox refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[repr(u8)]
pub enum Refusal {
    /// Bytes that are no question of this version.
    #[error("it does not understand the question")]
    Question = 1,
    /// Not a sealed document, or too large.
    #[error("it keeps sealed documents of at most 272 KiB alone")]
    Document = 2,
    /// The sender leaves too many.
    #[error("this node left many documents there: it takes the next one in some minutes")]
    Sender = 3,
    /// The receiver has too many.
    #[error("the receiver's mailbox there is full")]
    Receiver = 4,
    /// There is no room at all.
    #[error("it has no room for more")]
    Full = 5,
    /// An unknown or old challenge, another peer's, or another's signature.
    #[error("it was not shown that the mailbox is this home's")]
    Proof = 6,
    /// No such document.
    #[error("the document is not there any more")]
    Gone = 7,
    /// Too many questions at a time, or a fault of its own.
    #[error("it does not serve now")]
    Busy = 8,
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::Question,
        Self::Document,
        Self::Sender,
        Self::Receiver,
        Self::Full,
        Self::Proof,
        Self::Gone,
        Self::Busy,
    ];
}

/// Returns the text that the owner of a mailbox signs (EIP-191) to open it at one node.
pub fn statement(
    node: &str,
    owner: Address,
    challenge: &[u8; DIGEST],
    token: &[u8; DIGEST],
) -> Vec<u8> {
    format!(
        "pcim mailbox 1\nnode {node}\nowner {owner:#x}\nchallenge {}\ntoken {}\n",
        hex::encode(challenge),
        hex::encode(token)
    )
    .into_bytes()
}

impl Question {
    /// Writes the question.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        match self {
            Self::Leave {
                to,
                token,
                document,
            } => {
                bytes.push(1);
                bytes.extend_from_slice(to.as_slice());
                bytes.extend_from_slice(token);
                bytes.extend_from_slice(document);
            }
            Self::Challenge { owner } => {
                bytes.push(2);
                bytes.extend_from_slice(owner.as_slice());
            }
            Self::List {
                challenge,
                token,
                signature,
            } => {
                bytes.push(3);
                bytes.extend_from_slice(challenge);
                bytes.extend_from_slice(token);
                bytes.extend_from_slice(signature);
            }
            Self::Take { challenge, id } => {
                bytes.push(4);
                bytes.extend_from_slice(challenge);
                bytes.extend_from_slice(id);
            }
            Self::Taken { challenge, ids } => {
                bytes.push(5);
                bytes.extend_from_slice(challenge);
                bytes.extend(ids.iter().flatten());
            }
            Self::State { ids } => {
                bytes.push(6);
                bytes.extend(ids.iter().flatten());
            }
        }
        bytes
    }

    /// Reads a question; `None` for anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest::after(bytes, VERSION)?;
        let question = match rest.byte()? {
            1 => Self::Leave {
                to: Address::from(rest.array()?),
                token: rest.array()?,
                document: rest.take_all(),
            },
            2 => Self::Challenge {
                owner: Address::from(rest.array()?),
            },
            3 => Self::List {
                challenge: rest.array()?,
                token: rest.array()?,
                signature: rest.array()?,
            },
            4 => Self::Take {
                challenge: rest.array()?,
                id: rest.array()?,
            },
            5 => Self::Taken {
                challenge: rest.array()?,
                ids: rest.ids()?,
            },
            6 => Self::State { ids: rest.ids()? },
            _ => return None,
        };
        rest.is_empty().then_some(question)
    }
}

impl MailAnswer {
    /// Writes the answer.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        match self {
            Self::Refused(refusal) => bytes.extend([0, *refusal as u8]),
            Self::Left { until } => {
                bytes.push(1);
                bytes.extend(until.to_be_bytes());
            }
            Self::Challenge(challenge) => {
                bytes.push(2);
                bytes.extend(challenge);
            }
            Self::Listed(listed) => {
                bytes.push(3);
                for one in listed {
                    bytes.extend(one.id);
                    bytes.extend(one.arrived.to_be_bytes());
                    bytes.push(one.known.into());
                }
            }
            Self::Document(document) => {
                bytes.push(4);
                bytes.extend_from_slice(document);
            }
            Self::Dropped => bytes.push(5),
            Self::States(states) => {
                bytes.push(6);
                for state in states {
                    let (kind, time) = match state {
                        MailState::Unknown => (0, 0),
                        MailState::Waiting(since) => (1, *since),
                        MailState::Fetched(then) => (2, *then),
                    };
                    bytes.push(kind);
                    bytes.extend(time.to_be_bytes());
                }
            }
        }
        bytes
    }

    /// Reads an answer; `None` for anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest::after(bytes, VERSION)?;
        let answer = match rest.byte()? {
            0 => {
                let code = rest.byte()?;
                let refusal = Refusal::ALL.into_iter().find(|it| *it as u8 == code);
                Self::Refused(refusal.unwrap_or(Refusal::Busy))
            }
            1 => Self::Left {
                until: rest.number()?,
            },
            2 => Self::Challenge(rest.array()?),
            3 => Self::Listed(rest.several(|rest| {
                Some(Listed {
                    id: rest.array()?,
                    arrived: rest.number()?,
                    known: rest.byte()? == 1,
                })
            })?),
            4 => Self::Document(rest.take_all()),
            5 => Self::Dropped,
            6 => Self::States(rest.several(|rest| {
                let kind = rest.byte()?;
                let time = rest.number()?;
                Some(match kind {
                    0 => MailState::Unknown,
                    1 => MailState::Waiting(time),
                    2 => MailState::Fetched(time),
                    _ => return None,
                })
            })?),
            _ => return None,
        };
        rest.is_empty().then_some(answer)
    }
}

/// Bytes that are not read yet.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn after(bytes: &'b [u8], version: u8) -> Option<Self> {
        let (first, rest) = bytes.split_first()?;
        (*first == version).then_some(Self(rest))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn take_all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }

    fn ids(&mut self) -> Option<Vec<MailId>> {
        self.several(Self::array)
    }

    fn several<T>(&mut self, one: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut all = Vec::new();
        while !self.is_empty() {
            if all.len() == MAX_LISTED {
                return None;
            }
            all.push(one(self)?);
        }
        Some(all)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use pcim_core::chance::{Numbers, mutations};

    fn questions() -> Vec<Question> {
        vec![
            Question::Leave {
                to: Address::repeat_byte(1),
                token: [2; TOKEN],
                document: vec![3; 100],
            },
            Question::Challenge {
                owner: Address::repeat_byte(4),
            },
            Question::List {
                challenge: [5; DIGEST],
                token: [6; DIGEST],
                signature: [7; SIGNATURE],
            },
            Question::Take {
                challenge: [8; DIGEST],
                id: [9; DIGEST],
            },
            Question::Taken {
                challenge: [10; DIGEST],
                ids: vec![[11; DIGEST]; 3],
            },
            Question::State {
                ids: vec![[12; DIGEST]; MAX_LISTED],
            },
        ]
    }

    fn answers() -> Vec<MailAnswer> {
        let listed = Listed {
            id: [1; DIGEST],
            arrived: 2,
            known: true,
        };
        let mut all = vec![
            MailAnswer::Left { until: u64::MAX },
            MailAnswer::Challenge([3; DIGEST]),
            MailAnswer::Listed(Vec::new()),
            MailAnswer::Listed(vec![listed; MAX_LISTED]),
            MailAnswer::Document(vec![4; 1000]),
            MailAnswer::Dropped,
            MailAnswer::States(vec![
                MailState::Unknown,
                MailState::Waiting(5),
                MailState::Fetched(6),
            ]),
        ];
        all.extend(Refusal::ALL.map(MailAnswer::Refused));
        all
    }

    #[test]
    fn questions_and_answers_are_read_as_they_are_written() {
        for question in questions() {
            assert_eq!(Question::read(&question.to_bytes()), Some(question));
        }
        for answer in answers() {
            assert_eq!(MailAnswer::read(&answer.to_bytes()), Some(answer));
        }
    }

    #[test]
    fn what_is_cut_longer_or_of_another_version_is_none() {
        for bytes in [&b""[..], b"\x01", b"\x01\x09", b"\x02\x02", b"\x01\x06\x01"] {
            assert_eq!(Question::read(bytes), None, "{bytes:?}");
        }
        let mut more = questions()[1].to_bytes();
        more.push(0);
        assert_eq!(Question::read(&more), None);
        let many = Question::State {
            ids: vec![[0; DIGEST]; MAX_LISTED + 1],
        };
        assert_eq!(Question::read(&many.to_bytes()), None);
        for bytes in [&b""[..], b"\x01", b"\x01\x00", b"\x01\x07", b"\x01\x05\x00"] {
            assert_eq!(MailAnswer::read(bytes), None, "{bytes:?}");
        }
        // A reason of a later program.
        let later = MailAnswer::read(b"\x01\x00\xff");
        assert_eq!(later, Some(MailAnswer::Refused(Refusal::Busy)));
    }

    #[test]
    fn mutated_bytes_are_none_or_are_written_again_alike() {
        let mut numbers = Numbers(0x5eed_2061);
        for _ in 0..mutations() {
            for question in questions() {
                let bytes = numbers.mutated(&question.to_bytes());
                if let Some(read) = Question::read(&bytes) {
                    assert_eq!(read.to_bytes(), bytes);
                }
            }
            for answer in answers() {
                let bytes = numbers.mutated(&answer.to_bytes());
                if let Some(read) = MailAnswer::read(&bytes) {
                    // A later program's reason is taken for a known one.
                    assert_eq!(MailAnswer::read(&read.to_bytes()), Some(read));
                }
            }
        }
    }
}
