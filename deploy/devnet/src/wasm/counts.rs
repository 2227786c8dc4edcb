//! How much of everything a program may have. Checked on the instrumented program: what instrumentation adds counts.

use super::{ActivationError, ops::ADDED_GLOBALS, plan::FunctionPlan, validate::Program};

const DATA_SEGMENTS: usize = 128;
const ELEMENT_SEGMENTS: usize = 128;
/// All element segments together, as encoded.
const ELEMENT_BYTES: u64 = 4096;
/// Only on debug chains: others drop the program's own exports.
const EXPORTS: usize = 1024;
const FUNCTIONS: usize = 4096;
const GLOBALS: usize = 32_768;
const IMPORTS: usize = 513;
const LOCALS: u64 = 348;
const NAME_BYTES: usize = 512;
/// Instructions of a function once instrumented.
const OPERATORS: u64 = 65_536;
const TABLE_ENTRIES: u64 = 4096;

/// Checks all counts and lengths.
///
/// # Errors
/// The first that is beyond its limit.
pub(super) fn check(program: &Program<'_>, plans: &[FunctionPlan]) -> Result<(), ActivationError> {
    at_most("data segments", program.data.len(), DATA_SEGMENTS)?;
    at_most("element segments", program.elements.len(), ELEMENT_SEGMENTS)?;
    let element_bytes = program
        .elements
        .iter()
        .map(|segment| segment.encoded)
        .sum::<u64>();
    at_most("bytes of element segments", element_bytes, ELEMENT_BYTES)?;
    at_most("functions", program.functions.len(), FUNCTIONS)?;
    at_most("globals", program.globals.len() + ADDED_GLOBALS, GLOBALS)?;
    at_most("imports", program.imports.len(), IMPORTS)?;
    for entries in &program.tables {
        at_most("table entries", *entries, TABLE_ENTRIES)?;
    }
    for plan in plans {
        at_most("locals", plan.locals, LOCALS)?;
        at_most("instructions in a function", plan.operators, OPERATORS)?;
    }
    at_most(
        "bytes of the module's name",
        program.module_name,
        NAME_BYTES,
    )?;
    if program.debug {
        let exports = program.exports.len() + ADDED_GLOBALS + usize::from(program.start.is_some());
        at_most("exports", exports, EXPORTS)?;
        at_most(
            "bytes of a function's name",
            program.longest_function_name,
            NAME_BYTES,
        )?;
        for export in &program.exports {
            at_most("bytes of an export's name", export.name.len(), NAME_BYTES)?;
        }
    }
    Ok(())
}

fn at_most<N: PartialOrd + std::fmt::Display>(
    what: &str,
    found: N,
    limit: N,
) -> Result<(), ActivationError> {
    if found > limit {
        return Err(ActivationError::parse(format!(
            "too many {what}: {found}, want at most {limit}"
        )));
    }
    Ok(())
}
