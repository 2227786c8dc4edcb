//! Runs of instrumented random programs: the charges in the module itself, with just the host functions they need.

use std::collections::HashMap;

use alloy_primitives::keccak256;
use serde_json::Value;
use wasmtime::{
    Caller, Config, Engine, Extern, Global, Instance, Linker, Memory, Module, Store, Val,
};

use crate::vectors::{self, Item, Kind};
use crate::wasm::{ActivationParams, instrument_for_run, memory::MemoryModel};

const INK_PRICE: u64 = 10_000;
const PARAMS: ActivationParams = ActivationParams {
    version: 2,
    arbos: 51,
    page_limit: 128,
    debug: false,
};

#[derive(Default)]
struct Host {
    args: Vec<u8>,
    outs: Vec<u8>,
    pages: u16,
}

type Frame<'a> = Caller<'a, Host>;

fn global(frame: &mut Frame<'_>, name: &str) -> Global {
    frame
        .get_export(name)
        .and_then(Extern::into_global)
        .unwrap()
}

fn charge(frame: &mut Frame<'_>, ink: u64) -> wasmtime::Result<()> {
    let left = global(frame, "stylus_ink_left");
    let have = left.get(&mut *frame).unwrap_i64().cast_unsigned();
    let Some(rest) = have.checked_sub(ink) else {
        global(frame, "stylus_ink_status").set(frame, Val::I32(1))?;
        return Err(wasmtime::Error::msg("out of ink"));
    };
    left.set(frame, Val::I64(rest.cast_signed()))
}

fn memory(frame: &mut Frame<'_>) -> Memory {
    frame
        .get_export("memory")
        .and_then(Extern::into_memory)
        .unwrap()
}

fn read(frame: &mut Frame<'_>, at: u32, len: u32) -> wasmtime::Result<Vec<u8>> {
    let mut bytes = vec![0; len as usize];
    memory(frame).read(&*frame, at as usize, &mut bytes)?;
    Ok(bytes)
}

fn linker(engine: &Engine) -> Linker<Host> {
    const HOST: u64 = 8400;
    let beyond = |len: u32| u64::from(len.saturating_sub(32));
    let mut linker = Linker::new(engine);
    linker
        .func_wrap(
            "vm_hooks",
            "read_args",
            move |mut frame: Frame<'_>, at: u32| {
                let args = frame.data().args.clone();
                charge(&mut frame, HOST + 5040 + 30 * beyond(args.len() as u32))?;
                Ok(memory(&mut frame).write(&mut frame, at as usize, &args)?)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "vm_hooks",
            "write_result",
            move |mut frame: Frame<'_>, at: u32, len: u32| {
                charge(&mut frame, HOST + 2 * (16_381 + 55 * beyond(len)))?;
                frame.data_mut().outs = read(&mut frame, at, len)?;
                wasmtime::Result::Ok(())
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "vm_hooks",
            "native_keccak256",
            |mut frame: Frame<'_>, at: u32, len: u32, to: u32| {
                let words = u64::from(len.div_ceil(32));
                charge(&mut frame, 121_800 + 21_000 * words.saturating_sub(2))?;
                let hash = keccak256(read(&mut frame, at, len)?);
                Ok(memory(&mut frame).write(&mut frame, to as usize, hash.as_slice())?)
            },
        )
        .unwrap();
    linker
        .func_wrap(
            "vm_hooks",
            "pay_for_memory_grow",
            |mut frame: Frame<'_>, pages: u32| {
                let pages = pages as u16;
                if pages == 0 {
                    return charge(&mut frame, HOST);
                }
                let model = MemoryModel {
                    free_pages: 2,
                    page_gas: 1000,
                };
                let open = frame.data().pages;
                frame.data_mut().pages = open.saturating_add(pages);
                charge(
                    &mut frame,
                    model.gas_cost(pages, open, open).saturating_mul(INK_PRICE),
                )
            },
        )
        .unwrap();
    linker
}

/// The outcome, the ink used, the stack left and the output, as the vectors name them.
fn run(engine: &Engine, linker: &Linker<Host>, module: &Module, item: &Item) -> Value {
    let ink = item.ink_limit;
    let mut store = Store::new(engine, Host::default());
    let instance: Instance = linker.instantiate(&mut store, module).unwrap();
    let args = hex::decode(&item.args).unwrap();
    let pages = instance
        .get_memory(&mut store, "memory")
        .unwrap()
        .size(&store);
    let len = args.len() as i32;
    *store.data_mut() = Host {
        args,
        outs: Vec::new(),
        pages: pages as u16,
    };
    let global = |store: &mut Store<Host>, name| instance.get_global(store, name).unwrap();
    let left = global(&mut store, "stylus_ink_left");
    let stack = global(&mut store, "stylus_stack_left");
    let status = global(&mut store, "stylus_ink_status");
    left.set(&mut store, Val::I64(ink.cast_signed())).unwrap();
    stack.set(&mut store, Val::I32(22_000)).unwrap();
    let main = instance
        .get_typed_func::<i32, i32>(&mut store, "user_entrypoint")
        .unwrap();
    let result = main.call(&mut store, len);
    let stack = stack.get(&mut store).unwrap_i32();
    let outcome = match result {
        Ok(0) => "success",
        Ok(_) => "revert",
        Err(_) if stack == 0 => "out_of_stack",
        Err(_) if status.get(&mut store).unwrap_i32() != 0 => "out_of_ink",
        Err(_) => "failure",
    };
    let left = match outcome {
        "out_of_stack" | "out_of_ink" => 0,
        _ => left.get(&mut store).unwrap_i64().cast_unsigned(),
    };
    serde_json::json!({
        "outcome": outcome,
        "ink_left": left,
        "ink_used": ink - left,
        "stack_left": stack,
        "outs": hex::encode(&store.data().outs),
    })
}

fn run_all() {
    let mut config = Config::new();
    config.max_wasm_stack(8 << 20).async_stack_size(16 << 20);
    let engine = Engine::new(&config).unwrap();
    let linker = linker(&engine);
    let mut modules = HashMap::new();
    let mut wrong = Vec::new();
    let items = vectors::items(&[Kind::Random]);
    assert!(items.len() == 391 || !vectors::own());
    for item in &items {
        let module = modules.entry(&item.file).or_insert_with(|| {
            let wasm = instrument_for_run(&vectors::bytes(&item.file), PARAMS).unwrap();
            Module::new(&engine, wasm).unwrap()
        });
        let found = run(&engine, &linker, module, item);
        for (name, value) in found.as_object().unwrap() {
            let expected = &item.expected[name];
            if !expected.is_null() && expected != value {
                wrong.push(format!("{}: {name} is {value}, want {expected}", item.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn random_programs_use_exactly_the_recorded_ink_and_stack() {
    std::thread::Builder::new()
        .stack_size(32 << 20)
        .spawn(run_all)
        .unwrap()
        .join()
        .unwrap();
}
