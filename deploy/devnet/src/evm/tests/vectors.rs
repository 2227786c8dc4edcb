//! The recorded executions of `tests/vectors`, each in a frame of the machine: ink, stack, memory, pages, output.

use std::collections::{BTreeMap, HashMap};

use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address};
use revm::context::{ContextTr, JournalTr, LocalContextTr};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::EvmTr;
use revm::interpreter::interpreter_action::FrameInit;
use revm::interpreter::{CallInput, CallInputs, CallScheme, CallValue, FrameInput, SharedMemory};
use revm::state::{AccountInfo, Bytecode};
use serde::Deserialize;

use crate::arbos::params::Params;
use crate::engine::{self, Engine};
use crate::evm::trace::{self, Step};
use crate::evm::*;
use crate::hostio::{Ending, Env, Guest};
use crate::vectors::{self, Item, Kind};
use crate::wasm;

const CONTRACT: Address = Address::repeat_byte(0xc0);
const SENDER: Address = Address::repeat_byte(0x5e);
const ORIGIN: Address = Address::repeat_byte(0x0e);
const GAS_PRICE: u64 = 100_000_000;
/// All that is recorded of an execution.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    outcome: String,
    #[serde(default)]
    outs: String,
    ink_left: u64,
    ink_used: u64,
    gas_left: u64,
    stack_left: u32,
    memory_pages: u64,
    pages: [u16; 2],
    #[serde(default)]
    storage: BTreeMap<String, String>,
    #[serde(default)]
    refund: i64,
    #[serde(default)]
    logs: Vec<ExpectedLog>,
    ink_global_at_trap: Option<u64>,
    trace: Option<Vec<HostStep>>,
    trace_ink: Option<Vec<InkStep>>,
    /// The engine's words; informative.
    #[serde(default, rename = "error")]
    _error: serde_json::Value,
    /// What the stand-in for the EVM saw: the trace has it too.
    #[serde(default, rename = "calls")]
    _calls: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedLog {
    data: String,
    topics: Vec<String>,
}

/// A host call: name, arguments, results, ink before and after.
pub(super) type HostStep = (String, String, String, u64, u64);
/// A host call: name, ink before and after.
type InkStep = (String, u64, u64);

/// What an execution did, in the words of the recording.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) outcome: String,
    pub(super) outs: String,
    pub(super) ink_left: u64,
    pub(super) ink_used: u64,
    pub(super) gas_left: u64,
    pub(super) stack_left: u32,
    pub(super) memory_pages: u64,
    pub(super) pages: [u16; 2],
    pub(super) storage: BTreeMap<String, String>,
    pub(super) refund: i64,
    pub(super) logs: Vec<(String, Vec<String>)>,
    pub(super) ink_at_trap: Option<u64>,
    pub(super) steps: Vec<HostStep>,
}

fn word(text: &str) -> U256 {
    U256::from_str_radix(text, 16).unwrap()
}

fn accounts() -> CacheDB<EmptyDB> {
    let mut db = CacheDB::new(EmptyDB::default());
    let rich = U256::from(1_000);
    db.insert_account_info(Address::repeat_byte(0xaa), AccountInfo::from_balance(rich));
    db.insert_account_info(SENDER, AccountInfo::default().with_nonce(1));
    for (byte, code) in [
        (0xbb, vec![0x60, 0x20, 0x60, 0x00, 0xfd]),
        (0xfe, vec![0xfe]),
        (0xdd, vec![0x5b; 1000]),
        (0xc0, vec![0xef, 0xf0, 0, 0, 1, 2, 3, 4, 5, 6]),
    ] {
        let code = Bytecode::new_raw(code.into());
        // The contract can pay for the calls that send value.
        let info =
            AccountInfo::from_bytecode(code).with_balance(U256::from(u64::from(byte == 0xc0)));
        db.insert_account_info(Address::repeat_byte(byte), info);
    }
    db
}

pub(super) fn run(engine: &Engine, program: &wasmtime::InstancePre<Guest>, item: &Item) -> Seen {
    run_among(engine, program, item, &[])
}

