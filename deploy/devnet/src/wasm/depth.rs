//! The worst-case height of a function's value stack, by one walk over its metered code.

use wasmparser::{BlockType, FuncType, Operator};

/// A walk over one function. Heights saturate at zero, which dead code can reach.
#[derive(Debug)]
pub(super) struct Depth<'a> {
    types: &'a [FuncType],
    current: u32,
    worst: u32,
    /// The heights that open blocks return to.
    scopes: Vec<u32>,
}

impl<'a> Depth<'a> {
    /// Starts at the function's outermost scope.
    pub(super) fn new(types: &'a [FuncType]) -> Self {
        Self {
            types,
            current: 0,
            worst: 0,
            scopes: vec![0],
        }
    }

    /// The greatest height seen.
    pub(super) fn worst(&self) -> u32 {
        self.worst
    }

    /// Passes the charge for a basic block, which holds two operands at most.
    pub(super) fn meter(&mut self) {
        self.push(2);
        self.pop(2);
    }

    /// Passes the charge for a bulk operation: its length moves aside, four operands come and go, the length returns.
    pub(super) fn bulk(&mut self) {
        self.pop(1);
        self.push(4);
        self.pop(4);
        self.push(1);
    }

    /// Passes `op`; `stack` is its change of height where that does not depend on types and blocks, `callee` the type
    /// of the function that a `call` names.
    pub(super) fn op(&mut self, op: &Operator<'_>, stack: i8, callee: Option<&FuncType>) {
        match op {
            Operator::Block { blockty } | Operator::Loop { blockty } => self.open(*blockty),
            Operator::If { blockty } => {
                self.pop(1);
                self.open(*blockty);
            }
            Operator::Else => self.current = self.scopes.last().copied().unwrap_or(0),
            Operator::End => self.current = self.scopes.pop().unwrap_or(0),
            Operator::Call { .. } => self.call(callee),
            Operator::CallIndirect { type_index, .. } => {
                self.call(self.types.get(*type_index as usize));
                self.pop(1);
            }
            _ if stack < 0 => self.pop(u32::from(stack.unsigned_abs())),
            _ => self.push(u32::from(stack.unsigned_abs())),
        }
    }

    fn open(&mut self, ty: BlockType) {
        match ty {
            BlockType::Empty => {}
            BlockType::Type(_) => self.push(1),
            BlockType::FuncType(index) => self.call(self.types.get(index as usize)),
        }
        self.scopes.push(self.current);
    }

    fn call(&mut self, ty: Option<&FuncType>) {
        if let Some(ty) = ty {
            self.push(ty.results().len() as u32);
            self.pop(ty.params().len() as u32);
        }
    }

    fn push(&mut self, words: u32) {
        self.current = self.current.saturating_add(words);
        self.worst = self.worst.max(self.current);
    }

    fn pop(&mut self, words: u32) {
        self.current = self.current.saturating_sub(words);
    }
}
