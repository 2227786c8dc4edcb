//! A call frame that runs a Stylus program: what entering costs, what the program asks for, what its end means.

use alloy_primitives::{B256, Bytes, Log, U256};
use revm::context::{ContextTr, JournalTr, Transaction as _};
use revm::handler::{EthFrame, FrameResult};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::RuntimeFlag;
use revm::interpreter::{InstructionResult, InterpreterAction, InterpreterResult};

use super::calls::{self, Pending};
use super::context::{Ctx, Fatal};
use crate::arbos::params::Params;
use crate::arbos::programs::{self, Record};
use crate::arbos::version::{FRAGMENTS, STYLUS_3};
use crate::engine::{self, Engine, EngineError, Running};
use crate::hostio::{Ending, Env, Finished, FlushError, Refused, Reply, Request};
use crate::wasm;
use crate::wasm::memory::MemoryModel;

type Frame = EthFrame<EthInterpreter>;

/// Gas of an account touched before, of one not, and of code on top.
const WARM_ACCOUNT: u64 = 100;
const COLD_ACCOUNT: u64 = 2600;
const CODE: u64 = 700;
/// Gas of a slot touched before, and of one not.
const WARM_SLOAD: u64 = 100;
const COLD_SLOAD: u64 = 2100;

/// The ArbOS version since which a flush that runs out of gas takes all of it; before it was a plain failure.
const FLUSH_BURNS_SINCE: u64 = 50;

/// The most ink that a program is entered with. It is ten times what the most gas of a call buys at the usual ink price,
/// and bounds the seconds that a program runs where the price of ink is out of all proportion.
const MAX_INK: u64 = 10 * 50_000_000 * 10_000;

/// A program in its frame.
pub(super) struct ProgramFrame {
    running: Running,
    memory: MemoryModel,
    params: Params,
    /// Pages that were open before it was entered.
    pages_open: u16,
    /// Gas of the frame before it was entered.
    start_gas: u64,
    /// The call or creation whose result it waits for.
    pending: Option<Pending>,
}

/// Enters the frame's program, or says how the frame ends instead. `reentrant`: the acting address has other open frames.
pub(super) fn enter(
    ctx: &mut Ctx<'_>,
    frame: &mut Frame,
    engine: &Engine,
    reentrant: bool,
) -> Result<Result<ProgramFrame, InterpreterResult>, Fatal> {
    let start_gas = frame.interpreter.gas.remaining();
    let code_hash = frame.interpreter.bytecode.get_or_calculate_hash();
    let now: u64 = ctx.block.timestamp.saturating_to();
    let params = Params::load(ctx.journal_mut())?;
    let record = Record::load(ctx.journal_mut(), code_hash)?;
    if let Err(inactive) = record.check(&params, now) {
        return Ok(Err(halt(ctx, frame, Halt::Text(inactive.to_string()))));
    }

    let memory = MemoryModel {
        free_pages: params.free_pages,
        page_gas: params.page_gas,
    };
    let arbos = ctx.chain.arbos;
    let (pages_open, ever) = (ctx.chain.pages_open, ctx.chain.pages_ever);
    let mut cost = memory.gas_cost(record.footprint, pages_open, ever);
    cost = cost.saturating_add(over_limit(arbos, &params, pages_open, record.footprint));
    let cached = record.cached
        || (arbos >= FRAGMENTS && ctx.chain.recent.insert(code_hash, params.block_cache_size));
    if cached || record.version > 1 {
        cost = cost.saturating_add(params.cached_gas(record.cached_cost));
    }
    if !cached {
        cost = cost.saturating_add(params.init_gas(record.init_cost));
    }
    let Some(gas) = start_gas.checked_sub(cost) else {
        return Ok(Err(halt(ctx, frame, Halt::OutOfGas)));
    };
    let ink = gas.saturating_mul(params.ink_price.into());
    if ink > MAX_INK {
        let text = format!("{ink} ink is more than a program may have here, {MAX_INK}");
        return Ok(Err(halt(ctx, frame, Halt::Text(text))));
    }
    add_pages(ctx, record.footprint);

    let code = frame.interpreter.bytecode.original_byte_slice();
    let debug = ctx.chain.debug;
    let running = engine
        .program((code_hash, params.version), || {
            let wasm = programs::wasm_of(ctx.journal_mut(), code, &params, arbos);
            let wasm = wasm.map_err(|error| error.to_string())?;
            let rules = programs::activation_params(&params, arbos, 0, debug);
            // The limit on pages may have been lowered since activation; entering it was paid for.
            let rules = wasm::ActivationParams {
                page_limit: u16::MAX,
                ..rules
            };
            wasm::instrument_for_run(&wasm, rules).map_err(|e| e.to_string())
        })
        .and_then(|program| {
            let env = env(ctx, frame, &params, reentrant);
            engine::start(program, env, ink, params.max_stack_depth)
        })
        .map_err(|error: EngineError| Fatal::Custom(format!("{error}")))?;
    Ok(Ok(ProgramFrame {
        running,
        memory,
        params,
        pages_open,
        start_gas,
        pending: None,
    }))
}

