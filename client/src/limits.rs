//! How long is waited for others, and how much is taken from them.

use std::time::Duration;

use pcim_ledger::Call;

/// Most approvals, denials or removals in one transaction: about six million gas.
pub const MAX_APPROVALS: usize = 100;

/// Most gas of a relayed call unless another limit is given: twice the dearest call that can be signed (a registration, 180,000,
/// and its longest calldata), the `relay` around it, and 300,000 for the signature of a contract account (ERC-1271).
pub const RELAY_GAS: u64 = 1_000_000;

/// How long the facade waits for others, and how much it takes from them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For anything at all to come from a peer that was asked for a block.
    pub fetch: Duration,
    /// For a whole image from peers.
    pub total: Duration,
    /// For a transaction to be mined.
    pub mine: Duration,
    /// Most gas of a transaction that carries another's signed call: his contract account may burn what it is given.
    pub relay_gas: u64,
    /// Most bytes of a sealed body that is opened: it is decrypted onto the disk before all of it is verified.
    pub body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fetch: Duration::from_secs(60),
            total: Duration::from_secs(24 * 3600),
            mine: Duration::from_secs(120),
            relay_gas: RELAY_GAS,
            body_bytes: 64 << 30,
        }
    }
}

impl Limits {
    /// The most gas that is paid for a call, if there is a limit.
    pub(crate) fn most_gas(&self, call: &Call) -> Option<u64> {
        matches!(call, Call::Relay(_)).then_some(self.relay_gas)
    }
}
