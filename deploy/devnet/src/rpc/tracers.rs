//! The tracers that show frames and state: `callTracer`, `flatCallTracer`, `4byteTracer`, `prestateTracer`.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U64, U256, hex};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::revert_reason;
use crate::{
    chain::{block::Block, touched::Touched},
    evm::trace::{FrameKind, TracedFrame},
};

/// The settings that tracers take, each those that it knows.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct TracerConfig {
    pub(super) only_top_call: bool,
    pub(super) with_log: bool,
    pub(super) diff_mode: bool,
    pub(super) disable_code: bool,
    pub(super) disable_storage: bool,
}

pub(super) fn call(frame: &TracedFrame, config: TracerConfig) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| {
        shown.insert(name.into(), value);
    };
    put("type", json!(kind(frame.kind)));
    put("from", json!(frame.from));
    if let Some(to) = frame.to {
        put("to", json!(to));
    }
    if frame.kind != FrameKind::StaticCall {
        put("value", json!(frame.value));
    }
    put("gas", json!(U64::from(frame.gas)));
    put("gasUsed", json!(U64::from(frame.gas_used)));
    put("input", json!(frame.input));
    if !frame.output.is_empty() {
        put("output", json!(frame.output));
    }
    if let Some(error) = &frame.error {
        put("error", json!(error));
        if let Some(reason) = revert_reason(&frame.output) {
            put("revertReason", json!(reason));
        }
    }
    if config.with_log && !frame.logs.is_empty() {
        let logs = frame.logs.iter().map(|(log, position)| {
            json!({
                "address": log.address, "topics": log.topics(), "data": log.data.data,
                "position": U64::from(*position),
            })
        });
        put("logs", logs.collect());
    }
    if !config.only_top_call && frame.calls().next().is_some() {
        put(
            "calls",
            frame.calls().map(|inner| call(inner, config)).collect(),
        );
    }
    Value::Object(shown)
}

fn kind(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Call => "CALL",
        FrameKind::CallCode => "CALLCODE",
        FrameKind::DelegateCall => "DELEGATECALL",
        FrameKind::StaticCall => "STATICCALL",
        FrameKind::Create => "CREATE",
        FrameKind::Create2 => "CREATE2",
        FrameKind::SelfDestruct => "SELFDESTRUCT",
    }
}

/// How often each function was called: selector and length of the arguments, joined by a dash.
pub(super) fn four_bytes(frame: &TracedFrame) -> Value {
    let mut counts = BTreeMap::<String, u64>::new();
    count(frame, &mut counts);
    json!(counts)
}

fn count(frame: &TracedFrame, counts: &mut BTreeMap<String, u64>) {
    let called = !matches!(
        frame.kind,
        FrameKind::Create | FrameKind::Create2 | FrameKind::SelfDestruct
    );
    if let Some((selector, rest)) = frame.input.split_first_chunk::<4>()
        && called
    {
        let key = format!("{}-{}", hex::encode_prefixed(selector), rest.len());
        *counts.entry(key).or_default() += 1;
    }
    frame.calls().for_each(|inner| count(inner, counts));
}

/// The place of a transaction, as flat traces repeat it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) block_hash: B256,
    pub(super) block_number: u64,
    pub(super) hash: B256,
    pub(super) index: usize,
}

impl Place {
    pub(super) fn of(block: &Block, index: usize, hash: B256) -> Self {
        Self {
            block_hash: block.hash,
            block_number: block.number(),
            hash,
            index,
        }
    }
}

/// The frames one after the other, as OpenEthereum's `trace_` methods list them.
pub(super) fn flat(frame: &TracedFrame, place: Option<Place>) -> Vec<Value> {
    let mut list = Vec::new();
    flatten(frame, place, &mut Vec::new(), &mut list);
    list
}

