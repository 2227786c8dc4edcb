//! Activation against recorded numbers, and programs made to hurt.

#![allow(clippy::unwrap_used)]

mod bounds;
mod runs;

use serde_json::Value;

use super::{estimate::Estimate, plan::FunctionPlan, validate::Program, *};
use crate::vectors::{self, Activate, Kind};

fn params(given: &Activate) -> (ActivationParams, u64) {
    let params = ActivationParams {
        version: given.version,
        arbos: given.arbos,
        page_limit: given.page_limit,
        debug: given.debug,
    };
    (params, given.gas.unwrap_or(u64::MAX))
}

fn each(plans: &[FunctionPlan], of: impl Fn(&FunctionPlan) -> Value) -> Value {
    plans.iter().map(of).collect()
}

/// All recorded numbers of an activation, as the vectors name them.
fn observe(wasm: &[u8], params: ActivationParams, gas: u64) -> Result<Value, ActivationError> {
    let activated = activate_within(wasm, params, gas)?;
    let program = Program::parse(wasm, params)?;
    let plans = plan::plan(&program)?;
    let estimate = Estimate::of(&program, &plans, params)?;
    assert_eq!(estimate.variable_gas, activated.variable_gas);
    let first = instrument::first_added_global(&program);
    Ok(serde_json::json!({
        "ok": true,
        "asm_estimate": activated.asm_estimate,
        "block_ink": each(&plans, |plan| plan.block_ink.clone().into()),
        "cached_init_cost": activated.cached_cost,
        "footprint": activated.footprint_pages,
        "frame_words": each(&plans, |plan| plan.frame_words.into()),
        "globals": {"ink_left": first, "ink_status": first + 1, "depth_left": first + 3},
        "init_cost": activated.init_cost,
        "ops_instrumented": plans.iter().map(|plan| plan.operators).sum::<u64>(),
        "ops_per_func": each(&plans, |plan| plan.operators.into()),
        "user_main": program.entrypoint()?,
        "variable_gas": activated.variable_gas,
        "wasm_len": wasm.len(),
    }))
}

/// Compares all recorded numbers of the items of a kind; the repository's own are counted.
fn matches(kind: Kind, own: usize) {
    let mut wrong = Vec::new();
    let items = vectors::items(&[kind]);
    for item in &items {
        let name = &item.name;
        let given = item
            .activate
            .as_ref()
            .expect("an activation has parameters");
        let (params, gas) = params(given);
        let wasm = vectors::bytes(&item.file);
        let expected = item.expected.as_object().unwrap();
        match observe(&wasm, params, gas) {
            Err(error) if expected["ok"] == true => wrong.push(format!("{name}: {error}")),
            Err(_) => {
                let unknown = expected
                    .keys()
                    .find(|key| !["ok", "error"].contains(&&***key));
                wrong.extend(unknown.map(|key| format!("{name}: {key} of a rejected program")));
            }
            Ok(found) => {
                for (key, value) in expected {
                    if found[key] != *value {
                        wrong.push(format!("{name}: {key} is {}, want {value}", found[key]));
                    }
                }
            }
        }
        if let Ok(module) = instrument_for_run(&wasm, params) {
            wasmparser::validate(&module).unwrap();
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        items.len(),
        wrong.join("\n")
    );
    println!("{} items", items.len());
    assert!(items.len() == own || !vectors::own());
}

#[test]
fn activates_written_programs_to_the_recorded_numbers() {
    matches(Kind::ActivationHand, 112);
}

#[test]
fn activates_random_programs_to_the_recorded_numbers() {
    matches(Kind::ActivationRandom, 70);
}

#[test]
fn accepts_what_the_reference_accepts() {
    matches(Kind::Accept, 29);
}

#[test]
fn rejects_what_the_reference_rejects() {
    matches(Kind::Reject, 45);
}
