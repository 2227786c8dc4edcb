//! Runs instrumented modules on wasmtime.
//!
//! Each invocation has a thread of its own, with a native stack that outlasts the program's own stack
//! limit, so that no nesting of calls can exhaust the host. A thread whose program ended takes another. Ink ends endless
//! loops; there is no other clock.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use alloy_primitives::B256;
use wasmtime::{Config, InstancePre, Linker, Module, OptLevel, Store, Trap, Val};

use crate::hostio::guest::Handles;
use crate::hostio::{Ending, Env, Escape, Finished, Guest, HostCall, Line, Request, link};

/// Native stack for a program's own frames: far more than its limit in words can use.
const WASM_STACK: usize = 32 << 20;
/// Native stack for host functions on top.
const HOST_STACK: usize = 2 << 20;
/// Requests on their way to the host; a program that tells more waits.
const LINE: usize = 64;
/// Compiled programs kept.
const CACHE_SIZE: usize = 64;
/// Threads that wait for a program; more end.
const IDLE_MAX: usize = 16;
/// How long a thread waits for a program before it ends.
const IDLE_FOR: Duration = Duration::from_secs(1);

const ENTRYPOINT: &str = "user_entrypoint";
/// The name that a trace gives the end of the entry point.
const RETURNED: &str = "user_returned";
const START: &str = "stylus_start";
const MEMORY: &str = "memory";
const INK_LEFT: &str = "stylus_ink_left";
const INK_STATUS: &str = "stylus_ink_status";
const STACK_LEFT: &str = "stylus_stack_left";

/// A program could not be made to run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum EngineError {
    /// The code generator refused an activated module.
    #[error("cannot compile the program: {0:#}")]
    Compile(wasmtime::Error),
    /// The host functions do not match an activated module.
    #[error("cannot link the program: {0:#}")]
    Link(wasmtime::Error),
    /// The system has no thread for it.
    #[error("cannot start a thread for the program")]
    Thread(#[source] std::io::Error),
}

/// Compiles programs and keeps them compiled.
pub(crate) struct Engine {
    /// Or why this machine runs no WebAssembly.
    linker: Result<Linker<Guest>, String>,
    programs: Mutex<HashMap<(B256, u16), InstancePre<Guest>>>,
}

/// A running program.
#[derive(Debug)]
pub(crate) struct Running {
    requests: Receiver<Request>,
}

impl Running {
    /// Waits for the program's next request. It ends with [`Request::Done`].
    pub(crate) fn next(&self) -> Request {
        self.requests.recv().unwrap_or_else(|_| {
            Request::Done(Finished::broken(
                "the program's thread ended without a word",
            ))
        })
    }
}

impl Finished {
    fn broken(reason: impl ToString) -> Self {
        Self {
            ending: Ending::Broken,
            outs: Vec::new(),
            ink_left: 0,
            stack_left: 0,
            memory_pages: 0,
            reason: Some(reason.to_string()),
        }
    }
}

impl Engine {
    /// `debug` offers programs the console.
    pub(crate) fn new(debug: bool) -> Self {
        let mut config = Config::new();
        config
            .async_stack_size(WASM_STACK + HOST_STACK)
            .max_wasm_stack(WASM_STACK)
            .cranelift_opt_level(OptLevel::Speed)
            .wasm_backtrace_max_frames(None);
        let linker = wasmtime::Engine::new(&config).and_then(|engine| link::linker(&engine, debug));
        Self {
            linker: linker.map_err(|error| format!("{error:#}")),
            programs: Mutex::default(),
        }
    }

