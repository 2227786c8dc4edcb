//! The numbers that activation records and charges for: linear estimates, every term rounded down.

use super::{
    ActivationError, ActivationParams,
    ops::ADDED_GLOBALS,
    plan::FunctionPlan,
    validate::{Program, Segment},
};

/// Gas per microsecond of the machine that the estimates were made on.
const GAS_PER_MICROSECOND: u64 = 28;
/// Since this version of ArbOS, reading the module is paid for too.
const ARBOS_PAYS_FOR_BYTES: u64 = 32;

/// The estimates of one program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Estimate {
    /// The size of the native code, in bytes.
    pub(super) asm_bytes: u32,
    /// Microseconds to start a program from scratch, in the units of the chain's record.
    pub(super) init_cost: u16,
    /// The same when the native code is at hand.
    pub(super) cached_cost: u16,
    /// The gas of activation beyond its fixed part.
    pub(super) variable_gas: u64,
}

impl Estimate {
    /// Estimates `program`, instrumented as planned.
    ///
    /// # Errors
    /// A cost that does not fit the chain's record.
    pub(super) fn of(
        program: &Program<'_>,
        plans: &[FunctionPlan],
        params: ActivationParams,
    ) -> Result<Self, ActivationError> {
        let wasm = program.wasm.len() as u64;
        let functions = program.functions.len() as u64;
        let values: u64 = program
            .functions
            .iter()
            .filter_map(|ty| program.types.get(*ty as usize))
            .map(|ty| (ty.params().len() + ty.results().len()) as u64)
            .sum();
        let globals = (program.globals.len() + ADDED_GLOBALS) as u64;
        let data = encoded(&program.data);
        let elements = encoded(&program.elements);
        let payload: u64 = program.data.iter().map(|segment| segment.length).sum();
        let pages = program.memory.initial;

        let asm =
            512_000 + functions * 996_829 / 1000 + values * 11_416 / 1000 + wasm * 62_628 / 10_000;
        let cached = functions * 13_420 / 100_000
            + values * 89 / 100_000
            + wasm * 122 / 100_000
            + globals * 1628 / 1000
            + (data + elements) * 75_244 / 100_000
            + pages * 5;
        let mut init = functions * 8252 / 1000 + values * 1059 / 1000 + wasm * 1286 / 10_000;
        if params.version == 1 {
            init += cached;
        }

        let operators: u64 = plans.iter().map(|plan| plan.operators).sum();
        let mut microseconds = functions * 17_263 / 100_000
            + payload * 17_376 / 100_000
            + elements * 17_376 / 100_000
            + pages * 2217
            + operators * 535 / 1000;
        if params.arbos >= ARBOS_PAYS_FOR_BYTES {
            microseconds += wasm * 31_733 / 100_000;
        }

        Ok(Self {
            asm_bytes: asm
                .try_into()
                .map_err(|_| too_large("size of native code", asm))?,
            init_cost: init.try_into().map_err(|_| too_large("init cost", init))?,
            cached_cost: cached
                .try_into()
                .map_err(|_| too_large("cached cost", cached))?,
            variable_gas: GAS_PER_MICROSECOND * microseconds,
        })
    }
}

fn encoded(segments: &[Segment]) -> u64 {
    segments.iter().map(|segment| segment.encoded).sum()
}

fn too_large(what: &str, value: u64) -> ActivationError {
    ActivationError::parse(format!("{what} too large: {value}"))
}