/// As [`run`], with further accounts that have code.
pub(super) fn run_among(
    engine: &Engine,
    program: &wasmtime::InstancePre<Guest>,
    item: &Item,
    others: &[(Address, Vec<u8>)],
) -> Seen {
    let setting = &item.env;
    let params = Params {
        ink_price: setting.ink_price.unwrap_or(Params::DEFAULT.ink_price),
        ..Params::DEFAULT
    };
    let value = setting.msg_value.as_deref().map_or(U256::from(7), word);
    let mut db = accounts();
    for (address, code) in others {
        let code = Bytecode::new_raw(code.clone().into());
        db.insert_account_info(*address, AccountInfo::from_bytecode(code));
    }
    for (slot, value) in &setting.storage {
        db.insert_account_storage(CONTRACT, word(slot), word(value))
            .unwrap();
    }
    let erased = Erased(&db);
    let block = BlockParams {
        number: 1,
        l1_number: 1_234_567,
        timestamp: 1_700_000_000,
        base_fee: GAS_PRICE,
        gas_limit: 1 << 50,
        coinbase: address!("a4b000000000000000000073657175656e636572"),
        recent: Default::default(),
        precompiles: Default::default(),
    };
    let args: Bytes = hex::decode(&item.args).unwrap().into();
    let gas = item.ink_limit / u64::from(params.ink_price);
    let tx = TxParams {
        from: ORIGIN,
        to: TxKind::Call(CONTRACT),
        value,
        input: args.clone(),
        gas_limit: gas,
        gas_price: GAS_PRICE.into(),
        tip: 0,
        hash: B256::ZERO,
        nonce: 0,
        access_list: Vec::new(),
        authorizations: Vec::new(),
        poster_gas: 0,
        impersonated: false,
    };
    let mut journal = Journal::new(ChainDb(&erased));
    journal.set_spec_id(spec(51));
    let ctx = Context {
        block: block_env(&block, &tx, Mode::Transaction),
        tx: tx_env(412_346, &tx, false),
        cfg: cfg_env(412_346, spec(51), Mode::Transaction),
        journaled_state: journal,
        chain: TxScratch {
            arbos: 51,
            trace: Some(Box::default()),
            ..TxScratch::default()
        },
        local: Default::default(),
        error: Ok(()),
    };
    let mut machine = Machine::new(ctx, engine, spec(51), HashMap::new());
    let (ctx, precompiles) = machine.ctx_precompiles();
    ctx.journal_mut().warm_precompiles(
        revm::handler::PrecompileProvider::<context::Ctx<'_>>::warm_addresses(precompiles),
    );
    for warm in [CONTRACT, SENDER, ORIGIN] {
        ctx.journal_mut().load_account_with_code(warm).unwrap();
    }
    let footprint = footprint(program);
    ctx.chain.pages_open = setting.open_pages.saturating_add(footprint);
    ctx.chain.pages_ever = ctx.chain.pages_open;

    let env = Env {
        args: args.clone(),
        ink_price: params.ink_price,
        arbos: 51,
        contract: CONTRACT,
        sender: SENDER,
        origin: ORIGIN,
        value,
        gas_price: U256::from(GAS_PRICE),
        base_fee: U256::from(GAS_PRICE),
        coinbase: block.coinbase,
        gas_limit: block.gas_limit,
        chain_id: 412_346,
        block_number: block.l1_number,
        timestamp: block.timestamp,
        reentrant: setting.reentrant != 0,
        traced: true,
    };
    let depth = setting.max_depth.unwrap_or(params.max_stack_depth);
    let running = engine::start(program.clone(), env, item.ink_limit, depth).unwrap();
    let code = Bytecode::new_raw(vec![0xef, 0xf0, 0, 0, 1].into());
    let call = CallInputs {
        input: CallInput::Bytes(args),
        return_memory_offset: 0..0,
        gas_limit: gas,
        reservoir: 0,
        bytecode_address: CONTRACT,
        known_bytecode: (code.hash_slow(), code),
        target_address: CONTRACT,
        caller: SENDER,
        value: CallValue::Apparent(value),
        scheme: CallScheme::Call,
        is_static: setting.read_only,
        charged_new_account_state_gas: false,
    };
    let memory = SharedMemory::new_with_buffer(machine.ctx().local.shared_memory_buffer().clone());
    let input = FrameInit {
        depth: 0,
        memory,
        frame_input: FrameInput::Call(Box::new(call)),
    };
    let program = crate::evm::stylus::ProgramFrame::started(running, &params, u64::MAX);
    let result = machine.run_with(input, program).unwrap();
    let mut ctx = machine.into_context();
    let end = ctx.chain.ended.take().unwrap();
    let trace = ctx.chain.trace.take().unwrap().finish().frame;
    let gone = matches!(end.ending, Ending::OutOfInk | Ending::OutOfStack);
    let ink_left = if gone { 0 } else { end.ink_left };
    let kept = ctx.journaled_state.inner.state.remove(&CONTRACT);
    let storage = kept
        .iter()
        .flat_map(|account| account.changed_storage_slots())
        .map(|(slot, value)| {
            let text = |number: U256| hex::encode(B256::from(number));
            (text(*slot), text(value.present_value))
        })
        .collect();
    Seen {
        outcome: match end.ending {
            Ending::Success => "success",
            Ending::Revert => "revert",
            Ending::Failure => "failure",
            Ending::OutOfInk => "out_of_ink",
            Ending::OutOfStack => "out_of_stack",
            Ending::Broken => "broken",
        }
        .into(),
        outs: hex::encode(&end.outs),
        ink_left,
        ink_used: item.ink_limit - ink_left,
        ink_at_trap: (end.ending == Ending::OutOfStack).then_some(end.ink_left),
        steps: steps(trace),
        gas_left: ink_left / u64::from(params.ink_price),
        stack_left: end.stack_left,
        memory_pages: end.memory_pages,
        pages: [ctx.chain.pages_at_end, ctx.chain.pages_ever],
        storage,
        refund: result.gas().refunded(),
        logs: ctx
            .journaled_state
            .inner
            .logs
            .iter()
            .map(|log| {
                let topics = log.topics().iter().map(hex::encode).collect();
                (hex::encode(&log.data.data), topics)
            })
            .collect(),
    }
}

