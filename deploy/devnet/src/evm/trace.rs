//! What a transaction did, frame by frame: its calls and creations, their logs, and the host calls of its programs.

use alloy_primitives::{Address, Bytes, Log, U256};
use revm::context::result::HaltReason;
use revm::context::{ContextTr, JournalTr};
use revm::context_interface::CreateScheme;
use revm::handler::FrameResult;
use revm::interpreter::{CallScheme, FrameInput, SuccessOrHalt};

use super::context::Ctx;
use super::opcodes::{OpStep, Opcodes, Wanted};
use super::texts;
use crate::hostio::HostCall;

/// What opened a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FrameKind {
    #[default]
    Call,
    CallCode,
    DelegateCall,
    StaticCall,
    Create,
    Create2,
    /// No frame, but shown as one: from who ends, to who inherits.
    SelfDestruct,
}

/// A call or creation.
#[derive(Clone, Debug, Default)]
pub(crate) struct TracedFrame {
    pub(crate) kind: FrameKind,
    pub(crate) from: Address,
    /// The callee's code or the created account; `None` for a creation that failed.
    pub(crate) to: Option<Address>,
    pub(crate) value: U256,
    pub(crate) gas: u64,
    pub(crate) gas_used: u64,
    pub(crate) input: Bytes,
    pub(crate) output: Bytes,
    /// Why it failed.
    pub(crate) error: Option<String>,
    /// With the number of subcalls made before each. None of a failed frame.
    pub(crate) logs: Vec<(Log, usize)>,
    pub(crate) steps: Vec<Step>,
}

/// What a frame did, in order.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Frame(TracedFrame),
    Host(HostCall),
}

impl TracedFrame {
    /// The frames that it opened.
    pub(crate) fn calls(&self) -> impl Iterator<Item = &TracedFrame> {
        self.steps.iter().filter_map(|step| match step {
            Step::Frame(frame) => Some(frame),
            Step::Host(_) => None,
        })
    }

    fn take_logs(&mut self, logs: &[Log]) {
        let before = self.calls().count();
        self.logs
            .extend(logs.iter().map(|log| (log.clone(), before)));
    }
}

/// Bytes that a trace may take when it is told.
const MAX_TOLD: usize = 24 << 20;
/// Those of a frame and of a host call, without what is in them.
const FRAME: usize = 500;
const HOST_CALL: usize = 150;

/// What to note of a transaction: its frames and host calls, or its opcodes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Detail {
    Frames,
    Opcodes(Wanted),
}

/// What a transaction did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traced {
    pub(crate) frame: TracedFrame,
    pub(crate) opcodes: Vec<OpStep>,
    /// More happened than a trace may tell.
    pub(crate) cut: bool,
}

/// A transaction being traced.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    /// Bytes told so far.
    told: usize,
    opcodes: Option<Opcodes>,
    /// The frames that are open, the outermost first.
    open: Vec<TracedFrame>,
    /// The outermost frame, once it is closed.
    done: Option<TracedFrame>,
    /// Logs in the journal that belong to a frame already.
    logs_seen: usize,
}

impl Trace {
    pub(crate) fn new(detail: Detail) -> Self {
        Self {
            opcodes: match detail {
                Detail::Frames => None,
                Detail::Opcodes(wanted) => Some(Opcodes::new(wanted)),
            },
            ..Self::default()
        }
    }

    pub(crate) fn finish(self) -> Traced {
        Traced {
            // A transaction that ran has an outermost frame.
            frame: self.done.unwrap_or_default(),
            opcodes: self
                .opcodes
                .map(|opcodes| opcodes.steps)
                .unwrap_or_default(),
            cut: self.told > MAX_TOLD,
        }
    }

    /// The opcodes, if they are wanted and not too many yet.
    pub(super) fn opcodes(&self) -> Option<&Opcodes> {
        self.opcodes.as_ref().filter(|_| self.told <= MAX_TOLD)
    }

    /// Notes an opcode with the bytes it takes.
    pub(super) fn note(&mut self, step: impl FnOnce(&mut Opcodes) -> (OpStep, usize)) {
        if let Some(opcodes) = &mut self.opcodes {
            let (step, size) = step(opcodes);
            self.told = self.told.saturating_add(size);
            opcodes.steps.push(step);
        }
    }

    /// Counts what is to be told; `false` if that is too much. Who traces opcodes wants nothing else.
    fn tell(&mut self, bytes: usize) -> bool {
        if self.opcodes.is_some() {
            return false;
        }
        self.told = self.told.saturating_add(bytes);
        self.told <= MAX_TOLD
    }

    /// Notes a payment that the running precompile makes: nodes show it as a call.
    pub(crate) fn payment(&mut self, from: Address, to: Address, value: U256) {
        if let Some(frame) = self.open.last_mut() {
            frame.steps.push(Step::Frame(TracedFrame {
                from,
                to: Some(to),
                value,
                ..TracedFrame::default()
            }));
        }
    }

    /// Notes a host call of the running program.
    pub(super) fn host(&mut self, call: HostCall) {
        let size = HOST_CALL + 2 * (call.args.len() + call.outs.len());
        if self.tell(size)
            && let Some(frame) = self.open.last_mut()
        {
            frame.steps.push(Step::Host(call));
        }
    }

    fn take_logs(&mut self, logs: &[Log]) {
        if let (Some(frame), Some(new)) = (self.open.last_mut(), logs.get(self.logs_seen..)) {
            frame.take_logs(new);
        }
        self.logs_seen = logs.len();
    }
}

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
    let told = trace.tell(size);
    match trace.open.last_mut() {
        Some(parent) if told => parent.steps.push(Step::Frame(frame)),
        Some(_) => {}
        None => trace.done = Some(frame),
    }
}
