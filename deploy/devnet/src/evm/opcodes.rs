//! The single opcodes of a transaction, as the default tracer of Ethereum's nodes shows them.
//!
//! A Stylus program has no opcodes: of a call into one only the opcode that made it is seen.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{Address, U256};
use revm::bytecode::opcode;
use revm::handler::EthFrame;
use revm::interpreter::InstructionResult;
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::Jumps;

/// Bytes that a step takes when it is shown, without its contents.
const STEP: usize = 150;
const STACK_WORD: usize = 69;
const SLOT: usize = 140;

/// The parts of each step to record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) stack: bool,
    pub(crate) memory: bool,
    pub(crate) storage: bool,
    /// Steps after which the rest is left out.
    pub(crate) limit: usize,
}

/// An opcode, as it was about to run.
#[derive(Clone, Debug)]
pub(crate) struct OpStep {
    pub(crate) pc: usize,
    pub(crate) opcode: u8,
    pub(crate) gas: u64,
    /// Gas that it took, what it gave to a callee included.
    pub(crate) cost: u64,
    /// From 1.
    pub(crate) depth: usize,
    /// The bottom first.
    pub(crate) stack: Option<Vec<U256>>,
    pub(crate) memory: Option<Vec<u8>>,
    /// For an access to storage: what is known of the account's after it.
    pub(crate) storage: Option<BTreeMap<U256, U256>>,
    /// Why it failed.
    pub(crate) error: Option<String>,
}

/// The steps recorded so far.
#[derive(Clone, Debug)]
pub(crate) struct Opcodes {
    wanted: Wanted,
    pub(crate) steps: Vec<OpStep>,
    storage: HashMap<Address, BTreeMap<U256, U256>>,
}

impl Opcodes {
    pub(crate) fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            steps: Vec::new(),
            storage: HashMap::new(),
        }
    }

    pub(super) fn before(&self, frame: &EthFrame<EthInterpreter>) -> Option<OpStep> {
        if self.steps.len() >= self.wanted.limit {
            return None;
        }
        let interpreter = &frame.interpreter;
        let memory = || interpreter.memory.context_memory().to_vec();
        Some(OpStep {
            pc: interpreter.bytecode.pc(),
            opcode: interpreter.bytecode.opcode(),
            gas: interpreter.gas.remaining(),
            cost: 0,
            depth: frame.depth + 1,
            stack: self.wanted.stack.then(|| interpreter.stack.data().clone()),
            memory: self.wanted.memory.then(memory),
            storage: None,
            error: None,
        })
    }

    /// The slot that the opcode now at hand touches, and what is written to it.
    pub(super) fn slot(&self, frame: &EthFrame<EthInterpreter>) -> Option<(U256, Option<U256>)> {
        let stack = frame.interpreter.stack.data();
        let nth = |n: usize| stack.len().checked_sub(n).map(|at| stack[at]);
        match frame.interpreter.bytecode.opcode() {
            opcode::SLOAD if self.wanted.storage => Some((nth(1)?, None)),
            opcode::SSTORE if self.wanted.storage => Some((nth(1)?, Some(nth(2)?))),
            _ => None,
        }
    }

    pub(super) fn after(
        &mut self,
        mut step: OpStep,
        slot: Option<(U256, Option<U256>)>,
        frame: &EthFrame<EthInterpreter>,
        failed: Option<InstructionResult>,
    ) -> (OpStep, usize) {
        let interpreter = &frame.interpreter;
        step.cost = step.gas.saturating_sub(interpreter.gas.remaining());
        step.error = failed.map(|result| format!("{result:?}"));
        if let (Some((key, written)), None) = (slot, failed) {
            let value = written.or_else(|| interpreter.stack.data().last().copied());
            let account = interpreter.input.target_address;
            let known = self.storage.entry(account).or_default();
            known.insert(key, value.unwrap_or_default());
            step.storage = Some(known.clone());
        }
        let size = STEP
            + STACK_WORD * step.stack.as_ref().map_or(0, Vec::len)
            + 3 * step.memory.as_ref().map_or(0, Vec::len)
            + SLOT * step.storage.as_ref().map_or(0, BTreeMap::len);
        (step, size)
    }
}
