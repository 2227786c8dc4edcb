//! Random programs, instrumented and run by the engine in a frame, against the slow interpreter of [`meter`], which
//! reads them as they were written: outcome, output with all of memory and the globals, ink to the unit, words of
//! stack, pages, storage, refund, and the ink around each host call.
//!
//! `STYLUS_DEVNET_MODULES=10000` runs 10,000 programs, `STYLUS_DEVNET_SEED=7` others. `tests/differential.md` has figures.

mod body;
mod generate;
mod host;
mod meter;
mod numeric;
mod price;
mod program;

use std::collections::BTreeMap;
use std::thread;

use alloy_primitives::U256;

use super::vectors::{Seen, run};
use crate::arbos::params::Params;
use crate::arbos::programs::activation_params;
use crate::engine::Engine;
use crate::vectors::{self, Item, Kind, Setting};
use crate::wasm;
use generate::Rng;
use meter::{Machine, Start, Stop};
use program::Program;

const INK_PRICE: u64 = 10_000;
/// Programs of a run without further wishes.
const MODULES: u64 = 400;
/// The interpreter calls itself for each call of a program.
const STACK: usize = 512 << 20;

/// What the interpreter saw, in the words of the recordings. `None`: it met something it does not do.
fn reference(wasm: &[u8], item: &Item) -> Option<Seen> {
    let args = hex::decode(&item.args).unwrap();
    let number = |text: &String| U256::from_str_radix(text, 16).unwrap();
    let storage: BTreeMap<U256, U256> = (item.env.storage.iter())
        .map(|(slot, value)| (number(slot), number(value)))
        .collect();
    let start = Start {
        args: &args,
        ink: item.ink_limit,
        stack: item
            .env
            .max_depth
            .unwrap_or(Params::DEFAULT.max_stack_depth),
        storage: storage.clone(),
    };
    let program = Program::read(wasm);
    let (result, machine) = program.run(&start);
    if matches!(result, Err(Stop::Unknown(_))) {
        return None;
    }
    let Machine {
        ink,
        stack,
        memory,
        pages,
        outs,
        steps,
        refund,
        slots,
        ..
    } = machine;
    let ended = result.is_ok();
    let outcome = match result {
        Ok(0) => "success",
        Ok(_) => "revert",
        Err(Stop::OutOfInk) => "out_of_ink",
        Err(Stop::OutOfStack) => "out_of_stack",
        Err(_) => "failure",
    };
    let gone = matches!(result, Err(Stop::OutOfInk | Stop::OutOfStack));
    let ink_left = if gone { 0 } else { ink };
    let succeeded = outcome == "success";
    let text = |number: U256| hex::encode(number.to_be_bytes::<32>());
    Some(Seen {
        outcome: outcome.into(),
        outs: if ended {
            hex::encode(outs)
        } else {
            String::new()
        },
        ink_left,
        ink_used: item.ink_limit - ink_left,
        gas_left: ink_left / INK_PRICE,
        stack_left: stack,
        memory_pages: (memory.len() >> 16) as u64,
        pages,
        storage: slots
            .into_iter()
            .filter(|(slot, value)| {
                succeeded && storage.get(slot).copied().unwrap_or_default() != *value
            })
            .map(|(slot, value)| (text(slot), text(value)))
            .collect(),
        refund: if succeeded { refund } else { 0 },
        logs: Vec::new(),
        ink_at_trap: matches!(result, Err(Stop::OutOfStack)).then_some(ink),
        steps: steps
            .into_iter()
            .map(|(name, before, after)| (name, String::new(), String::new(), before, after))
            .collect(),
    })
}

/// The engine's side; the interpreter knows no bytes of host calls.
fn engine_side(engine: &Engine, wasm: &[u8], item: &Item) -> Result<Seen, String> {
    let rules = activation_params(&Params::DEFAULT, 51, 0, false);
    let module = wasm::instrument_for_run(wasm, rules).map_err(|error| error.to_string())?;
    let program = engine.compile(&module).map_err(|error| error.to_string())?;
    let mut seen = run(engine, &program, item);
    for step in &mut seen.steps {
        step.1.clear();
        step.2.clear();
    }
    if seen.outcome != "success" {
        seen.storage.clear();
        seen.refund = 0;
    }
    Ok(seen)
}