impl ProgramFrame {
    /// A program that was started by itself, with `ink_price`·`start_gas` ink.
    #[cfg(test)]
    pub(super) fn started(running: Running, params: &Params, start_gas: u64) -> Self {
        Self {
            running,
            memory: MemoryModel {
                free_pages: params.free_pages,
                page_gas: params.page_gas,
            },
            params: *params,
            pages_open: 0,
            start_gas,
            pending: None,
        }
    }

    /// Serves the program until it calls out or ends.
    pub(super) fn run(
        &mut self,
        ctx: &mut Ctx<'_>,
        frame: &mut Frame,
    ) -> Result<InterpreterAction, Fatal> {
        loop {
            match self.running.next() {
                Request::Call { call, reply } => match calls::call(ctx, frame, call, reply)? {
                    Some((input, pending)) => {
                        self.pending = Some(pending);
                        return Ok(InterpreterAction::NewFrame(input));
                    }
                    None => continue,
                },
                Request::Create { create, reply } => match calls::create(frame, create, reply) {
                    Some((input, pending)) => {
                        self.pending = Some(pending);
                        return Ok(InterpreterAction::NewFrame(input));
                    }
                    None => continue,
                },
                Request::Done(finished) => {
                    return self
                        .finish(ctx, frame, finished)
                        .map(InterpreterAction::Return);
                }
                request => self.serve(ctx, frame, request)?,
            }
        }
    }

    /// Hands the program the result it waits for.
    pub(super) fn resume(&mut self, frame: &mut Frame, result: FrameResult) -> Result<(), Fatal> {
        frame.interpreter.memory.free_child_context();
        match self.pending.take() {
            Some(pending) => {
                pending.settle(frame, result);
                Ok(())
            }
            None => Err(Fatal::Custom(
                "a frame returned to a program that made no call".into(),
            )),
        }
    }

