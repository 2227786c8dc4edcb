//! The host functions a program may import, by module, with their WebAssembly types.

use wasmparser::ValType::{self, F32, F64, I32, I64};

/// A host function that programs import.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostFunction {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [ValType],
    pub(crate) results: &'static [ValType],
}

/// The module of the chain's own host functions.
pub(crate) const VM_HOOKS_MODULE: &str = "vm_hooks";
/// The module of the printing functions, on debug chains only.
pub(crate) const CONSOLE_MODULE: &str = "console";
/// The host function that pays for growing memory; instrumentation calls it.
pub(crate) const PAY_FOR_MEMORY_GROW: &str = "pay_for_memory_grow";

/// Finds the function that `module` offers under `name`.
pub(crate) fn find(module: &str, name: &str, debug: bool) -> Option<&'static HostFunction> {
    let functions = match module {
        VM_HOOKS_MODULE => VM_HOOKS,
        CONSOLE_MODULE if debug => CONSOLE,
        _ => return None,
    };
    functions.iter().find(|function| function.name == name)
}

const fn host(
    name: &'static str,
    params: &'static [ValType],
    results: &'static [ValType],
) -> HostFunction {
    HostFunction {
        name,
        params,
        results,
    }
}

/// All functions of [`VM_HOOKS_MODULE`].
pub(crate) const VM_HOOKS: &[HostFunction] = &[
    host("read_args", &[I32], &[]),
    host("write_result", &[I32, I32], &[]),
    host("exit_early", &[I32], &[]),
    host("storage_load_bytes32", &[I32, I32], &[]),
    host("storage_cache_bytes32", &[I32, I32], &[]),
    host("storage_flush_cache", &[I32], &[]),
    host("transient_load_bytes32", &[I32, I32], &[]),
    host("transient_store_bytes32", &[I32, I32], &[]),
    host("call_contract", &[I32, I32, I32, I32, I64, I32], &[I32]),
    host("delegate_call_contract", &[I32, I32, I32, I64, I32], &[I32]),
    host("static_call_contract", &[I32, I32, I32, I64, I32], &[I32]),
    host("create1", &[I32, I32, I32, I32, I32], &[]),
    host("create2", &[I32, I32, I32, I32, I32, I32], &[]),
    host("read_return_data", &[I32, I32, I32], &[I32]),
    host("return_data_size", &[], &[I32]),
    host("emit_log", &[I32, I32, I32], &[]),
    host("account_balance", &[I32, I32], &[]),
    host("account_code", &[I32, I32, I32, I32], &[I32]),
    host("account_code_size", &[I32], &[I32]),
    host("account_codehash", &[I32, I32], &[]),
    host("evm_gas_left", &[], &[I64]),
    host("evm_ink_left", &[], &[I64]),
    host("block_basefee", &[I32], &[]),
    host("chainid", &[], &[I64]),
    host("block_coinbase", &[I32], &[]),
    host("block_gas_limit", &[], &[I64]),
    host("block_number", &[], &[I64]),
    host("block_timestamp", &[], &[I64]),
    host("contract_address", &[I32], &[]),
    host("math_div", &[I32, I32], &[]),
    host("math_mod", &[I32, I32], &[]),
    host("math_pow", &[I32, I32], &[]),
    host("math_add_mod", &[I32, I32, I32], &[]),
    host("math_mul_mod", &[I32, I32, I32], &[]),
    host("msg_reentrant", &[], &[I32]),
    host("msg_sender", &[I32], &[]),
    host("msg_value", &[I32], &[]),
    host("native_keccak256", &[I32, I32, I32], &[]),
    host("tx_gas_price", &[I32], &[]),
    host("tx_ink_price", &[], &[I32]),
    host("tx_origin", &[I32], &[]),
    host(PAY_FOR_MEMORY_GROW, &[I32], &[]),
];

/// All functions of [`CONSOLE_MODULE`].
pub(crate) const CONSOLE: &[HostFunction] = &[
    host("log_txt", &[I32, I32], &[]),
    host("log_i32", &[I32], &[]),
    host("log_i64", &[I64], &[]),
    host("log_f32", &[F32], &[]),
    host("log_f64", &[F64], &[]),
    host("tee_i32", &[I32], &[I32]),
    host("tee_i64", &[I64], &[I64]),
    host("tee_f32", &[F32], &[F32]),
    host("tee_f64", &[F64], &[F64]),
];
