//! Tells a trace what happens as it happens: frames that open and close, opcodes that run.

use alloy_primitives::{Address, U256};
use revm::context::result::HaltReason;
use revm::context::{ContextTr, JournalTr};
use revm::context_interface::CreateScheme;
use revm::handler::instructions::EthInstructions;
use revm::handler::{EthFrame, FrameResult};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::LoopControl;
use revm::interpreter::{CallScheme, FrameInput, InterpreterAction, SuccessOrHalt};

use super::context::Ctx;
use super::texts;
use super::trace::{FRAME, FrameKind, Step, TracedFrame};

/// Notes that a frame opens.
pub(super) fn open(ctx: &mut Ctx<'_>, input: &FrameInput) {
    if ctx.chain.trace.is_none() {
        return;
    }
    let frame = match input {
        FrameInput::Call(call) => TracedFrame {
            kind: match call.scheme {
                CallScheme::Call => FrameKind::Call,
                CallScheme::CallCode => FrameKind::CallCode,
                CallScheme::DelegateCall => FrameKind::DelegateCall,
                CallScheme::StaticCall => FrameKind::StaticCall,
            },
            // A delegate call acts as the account that makes it.
            from: match call.scheme {
                CallScheme::DelegateCall => call.target_address,
                _ => call.caller,
            },
            to: Some(call.bytecode_address),
            value: call.value.get(),
            gas: call.gas_limit,
            input: call.input.bytes_local(ctx.local()),
            ..TracedFrame::default()
        },
        FrameInput::Create(create) => TracedFrame {
            kind: match create.scheme() {
                CreateScheme::Create2 { .. } => FrameKind::Create2,
                _ => FrameKind::Create,
            },
            from: create.caller(),
            value: create.value(),
            gas: create.gas_limit(),
            input: create.init_code().clone(),
            ..TracedFrame::default()
        },
        FrameInput::Empty => TracedFrame::default(),
    };
    let logs = ctx.journaled_state.logs();
    if let Some(trace) = &mut ctx.chain.trace {
        trace.take_logs(logs);
        trace.open.push(frame);
    }
}

/// Notes that `from` destroyed itself and left `value` to `heir`.
pub(super) fn destroyed(ctx: &mut Ctx<'_>, from: Address, heir: Address, value: U256) {
    let innermost = ctx.chain.trace.as_mut();
    if let Some(frame) = innermost.and_then(|trace| trace.open.last_mut()) {
        frame.steps.push(Step::Frame(TracedFrame {
            kind: FrameKind::SelfDestruct,
            from,
            to: Some(heir),
            value,
            ..TracedFrame::default()
        }));
    }
}

/// Notes that the innermost frame ends.
pub(super) fn close(ctx: &mut Ctx<'_>, result: &FrameResult) {
    let logs = ctx.journaled_state.logs();
    let Some(trace) = &mut ctx.chain.trace else {
        return;
    };
    trace.take_logs(logs);
    let Some(mut frame) = trace.open.pop() else {
        return;
    };
    let result = match result {
        FrameResult::Call(call) => &call.result,
        FrameResult::Create(create) => {
            frame.to = create.address.filter(|_| create.result.is_ok());
            &create.result
        }
    };
    // A halt burns everything, and code that could not be deployed is no output.
    if result.result.is_ok_or_revert() {
        frame.gas_used = frame.gas.saturating_sub(result.gas.remaining());
        frame.output = result.output.clone();
    } else {
        frame.gas_used = frame.gas;
    }
    frame.error = match SuccessOrHalt::<HaltReason>::from(result.result) {
        SuccessOrHalt::Success(_) => None,
        SuccessOrHalt::Revert => Some("execution reverted".into()),
        SuccessOrHalt::Halt(reason) => Some(texts::halt(&reason)),
        other => Some(format!("{other:?}")),
    };
    if frame.error.is_some() {
        frame.logs.clear();
    }
    let logged: usize = frame
        .logs
        .iter()
        .map(|(log, _)| log.data.data.len() + FRAME)
        .sum();
    let size = FRAME + 2 * (frame.input.len() + frame.output.len() + logged);
    let shown = trace.show(size);
    match trace.open.last_mut() {
        Some(parent) if shown => parent.steps.push(Step::Frame(frame)),
        Some(_) => {}
        None => trace.done = Some(frame),
    }
}

/// Runs a frame as [`run_plain`](revm::interpreter::Interpreter::run_plain) does, and notes each step.
pub(super) fn run<'a>(
    frame: &mut EthFrame<EthInterpreter>,
    instructions: &EthInstructions<EthInterpreter, Ctx<'a>>,
    ctx: &mut Ctx<'a>,
) -> InterpreterAction {
    let (table, gas_table) = (instructions.instruction_table(), instructions.gas_table());
    let ended = loop {
        let opcodes = ctx.chain.trace.as_ref().and_then(|trace| trace.opcodes());
        let begun = opcodes.and_then(|opcodes| Some((opcodes.before(frame)?, opcodes.slot(frame))));
        let done = frame.interpreter.step(table, gas_table, ctx);
        if let (Some((step, slot)), Some(trace)) = (begun, &mut ctx.chain.trace) {
            let failed = done.err().filter(|result| result.is_halt());
            trace.note(|opcodes| opcodes.after(step, slot, frame, failed));
        }
        if let Err(result) = done {
            break result;
        }
    };
    if frame.interpreter.bytecode.action().is_none() {
        frame.interpreter.halt(ended);
    }
    frame.interpreter.take_next_action()
}
