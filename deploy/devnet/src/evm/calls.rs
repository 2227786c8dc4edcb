//! Calls and creations that a program makes: what they cost, the frame they open, what comes back.

use alloy_primitives::{Address, Bytes, U256};
use revm::bytecode::Bytecode;
use revm::context::{ContextTr, JournalTr};
use revm::context_interface::CreateScheme;
use revm::handler::{EthFrame, FrameResult};
use revm::interpreter::interpreter::EthInterpreter;
use revm::interpreter::interpreter_types::RuntimeFlag;
use revm::interpreter::{
    CallInput, CallInputs, CallScheme, CallValue, CreateInputs, FrameInput, InstructionResult,
    InterpreterResult,
};
use revm::primitives::B256;

use super::context::{Ctx, Fatal};
use crate::hostio::{CallKind, CallReply, CallRequest, CreateReply, CreateRequest, Refused, Reply};

type Frame = EthFrame<EthInterpreter>;

/// Gas of any call, of a cold callee, of sending value, of sending it to an empty account.
const CALL: u64 = 100;
const COLD_CALLEE: u64 = 2500;
const SEND: u64 = 9000;
const NEW_ACCOUNT: u64 = 25_000;
/// Gas a callee gets on top when it is sent value.
const STIPEND: u64 = 2300;
/// Gas of any creation, and of each word of its code when that is hashed.
const CREATE: u64 = 32_000;
const HASH_WORD: u64 = 6;

/// A call or creation on its way.
pub(super) struct Pending {
    /// Gas that is spent whatever comes back.
    base: u64,
    /// Gas given to the frame.
    given: u64,
    waiting: Waiting,
}

enum Waiting {
    Call(Reply<CallReply>),
    Create(Reply<Result<CreateReply, Refused>>),
}

/// Prices a call and opens its frame. `None`: it was answered at once.
pub(super) fn call(
    ctx: &mut Ctx<'_>,
    frame: &Frame,
    call: CallRequest,
    reply: Reply<CallReply>,
) -> Result<Option<(FrameInput, Pending)>, Fatal> {
    let runs_static = frame.interpreter.runtime_flag.is_static();
    let refuse = |cost| {
        let data = Bytes::new();
        let success = false;
        let _ = reply.send(CallReply {
            success,
            cost,
            data,
        });
        Ok(None)
    };
    let sends = !call.value.is_zero();
    if runs_static && sends {
        return refuse(0);
    }
    let callee = ctx.journal_mut().load_account_with_code(call.to)?;
    let mut base = CALL;
    if callee.is_cold {
        base += COLD_CALLEE;
    }
    if sends {
        base += SEND;
        if callee.is_empty() {
            base += NEW_ACCOUNT;
        }
    }
    let mut known_bytecode = (
        callee.info.code_hash,
        callee.info.code.clone().unwrap_or_default(),
    );
    if base > call.gas_left {
        return refuse(call.gas_left);
    }
    if let Some(delegate) = known_bytecode.1.eip7702_address() {
        known_bytecode = delegated(ctx, delegate)?;
    }

    let most = (u128::from(call.gas_left - base) * 63 / 64) as u64;
    let mut given = call.gas_asked.min(most);
    if sends {
        given = given.saturating_add(STIPEND);
    }
    let own = &frame.interpreter.input;
    let (scheme, target_address, caller, value) = match call.kind {
        CallKind::Call => (
            CallScheme::Call,
            call.to,
            own.target_address,
            CallValue::Transfer(call.value),
        ),
        CallKind::Static => (
            CallScheme::StaticCall,
            call.to,
            own.target_address,
            CallValue::Transfer(U256::ZERO),
        ),
        CallKind::Delegate => (
            CallScheme::DelegateCall,
            own.target_address,
            own.caller_address,
            CallValue::Apparent(own.call_value),
        ),
    };
    let inputs = CallInputs {
        input: CallInput::Bytes(call.input),
        return_memory_offset: 0..0,
        gas_limit: given,
        reservoir: 0,
        bytecode_address: call.to,
        known_bytecode,
        target_address,
        caller,
        value,
        scheme,
        is_static: runs_static || call.kind == CallKind::Static,
        charged_new_account_state_gas: false,
    };
    let pending = Pending {
        base,
        given,
        waiting: Waiting::Call(reply),
    };
    Ok(Some((FrameInput::Call(Box::new(inputs)), pending)))
}

/// The code that an EIP-7702 account stands for. Looking it up is free and leaves it as cold as it was.
fn delegated(ctx: &mut Ctx<'_>, delegate: Address) -> Result<(B256, Bytecode), Fatal> {
    let journal = ctx.journal_mut();
    let load = journal.load_account_with_code(delegate)?;
    let cold = load.is_cold;
    let code = load.info.code.clone().unwrap_or_default();
    let hash = load.info.code_hash;
    if cold && let Some(account) = journal.inner.state.get_mut(&delegate) {
        account.mark_cold();
    }
    Ok((hash, code))
}

/// Prices a creation and opens its frame. `None`: it was refused.
pub(super) fn create(
    frame: &Frame,
    create: CreateRequest,
    reply: Reply<Result<CreateReply, Refused>>,
) -> Option<(FrameInput, Pending)> {
    let mut base = CREATE;
    if create.salt.is_some() {
        base += HASH_WORD * create.code.len().div_ceil(32) as u64;
    }
    if frame.interpreter.runtime_flag.is_static() || create.gas_left < base {
        let _ = reply.send(Err(Refused));
        return None;
    }
    let gas = create.gas_left - base;
    let given = gas - gas / 64;
    let scheme = match create.salt {
        Some(salt) => CreateScheme::Create2 { salt: salt.into() },
        None => CreateScheme::Create,
    };
    let inputs = CreateInputs::new(
        frame.interpreter.input.target_address,
        scheme,
        create.value,
        create.code,
        given,
        0,
    );
    let pending = Pending {
        base,
        given,
        waiting: Waiting::Create(reply),
    };
    Some((FrameInput::Create(Box::new(inputs)), pending))
}

impl Pending {
    /// Answers the program and takes over the refunds of what succeeded.
    pub(super) fn settle(self, frame: &mut Frame, result: FrameResult) {
        let address = match &result {
            FrameResult::Create(outcome) => outcome.address,
            FrameResult::Call(_) => None,
        };
        let InterpreterResult {
            result,
            output,
            gas,
        } = result.into_interpreter_result();
        let returned = if result.is_ok_or_revert() {
            gas.remaining()
        } else {
            0
        };
        if result.is_ok() {
            frame.interpreter.gas.record_refund(gas.refunded());
        }
        let cost = self
            .base
            .saturating_add(self.given.saturating_sub(returned));
        // A program that is gone needs no answer.
        match self.waiting {
            Waiting::Call(reply) => {
                let _ = reply.send(CallReply {
                    success: result.is_ok(),
                    cost,
                    data: output,
                });
            }
            Waiting::Create(reply) => {
                let reverted = result == InstructionResult::Revert;
                let _ = reply.send(Ok(CreateReply {
                    address: address.filter(|_| result.is_ok()),
                    cost,
                    data: if reverted { output } else { Bytes::new() },
                }));
            }
        }
    }
}
