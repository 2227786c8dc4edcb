//! The program's size, and its price at activation and at each call.

use alloy_primitives::Address;
use serde::Serialize;
use stylus_devnet::ArbOs;
use wasmparser::{Parser, Payload};

use super::Error;
use super::abi::{ARB_WASM, IArbWasm};
use super::chain::Chain;
use super::split::variable_part;
use pcim_deploy::artifact::CODE_PREFIX;
use pcim_deploy::build::module;

/// The program's size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Size {
    /// of the module
    pub(crate) wasm_bytes: usize,
    /// of the module, compressed by Brotli
    pub(crate) compressed_bytes: usize,
    /// of the account's code: prefix and compressed module; a chain takes 24,576
    pub(crate) code_bytes: usize,
    /// content of the data segments
    pub(crate) data_segment_bytes: usize,
    /// functions, imports not counted
    pub(crate) functions: u32,
    /// of memory at the start
    pub(crate) pages: u64,
    /// gas that entering the program takes when it is not in the chain's cache
    pub(crate) init_gas: u64,
    /// gas that entering the program takes when it is
    pub(crate) cached_gas: u64,
    /// gas of activating beyond what every module pays
    pub(crate) variable_activation_gas: u64,
}

impl Size {
    /// Of a module, and of the program that it became; `activation` is what ArbWasm took for it.
    pub(super) async fn of(
        chain: &Chain,
        wasm: &[u8],
        program: Address,
        activation: u64,
        arbos: ArbOs,
    ) -> Result<Self, Error> {
        let call = IArbWasm::programInitGasCall { program };
        let init = chain.call(ARB_WASM, &call).await?;
        Ok(Self {
            init_gas: init.gas,
            cached_gas: init.gasWhenCached,
            variable_activation_gas: variable_part(activation, arbos),
            ..of_module(wasm)?
        })
    }
}

/// What the module itself tells.
fn of_module(wasm: &[u8]) -> Result<Size, Error> {
    let code_bytes = module::code(wasm).len();
    let mut size = Size {
        wasm_bytes: wasm.len(),
        compressed_bytes: code_bytes - CODE_PREFIX.len(),
        code_bytes,
        ..Size::default()
    };
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::FunctionSection(functions) => size.functions = functions.count(),
            Payload::MemorySection(memories) => {
                for memory in memories {
                    size.pages += memory?.initial;
                }
            }
            Payload::DataSection(segments) => {
                for segment in segments {
                    size.data_segment_bytes += segment?.data.len();
                }
            }
            _ => {}
        }
    }
    Ok(size)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_module_tells_its_size() {
        let wasm = wat::parse_str(
            r#"(module
                (import "vm_hooks" "read_args" (func (param i32)))
                (memory (export "memory") 3)
                (func) (func)
                (data (i32.const 0) "abc") (data (i32.const 9) "de"))"#,
        );
        let wasm = wasm.unwrap();
        let size = of_module(&wasm).unwrap();
        let found = (size.functions, size.pages, size.data_segment_bytes);
        assert_eq!(found, (2, 3, 5));
        assert_eq!(size.wasm_bytes, wasm.len());
        assert_eq!(size.code_bytes, size.compressed_bytes + 4);
        assert!(of_module(b"\0asm\x01\0\0\0\x03\x7f").is_err());
    }
}
