//! Blocks from and for peers, over Bitswap 1.2 ([`wire`]) on streams of the swarm ([`streams`]).
//!
//! A block is asked of one peer at a time: of one that delivered before, or of one that says it has it ([`hunt`]). A peer
//! that goes away, falls silent, does not have it or sends something else is passed over for the next. A block that arrives is
//! hashed; if a hunt waits for it, it is stored, and only then handed on. Peers are served from the disk, each
//! block verified again ([`serve`]). All messages that are under way share one budget of memory ([`room`]).

#[cfg(any(test, fuzzing))]
pub(super) mod fuzzing;
mod hunt;
mod room;
mod run;
mod serve;
mod state;
mod streams;
mod survey;
#[cfg(test)]
mod tests;
mod wire;

pub(super) use hunt::Failed;
pub(super) use state::Exchange;
pub(super) use streams::Streams;
