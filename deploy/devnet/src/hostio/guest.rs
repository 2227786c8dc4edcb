//! A program from inside a host function: its ink, its memory, its line to the host.

use alloy_primitives::{Address, B256, Bytes, U256};
use wasmtime::{Caller, Global, Memory, Val};

use super::request::{Env, Escape, Finished, HostCall, Line, Reply, Request};
use super::storage_cache::StorageCache;

/// Ink status when ink ran out.
const EXHAUSTED: i32 = 1;

/// Handles to what instrumentation added to the module, and to its memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handles {
    pub(crate) ink_left: Global,
    pub(crate) ink_status: Global,
    pub(crate) stack_left: Global,
    pub(crate) memory: Option<Memory>,
}

/// The data in the store of a running program.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(super) env: Env,
    pub(super) line: Line,
    /// Set once the module is instantiated; no host function runs before.
    pub(crate) handles: Option<Handles>,
    pub(crate) outs: Vec<u8>,
    pub(super) return_data: Bytes,
    pub(super) storage: StorageCache,
    /// The code asked for last.
    pub(super) last_code: Option<(Address, Bytes)>,
    /// The running host call, when the call is traced.
    step: Option<HostCall>,
}

impl Guest {
    pub(crate) fn new(env: Env, line: Line) -> Self {
        Self {
            env,
            line,
            handles: None,
            outs: Vec::new(),
            return_data: Bytes::new(),
            storage: StorageCache::default(),
            last_code: None,
            step: None,
        }
    }

    pub(crate) fn args_len(&self) -> u32 {
        self.env.args.len() as u32
    }

    /// Tells of a host call, if the call is traced.
    pub(crate) fn step(&self, step: HostCall) {
        if self.env.traced {
            let _ = self.line.0.send(Request::Step(step));
        }
    }

    /// Says that the program ended.
    pub(crate) fn finish(&self, finished: Finished) {
        // Nobody listens any more if the transaction was dropped; there is nobody to tell then.
        let _ = self.line.0.send(Request::Done(finished));
    }
}

/// The calling program.
pub(super) struct Host<'c>(pub(super) Caller<'c, Guest>);

type Done<T = ()> = Result<T, Escape>;

impl Host<'_> {
    pub(super) fn guest(&mut self) -> &mut Guest {
        self.0.data_mut()
    }

    pub(super) fn env(&self) -> &Env {
        &self.0.data().env
    }

    fn handles(&self) -> Done<Handles> {
        let none = Escape::Failure("host function called before the program started");
        self.0.data().handles.ok_or(none)
    }

    fn memory(&self) -> Done<Memory> {
        let none = Escape::Failure("the program exports no memory");
        self.handles()?.memory.ok_or(none)
    }

    pub(super) fn ask<T>(&self, build: impl FnOnce(Reply<T>) -> Request) -> Done<T> {
        self.0.data().line.ask(build)
    }

    /// A host call begins.
    pub(super) fn begin(&mut self, name: &'static str) {
        // Printed values are no part of a trace, printed text is.
        let name = match name {
            "log_txt" => "console_log_text",
            _ if name.starts_with("log_") || name.starts_with("tee_") => return,
            _ => name,
        };
        if !self.env().traced {
            return;
        }
        let start_ink = self.ink_left().unwrap_or_default();
        self.guest().step = Some(HostCall {
            name,
            start_ink,
            ..HostCall::default()
        });
    }

    /// The host call that began last ends.
    pub(super) fn end<T>(&mut self, done: Result<T, Escape>) -> Result<T, Escape> {
        let Some(mut step) = self.guest().step.take() else {
            return done;
        };
        if matches!(done, Ok(_) | Err(Escape::Exit(_))) {
            step.end_ink = self.ink_left().unwrap_or_default();
            self.guest().step(step);
        }
        done
    }

    /// For the trace: what the host call was given.
    pub(super) fn given(&mut self, parts: &[&[u8]]) {
        if let Some(step) = &mut self.guest().step {
            parts.iter().for_each(|part| step.args.extend(*part));
        }
    }

    /// For the trace: what the host call gave.
    pub(super) fn gave(&mut self, parts: &[&[u8]]) {
        if let Some(step) = &mut self.guest().step {
            parts.iter().for_each(|part| step.outs.extend(*part));
        }
    }

    pub(super) fn ink_left(&mut self) -> Done<u64> {
        let ink = self.handles()?.ink_left;
        match ink.get(&mut self.0) {
            Val::I64(ink) => Ok(ink as u64),
            _ => Err(Escape::Failure("ink is not an i64")),
        }
    }

    fn set_ink(&mut self, ink: u64) -> Done {
        let global = self.handles()?.ink_left;
        global
            .set(&mut self.0, Val::I64(ink as i64))
            .map_err(|_| Escape::Failure("ink is not an i64"))
    }

    pub(super) fn gas_left(&mut self) -> Done<u64> {
        let ink = self.ink_left()?;
        Ok(ink / u64::from(self.env().ink_price.max(1)))
    }

    fn ink_of(&self, gas: u64) -> u64 {
        gas.saturating_mul(self.env().ink_price.into())
    }

    pub(super) fn buy_ink(&mut self, ink: u64) -> Done {
        let left = self.require_ink(ink)?;
        self.set_ink(left - ink)
    }

    fn require_ink(&mut self, ink: u64) -> Done<u64> {
        let left = self.ink_left()?;
        if left < ink {
            self.set_ink(0)?;
            let status = self.handles()?.ink_status;
            status
                .set(&mut self.0, Val::I32(EXHAUSTED))
                .map_err(|_| Escape::Failure("ink status is not an i32"))?;
            return Err(Escape::OutOfInk);
        }
        Ok(left)
    }

    pub(super) fn buy_gas(&mut self, gas: u64) -> Done {
        let ink = self.ink_of(gas);
        self.buy_ink(ink)
    }

    pub(super) fn require_gas(&mut self, gas: u64) -> Done {
        let ink = self.ink_of(gas);
        self.require_ink(ink).map(drop)
    }

    /// Reads `len` bytes at `at`; an empty range may lie at the end of memory, but not beyond.
    pub(super) fn read(&mut self, at: u32, len: u32) -> Done<Vec<u8>> {
        let memory = self.memory()?;
        let at = at as usize;
        memory
            .data(&self.0)
            .get(at..at + len as usize)
            .map(<[u8]>::to_vec)
            .ok_or(Escape::Failure("memory read out of bounds"))
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Done {
        let memory = self.memory()?;
        let at = at as usize;
        memory
            .data_mut(&mut self.0)
            .get_mut(at..at + bytes.len())
            .ok_or(Escape::Failure("memory write out of bounds"))?
            .copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn read_word(&mut self, at: u32) -> Done<B256> {
        Ok(B256::from_slice(&self.read(at, 32)?))
    }

    pub(super) fn read_number(&mut self, at: u32) -> Done<U256> {
        Ok(self.read_word(at)?.into())
    }

    pub(super) fn read_address(&mut self, at: u32) -> Done<Address> {
        Ok(Address::from_slice(&self.read(at, 20)?))
    }

    pub(super) fn write_number(&mut self, at: u32, number: U256) -> Done {
        self.write(at, &number.to_be_bytes::<32>())
    }

    pub(super) fn write_u32(&mut self, at: u32, number: u32) -> Done {
        self.write(at, &number.to_le_bytes())
    }
}
