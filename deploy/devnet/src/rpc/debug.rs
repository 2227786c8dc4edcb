//! The `debug_` methods: what a transaction or a call did, by `callTracer`, by `stylusTracer`, or opcode by opcode.

use std::collections::HashMap;

use alloy_primitives::{B256, Bytes, U64};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    error::{RpcError, revert_reason},
    node::Node,
    structlog::{self, StructLogOptions},
    types::{Args, StateOverrides, WireBlockOverride, WireCall},
};
use crate::{
    chain::BlockId,
    evm::{
        Outcome,
        trace::{Detail, FrameKind, Step, Traced, TracedFrame},
    },
    hostio::HostCall,
};

/// Host calls that open a frame; a trace shows it inside them.
const CALLS: [&str; 3] = [
    "call_contract",
    "delegate_call_contract",
    "static_call_contract",
];

/// The marks of the script that cargo-stylus sends by default: to record every host call, and to put the frame that a call
/// opened into it. `stylusTracer` answers the same.
const STYLUS_SCRIPT: [&str; 3] = [
    "\"hostio\": function",
    "this.nests.includes(info.name)",
    "return this.open",
];

/// How to trace.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    tracer: Option<String>,
    tracer_config: Option<TracerConfig>,
    state_overrides: Option<StateOverrides>,
    block_overrides: Option<WireBlockOverride>,
    #[serde(flatten)]
    struct_log: StructLogOptions,
}
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TracerConfig {
    only_top_call: bool,
    with_log: bool,
}

#[derive(Clone, Copy)]
enum Tracer {
    Calls(TracerConfig),
    Stylus,
    Opcodes(StructLogOptions),
}
impl Options {
    fn tracer(&self) -> Result<Tracer, RpcError> {
        match self.tracer.as_deref() {
            None | Some("") => Ok(Tracer::Opcodes(self.struct_log)),
            Some("callTracer") => Ok(Tracer::Calls(self.tracer_config.unwrap_or_default())),
            Some("stylusTracer") => Ok(Tracer::Stylus),
            Some(script) if STYLUS_SCRIPT.iter().all(|part| script.contains(part)) => {
                Ok(Tracer::Stylus)
            }
            _ => Err(RpcError::Refused(
                "this node traces with callTracer, stylusTracer, or opcodes if no tracer is named; it runs no \
                 JavaScript but knows cargo-stylus's script"
                    .into(),
            )),
        }
    }
}
impl Tracer {
    fn detail(self) -> Detail {
        match self {
            Self::Calls(_) | Self::Stylus => Detail::Frames,
            Self::Opcodes(options) => Detail::Opcodes(options.wanted()),
        }
    }

    fn show(self, outcome: &Outcome, traced: &Traced) -> Result<Value, RpcError> {
        if traced.cut {
            return Err(RpcError::Refused(
                "the trace is too long to be shown".into(),
            ));
        }
        Ok(match self {
            Self::Calls(config) => call(&traced.frame, config),
            Self::Stylus => steps(&traced.frame),
            Self::Opcodes(_) => structlog::show(outcome, &traced.opcodes),
        })
    }
}

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "debug_traceTransaction", |node, args| {
        let hash: B256 = args.need()?;
        let options: Options = args.opt()?.unwrap_or_default();
        let tracer = options.tracer()?;
        match node.chain.retrace(&hash, tracer.detail())? {
            Some((outcome, traced)) => tracer.show(&outcome, &traced),
            None => Err(RpcError::Refused("transaction not found".into())),
        }
    })?;
    Node::blocking(module, "debug_traceCall", trace_call)
}

fn trace_call(node: &Node, args: &mut Args<'_>) -> Result<Value, RpcError> {
    let request: WireCall = args.need()?;
    let at = args.opt()?.unwrap_or(BlockId::Latest);
    let options: Options = args.opt()?.unwrap_or_default();
    let tracer = options.tracer()?;
    let accounts = match options.state_overrides {
        Some(accounts) => accounts.try_into()?,
        None => HashMap::default(),
    };
    let block = options.block_overrides.unwrap_or_default().into();
    let call = request.try_into()?;
    let detail = tracer.detail();
    let (outcome, traced) = node.chain.trace(&call, at, accounts, &block, detail)?;
    tracer.show(&outcome, &traced)
}

fn call(frame: &TracedFrame, config: TracerConfig) -> Value {
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

/// The host calls of a frame. A frame that it opened stands in the host call that opened it, or by itself with a name that
/// begins with `evm_` when that was an opcode or a creation.
fn steps(frame: &TracedFrame) -> Value {
    let mut shown: Vec<Value> = Vec::new();
    let mut inner: Option<&TracedFrame> = None;
    for step in &frame.steps {
        match step {
            Step::Frame(frame) => {
                shown.extend(inner.map(bare));
                inner = Some(frame);
            }
            Step::Host(call) if CALLS.contains(&call.name) => {
                shown.push(host(call, Some(inner.take())));
            }
            Step::Host(call) => {
                shown.extend(inner.take().map(bare));
                shown.push(host(call, None));
            }
        }
    }
    shown.extend(inner.map(bare));
    Value::Array(shown)
}

/// A host call; one that calls has a frame, or none because it was refused.
fn host(call: &HostCall, inner: Option<Option<&TracedFrame>>) -> Value {
    let mut shown = json!({
        "name": call.name,
        "args": Bytes::copy_from_slice(&call.args),
        "outs": Bytes::copy_from_slice(&call.outs),
        "startInk": call.start_ink,
        "endInk": call.end_ink,
    });
    if let Some(frame) = inner {
        // The callee's address is the first argument.
        shown["address"] = match call.args.get(..20) {
            Some(address) => json!(Bytes::copy_from_slice(address)),
            None => json!(Bytes::new()),
        };
        shown["steps"] = frame.map_or_else(|| json!([]), steps);
    }
    shown
}

/// A frame that no host call stands for.
fn bare(frame: &TracedFrame) -> Value {
    let name = match frame.kind {
        FrameKind::Call | FrameKind::CallCode => "evm_call_contract",
        FrameKind::DelegateCall => "evm_delegate_call_contract",
        FrameKind::StaticCall => "evm_static_call_contract",
        FrameKind::Create => "evm_create1",
        FrameKind::Create2 => "evm_create2",
        FrameKind::SelfDestruct => "evm_self_destruct",
    };
    json!({
        "name": name, "args": "0x", "outs": "0x", "startInk": 0, "endInk": 0,
        "address": frame.to.unwrap_or_default(), "steps": steps(frame),
    })
}
