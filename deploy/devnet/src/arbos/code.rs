//! The kinds of account code.
//!
//! A program is one piece of code, or a root that names the accounts of its fragments. A prefix counts only if something
//! follows it.

use alloy_primitives::Address;

use super::{params::Params, version::FRAGMENTS};

/// A program in one piece; a byte that names its dictionary follows, then packed WASM.
const CLASSIC: [u8; 3] = [0xef, 0xf0, 0x00];
/// A part of a program; a slice of packed WASM follows.
const FRAGMENT: [u8; 3] = [0xef, 0xf0, 0x01];
/// A program in fragments; a dictionary's byte, the length of the WASM and the fragments' addresses follow.
const ROOT: [u8; 3] = [0xef, 0xf0, 0x02];
/// Bytes of a root before the addresses.
const ROOT_HEADER: usize = 8;
const ADDRESS: usize = 20;
/// The byte of a program that needs no dictionary.
const NO_DICTIONARY: u8 = 0;

/// Account code, by what it is to ArbOS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code<'a> {
    /// The account has none.
    None,
    Classic(&'a [u8]),
    Fragment(&'a [u8]),
    Root(&'a [u8]),
    /// Code of the EVM, or no code at all.
    Other,
}

impl<'a> Code<'a> {
    /// Tells the kind of account code under an ArbOS version.
    pub(crate) fn of(code: &'a [u8], arbos: u64) -> Self {
        let Some((prefix, rest)) = code.split_first_chunk::<3>() else {
            return if code.is_empty() {
                Self::None
            } else {
                Self::Other
            };
        };
        match *prefix {
            _ if rest.is_empty() => Self::Other,
            CLASSIC => Self::Classic(rest),
            FRAGMENT if arbos >= FRAGMENTS => Self::Fragment(rest),
            ROOT if arbos >= FRAGMENTS => Self::Root(code),
            _ => Self::Other,
        }
    }

    /// Says whether a call of it runs a program.
    pub(crate) fn is_program(self) -> bool {
        matches!(self, Self::Classic(_) | Self::Root(_))
    }

    /// Says whether it is a program or a part of one.
    pub(crate) fn is_component(self) -> bool {
        self.is_program() || matches!(self, Self::Fragment(_))
    }
}

/// Why code is no program's; a plain refusal wherever it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotWasm {
    #[error("no code")]
    NoCode,
    #[error("no program code")]
    NoProgram,
    #[error("a fragment is no program; its root is")]
    Fragment,
    #[error("programs with dictionary {0} are not supported")]
    Dictionary(u8),
    #[error("invalid brotli stream, or more than {0} bytes of WASM")]
    Brotli(u32),
    #[error("a root of {0} bytes, want 8 and 20 for each fragment")]
    RootLength(usize),
    #[error("a root of {0} bytes of WASM, want at most {1}")]
    RootSize(u32, u32),
    #[error("a root of {0} fragments, want 1 to {1}")]
    Fragments(usize, u8),
    #[error("{0} is no fragment")]
    NoFragment(Address),
    #[error("{0} bytes of WASM, but the root says {1}")]
    WrongSize(usize, u32),
}

/// A root, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    pub(crate) dictionary: u8,
    /// Bytes of WASM.
    pub(crate) size: u32,
    pub(crate) fragments: Vec<Address>,
}

impl Root {
    /// Reads a root's code, its prefix included.
    pub(crate) fn read(code: &[u8], params: &Params) -> Result<Self, NotWasm> {
        let bad = NotWasm::RootLength(code.len());
        let addresses = code.get(ROOT_HEADER..).ok_or(bad)?;
        let (chunks, rest) = addresses.as_chunks::<ADDRESS>();
        if !rest.is_empty() {
            return Err(bad);
        }
        let size = u32::from_be_bytes([code[4], code[5], code[6], code[7]]);
        if size > params.max_wasm_size {
            return Err(NotWasm::RootSize(size, params.max_wasm_size));
        }
        if chunks.is_empty() || chunks.len() > usize::from(params.max_fragments) {
            return Err(NotWasm::Fragments(chunks.len(), params.max_fragments));
        }
        Ok(Self {
            dictionary: code[3],
            size,
            fragments: chunks.iter().map(Address::from).collect(),
        })
    }