fn footprint(program: &wasmtime::InstancePre<Guest>) -> u16 {
    let memory = program.module().get_export("memory");
    match memory.as_ref().and_then(|export| export.memory()) {
        Some(memory) => memory.minimum() as u16,
        None => 0,
    }
}

/// The host calls of the outermost frame, without its beginning and end.
fn steps(frame: trace::TracedFrame) -> Vec<HostStep> {
    let host = frame.steps.into_iter().filter_map(|step| match step {
        Step::Host(call) if !call.name.starts_with("user_") => Some(call),
        _ => None,
    });
    host.map(|call| {
        let (args, outs) = (hex::encode(call.args), hex::encode(call.outs));
        (call.name.into(), args, outs, call.start_ink, call.end_ink)
    })
    .collect()
}

/// What is recorded; where nothing is, what was seen.
fn expected(item: &Item, seen: &Seen) -> Seen {
    let expected = Expected::deserialize(&item.expected)
        .unwrap_or_else(|error| panic!("{}: {error}", item.name));
    let kept = expected.outcome == "success";
    let padded = |text: &String| hex::encode(B256::from(word(text)));
    let steps = match (expected.trace, expected.trace_ink) {
        (Some(steps), _) => steps,
        (None, Some(inks)) => {
            let known = seen
                .steps
                .iter()
                .map(|step| (step.1.clone(), step.2.clone()));
            let known = known.chain(std::iter::repeat_with(Default::default));
            let inks = inks.into_iter().zip(known);
            inks.map(|((name, before, after), (args, outs))| (name, args, outs, before, after))
                .collect()
        }
        (None, None) => seen.steps.clone(),
    };
    Seen {
        outs: expected.outs,
        ink_left: expected.ink_left,
        ink_used: expected.ink_used,
        gas_left: expected.gas_left,
        stack_left: expected.stack_left,
        memory_pages: expected.memory_pages,
        pages: expected.pages,
        // The recording knows what was written, this chain what was changed and stays.
        storage: expected
            .storage
            .iter()
            .map(|(slot, value)| (padded(slot), padded(value)))
            .filter(|(slot, value)| {
                let before = item.env.storage.iter().find(|(s, _)| padded(s) == *slot);
                let zero = "00".to_owned();
                kept && padded(before.map_or(&zero, |(_, before)| before)) != *value
            })
            .collect(),
        refund: expected.refund,
        logs: expected
            .logs
            .into_iter()
            .filter(|_| kept)
            .map(|log| (log.data, log.topics))
            .collect(),
        ink_at_trap: expected.ink_global_at_trap.or(seen.ink_at_trap),
        outcome: expected.outcome,
        steps,
    }
}

#[test]
fn recorded_executions_come_out_the_same() {
    let items = vectors::items(&[Kind::Hand, Kind::Random, Kind::Depth]);
    let engine = Engine::new(false);
    let mut programs = HashMap::new();
    let mut count = BTreeMap::<Kind, [usize; 2]>::new();
    let mut wrong = Vec::new();
    for item in &items {
        let program = programs.entry(item.file.clone()).or_insert_with(|| {
            let wasm = vectors::bytes(&item.file);
            let rules = crate::arbos::programs::activation_params(&Params::DEFAULT, 51, 0, false);
            let module = wasm::instrument_for_run(&wasm, rules).unwrap();
            engine.compile(&module).unwrap()
        });
        let seen = run(&engine, program, item);
        let expected = expected(item, &seen);
        let tally = count.entry(item.kind).or_default();
        tally[1] += 1;
        if seen == expected {
            tally[0] += 1;
        } else {
            wrong.push(format!(
                "{}\n  seen     {seen:?}\n  expected {expected:?}",
                item.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{count:?}\n{}", wrong.join("\n"));
    println!("{count:?}");
    assert!(items.len() == 934 || !vectors::own(), "{count:?}");
}