    /// The compiled program for a code hash and a Stylus version; `module` instruments it when it is not in the cache.
    pub(crate) fn program<E>(
        &self,
        key: (B256, u16),
        module: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<InstancePre<Guest>, EngineError>
    where
        E: std::fmt::Display,
    {
        if let Some(program) = self.cache().get(&key) {
            return Ok(program.clone());
        }
        let module = module()
            .map_err(|error| EngineError::Compile(wasmtime::Error::msg(error.to_string())))?;
        let program = self.compile(&module)?;
        let mut cache = self.cache();
        if cache.len() >= CACHE_SIZE {
            cache.clear();
        }
        cache.insert(key, program.clone());
        Ok(program)
    }

    /// Compiles an instrumented module.
    pub(crate) fn compile(&self, module: &[u8]) -> Result<InstancePre<Guest>, EngineError> {
        let linker = self
            .linker
            .as_ref()
            .map_err(|reason| EngineError::Link(wasmtime::Error::msg(reason.clone())))?;
        let module = Module::new(linker.engine(), module).map_err(EngineError::Compile)?;
        linker.instantiate_pre(&module).map_err(EngineError::Link)
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<(B256, u16), InstancePre<Guest>>> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a program with the given ink and words of stack. Its requests must be served, or it waits.
pub(crate) fn start(
    program: InstancePre<Guest>,
    env: Env,
    ink: u64,
    max_depth: u32,
) -> Result<Running, EngineError> {
    let (line, requests) = sync_channel(LINE);
    let line = Line(line);
    on_thread(Box::new(move || {
        run(&program, Guest::new(env, line), ink, max_depth);
    }))
    .map_err(EngineError::Thread)?;
    Ok(Running { requests })
}

type Job = Box<dyn FnOnce() + Send>;

/// The threads that wait for a program.
static IDLE: Mutex<Vec<(ThreadId, SyncSender<Job>)>> = Mutex::new(Vec::new());

fn idle() -> MutexGuard<'static, Vec<(ThreadId, SyncSender<Job>)>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a program on a thread that waits for one, else on a new one.
fn on_thread(mut job: Job) -> std::io::Result<()> {
    loop {
        let Some((_, waiting)) = idle().pop() else {
            break;
        };
        match waiting.send(job) {
            Ok(()) => return Ok(()),
            // That thread is gone.
            Err(SendError(back)) => job = back,
        }
    }
    let (own, jobs) = sync_channel::<Job>(1);
    let serve = move || {
        let mut job = job;
        loop {
            job();
            match next_job(&own, &jobs) {
                Some(next) => job = next,
                None => return,
            }
        }
    };
    thread::Builder::new()
        .name("stylus".into())
        .stack_size(WASM_STACK + HOST_STACK)
        .spawn(serve)
        .map(drop)
}

/// Waits for a thread's next program; none if it is to end.
fn next_job(own: &SyncSender<Job>, jobs: &Receiver<Job>) -> Option<Job> {
    let me = thread::current().id();
    {
        let mut idle = idle();
        if idle.len() >= IDLE_MAX {
            return None;
        }
        idle.push((me, own.clone()));
    }
    match jobs.recv_timeout(IDLE_FOR) {
        Ok(next) => return Some(next),
        Err(RecvTimeoutError::Disconnected) => return None,
        Err(RecvTimeoutError::Timeout) => {}
    }
    {
        let mut idle = idle();
        if let Some(at) = idle.iter().position(|(it, _)| *it == me) {
            idle.swap_remove(at);
            return None;
        }
    }
    // It was taken in this moment: its program comes.
    jobs.recv().ok()
}

fn run(program: &InstancePre<Guest>, guest: Guest, ink: u64, max_depth: u32) {
    let args = guest.args_len();
    let mut store = Store::new(program.module().engine(), guest);
    let finished = execute(program, &mut store, args, ink, max_depth)
        .unwrap_or_else(|error| Finished::broken(format!("{error:#}")));
    store.data().finish(finished);
}

fn execute(
    program: &InstancePre<Guest>,
    mut store: &mut Store<Guest>,
    args: u32,
    ink: u64,
    max_depth: u32,
) -> wasmtime::Result<Finished> {
    let instance = program.instantiate(&mut store)?;
    let missing = |name: &str| wasmtime::Error::msg(format!("the module does not export {name}"));
    let mut global = |name: &str| {
        instance
            .get_global(&mut store, name)
            .ok_or_else(|| missing(name))
    };
    let handles = Handles {
        ink_left: global(INK_LEFT)?,
        ink_status: global(INK_STATUS)?,
        stack_left: global(STACK_LEFT)?,
        memory: instance.get_memory(&mut store, MEMORY),
    };
    handles.ink_left.set(&mut store, Val::I64(ink as i64))?;
    handles.ink_status.set(&mut store, Val::I32(0))?;
    handles
        .stack_left
        .set(&mut store, Val::I32(max_depth as i32))?;
    store.data_mut().handles = Some(handles);

    let entrypoint = instance.get_typed_func::<u32, u32>(&mut store, ENTRYPOINT)?;
    let started = match instance.get_typed_func::<(), ()>(&mut store, START) {
        Ok(start) => start.call(&mut store, ()),
        Err(_) => Ok(()),
    };
    store.data().step(HostCall {
        name: ENTRYPOINT,
        args: args.to_be_bytes().into(),
        start_ink: ink,
        end_ink: ink,
        ..HostCall::default()
    });
    let result = started.and_then(|()| entrypoint.call(&mut store, args));

    let stack_left = handles.stack_left.get(&mut store).i32().unwrap_or_default() as u32;
    let exhausted = handles.ink_status.get(&mut store).i32() != Some(0);
    if let Ok(status) = result {
        let ink = handles.ink_left.get(&mut store).i64().unwrap_or_default() as u64;
        store.data().step(HostCall {
            name: RETURNED,
            outs: status.to_be_bytes().into(),
            start_ink: ink,
            end_ink: ink,
            ..HostCall::default()
        });
    }
    let (ending, reason) = match result {
        Ok(status) => (of_status(status), None),
        Err(error) if error.downcast_ref() == Some(&Trap::StackOverflow) || stack_left == 0 => {
            (Ending::OutOfStack, None)
        }
        Err(_) if exhausted => (Ending::OutOfInk, None),
        Err(error) => match error.downcast_ref() {
            Some(Escape::Exit(status)) => (of_status(*status), None),
            Some(Escape::HostGone) => (Ending::Broken, Some(error.to_string())),
            _ => (Ending::Failure, Some(format!("{error:#}"))),
        },
    };
    let outs = match ending {
        Ending::Success | Ending::Revert => std::mem::take(&mut store.data_mut().outs),
        _ => Vec::new(),
    };
    Ok(Finished {
        ending,
        outs,
        ink_left: handles.ink_left.get(&mut store).i64().unwrap_or_default() as u64,
        stack_left,
        memory_pages: handles.memory.map_or(0, |memory| memory.size(&store)),
        reason,
    })
}

fn of_status(status: u32) -> Ending {
    match status {
        0 => Ending::Success,
        _ => Ending::Revert,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use alloy_primitives::{Address, U256};

    use super::*;
    use crate::arbos::{params::Params, programs};
    use crate::wasm;

    const GAS: u64 = 1_000_000;
    const INK_PRICE: u32 = 10_000;

    fn compile(engine: &Engine, body: &str) -> InstancePre<Guest> {
        let wasm = wat::parse_str(format!(
            r#"(module
            (import "vm_hooks" "exit_early" (func $exit (param i32)))
            (import "vm_hooks" "transient_load_bytes32" (func $load (param i32 i32)))
            (memory (export "memory") 1 1)
            (func $deep (param i32) (result i32)
                (i32.add (i32.const 1) (call $deep (local.get 0))))
            (func (export "user_entrypoint") (param $len i32) (result i32) {body}))"#
        ))
        .unwrap();
        let rules = programs::activation_params(&Params::DEFAULT, 51, 0, false);
        let module = wasm::instrument_for_run(&wasm, rules).unwrap();
        engine.compile(&module).unwrap()
    }

    fn launch(body: &str, ink: u64, max_depth: u32) -> Running {
        let engine = Engine::new(false);
        let env = Env {
            args: Default::default(),
            ink_price: INK_PRICE,
            arbos: 51,
            contract: Address::ZERO,
            sender: Address::ZERO,
            origin: Address::ZERO,
            value: U256::ZERO,
            gas_price: U256::ZERO,
            base_fee: U256::ZERO,
            coinbase: Address::ZERO,
            gas_limit: 0,
            chain_id: 1,
            block_number: 0,
            timestamp: 0,
            reentrant: false,
            traced: false,
        };
        start(compile(&engine, body), env, ink, max_depth).unwrap()
    }

    fn ending(body: &str, ink: u64, max_depth: u32) -> Ending {
        match launch(body, ink, max_depth).next() {
            Request::Done(finished) => finished.ending,
            other => panic!("asked for {other:?}"),
        }
    }

    #[test]
    fn a_program_ends_in_one_of_the_known_ways() {
        let ink = GAS * u64::from(INK_PRICE);
        let depth = Params::DEFAULT.max_stack_depth;
        assert_eq!(ending("(i32.const 0)", ink, depth), Ending::Success);
        assert_eq!(ending("(i32.const 3)", ink, depth), Ending::Revert);
        assert_eq!(
            ending("(call $exit (i32.const 0)) unreachable", ink, depth),
            Ending::Success
        );
        assert_eq!(
            ending("(call $exit (i32.const 1)) unreachable", ink, depth),
            Ending::Revert
        );
        assert_eq!(ending("unreachable", ink, depth), Ending::Failure);
        assert_eq!(
            ending("(loop $l (br $l)) (i32.const 0)", ink, depth),
            Ending::OutOfInk
        );
        assert_eq!(
            ending("(call $deep (i32.const 0))", ink, depth),
            Ending::OutOfStack
        );
        assert_eq!(
            ending(
                "(call $load (i32.const 65530) (i32.const 0)) (i32.const 0)",
                ink,
                depth
            ),
            Ending::Failure
        );
    }

    #[test]
    fn the_native_stack_may_end_first() {
        // No limit in words and ink for everything: the guard of the native stack is all there is.
        assert_eq!(
            ending("(call $deep (i32.const 0))", u64::MAX / 2, u32::MAX),
            Ending::OutOfStack
        );
    }

    #[test]
    fn a_program_whose_transaction_is_gone_ends_too() {
        let ink = GAS * u64::from(INK_PRICE);
        let body = "(call $load (i32.const 0) (i32.const 0)) (i32.const 0)";
        let running = launch(body, ink, 22_000);
        match running.next() {
            // Dropped unanswered.
            Request::LoadTransient { .. } => {}
            other => panic!("asked for {other:?}"),
        }
        match running.next() {
            Request::Done(finished) => assert_eq!(finished.ending, Ending::Broken),
            other => panic!("asked for {other:?}"),
        }
    }
}
