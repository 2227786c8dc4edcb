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
use wasmparser::{ExternalKind, FunctionBody};

use super::{
    ops::{ADDED_GLOBALS, BULK_OPS, ENTRY_OPS, GROW_OPS, METER_OPS, RECLAIM_OPS},
    plan::{FunctionPlan, Insertion},
    price,
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
        pay: program.pay_for_memory_grow().unwrap_or_default(),
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

    /// The length is on top of the stack and stays there. An underflowed number is greater than the one that was there.
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
