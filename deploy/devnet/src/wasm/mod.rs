//! From a program's WASM to an activated program: validation, pricing, instrumentation, estimates. Pure.
//!
//! [`validate`] parses foreign bytes into a program, [`plan`] decides with the prices of [`price`] and the stack
//! bounds of [`depth`] what goes where, [`instrument`] writes the metered module, [`estimate`] computes what the chain records and charges,
//! [`limits`], [`counts`] and [`link`] hold what a program may not exceed and may import. [`memory`] prices memory growth.

use alloy_primitives::{B256, Keccak256};

mod counts;
mod depth;
mod estimate;
pub(crate) mod imports;
pub(crate) mod instrument;
mod limits;
mod link;
pub(crate) mod memory;
mod ops;
mod plan;
mod price;
mod validate;

#[cfg(test)]
mod tests;

/// The chain parameters that activation depends on (ArbOS 51 / Stylus v2 defaults).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActivationParams {
    pub(crate) version: u16,
    pub(crate) arbos: u64,
    pub(crate) page_limit: u16,
    pub(crate) debug: bool,
}

/// An activated program: what the chain records and charges.
#[derive(Clone, Debug)]
pub(crate) struct Activated {
    pub(crate) footprint_pages: u16,
    pub(crate) init_cost: u16,
    pub(crate) cached_cost: u16,
    /// bytes
    pub(crate) asm_estimate: u32,
    /// gas beyond the fixed part (28·µs formula)
    pub(crate) variable_gas: u64,
    /// A placeholder: keccak256 of the instrumented module and the version.
    pub(crate) module_hash: B256,
}

/// Why a program cannot be activated: messages, outermost first.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join(": "))]
pub(crate) struct ActivationError(pub(crate) Vec<String>);

impl ActivationError {
    /// The program itself is malformed or beyond a limit.
    fn parse(reason: impl Into<String>) -> Self {
        Self(vec!["failed to parse wasm".into(), reason.into()])
    }

    /// The program is well formed but cannot be built into something that runs.
    fn build(reason: impl Into<String>) -> Self {
        Self(vec!["failed to build user module".into(), reason.into()])
    }

    /// The gas at hand does not cover the variable part of activation.
    fn out_of_gas() -> Self {
        Self(vec!["out of gas".into()])
    }
}

impl From<wasmparser::Error> for ActivationError {
    fn from(source: wasmparser::Error) -> Self {
        Self::parse(source.to_string())
    }
}

/// Validates, instruments and prices a program, with unbounded gas.
pub(crate) fn activate(
    wasm: &[u8],
    params: ActivationParams,
) -> Result<Activated, ActivationError> {
    activate_within(wasm, params, u64::MAX)
}

/// As [`activate`], failing with `out of gas` when the variable gas exceeds `gas_left`.
pub(crate) fn activate_within(
    wasm: &[u8],
    params: ActivationParams,
    gas_left: u64,
) -> Result<Activated, ActivationError> {
    let program = validate::Program::parse(wasm, params)?;
    let plans = plan::plan(&program)?;
    program.entrypoint()?;
    let estimate = estimate::Estimate::of(&program, &plans, params)?;
    counts::check(&program, &plans)?;
    if estimate.variable_gas > gas_left {
        return Err(ActivationError::out_of_gas());
    }
    link::check(&program, &plans)?;
    let module = instrument::write(&program, &plans);
    let mut hasher = Keccak256::new();
    hasher.update(&module);
    hasher.update(params.version.to_be_bytes());
    Ok(Activated {
        footprint_pages: program.footprint(),
        init_cost: estimate.init_cost,
        cached_cost: estimate.cached_cost,
        asm_estimate: estimate.asm_bytes,
        variable_gas: estimate.variable_gas,
        module_hash: hasher.finalize(),
    })
}

/// The instrumented module that the engine runs, without the limits' checks: exports `user_entrypoint`, `memory`,
/// `stylus_ink_left` (i64), `stylus_ink_status` (i32), `stylus_scratch_global` (i32), `stylus_stack_left` (i32).
pub(crate) fn instrument_for_run(
    wasm: &[u8],
    params: ActivationParams,
) -> Result<Vec<u8>, ActivationError> {
    let program = validate::Program::parse(wasm, params)?;
    let plans = plan::plan(&program)?;
    Ok(instrument::write(&program, &plans))
}
