//! The messages between a program's thread and the transaction's: questions, answers, the program's end.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use alloy_primitives::{Address, B256, Bytes, U256};

/// The facts of its call that a program knows without asking.
#[derive(Clone, Debug)]
pub(crate) struct Env {
    pub(crate) args: Bytes,
    /** ink per gas */
    pub(crate) ink_price: u32,
    /// The ArbOS version in force.
    pub(crate) arbos: u64,
    pub(crate) contract: Address,
    pub(crate) sender: Address,
    pub(crate) origin: Address,
    pub(crate) value: U256,
    pub(crate) gas_price: U256,
    pub(crate) base_fee: U256,
    pub(crate) coinbase: Address,
    pub(crate) gas_limit: u64,
    pub(crate) chain_id: u64,
    /// The L1 block's number.
    pub(crate) block_number: u64,
    /** unix seconds */
    pub(crate) timestamp: u64,
    pub(crate) reentrant: bool,
    /// `true` if each host call is reported to the transaction's thread.
    pub(crate) traced: bool,
}

/// The account that a call runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    Call,
    Delegate,
    Static,
}

/// A call that a program makes.
#[derive(Clone, Debug)]
pub(crate) struct CallRequest {
    pub(crate) kind: CallKind,
    pub(crate) to: Address,
    pub(crate) input: Bytes,
    pub(crate) value: U256,
    /// Gas the program has.
    pub(crate) gas_left: u64,
    /// Gas it wants the callee to have at most.
    pub(crate) gas_asked: u64,
}

/// The result of a call.
#[derive(Clone, Debug)]
pub(crate) struct CallReply {
    pub(crate) success: bool,
    pub(crate) cost: u64,
    /// Also of a revert.
    pub(crate) data: Bytes,
}

/// A contract that a program creates.
#[derive(Clone, Debug)]
pub(crate) struct CreateRequest {
    pub(crate) code: Bytes,
    pub(crate) value: U256,
    /// Present for CREATE2.
    pub(crate) salt: Option<B256>,
    pub(crate) gas_left: u64,
}

/// The result of a creation that was allowed to try.
#[derive(Clone, Debug)]
pub(crate) struct CreateReply {
    pub(crate) address: Option<Address>,
    pub(crate) cost: u64,
    /// Only of a revert.
    pub(crate) data: Bytes,
}

/// A host refuses what its context forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// Why slots were not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlushError {
    Refused,
    OutOfGas,
}

/// A host call as a trace shows it. Arguments and results are what pointers point at, numbers big-endian.
#[derive(Clone, Debug, Default)]
pub(crate) struct HostCall {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<u8>,
    pub(crate) outs: Vec<u8>,
    pub(crate) start_ink: u64,
    pub(crate) end_ink: u64,
}

/// Where the answer to a request goes; used once.
pub(crate) type Reply<T> = SyncSender<T>;

/// A question that only the transaction's thread can answer. Amounts in replies are gas.
#[derive(Debug)]
pub(crate) enum Request {
    LoadSlot {
        key: B256,
        reply: Reply<(B256, u64)>,
    },
    /// Stores with `budget` gas at most.
    StoreSlots {
        slots: Vec<(B256, B256)>,
        budget: u64,
        reply: Reply<Result<u64, FlushError>>,
    },
    LoadTransient {
        key: B256,
        reply: Reply<B256>,
    },
    StoreTransient {
        key: B256,
        value: B256,
        reply: Reply<Result<(), Refused>>,
    },
    Call {
        call: CallRequest,
        reply: Reply<CallReply>,
    },
    Create {
        create: CreateRequest,
        reply: Reply<Result<CreateReply, Refused>>,
    },
    Log {
        topics: Vec<B256>,
        data: Bytes,
        reply: Reply<Result<(), Refused>>,
    },
    Balance {
        address: Address,
        reply: Reply<(U256, u64)>,
    },
    Code {
        address: Address,
        reply: Reply<(Bytes, u64)>,
    },
    CodeHash {
        address: Address,
        reply: Reply<(B256, u64)>,
    },
    AddPages {
        pages: u16,
        reply: Reply<u64>,
    },
    /// A host call that succeeded, when the call is traced.
    Step(HostCall),
    /// The program ended; nothing follows.
    Done(Finished),
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Success,
    /// Ended with a status other than 0.
    Revert,
    /// Trapped, or a host function found its arguments impossible: a revert without data.
    Failure,
    OutOfInk,
    OutOfStack,
    /// The host went away or the module could not be run: no outcome at all.
    Broken,
}

/// The end of a program.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) ending: Ending,
    /// Output or revert data.
    pub(crate) outs: Vec<u8>,
    pub(crate) ink_left: u64,
    /** words */
    pub(crate) stack_left: u32,
    /// Of the program's memory.
    pub(crate) memory_pages: u64,
    /// Why, for a failure; for logs only.
    pub(crate) reason: Option<String>,
}

/// Why a host function ends the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Escape {
    #[error("out of ink")]
    OutOfInk,
    #[error("exit early with status {0}")]
    Exit(u32),
    #[error("{0}")]
    Failure(&'static str),
    #[error("the transaction ended before the program")]
    HostGone,
}

/// The program's end of the line to the transaction's thread.
#[derive(Debug)]
pub(crate) struct Line(pub(crate) SyncSender<Request>);

impl Line {
    /// Sends the request that `build` makes around a reply slot, and waits for the reply.
    pub(super) fn ask<T>(&self, build: impl FnOnce(Reply<T>) -> Request) -> Result<T, Escape> {
        let (reply, answer): (_, Receiver<T>) = sync_channel(1);
        self.0.send(build(reply)).map_err(|_| Escape::HostGone)?;
        answer.recv().map_err(|_| Escape::HostGone)
    }
}
