//! The insertions in each function and their sum, found by one look at every instruction.

use wasmparser::{FunctionBody, Operator};

use super::{
    ActivationError,
    depth::Depth,
    limits,
    ops::{BULK_OPS, ENTRY_OPS, GROW_OPS, METER_OPS, RECLAIM_OPS},
    price::{self, Refusal},
    validate::Program,
};

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
    /// Insertions and their places, in order.
    pub(super) insertions: Vec<(usize, Insertion)>,
}

/// An insertion before an instruction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Insertion {
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
        program.pay_for_memory_grow()?;
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