    fn serve(&self, ctx: &mut Ctx<'_>, frame: &mut Frame, request: Request) -> Result<(), Fatal> {
        let acting = frame.interpreter.input.target_address;
        let refused = frame.interpreter.runtime_flag.is_static();
        match request {
            Request::LoadSlot { key, reply } => {
                let load = ctx.journal_mut().sload(acting, key.into())?;
                let gas = if load.is_cold { COLD_SLOAD } else { WARM_SLOAD };
                answer(reply, (B256::from(load.data), gas));
            }
            Request::StoreSlots {
                slots,
                budget,
                reply,
            } => {
                let stored = match refused {
                    true => Err(FlushError::Refused),
                    false => store(ctx, frame, slots, budget)?,
                };
                let stored = stored.map_err(|error| match error {
                    FlushError::OutOfGas if ctx.chain.arbos < FLUSH_BURNS_SINCE => {
                        FlushError::Refused
                    }
                    error => error,
                });
                answer(reply, stored);
            }
            Request::LoadTransient { key, reply } => {
                let value = ctx.journal_mut().tload(acting, key.into());
                answer(reply, value.into());
            }
            Request::StoreTransient { key, value, reply } => {
                if !refused {
                    ctx.journal_mut().tstore(acting, key.into(), value.into());
                }
                answer(reply, if refused { Err(Refused) } else { Ok(()) });
            }
            Request::Log {
                topics,
                data,
                reply,
            } => {
                if !refused {
                    ctx.journal_mut()
                        .log(Log::new_unchecked(acting, topics, data));
                }
                answer(reply, if refused { Err(Refused) } else { Ok(()) });
            }
            Request::Balance { address, reply } => {
                let load = ctx.journal_mut().load_account(address)?;
                answer(reply, (load.info.balance, touch(load.is_cold)));
            }
            Request::Code { address, reply } => {
                let load = ctx.journal_mut().code(address)?;
                answer(reply, (load.data, CODE + touch(load.is_cold)));
            }
            Request::CodeHash { address, reply } => {
                let load = ctx.journal_mut().code_hash(address)?;
                answer(reply, (load.data, touch(load.is_cold)));
            }
            Request::AddPages { pages, reply } => {
                let (open, ever) = (ctx.chain.pages_open, ctx.chain.pages_ever);
                let gas = self.memory.gas_cost(pages, open, ever);
                add_pages(ctx, pages);
                let over = over_limit(ctx.chain.arbos, &self.params, open, pages);
                answer(reply, gas.saturating_add(over));
            }
            Request::Step(step) => {
                if let Some(trace) = &mut ctx.chain.trace {
                    trace.host(step);
                }
            }
            Request::Call { .. } | Request::Create { .. } | Request::Done(_) => {
                unreachable!("served by run")
            }
        }
        Ok(())
    }

    fn finish(
        &self,
        ctx: &mut Ctx<'_>,
        frame: &mut Frame,
        end: Finished,
    ) -> Result<InterpreterResult, Fatal> {
        #[cfg(test)]
        if frame.depth == 0 {
            ctx.chain.ended = Some(end.clone());
            ctx.chain.pages_at_end = ctx.chain.pages_open;
        }
        ctx.chain.pages_open = self.pages_open;
        let contract = frame.interpreter.input.target_address;
        tracing::debug!(
            target: "stylus",
            %contract,
            ending = ?end.ending,
            reason = end.reason.as_deref().unwrap_or_default(),
            ink_left = end.ink_left,
            stack_left = end.stack_left,
            memory_pages = end.memory_pages,
            "program ended"
        );
        let result = match end.ending {
            Ending::Success => InstructionResult::Return,
            Ending::Revert | Ending::Failure => InstructionResult::Revert,
            Ending::OutOfInk => return Ok(halt(ctx, frame, Halt::OutOfGas)),
            Ending::OutOfStack => return Ok(halt(ctx, frame, Halt::OutOfStack)),
            Ending::Broken => {
                let reason = end.reason.unwrap_or_default();
                return Err(Fatal::Custom(format!(
                    "the program could not run: {reason}"
                )));
            }
        };
        let mut left = end.ink_left / u64::from(self.params.ink_price.max(1));
        if !end.outs.is_empty() {
            let Some(rest) = self.start_gas.checked_sub(return_data_gas(end.outs.len())) else {
                return Ok(halt(ctx, frame, Halt::OutOfGas));
            };
            left = left.min(rest);
        }
        let mut gas = frame.interpreter.gas;
        gas.set_remaining(left);
        Ok(InterpreterResult::new(result, end.outs.into(), gas))
    }
}

/// Ways to burn all gas of a frame.
enum Halt {
    OutOfGas,
    OutOfStack,
    Text(String),
}

