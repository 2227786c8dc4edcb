//! Binds the host functions to the names that programs import them by.

use wasmtime::{Caller, Engine, Linker};

use super::calls::{CallPointers, CreatePointers};
use super::guest::{Guest, Host};
use super::{CallKind, Escape};
use crate::wasm::imports::{CONSOLE_MODULE, PAY_FOR_MEMORY_GROW, VM_HOOKS_MODULE};

/// Defines `name(args) -> result` as an expression over the calling `host`.
macro_rules! hook {
    ($linker:ident, $module:expr, $name:expr, |$host:ident $(, $arg:ident: $type:ty)*| -> $out:ty $body:block) => {
        $linker.func_wrap(
            $module,
            $name,
            |caller: Caller<'_, Guest> $(, $arg: $type)*| -> wasmtime::Result<$out> {
                let mut $host = Host(caller);
                $host.begin($name);
                let done: Result<$out, Escape> = $body;
                $host.end(done).map_err(wasmtime::Error::new)
            },
        )?;
    };
}

/// All host functions; `debug` adds the console.
pub(crate) fn linker(engine: &Engine, debug: bool) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    let l = &mut linker;
    state(l)?;
    calls(l)?;
    facts(l)?;
    math(l)?;
    if debug {
        console(l)?;
    }
    Ok(linker)
}

fn state(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    const M: &str = VM_HOOKS_MODULE;
    hook!(l, M, "storage_load_bytes32", |host,
                                         key: u32,
                                         dst: u32|
     -> () {
        host.storage_load_bytes32(key, dst)
    });
    hook!(l, M, "storage_cache_bytes32", |host,
                                          key: u32,
                                          value: u32|
     -> () {
        host.storage_cache_bytes32(key, value)
    });
    hook!(l, M, "storage_flush_cache", |host, clear: u32| -> () {
        host.storage_flush_cache(clear)
    });
    hook!(l, M, "transient_load_bytes32", |host,
                                           key: u32,
                                           dst: u32|
     -> () {
        host.transient_load_bytes32(key, dst)
    });
    hook!(l, M, "transient_store_bytes32", |host,
                                            key: u32,
                                            value: u32|
     -> () {
        host.transient_store_bytes32(key, value)
    });
    hook!(l, M, "emit_log", |host,
                             at: u32,
                             len: u32,
                             topics: u32|
     -> () {
        host.emit_log(at, len, topics)
    });
    hook!(l, M, "account_balance", |host,
                                    address: u32,
                                    dst: u32|
     -> () {
        host.account_balance(address, dst)
    });
    hook!(l, M, "account_codehash", |host,
                                     address: u32,
                                     dst: u32|
     -> () {
        host.account_codehash(address, dst)
    });
    hook!(l, M, "account_code", |host,
                                 address: u32,
                                 offset: u32,
                                 size: u32,
                                 dst: u32|
     -> u32 {
        host.account_code(address, offset, size, dst)
    });
    hook!(l, M, "account_code_size", |host, address: u32| -> u32 {
        host.account_code_size(address)
    });
    hook!(l, M, PAY_FOR_MEMORY_GROW, |host, pages: u32| -> () {
        host.pay_for_memory_grow(pages)
    });
    Ok(())
}

fn calls(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    const M: &str = VM_HOOKS_MODULE;
    hook!(l, M, "read_args", |host, dst: u32| -> () {
        host.read_args(dst)
    });
    hook!(l, M, "write_result", |host, data: u32, len: u32| -> () {
        host.write_result(data, len)
    });
    hook!(l, M, "exit_early", |host, status: u32| -> () {
        host.given(&[&status.to_be_bytes()]);
        Err(Escape::Exit(status))
    });
    hook!(l, M, "call_contract", |host,
                                  to: u32,
                                  data: u32,
                                  len: u32,
                                  value: u32,
                                  gas: u64,
                                  return_len: u32|
     -> u32 {
        let value = Some(value);
        host.call(
            CallKind::Call,
            CallPointers {
                to,
                data,
                len,
                value,
                gas,
                return_len,
            },
        )
    });
    hook!(l, M, "delegate_call_contract", |host,
                                           to: u32,
                                           data: u32,
                                           len: u32,
                                           gas: u64,
                                           return_len: u32|
     -> u32 {
        let value = None;
        host.call(
            CallKind::Delegate,
            CallPointers {
                to,
                data,
                len,
                value,
                gas,
                return_len,
            },
        )
    });
    hook!(l, M, "static_call_contract", |host,
                                         to: u32,
                                         data: u32,
                                         len: u32,
                                         gas: u64,
                                         return_len: u32|
     -> u32 {
        let value = None;
        host.call(
            CallKind::Static,
            CallPointers {
                to,
                data,
                len,
                value,
                gas,
                return_len,
            },
        )
    });
    hook!(l, M, "create1", |host,
                            code: u32,
                            len: u32,
                            value: u32,
                            address: u32,
                            return_len: u32|
     -> () {
        let salt = None;
        host.create(CreatePointers {
            code,
            len,
            value,
            salt,
            address,
            return_len,
        })
    });
    hook!(l, M, "create2", |host,
                            code: u32,
                            len: u32,
                            value: u32,
                            salt: u32,
                            address: u32,
                            return_len: u32|
     -> () {
        let salt = Some(salt);
        host.create(CreatePointers {
            code,
            len,
            value,
            salt,
            address,
            return_len,
        })
    });
    hook!(l, M, "read_return_data", |host,
                                     dst: u32,
                                     offset: u32,
                                     size: u32|
     -> u32 {
        host.read_return_data(dst, offset, size)
    });
    hook!(l, M, "return_data_size", |host| -> u32 {
        host.return_data_size()
    });
    Ok(())
}

