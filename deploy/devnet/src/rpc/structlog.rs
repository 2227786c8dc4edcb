//! A trace opcode by opcode, in the shape of the default tracer of Ethereum's nodes.

use alloy_primitives::hex;
use revm::bytecode::opcode::OpCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::evm::{
    Outcome, Status,
    opcodes::{OpStep, Wanted},
};

/// The parts of each step to show, named as Ethereum's nodes name them.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StructLogOptions {
    enable_memory: bool,
    disable_stack: bool,
    disable_storage: bool,
    /// Steps after which the rest is left out; 0 leaves nothing out.
    limit: usize,
}
impl StructLogOptions {
    pub(super) fn wanted(self) -> Wanted {
        Wanted {
            stack: !self.disable_stack,
            memory: self.enable_memory,
            storage: !self.disable_storage,
            limit: match self.limit {
                0 => usize::MAX,
                limit => limit,
            },
        }
    }
}

pub(super) fn show(outcome: &Outcome, steps: &[OpStep]) -> Value {
    json!({
        "gas": outcome.gas_used,
        "failed": outcome.status != Status::Success,
        "returnValue": outcome.output,
        "structLogs": steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &OpStep) -> Value {
    let name = match OpCode::name_by_op(step.opcode) {
        "Unknown" => format!("opcode {:#04x} not defined", step.opcode),
        name => name.to_owned(),
    };
    let mut shown = json!({
        "pc": step.pc, "op": name, "gas": step.gas, "gasCost": step.cost, "depth": step.depth,
    });
    if let Some(stack) = &step.stack {
        shown["stack"] = json!(stack);
    }
    if let Some(memory) = step.memory.as_ref().filter(|memory| !memory.is_empty()) {
        let words = memory.chunks(32).map(hex::encode_prefixed);
        shown["memory"] = words.collect();
    }
    if let Some(storage) = &step.storage {
        let slots = storage.iter().map(|(key, value)| {
            let word =
                |word: &alloy_primitives::U256| hex::encode_prefixed(word.to_be_bytes::<32>());
            (word(key), json!(word(value)))
        });
        shown["storage"] = Value::Object(slots.collect::<Map<_, _>>());
    }
    if let Some(error) = &step.error {
        shown["error"] = json!(error);
    }
    shown
}