fn halt(ctx: &mut Ctx<'_>, frame: &Frame, why: Halt) -> InterpreterResult {
    let result = match why {
        Halt::OutOfGas => InstructionResult::OutOfGas,
        // Not `CallTooDeep`: that one leaves the caller its gas.
        Halt::OutOfStack => {
            note(ctx, frame, "max call depth exceeded".into());
            InstructionResult::StackOverflow
        }
        Halt::Text(text) => {
            note(ctx, frame, text);
            InstructionResult::PrecompileError
        }
    };
    let mut gas = frame.interpreter.gas;
    gas.spend_all();
    InterpreterResult::new(result, Bytes::new(), gas)
}

/// Only the outermost frame's reason reaches the sender.
fn note(ctx: &mut Ctx<'_>, frame: &Frame, text: String) {
    if frame.depth == 0 {
        ctx.chain.halt_text = Some(text);
    }
}

/// Computes the gas that the EVM pays to return that much from memory.
fn return_data_gas(len: usize) -> u64 {
    let words = len.div_ceil(32) as u64;
    3 * words + words * words / 512
}

/// The price of opening more pages than the chain's limit, all nested programs counted: nobody can pay it.
fn over_limit(arbos: u64, params: &Params, open: u16, pages: u16) -> u64 {
    let limited = arbos >= STYLUS_3 && params.page_limit > 0;
    match limited && open.saturating_add(pages) > params.page_limit {
        true => u64::MAX,
        false => 0,
    }
}

fn touch(cold: bool) -> u64 {
    if cold { COLD_ACCOUNT } else { WARM_ACCOUNT }
}

fn add_pages(ctx: &mut Ctx<'_>, pages: u16) {
    let scratch = &mut ctx.chain;
    scratch.pages_open = scratch.pages_open.saturating_add(pages);
    scratch.pages_ever = scratch.pages_ever.max(scratch.pages_open);
}

/// A program that is gone needs no answer.
fn answer<T>(reply: Reply<T>, value: T) {
    let _ = reply.send(value);
}

/// SSTORE for each slot; refunds go to the frame and so live and die with it.
fn store(
    ctx: &mut Ctx<'_>,
    frame: &mut Frame,
    slots: Vec<(B256, B256)>,
    budget: u64,
) -> Result<Result<u64, FlushError>, Fatal> {
    let acting = frame.interpreter.input.target_address;
    let mut cost = 0;
    for (key, value) in slots {
        let write = ctx.journal_mut().sstore(acting, key.into(), value.into())?;
        let prices = &ctx.cfg.gas_params;
        cost += prices.sstore_static_gas()
            + prices.sstore_dynamic_gas(true, &write.data, write.is_cold);
        if cost > budget {
            return Ok(Err(FlushError::OutOfGas));
        }
        let refund = prices.sstore_refund(true, &write.data);
        frame.interpreter.gas.record_refund(refund);
    }
    Ok(Ok(cost))
}

fn env(ctx: &Ctx<'_>, frame: &Frame, params: &Params, reentrant: bool) -> Env {
    let input = &frame.interpreter.input;
    let price = ctx.block.basefee;
    Env {
        args: input.input.bytes_local(&ctx.local),
        ink_price: params.ink_price,
        arbos: ctx.chain.arbos,
        contract: input.target_address,
        sender: input.caller_address,
        origin: ctx.tx.caller,
        value: input.call_value,
        gas_price: U256::from(ctx.tx.effective_gas_price(price.into())),
        base_fee: U256::from(price),
        coinbase: ctx.block.beneficiary,
        gas_limit: ctx.block.gas_limit,
        chain_id: ctx.cfg.chain_id,
        block_number: ctx.block.number.saturating_to(),
        timestamp: ctx.block.timestamp.saturating_to(),
        reentrant,
        traced: ctx.chain.trace.is_some(),
    }
}
