//! Bounds that hold while a program is read and planned; those of the whole are in [`counts`](super::counts).

/// Bytes of WASM that are looked at, whatever the chain's own limit is.
pub(super) const MAX_WASM_BYTES: usize = 1 << 20;
/// Pages of initial memory.
pub(super) const HEAP_BOUND: u16 = 128;
/// Words of one function's frame: locals, stack and four more.
pub(super) const MAX_FRAME_WORDS: u32 = 10 * 1024;
/// Words on a function's value stack.
pub(super) const MAX_STACK_WORDS: u32 = 4096;
