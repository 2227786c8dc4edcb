//! The ink of every instruction, and what it does to the height of the value stack.

use wasmparser::{FuncType, Operator};

/// Ink for entering a basic block, besides its instructions.
pub(super) const BLOCK_HEADER: u64 = 2450;
/// Ink per byte of `memory.fill` and `memory.copy`, besides their base.
pub(super) const BULK_BYTE: i64 = 100;

/// Instructions that are allowed in a program but never affordable.
const PROHIBITIVE: u64 = u64::MAX;

/// The properties of one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cost {
    /// Ink charged for it in its basic block.
    pub(super) ink: u64,
    /// The change of the stack height; 0 for structured control and calls, which [`super::depth`] follows itself.
    pub(super) stack: i8,
}

/// Why an instruction cannot be part of any program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Floating point beyond moving values around.
    Float,
    /// Not part of the supported instruction set.
    Unsupported,
}

/// Says whether a basic block ends behind this instruction.
pub(super) fn ends_block(op: &Operator<'_>) -> bool {
    use Operator::*;
    matches!(
        op,
        End | Else
            | Return
            | Loop { .. }
            | Br { .. }
            | BrTable { .. }
            | BrIf { .. }
            | If { .. }
            | Call { .. }
            | CallIndirect { .. }
    )
}

/// The cost of `op` in a module with these `types`, which must have passed validation.
#[rustfmt::skip]
pub(super) fn cost(op: &Operator<'_>, types: &[FuncType]) -> Result<Cost, Refusal> {
    use Operator::*;
    let (ink, stack) = match op {
        Unreachable | Return | Nop | Block { .. } | Loop { .. } | Else | End => (1, 0),
        I32Const { .. } | I64Const { .. } => (1, 1),
        Drop => (9, -1),
        Br { .. } | If { .. } => (765, 0),
        BrIf { .. } => (765, -1),
        BrTable { targets } => (2400 + 325 * u64::from(targets.len()), -1),
        Select => (1250, -2),
        Call { .. } => (3800, 0),
        CallIndirect { type_index, .. } => {
            let ty = types.get(*type_index as usize).ok_or(Refusal::Unsupported)?;
            (13610 + 650 * ty.params().len() as u64, 0)
        }

        LocalGet { .. } => (75, 1),
        LocalTee { .. } => (75, 0),
        LocalSet { .. } => (210, -1),
        GlobalGet { .. } => (225, 1),
        GlobalSet { .. } => (575, -1),

        I32Load { .. } | I32Load8S { .. } | I32Load8U { .. } | I32Load16S { .. } | I32Load16U { .. } => (670, 0),
        I64Load { .. } | I64Load8S { .. } | I64Load8U { .. } | I64Load16S { .. } | I64Load16U { .. }
        | I64Load32S { .. } | I64Load32U { .. } => (680, 0),
        I32Store { .. } | I32Store8 { .. } | I32Store16 { .. } => (825, -2),
        I64Store { .. } | I64Store8 { .. } | I64Store16 { .. } | I64Store32 { .. } => (950, -2),
        MemorySize { .. } => (3000, 1),
        MemoryGrow { .. } => (8050, 0),
        MemoryCopy { .. } | MemoryFill { .. } => (950, -3),

        I32Eqz => (170, 0),
        I32Eq | I32Ne | I32LtS | I32LtU | I32GtS | I32GtU | I32LeS | I32LeU | I32GeS | I32GeU => (170, -1),
        I64Eqz => (225, 0),
        I64Eq | I64Ne | I64LtS | I64LtU | I64GtS | I64GtU | I64LeS | I64LeU | I64GeS | I64GeU => (225, -1),

        I32Clz | I32Ctz | I64Clz | I64Ctz => (210, 0),
        I32Popcnt => (2650, 0),
        I64Popcnt => (6000, 0),
        I32Add | I32Sub | I32And | I32Or | I32Xor | I32Shl | I32ShrS | I32ShrU | I32Rotl | I32Rotr => (70, -1),
        I64Add | I64Sub | I64And | I64Or | I64Xor | I64Shl | I64ShrS | I64ShrU | I64Rotl | I64Rotr => (100, -1),
        I32Mul | I64Mul => (160, -1),
        I32DivS | I32DivU | I32RemS | I32RemU => (1120, -1),
        I64DivS | I64DivU | I64RemS | I64RemU => (1270, -1),
        I32WrapI64 | I64ExtendI32S | I64ExtendI32U | I32Extend8S | I32Extend16S
        | I64Extend8S | I64Extend16S | I64Extend32S => (100, 0),

        F32Const { .. } | F64Const { .. } => (PROHIBITIVE, 1),
        F32Load { .. } | F64Load { .. } => (PROHIBITIVE, 0),
        F32Store { .. } | F64Store { .. } => (PROHIBITIVE, -2),
        I32ReinterpretF32 | I64ReinterpretF64 | F32ReinterpretI32 | F64ReinterpretI64 => (PROHIBITIVE, 0),

        F32Eq | F32Ne | F32Lt | F32Gt | F32Le | F32Ge | F64Eq | F64Ne | F64Lt | F64Gt | F64Le | F64Ge
        | F32Abs | F32Neg | F32Ceil | F32Floor | F32Trunc | F32Nearest | F32Sqrt
        | F32Add | F32Sub | F32Mul | F32Div | F32Min | F32Max | F32Copysign
        | F64Abs | F64Neg | F64Ceil | F64Floor | F64Trunc | F64Nearest | F64Sqrt
        | F64Add | F64Sub | F64Mul | F64Div | F64Min | F64Max | F64Copysign
        | I32TruncF32S | I32TruncF32U | I32TruncF64S | I32TruncF64U
        | I64TruncF32S | I64TruncF32U | I64TruncF64S | I64TruncF64U
        | I32TruncSatF32S | I32TruncSatF32U | I32TruncSatF64S | I32TruncSatF64U
        | I64TruncSatF32S | I64TruncSatF32U | I64TruncSatF64S | I64TruncSatF64U
        | F32ConvertI32S | F32ConvertI32U | F32ConvertI64S | F32ConvertI64U | F32DemoteF64
        | F64ConvertI32S | F64ConvertI32U | F64ConvertI64S | F64ConvertI64U | F64PromoteF32 => return Err(Refusal::Float),

        _ => return Err(Refusal::Unsupported),
    };
    Ok(Cost { ink, stack })
}
