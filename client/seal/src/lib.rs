//! OpenPGP (RFC 9580): keys, sealed bodies, headers, signed and encrypted documents.
//! The only place that names `sequoia_openpgp`.
//!
//! A sealed image is `header ‖ body` (format.md §4), byte for byte an ordinary OpenPGP message:
//!
//! ```text
//! header = PKESK                                 the session key, wrapped to one reader
//! body   = SEIPD( OPS, Literal, Signature )      one container for all readers
//! ```
//!
//! - **The seal** of a body is the SHA-256 of its signature packet, header and body, in the one serialization that this
//!   module writes: new-format tag, definite length in as few octets as it takes, subpackets as the signer wrote them.
//!   Sealing writes exactly these bytes into the container; opening and re-sealing serialize the packet that they read in
//!   the same way. The signature is of its key's version. It is salted (version 6), or has a random notation (version 4), so
//!   the seal tells nothing about the payload.
//! - **The signature** carries its signer's published certificate in the hashed notation
//!   `signer-certificate@pcim.invalid`, so that every later reader can verify with what is inside; whether that signer is
//!   to be trusted follows from the seal that was attested. `predecessor@pcim.invalid` names, in hex, the image that this
//!   one replaces. It has no Intended Recipient subpacket: readers are added later.
//! - **Literal data** are binary, with neither file name nor date. Nothing is compressed.
//! - **Chunks** of a version 2 body are 256 KiB; those of other sizes are read as well.

mod body;
mod cert;
mod chunks;
mod container;
mod document;
mod error;
mod framing;
mod header;
mod hint;
mod key;
mod packing;
mod parts;
mod places;
mod signature;
mod speed;
mod stages;
mod unpacking;
mod verify;
mod version;

pub use body::{Opened, Sealed, open_body, open_sealed, reseal_body, seal_body};
pub use cert::Certificate;
pub use document::{
    DOCUMENT_MAX, Unverified, decrypt_document, encrypt_document, encrypt_document_anonymously,
    is_document, open_document, sign_detached, verify_detached,
};
pub use error::{Cause, Error, Result, Unusable};
pub use header::{SessionKey, check_header, header_for, is_post_quantum_header, unwrap_header};
pub use key::{KEY_MAX, KeyKind, LockedKey, UnlockedKey};
pub use parts::{Parts, Ranges, sign_index, verify_index};
pub use signature::Claims;
pub use speed::cipher_time;
pub use version::BodyVersion;

#[cfg(test)]
mod tests;
