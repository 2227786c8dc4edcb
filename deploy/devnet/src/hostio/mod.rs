//! The host functions that a Stylus program imports.
//!
//! A program runs on a thread of its own ([`engine`](crate::engine)). A host function's answer
//! from the call's [`Env`] it answers there; for state, calls, logs and pages it sends a [`Request`] to
//! the transaction's thread and waits for the reply. Prices and the order of checks are those of Stylus v2.

mod account;
mod calls;
mod console;
mod env;
pub(crate) mod guest;
pub(crate) mod link;
mod logs;
mod math;
mod price;
mod request;
mod state;
mod storage_cache;

pub(crate) use self::{
    guest::Guest,
    request::{
        CallKind, CallReply, CallRequest, CreateReply, CreateRequest, Ending, Env, Escape,
        Finished, FlushError, HostCall, Line, Refused, Reply, Request,
    },
};