fn facts(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    const M: &str = VM_HOOKS_MODULE;
    hook!(l, M, "block_basefee", |host, dst: u32| -> () {
        host.fact_number(dst, |env| env.base_fee)
    });
    hook!(l, M, "msg_value", |host, dst: u32| -> () {
        host.fact_number(dst, |env| env.value)
    });
    hook!(l, M, "tx_gas_price", |host, dst: u32| -> () {
        host.fact_number(dst, |env| env.gas_price)
    });
    hook!(l, M, "block_coinbase", |host, dst: u32| -> () {
        host.fact_address(dst, |env| env.coinbase)
    });
    hook!(l, M, "contract_address", |host, dst: u32| -> () {
        host.fact_address(dst, |env| env.contract)
    });
    hook!(l, M, "msg_sender", |host, dst: u32| -> () {
        host.fact_address(dst, |env| env.sender)
    });
    hook!(l, M, "tx_origin", |host, dst: u32| -> () {
        host.fact_address(dst, |env| env.origin)
    });
    hook!(l, M, "block_gas_limit", |host| -> u64 {
        host.fact(|env| env.gas_limit)
    });
    hook!(l, M, "block_number", |host| -> u64 {
        host.fact(|env| env.block_number)
    });
    hook!(l, M, "block_timestamp", |host| -> u64 {
        host.fact(|env| env.timestamp)
    });
    hook!(l, M, "chainid", |host| -> u64 {
        host.fact(|env| env.chain_id)
    });
    hook!(l, M, "msg_reentrant", |host| -> u32 {
        host.fact(|env| env.reentrant.into())
    });
    hook!(l, M, "tx_ink_price", |host| -> u32 {
        host.fact(|env| env.ink_price)
    });
    hook!(l, M, "evm_gas_left", |host| -> u64 { host.evm_gas_left() });
    hook!(l, M, "evm_ink_left", |host| -> u64 { host.evm_ink_left() });
    Ok(())
}

fn math(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    const M: &str = VM_HOOKS_MODULE;
    hook!(l, M, "math_div", |host, a: u32, b: u32| -> () {
        host.math_div(a, b)
    });
    hook!(l, M, "math_mod", |host, a: u32, b: u32| -> () {
        host.math_mod(a, b)
    });
    hook!(l, M, "math_pow", |host, a: u32, b: u32| -> () {
        host.math_pow(a, b)
    });
    hook!(l, M, "math_add_mod", |host, a: u32, b: u32, m: u32| -> () {
        host.math_add_mod(a, b, m)
    });
    hook!(l, M, "math_mul_mod", |host, a: u32, b: u32, m: u32| -> () {
        host.math_mul_mod(a, b, m)
    });
    hook!(l, M, "native_keccak256", |host,
                                     data: u32,
                                     len: u32,
                                     dst: u32|
     -> () {
        host.native_keccak256(data, len, dst)
    });
    Ok(())
}

fn console(l: &mut Linker<Guest>) -> wasmtime::Result<()> {
    const M: &str = CONSOLE_MODULE;
    hook!(l, M, "log_txt", |host, at: u32, len: u32| -> () {
        host.log_txt(at, len)
    });
    hook!(l, M, "log_i32", |host, value: i32| -> () {
        host.log_value(value);
        Ok(())
    });
    hook!(l, M, "log_i64", |host, value: i64| -> () {
        host.log_value(value);
        Ok(())
    });
    hook!(l, M, "log_f32", |host, value: f32| -> () {
        host.log_value(value);
        Ok(())
    });
    hook!(l, M, "log_f64", |host, value: f64| -> () {
        host.log_value(value);
        Ok(())
    });
    hook!(l, M, "tee_i32", |host, value: i32| -> i32 {
        host.log_value(value);
        Ok(value)
    });
    hook!(l, M, "tee_i64", |host, value: i64| -> i64 {
        host.log_value(value);
        Ok(value)
    });
    hook!(l, M, "tee_f32", |host, value: f32| -> f32 {
        host.log_value(value);
        Ok(value)
    });
    hook!(l, M, "tee_f64", |host, value: f64| -> f64 {
        host.log_value(value);
        Ok(value)
    });
    Ok(())
}