fn item(rng: &mut Rng) -> Item {
    let args: Vec<u8> = (0..rng.below(80)).map(|_| rng.next() as u8).collect();
    let slots = (0..rng.below(3)).map(|_| {
        let slot = U256::from(rng.below(4));
        (
            format!("{slot:064x}"),
            format!("{:064x}", U256::from(rng.below(3))),
        )
    });
    let storage = slots.collect();
    let most = rng.below(4);
    Item::execution(
        hex::encode(args),
        // Little enough to run out of in one case of three.
        match most {
            0 => rng.below(3_000_000),
            1 => rng.below(60_000_000),
            _ => 400_000_000,
        },
        Setting {
            storage,
            max_depth: (rng.below(4) == 0).then(|| rng.below(400) as u32),
            ..Setting::default()
        },
    )
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| text.parse().expect("a number"))
}

fn with_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = thread::Builder::new().stack_size(STACK).spawn(work);
    thread
        .unwrap()
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn compare_random_programs() {
    let (count, seed) = (
        setting("STYLUS_DEVNET_MODULES", MODULES),
        setting("STYLUS_DEVNET_SEED", 1),
    );
    let start = std::time::Instant::now();
    let engine = Engine::new(false);
    let mut outcomes = BTreeMap::<String, u64>::new();
    let (mut bytes, mut host_calls, mut inks) = (0, 0, 0u128);
    let mut wrong = Vec::new();
    for number in 0..count {
        let mut rng = Rng(seed.wrapping_mul(1 << 32) + number);
        let wasm = generate::program(&mut rng);
        let item = item(&mut rng);
        let expected = reference(&wasm, &item).expect("programs use what the interpreter knows");
        match engine_side(&engine, &wasm, &item) {
            Ok(seen) if seen == expected => {}
            Ok(seen) => wrong.push(format!("{number}:\n  seen {seen:?}\n  want {expected:?}")),
            Err(error) => wrong.push(format!("{number}: {error}")),
        }
        bytes += wasm.len();
        host_calls += expected.steps.len();
        inks += u128::from(expected.ink_used);
        *outcomes.entry(expected.outcome).or_default() += 1;
        assert!(wrong.len() < 5, "{}", wrong.join("\n"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!(
        "{count} programs from seed {seed}, {bytes} bytes: {outcomes:?}; {host_calls} host calls, {inks} ink, in {:?}",
        start.elapsed()
    );
    for outcome in ["success", "revert", "failure", "out_of_ink", "out_of_stack"] {
        let some = outcomes.get(outcome).is_some_and(|count| *count > 0);
        assert!(some || count < MODULES, "no program ends in {outcome}");
    }
}

#[test]
fn random_programs_cost_what_the_rules_say() {
    with_stack(compare_random_programs);
}

/// The interpreter itself, held against the recordings of the reference.
#[test]
fn the_interpreter_agrees_with_the_recordings() {
    let (count, wrong) = with_stack(|| {
        let mut count = BTreeMap::new();
        let mut wrong = Vec::new();
        for item in vectors::items(&[Kind::Hand, Kind::Random, Kind::Depth]) {
            let env = &item.env;
            if env.read_only || env.open_pages > 0 || env.ink_price.is_some() {
                continue;
            }
            let Some(seen) = reference(&vectors::bytes(&item.file), &item) else {
                continue;
            };
            *count.entry(item.kind).or_insert(0) += 1;
            let want = &item.expected;
            let same = want["outcome"] == seen.outcome
                && want["ink_left"] == seen.ink_left
                && want["stack_left"] == seen.stack_left
                && want["memory_pages"] == seen.memory_pages
                && want["pages"] == serde_json::json!(seen.pages)
                && want["outs"].as_str().unwrap_or_default() == seen.outs;
            if !same {
                wrong.push(format!("{}: {seen:?}\n  {want}", item.name));
            }
        }
        (count, wrong)
    });
    println!("{count:?}");
    assert!(
        wrong.is_empty(),
        "{} of {count:?}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        count.get(&Kind::Random) == Some(&391) || !vectors::own(),
        "{count:?}"
    );
}