    /// The WASM of the fragments' payloads put together.
    pub(crate) fn unpack(&self, packed: &[u8]) -> Result<Vec<u8>, NotWasm> {
        let wasm = unpack(self.dictionary, packed, self.size)?;
        match wasm.len() == self.size as usize {
            true => Ok(wasm),
            false => Err(NotWasm::WrongSize(wasm.len(), self.size)),
        }
    }
}

/// The decompressor's buffer, in bytes.
const BROTLI_BUFFER: usize = 4096;
/// The most bytes that code is decompressed to, whatever the chain's parameters say.
const MAX_WASM: u32 = 2 << 20;

/// The WASM of a classic program's dictionary byte and packed bytes.
pub(crate) fn unpack_classic(body: &[u8], params: &Params) -> Result<Vec<u8>, NotWasm> {
    let (dictionary, packed) = body.split_first().ok_or(NotWasm::NoProgram)?;
    unpack(*dictionary, packed, params.max_wasm_size)
}

fn unpack(dictionary: u8, packed: &[u8], limit: u32) -> Result<Vec<u8>, NotWasm> {
    use std::io::Read;

    if dictionary != NO_DICTIONARY {
        return Err(NotWasm::Dictionary(dictionary));
    }
    let limit = limit.min(MAX_WASM);
    let mut wasm = Vec::new();
    brotli::Decompressor::new(packed, BROTLI_BUFFER)
        .take(u64::from(limit) + 1)
        .read_to_end(&mut wasm)
        .map_err(|_| NotWasm::Brotli(limit))?;
    if wasm.len() > limit as usize {
        return Err(NotWasm::Brotli(limit));
    }
    Ok(wasm)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::arbos::version::params_of;

    #[test]
    fn only_the_program_prefix_makes_a_program() {
        let is_program = |code: &[u8], arbos| Code::of(code, arbos).is_program();
        assert!(is_program(&[0xef, 0xf0, 0, 0, 1], 51));
        assert!(!is_program(&[0xef, 0xf0, 0], 51));
        assert!(!is_program(&[0xef, 0x01, 0, 0], 51));
        assert!(!is_program(&[0x60, 0x00], 51));
        assert!(is_program(&[0xef, 0xf0, 2, 0], 60));
        assert!(!is_program(&[0xef, 0xf0, 2, 0], 59));
        assert!(!is_program(&[0xef, 0xf0, 1, 0], 60));
        assert!(Code::of(&[0xef, 0xf0, 1, 0], 60).is_component());
        assert!(!Code::of(&[0xef, 0xf0, 1, 0], 59).is_component());
        assert_eq!(Code::of(&[], 60), Code::None);
        assert_eq!(Code::of(&[0xef], 60), Code::Other);
    }

    #[test]
    fn garbage_is_not_wasm() {
        let params = params_of(51);
        assert_eq!(
            unpack_classic(&[1, 0], &params),
            Err(NotWasm::Dictionary(1))
        );
        assert_eq!(
            unpack_classic(&[0, 0xff, 0xff], &params),
            Err(NotWasm::Brotli(131_072))
        );
    }

    #[test]
    fn a_root_is_read_in_the_order_of_the_rules() {
        let params = params_of(60);
        let root = |size: u32, fragments: usize| {
            let mut code = vec![0xef, 0xf0, 2, 0];
            code.extend(size.to_be_bytes());
            code.extend(std::iter::repeat_n(7, ADDRESS * fragments));
            code
        };
        let read = |code: &[u8]| Root::read(code, &params);
        let good = read(&root(262_144, 4)).unwrap();
        assert_eq!(good.fragments, [Address::repeat_byte(7); 4]);
        assert_eq!(
            read(&[0xef, 0xf0, 2, 0, 1, 1, 1]),
            Err(NotWasm::RootLength(7))
        );
        let mut long = root(262_145, 1);
        long.push(0);
        assert_eq!(read(&long), Err(NotWasm::RootLength(29)));
        assert_eq!(
            read(&root(262_145, 5)),
            Err(NotWasm::RootSize(262_145, 262_144))
        );
        assert_eq!(read(&root(1, 5)), Err(NotWasm::Fragments(5, 4)));
        assert_eq!(read(&root(1, 0)), Err(NotWasm::Fragments(0, 4)));
    }
}
