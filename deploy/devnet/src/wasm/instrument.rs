//! Writes a program's module again so that it charges ink for what it runs and bounds its stack.
//!
//! Per function, each step sees the output of those before: every basic block charges its ink on entry; bulk memory
//! operations charge per byte; the frame takes its words from the stack's budget and gives them back before each
//! return; growing memory is paid for. The program's own instructions stay as they are encoded: the globals that are
//! added come behind its own, and nothing else changes an index.

use wasm_encoder::{
    CodeSection, ConstExpr, Encode, ExportKind, ExportSection, GlobalSection, GlobalType,
    Instruction::{self, *},
    Module, RawSection, SectionId, ValType,
};
use wasmparser::{ExternalKind, FunctionBody, Operator};

use super::{
    ActivationError,
    depth::Depth,
    imports::{PAY_FOR_MEMORY_GROW, VM_HOOKS_MODULE},
    limits,
    price::{self, Refusal},
    validate::{ENTRYPOINT, MEMORY, Program},
};

/// Export: i64, ink at hand.
pub(crate) const INK_LEFT: &str = "stylus_ink_left";
/// Export: i32, nonzero once ink has run out.
pub(crate) const INK_STATUS: &str = "stylus_ink_status";
/// Export: i32, used by the instrumentation only.
pub(crate) const SCRATCH: &str = "stylus_scratch_global";
/// Export: i32, words left of the stack's budget, 0 once it has run out.
pub(crate) const STACK_LEFT: &str = "stylus_stack_left";
/// Export: the start function of a program on a debug chain.
pub(crate) const START: &str = "stylus_start";

/// The globals above.
pub(super) const ADDED_GLOBALS: usize = 4;

/// Instructions added for a block, a bulk operation, a function's entry, a return, a growth of memory.
const METER_OPS: u64 = 12;
const BULK_OPS: u64 = 17;
const ENTRY_OPS: u64 = 12;
const RECLAIM_OPS: u64 = 4;
const GROW_OPS: u64 = 4;

/// Words of a frame besides its locals and its value stack.
const FRAME_OVERHEAD: u32 = 4;

/// How one function is instrumented.
#[derive(Clone, Debug)]
pub(super) struct FunctionPlan {
    /// Ink of each basic block in order.
    pub(super) block_ink: Vec<u64>,
    /// Words of its frame.
    pub(super) frame_words: u32,
    /// Declared locals, without parameters.
    pub(super) locals: u64,
    /// Instructions once instrumented.
    pub(super) operators: u64,
    /// An instruction that makes the program unfit to run.
    pub(super) float: Option<String>,
    /// What to insert where, in order.
    insertions: Vec<(usize, Insertion)>,
}

/// What goes before an instruction.
#[derive(Clone, Copy, Debug)]
enum Insertion {
    /// The charge for the basic block of this number.
    Meter(usize),
    /// The charge per byte of a bulk operation.
    Bulk,
    /// Giving back the frame's words, before a return.
    Reclaim,
    /// The return that falling off the end of the function amounts to.
    Return,
    /// Paying for memory.
    Grow,
}

/// Plans the instrumentation of all functions.
///
/// # Errors
/// An unsupported instruction, a frame or stack that is too large, or no import to pay for memory growth with.
pub(super) fn plan(program: &Program<'_>) -> Result<Vec<FunctionPlan>, ActivationError> {
    let plans = program
        .bodies
        .iter()
        .map(|body| plan_function(program, body))
        .collect::<Result<_, _>>()?;
    if program.growable() {
        pay_for_memory_grow(program)?;
    }
    Ok(plans)
}

fn plan_function(
    program: &Program<'_>,
    body: &FunctionBody<'_>,
) -> Result<FunctionPlan, ActivationError> {
    let types = &program.types;
    let mut locals = 0;
    for group in body.get_locals_reader()? {
        locals += u64::from(group?.0);
    }
    let mut plan = FunctionPlan {
        block_ink: Vec::new(),
        frame_words: 0,
        locals,
        operators: ENTRY_OPS,
        float: None,
        insertions: Vec::new(),
    };
    let mut depth = Depth::new(types);
    let mut block = None;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (op, at) = operators.read_with_offset()?;
        let cost = match price::cost(&op, types) {
            Ok(cost) => cost,
            Err(Refusal::Float) => {
                plan.float.get_or_insert_with(|| format!("{op:?}"));
                price::Cost {
                    ink: u64::MAX,
                    stack: 0,
                }
            }
            Err(Refusal::Unsupported) => {
                return Err(ActivationError::parse(format!(
                    "unsupported instruction {op:?}"
                )));
            }
        };
        let ink = block.get_or_insert_with(|| {
            plan.insertions
                .push((at, Insertion::Meter(plan.block_ink.len())));
            plan.operators += METER_OPS;
            depth.meter();
            price::BLOCK_HEADER
        });
        *ink = ink.saturating_add(cost.ink);
        if price::ends_block(&op) {
            plan.block_ink.extend(block.take());
        }
        plan.operators += 1;
        let insertion = match op {
            Operator::MemoryFill { .. } | Operator::MemoryCopy { .. } => {
                depth.bulk();
                plan.operators += BULK_OPS;
                Some(Insertion::Bulk)
            }
            Operator::Return => {
                plan.operators += RECLAIM_OPS;
                Some(Insertion::Reclaim)
            }
            Operator::MemoryGrow { .. } if program.growable() => {
                plan.operators += GROW_OPS;
                Some(Insertion::Grow)
            }
            Operator::End if operators.eof() => {
                plan.operators += RECLAIM_OPS + 1;
                Some(Insertion::Return)
            }
            _ => None,
        };
        plan.insertions
            .extend(insertion.map(|insertion| (at, insertion)));
        let callee = match op {
            Operator::Call { function_index } => program.function_type(function_index),
            _ => None,
        };
        depth.op(&op, cost.stack, callee);
    }
    plan.frame_words = frame_words(depth.worst(), locals)?;
    Ok(plan)
}

