//! The checks that an instrumented program can be built: its imports exist, its instructions run, its segments fit.

use super::{
    ActivationError, imports,
    plan::FunctionPlan,
    validate::{Program, Segment},
};

const PAGE: u64 = 1 << 16;

/// Checks imports, floating point and segments.
///
/// # Errors
/// The first that is missing, refused or out of bounds.
pub(super) fn check(program: &Program<'_>, plans: &[FunctionPlan]) -> Result<(), ActivationError> {
    for import in &program.imports {
        let function =
            imports::find(import.module, import.name, program.debug).ok_or_else(|| {
                ActivationError::build(format!(
                    "missing import {} in {}",
                    import.name, import.module
                ))
            })?;
        let ty = program.types.get(import.ty as usize);
        if !ty.is_some_and(|ty| ty.params() == function.params && ty.results() == function.results)
        {
            let reason = format!("import {} has the wrong signature: {ty:?}", import.name);
            return Err(ActivationError::build(reason));
        }
    }
    if let Some(operator) = plans.iter().find_map(|plan| plan.float.as_deref()) {
        return Err(ActivationError::build(format!(
            "unsupported floating point operation {operator}"
        )));
    }
    fits(
        "data",
        &program.data,
        program.memory.initial.saturating_mul(PAGE),
    )?;
    fits(
        "element",
        &program.elements,
        program.tables.first().copied().unwrap_or(0),
    )
}

fn fits(what: &str, segments: &[Segment], room: u64) -> Result<(), ActivationError> {
    for Segment { length, offset, .. } in segments {
        if let Some(offset) = offset
            && u64::from(*offset) + length > room
        {
            let reason = format!(
                "{what} segment of {length} at {offset} is out of bounds, want at most {room}"
            );
            return Err(ActivationError::build(reason));
        }
    }
    Ok(())
}
