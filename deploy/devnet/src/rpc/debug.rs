//! The `debug_` methods that trace a transaction, a block or a call: by frames, by host calls, by state, or opcode by opcode.

use std::collections::HashMap;

use alloy_primitives::{B256, Bytes};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    error::RpcError,
    node::Node,
    structlog::{self, StructLogOptions},
    tracers::{self, Place, TracerConfig},
    types::{Args, StateOverrides, WireBlockOverride, WireCall},
};
use crate::{
    chain::{BlockId, simulate::Execution},
    evm::trace::{Detail, FrameKind, Step, TracedFrame},
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
    tracer_config: Option<Value>,
    state_overrides: Option<StateOverrides>,
    block_overrides: Option<WireBlockOverride>,
    #[serde(flatten)]
    struct_log: StructLogOptions,
}
#[derive(Clone)]
enum Tracer {
    Calls(TracerConfig),
    Flat,
    FourBytes,
    Prestate(TracerConfig),
    /// Several at a time, each under its name.
    Mux(Vec<(String, Tracer)>),
    Nothing,
    Stylus,
    Opcodes(StructLogOptions),
}
impl Options {
    fn tracer(&self) -> Result<Tracer, RpcError> {
        match self.tracer.as_deref() {
            None | Some("") => Ok(Tracer::Opcodes(self.struct_log)),
            Some(name) => Tracer::named(name, self.tracer_config.clone().unwrap_or_default()),
        }
    }
}
impl Tracer {
    fn named(name: &str, config: Value) -> Result<Self, RpcError> {
        let read = |config: Value| match config {
            Value::Null => Ok(TracerConfig::default()),
            config => serde_json::from_value(config)
                .map_err(|error| RpcError::Invalid(format!("{name}: {error}"))),
        };
        Ok(match name {
            "callTracer" => Self::Calls(read(config)?),
            "flatCallTracer" => Self::Flat,
            "4byteTracer" => Self::FourBytes,
            "prestateTracer" => Self::Prestate(read(config)?),
            "noopTracer" => Self::Nothing,
            "stylusTracer" => Self::Stylus,
            "muxTracer" => {
                let Value::Object(tracers) = config else {
                    let reason = "muxTracer wants an object of tracers as its tracerConfig";
                    return Err(RpcError::Invalid(reason.into()));
                };
                let tracers = tracers
                    .into_iter()
                    .map(|(name, config)| match name.as_str() {
                        "muxTracer" => Err(RpcError::Invalid("a muxTracer in a muxTracer".into())),
                        _ => Ok((name.clone(), Self::named(&name, config)?)),
                    });
                Self::Mux(tracers.collect::<Result<_, _>>()?)
            }
            script if STYLUS_SCRIPT.iter().all(|part| script.contains(part)) => Self::Stylus,
            _ => {
                return Err(RpcError::Refused(
                    "this node traces with callTracer, flatCallTracer, 4byteTracer, prestateTracer, muxTracer, \
                     noopTracer, stylusTracer, or opcodes if no tracer is named; it runs no JavaScript but knows \
                     cargo-stylus's script"
                        .into(),
                ));
            }
        })
    }

    fn detail(&self) -> Detail {
        match self {
            Self::Opcodes(options) => Detail::Opcodes(options.wanted()),
            _ => Detail::Frames,
        }
    }

    fn show(&self, done: &Execution, place: Option<Place>) -> Result<Value, RpcError> {
        if done.traced.cut {
            return Err(RpcError::Refused(
                "the trace is too long to be shown".into(),
            ));
        }
        let frame = &done.traced.frame;
        Ok(match self {
            Self::Calls(config) => tracers::call(frame, *config),
            Self::Flat => Value::Array(tracers::flat(frame, place)),
            Self::FourBytes => tracers::four_bytes(frame),
            Self::Prestate(config) => tracers::prestate(&done.touched, *config),
            Self::Nothing => json!({}),
            Self::Stylus => steps(frame),
            Self::Opcodes(_) => structlog::show(&done.outcome, &done.traced.opcodes),
            Self::Mux(tracers) => {
                let shown = tracers
                    .iter()
                    .map(|(name, tracer)| Ok((name.clone(), tracer.show(done, place)?)));
                Value::Object(shown.collect::<Result<Map<_, _>, RpcError>>()?)
            }
        })
    }
}

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "debug_traceTransaction", |node, args| {
        let hash: B256 = args.need()?;
        let options: Options = args.opt()?.unwrap_or_default();
        let tracer = options.tracer()?;
        let place = {
            let ledger = node.chain.read();
            let found = ledger.find_tx(&hash);
            found.map(|(block, index)| Place::of(block, index, hash))
        };
        match node.chain.retrace(&hash, tracer.detail())? {
            Some(done) => tracer.show(&done, place),
            None => Err(RpcError::Refused("transaction not found".into())),
        }
    })?;
    for name in ["debug_traceBlockByNumber", "debug_traceBlockByHash"] {
        Node::blocking(module, name, trace_block)?;
    }
    Node::blocking(module, "debug_traceCall", trace_call)
}

fn trace_block(node: &Node, args: &mut Args<'_>) -> Result<Vec<Value>, RpcError> {
    let block = node.block(args.need()?)?;
    let options: Options = args.opt()?.unwrap_or_default();
    let tracer = options.tracer()?;
    if block.number() == 0 {
        return Err(RpcError::Refused("genesis is not traceable".into()));
    }
    let all = node.chain.retrace_block(&block, tracer.detail())?;
    let shown = all.iter().enumerate().zip(&block.mined);
    shown
        .map(|((index, done), mined)| {
            let hash = mined.tx.hash();
            let result = tracer.show(done, Some(Place::of(&block, index, hash)))?;
            Ok(json!({"txHash": hash, "result": result}))
        })
        .collect()
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
    let done = node.chain.trace(&call, at, accounts, &block, detail)?;
    tracer.show(&done, None)
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