fn frame_words(stack: u32, locals: u64) -> Result<u32, ActivationError> {
    let words = u64::from(stack) + locals + u64::from(FRAME_OVERHEAD);
    let words = u32::try_from(words).unwrap_or(u32::MAX);
    if words > limits::MAX_FRAME_WORDS {
        let reason = format!(
            "frame too large: {words} > {}-word limit",
            limits::MAX_FRAME_WORDS
        );
        return Err(ActivationError::parse(reason));
    }
    if stack > limits::MAX_STACK_WORDS {
        let reason = format!(
            "too many values on the stack at once: {stack} > {}",
            limits::MAX_STACK_WORDS
        );
        return Err(ActivationError::parse(reason));
    }
    Ok(words)
}

/// The index of the imported function of type (i32) -> () that pays for memory.
fn pay_for_memory_grow(program: &Program<'_>) -> Result<u32, ActivationError> {
    let missing = || {
        ActivationError::parse(format!(
            "missing import {PAY_FOR_MEMORY_GROW} of {VM_HOOKS_MODULE}"
        ))
    };
    let index = program
        .imports
        .iter()
        .position(|import| import.module == VM_HOOKS_MODULE && import.name == PAY_FOR_MEMORY_GROW)
        .and_then(|index| u32::try_from(index).ok())
        .ok_or_else(missing)?;
    match program.function_type(index) {
        Some(ty) if ty.params() == [wasmparser::ValType::I32] && ty.results().is_empty() => {
            Ok(index)
        }
        ty => Err(ActivationError::parse(format!(
            "wrong type for {PAY_FOR_MEMORY_GROW}: {ty:?}"
        ))),
    }
}

/// The index of the first added global.
pub(super) fn first_added_global(program: &Program<'_>) -> u32 {
    program.globals.len() as u32
}

/// Writes the instrumented module.
pub(super) fn write(program: &Program<'_>, plans: &[FunctionPlan]) -> Vec<u8> {
    let first = first_added_global(program);
    let added = Added {
        ink_left: first,
        ink_status: first + 1,
        scratch: first + 2,
        stack_left: first + 3,
        pay: pay_for_memory_grow(program).unwrap_or_default(),
    };
    let mut module = Module::new();
    let copy = |module: &mut Module, id: SectionId| {
        let id = id.into();
        if let Some(data) = program.section(id) {
            module.section(&RawSection { id, data });
        }
    };
    for id in [
        SectionId::Type,
        SectionId::Import,
        SectionId::Function,
        SectionId::Table,
        SectionId::Memory,
    ] {
        copy(&mut module, id);
    }
    module.section(&globals(program));
    module.section(&exports(program, &added));
    copy(&mut module, SectionId::Element);
    let mut code = CodeSection::new();
    for (body, plan) in program.bodies.iter().zip(plans) {
        code.raw(&added.function(program.wasm, body, plan));
    }
    if !code.is_empty() {
        module.section(&code);
    }
    copy(&mut module, SectionId::Data);
    module.finish()
}

fn globals(program: &Program<'_>) -> GlobalSection {
    let mut section = GlobalSection::new();
    for global in &program.globals {
        section.raw(global);
    }
    let mutable = |val_type| GlobalType {
        val_type,
        mutable: true,
        shared: false,
    };
    section.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
    for _ in 1..ADDED_GLOBALS {
        section.global(mutable(ValType::I32), &ConstExpr::i32_const(0));
    }
    section
}

