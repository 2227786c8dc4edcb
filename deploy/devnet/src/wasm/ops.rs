//! How many instructions and globals the instrumentation adds.

/// Globals: ink at hand, its status, a scratch register, the stack's budget.
pub(super) const ADDED_GLOBALS: usize = 4;

/// Instructions added for a block, a bulk operation, a function's entry, a return, a growth of memory.
pub(super) const METER_OPS: u64 = 12;
pub(super) const BULK_OPS: u64 = 17;
pub(super) const ENTRY_OPS: u64 = 12;
pub(super) const RECLAIM_OPS: u64 = 4;
pub(super) const GROW_OPS: u64 = 4;
