//! The deeds of a transaction, frame by frame: its calls and creations, their logs, and the host calls of its programs.

use alloy_primitives::{Address, Bytes, Log, U256};

use super::opcodes::{OpStep, Opcodes, Wanted};
use crate::hostio::HostCall;

/// The operation that opened a frame.
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

/// A deed of a frame.
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

    pub(super) fn take_logs(&mut self, logs: &[Log]) {
        let before = self.calls().count();
        self.logs
            .extend(logs.iter().map(|log| (log.clone(), before)));
    }
}

/// Bytes that a trace may take when it is shown.
const MAX_SHOWN: usize = 24 << 20;
/// Those of a frame and of a host call, without what is in them.
pub(super) const FRAME: usize = 500;
const HOST_CALL: usize = 150;

/// The detail to record of a transaction: its frames and host calls, or its opcodes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Detail {
    Frames,
    Opcodes(Wanted),
}

/// The record of a transaction.
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
    /// Bytes shown so far.
    shown: usize,
    pub(super) opcodes: Option<Opcodes>,
    /// The frames that are open, the outermost first.
    pub(super) open: Vec<TracedFrame>,
    /// The outermost frame, once it is closed.
    pub(super) done: Option<TracedFrame>,
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
            cut: self.shown > MAX_SHOWN,
        }
    }

    /// The opcodes, if they are wanted and not too many yet.
    pub(super) fn opcodes(&self) -> Option<&Opcodes> {
        self.opcodes.as_ref().filter(|_| self.shown <= MAX_SHOWN)
    }

    /// Notes an opcode with the bytes it takes.
    pub(super) fn note(&mut self, step: impl FnOnce(&mut Opcodes) -> (OpStep, usize)) {
        if let Some(opcodes) = &mut self.opcodes {
            let (step, size) = step(opcodes);
            self.shown = self.shown.saturating_add(size);
            opcodes.steps.push(step);
        }
    }

    /// Counts the bytes to be shown; `false` if they are too many. A trace of opcodes shows nothing else.
    pub(super) fn show(&mut self, bytes: usize) -> bool {
        if self.opcodes.is_some() {
            return false;
        }
        self.shown = self.shown.saturating_add(bytes);
        self.shown <= MAX_SHOWN
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
        if self.show(size)
            && let Some(frame) = self.open.last_mut()
        {
            frame.steps.push(Step::Host(call));
        }
    }

    pub(super) fn take_logs(&mut self, logs: &[Log]) {
        if let (Some(frame), Some(new)) = (self.open.last_mut(), logs.get(self.logs_seen..)) {
            frame.take_logs(new);
        }
        self.logs_seen = logs.len();
    }
}