fn exports(program: &Program<'_>, added: &Added) -> ExportSection {
    let mut section = ExportSection::new();
    for export in &program.exports {
        let kind = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => ExportKind::Func,
            ExternalKind::Table => ExportKind::Table,
            ExternalKind::Memory => ExportKind::Memory,
            ExternalKind::Global => ExportKind::Global,
            ExternalKind::Tag => ExportKind::Tag,
        };
        if program.debug || [ENTRYPOINT, MEMORY].contains(&export.name) {
            section.export(export.name, kind, export.index);
        }
    }
    if let Some(start) = program.start {
        section.export(START, ExportKind::Func, start);
    }
    section.export(INK_LEFT, ExportKind::Global, added.ink_left);
    section.export(INK_STATUS, ExportKind::Global, added.ink_status);
    section.export(SCRATCH, ExportKind::Global, added.scratch);
    section.export(STACK_LEFT, ExportKind::Global, added.stack_left);
    section
}

/// The indices of what instrumentation works with.
struct Added {
    ink_left: u32,
    ink_status: u32,
    scratch: u32,
    stack_left: u32,
    /// The import that pays for memory; any if no plan grows memory.
    pay: u32,
}

impl Added {
    /// The function's body with everything inserted.
    fn function(&self, wasm: &[u8], body: &FunctionBody<'_>, plan: &FunctionPlan) -> Vec<u8> {
        let range = body.range();
        let words = plan.frame_words.cast_signed();
        // Every function ends, so there is an insertion at its first instruction.
        let first = plan.insertions.first().map_or(range.end, |(at, _)| *at);
        let mut out = Vec::with_capacity(range.len() + 32 * plan.insertions.len() + 64);
        out.extend_from_slice(wasm.get(range.start..first).unwrap_or_default());
        emit(&mut out, &self.entry(words));
        let mut from = first;
        for (at, insertion) in &plan.insertions {
            out.extend_from_slice(wasm.get(from..*at).unwrap_or_default());
            from = *at;
            match insertion {
                Insertion::Meter(block) => {
                    let ink = plan.block_ink.get(*block).copied().unwrap_or(u64::MAX);
                    emit(&mut out, &self.meter(ink.cast_signed()));
                }
                Insertion::Bulk => emit(&mut out, &self.bulk()),
                Insertion::Reclaim => emit(&mut out, &self.reclaim(words)),
                Insertion::Return => {
                    emit(&mut out, &self.reclaim(words));
                    emit(&mut out, &[Return]);
                }
                Insertion::Grow => emit(&mut out, &self.grow()),
            }
        }
        out.extend_from_slice(wasm.get(from..range.end).unwrap_or_default());
        out
    }

    fn meter(&self, ink: i64) -> [Instruction<'static>; METER_OPS as usize] {
        [
            GlobalGet(self.ink_left),
            I64Const(ink),
            I64LtU,
            If(wasm_encoder::BlockType::Empty),
            I32Const(1),
            GlobalSet(self.ink_status),
            Unreachable,
            End,
            GlobalGet(self.ink_left),
            I64Const(ink),
            I64Sub,
            GlobalSet(self.ink_left),
        ]
    }

    /// The length is on top of the stack and stays there. What underflows is greater than what was there.
    fn bulk(&self) -> [Instruction<'static>; BULK_OPS as usize] {
        [
            GlobalSet(self.scratch),
            GlobalGet(self.ink_left),
            GlobalGet(self.ink_left),
            GlobalGet(self.scratch),
            I64ExtendI32U,
            I64Const(price::BULK_BYTE),
            I64Mul,
            I64Sub,
            GlobalSet(self.ink_left),
            GlobalGet(self.ink_left),
            I64LtU,
            If(wasm_encoder::BlockType::Empty),
            I32Const(1),
            GlobalSet(self.ink_status),
            Unreachable,
            End,
            GlobalGet(self.scratch),
        ]
    }

    fn entry(&self, words: i32) -> [Instruction<'static>; ENTRY_OPS as usize] {
        [
            GlobalGet(self.stack_left),
            I32Const(words),
            I32LeU,
            If(wasm_encoder::BlockType::Empty),
            I32Const(0),
            GlobalSet(self.stack_left),
            Unreachable,
            End,
            GlobalGet(self.stack_left),
            I32Const(words),
            I32Sub,
            GlobalSet(self.stack_left),
        ]
    }

    fn reclaim(&self, words: i32) -> [Instruction<'static>; RECLAIM_OPS as usize] {
        [
            GlobalGet(self.stack_left),
            I32Const(words),
            I32Add,
            GlobalSet(self.stack_left),
        ]
    }

    /// The pages are on top of the stack and stay there.
    fn grow(&self) -> [Instruction<'static>; GROW_OPS as usize] {
        [
            GlobalSet(self.scratch),
            GlobalGet(self.scratch),
            GlobalGet(self.scratch),
            Call(self.pay),
        ]
    }
}

fn emit(out: &mut Vec<u8>, instructions: &[Instruction<'_>]) {
    for instruction in instructions {
        instruction.encode(out);
    }
}
