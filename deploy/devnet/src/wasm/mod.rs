//! From a program's WASM to an activated program: validation, pricing, instrumentation, estimates. Pure.

use alloy_primitives::B256;

/// The chain parameters that activation depends on (ArbOS 51 / Stylus v2 defaults).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActivationParams {
    pub(crate) version: u16,
    pub(crate) arbos: u64,
    pub(crate) page_limit: u16,
    pub(crate) debug: bool,
}

/// An activated program: what the chain records, and the instrumented module that the engine runs.
#[derive(Clone, Debug)]
pub(crate) struct Activated {
    pub(crate) footprint_pages: u16,
    pub(crate) init_cost: u16,
    pub(crate) cached_cost: u16,
    /// bytes
    pub(crate) asm_estimate: u32,
    /// gas beyond the fixed part (28·µs formula)
    pub(crate) variable_gas: u64,
    /// The instrumented WASM; exports `user_entrypoint`, `memory`, `stylus_ink_left` (i64), `stylus_ink_status` (i32), `stylus_scratch_global` (i32), `stylus_stack_left` (i32).
    pub(crate) module: Vec<u8>,
    /// A placeholder: keccak256 of the instrumented module and the version.
    pub(crate) module_hash: B256,
}

/// Why a program cannot be activated: messages, outermost first.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join(": "))]
pub(crate) struct ActivationError(pub(crate) Vec<String>);

/// Validates, instruments and prices a program. `gas_left` bounds the variable gas; `None` is unbounded.
pub(crate) fn activate(
    _wasm: &[u8],
    _params: ActivationParams,
) -> Result<Activated, ActivationError> {
    todo!()
}
/// Instruments again for running (same bytes as at activation), without the limits' checks.
pub(crate) fn instrument_for_run(
    _wasm: &[u8],
    _params: ActivationParams,
) -> Result<Vec<u8>, ActivationError> {
    todo!()
}
