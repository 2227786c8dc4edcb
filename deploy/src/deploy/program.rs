//! A module as a chain keeps it: compressed behind a prefix, and the init code that puts it there.

use std::io::Read;

use alloy_primitives::{B256, keccak256};

use super::Error;
use crate::artifact::{CODE_PREFIX, MAX_CODE_BYTES};
use crate::build::module;

/// What follows `PUSH32 <length>` in the init code: copies all behind itself, and returns it.
const RETURN_THE_REST: [u8; 10] = [
    0x80, // DUP1
    0x60, 0x2b, // PUSH1 43: where the code starts
    0x60, 0x00, // PUSH1 0
    0x39, // CODECOPY
    0x60, 0x00, // PUSH1 0
    0xf3, // RETURN
    0x00, // version of this prelude
];
const PUSH32: u8 = 0x7f;

/// A program that fits.
pub(super) struct Program {
    code: Vec<u8>,
}

impl Program {
    /// Compresses a module.
    pub(super) fn new(wasm: &[u8]) -> Result<Self, Error> {
        if !wasm.starts_with(b"\0asm") {
            return Err(Error::NotWasm);
        }
        let code = module::code(wasm);
        if code.len() > MAX_CODE_BYTES {
            return Err(Error::TooLarge {
                size: code.len(),
                max: MAX_CODE_BYTES,
            });
        }
        Ok(Self { code })
    }

    /// The account's code.
    pub(super) fn code(&self) -> &[u8] {
        &self.code
    }

    /// Keccak-256 of the account's code.
    pub(super) fn code_hash(&self) -> B256 {
        keccak256(&self.code)
    }

    /// What `CREATE` runs to make an account with this code.
    pub(super) fn init_code(&self) -> Vec<u8> {
        let mut length = [0; 32];
        length[24..].copy_from_slice(&(self.code.len() as u64).to_be_bytes());
        [&[PUSH32][..], &length, &RETURN_THE_REST, &self.code].concat()
    }
}

/// The module in an account's code, if there is one of at most [`module::MAX_WASM_BYTES`].
pub(super) fn module_of(code: &[u8]) -> Option<Vec<u8>> {
    let compressed = code.strip_prefix(&CODE_PREFIX)?;
    let mut wasm = Vec::new();
    let most = module::MAX_WASM_BYTES as u64 + 1;
    let mut module = brotli::Decompressor::new(compressed, 4096).take(most);
    module.read_to_end(&mut wasm).ok()?;
    (wasm.len() <= module::MAX_WASM_BYTES).then_some(wasm)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_code_is_the_module_behind_the_prefix() {
        let wasm = [b"\0asm\x01\0\0\0".to_vec(), vec![0; 100_000]].concat();
        let program = Program::new(&wasm).unwrap();
        assert_eq!(program.code()[..4], [0xef, 0xf0, 0, 0]);
        let mut back = Vec::new();
        brotli::BrotliDecompress(&mut &program.code()[4..], &mut back).unwrap();
        assert_eq!(back, wasm);
        assert_eq!(module_of(program.code()), Some(wasm));
        assert_eq!(module_of(&program.code()[1..]), None);
        assert_eq!(module_of(&[0xef, 0xf0, 0, 0, 0xff, 0xff]), None);
        assert_eq!(program.code_hash(), keccak256(program.code()));
    }

    #[test]
    fn the_init_code_is_43_bytes_and_the_code() {
        let program = Program::new(b"\0asm\x01\0\0\0").unwrap();
        let init = program.init_code();
        assert_eq!(init.len(), 43 + program.code().len());
        let prelude = format!("7f{:064x}80602b6000396000f300", program.code().len());
        assert_eq!(hex::encode(&init[..43]), prelude);
        assert_eq!(&init[43..], program.code());
    }

    #[test]
    fn what_cannot_be_deployed_is_refused() {
        assert!(matches!(Program::new(b"\x7fELF"), Err(Error::NotWasm)));
        // Noise does not compress.
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        let mut state = 1u64;
        wasm.extend((0..30_000).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        }));
        assert!(matches!(
            Program::new(&wasm),
            Err(Error::TooLarge { size, max: 24_576 }) if size > 30_000
        ));
    }
}