fn flatten(
    frame: &TracedFrame,
    place: Option<Place>,
    address: &mut Vec<usize>,
    list: &mut Vec<Value>,
) {
    let (action, kind, mut result) = match frame.kind {
        FrameKind::Create | FrameKind::Create2 => (
            json!({
                "from": frame.from, "gas": U64::from(frame.gas), "init": frame.input, "value": frame.value,
                "creationMethod": if frame.kind == FrameKind::Create { "create" } else { "create2" },
            }),
            "create",
            json!({"address": frame.to, "code": frame.output, "gasUsed": U64::from(frame.gas_used)}),
        ),
        FrameKind::SelfDestruct => (
            json!({"address": frame.from, "refundAddress": frame.to, "balance": frame.value}),
            "suicide",
            Value::Null,
        ),
        called => (
            json!({
                "callType": self::kind(called).to_ascii_lowercase(),
                "from": frame.from, "to": frame.to, "gas": U64::from(frame.gas), "input": frame.input,
                "value": if called == FrameKind::StaticCall { U256::ZERO } else { frame.value },
            }),
            "call",
            json!({"gasUsed": U64::from(frame.gas_used), "output": frame.output}),
        ),
    };
    let mut shown = json!({
        "action": action,
        "subtraces": frame.calls().count(),
        "traceAddress": address,
        "type": kind,
    });
    if let Some(error) = &frame.error {
        result = Value::Null;
        shown["error"] = match error.as_str() {
            "execution reverted" => json!("Reverted"),
            other => json!(other),
        };
    }
    shown["result"] = result;
    if let Some(place) = place {
        shown["blockHash"] = json!(place.block_hash);
        shown["blockNumber"] = json!(place.block_number);
        shown["transactionHash"] = json!(place.hash);
        shown["transactionPosition"] = json!(place.index);
    }
    list.push(shown);
    for (nth, inner) in frame.calls().enumerate() {
        address.push(nth);
        flatten(inner, place, address, list);
        address.pop();
    }
}

/// The accounts that a transaction touched as they were before it; in diff mode those that it changed, before and after.
pub(super) fn prestate(touched: &[Touched], config: TracerConfig) -> Value {
    if !config.diff_mode {
        let shown = touched.iter().map(|one| {
            let account = account(one, |(before, _)| *before, config);
            (one.address.to_string().to_lowercase(), account)
        });
        return Value::Object(shown.collect());
    }
    let (mut pre, mut post) = (Map::new(), Map::new());
    for one in touched.iter().filter(|one| one.is_changed()) {
        let key = one.address.to_string().to_lowercase();
        let before = account(
            one,
            |(before, after)| if before == after { U256::ZERO } else { *before },
            config,
        );
        pre.insert(key.clone(), before);
        if let Some(after) = changed(one, config) {
            post.insert(key, after);
        }
    }
    json!({"pre": pre, "post": post})
}

fn account(one: &Touched, slot: impl Fn(&(U256, U256)) -> U256, config: TracerConfig) -> Value {
    let before = &one.before;
    let mut shown = json!({"balance": before.balance});
    if before.nonce > 0 {
        shown["nonce"] = json!(before.nonce);
    }
    if !before.code.is_empty() && !config.disable_code {
        shown["code"] = json!(before.code);
        shown["codeHash"] = json!(alloy_primitives::keccak256(&before.code));
    }
    let slots = one.slots.iter().map(|(key, values)| (key, slot(values)));
    // In diff mode slots that stay, and those that were empty, are left out.
    let slots: Map<_, _> = slots
        .filter(|(_, value)| !config.diff_mode || !value.is_zero())
        .map(|(key, value)| (B256::from(*key).to_string(), json!(B256::from(value))))
        .collect();
    if !slots.is_empty() && !config.disable_storage {
        shown["storage"] = Value::Object(slots);
    }
    shown
}

/// The changed fields; `None` for an account that is gone.
fn changed(one: &Touched, config: TracerConfig) -> Option<Value> {
    let (before, after) = (&one.before, one.after.as_ref()?);
    let mut shown = json!({});
    if before.balance != after.balance {
        shown["balance"] = json!(after.balance);
    }
    if before.nonce != after.nonce {
        shown["nonce"] = json!(after.nonce);
    }
    if before.code != after.code && !config.disable_code {
        shown["code"] = json!(after.code);
    }
    let slots = one.slots.iter();
    let slots: Map<_, _> = slots
        .filter(|(_, (before, after))| before != after && !after.is_zero())
        .map(|(key, (_, after))| (B256::from(*key).to_string(), json!(B256::from(*after))))
        .collect();
    if !slots.is_empty() && !config.disable_storage {
        shown["storage"] = Value::Object(slots);
    }
    Some(shown)
}

/// The addresses that a flat trace goes from and to.
pub(super) fn ends(trace: &Value) -> (Option<Address>, Option<Address>) {
    let action = &trace["action"];
    let address = |value: &Value| value.as_str().and_then(|text| text.parse().ok());
    let from = address(&action["from"]).or(address(&action["address"]));
    let to = address(&action["to"])
        .or(address(&action["refundAddress"]))
        .or(address(&trace["result"]["address"]));
    (from, to)
}
