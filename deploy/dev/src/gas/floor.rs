//! The floor: gas that an operation costs whatever the program is, because the chain charges it for what the
//! operation has to do.
//!
//! ```text
//! floor =  21,000                                     any transaction
//!       +  4 · zero bytes + 16 · other bytes          its calldata (EIP-2028)
//!       +  2,100 · slots read                         first touched by it (EIP-2929)
//!       + 22,100 · slots that were zero and are set   2,100 + 20,000
//!       +  5,000 · slots that change                  2,100 + 2,900
//!       +  375 · (1 + topics) + 8 · bytes of data     for each log of the interface
//!       +  100 + 3,000                                for each recovery of a signer: the call, and ecrecover
//!       +  32,000 + 200 · bytes                       for an account created with so much code
//!       +  activation                                 as ArbWasm charged it for this module
//! ```
//!
//! Slots are those without which a later call or a view could not answer as the interface says; a layout with
//! fewer would need a new floor. A refund for what might be cleared is not counted on.

use alloy_primitives::LogData;

/// Gas of any transaction, of a zero byte of its calldata and of any other (EIP-2028).
pub(super) const TRANSACTION: u64 = 21_000;
const ZERO_BYTE: u64 = 4;
const OTHER_BYTE: u64 = 16;
/// Gas of a slot read, set and changed, each touched for the first time (EIP-2929).
const READ: u64 = 2_100;
const SET: u64 = 22_100;
const CHANGED: u64 = 5_000;
/// Gas of a log and of each topic, and of each byte of its data.
const LOG: u64 = 375;
const LOG_BYTE: u64 = 8;
/// Gas of calling a precompile, and of ecrecover.
const RECOVERY: u64 = 100 + 3_000;
/// Gas of creating an account, and of each byte of its code.
const CREATION: u64 = 32_000;
const CODE_BYTE: u64 = 200;

/// Slots that an operation touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slots {
    /// only read
    pub(super) read: u64,
    /// zero before, not zero after
    pub(super) set: u64,
    /// not zero before, something else after
    pub(super) changed: u64,
}

/// What an operation has to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Floor {
    pub(super) calldata: Vec<u8>,
    pub(super) slots: Slots,
    pub(super) logs: Vec<LogData>,
    pub(super) recoveries: u64,
    /// bytes of code of the account that it creates
    pub(super) created_bytes: Option<usize>,
    /// gas of activating a program
    pub(super) activation: u64,
}

impl Floor {
    /// The sum.
    pub(super) fn gas(&self) -> u64 {
        let slots = self.slots;
        let creation = self
            .created_bytes
            .map_or(0, |bytes| CREATION + CODE_BYTE * bytes as u64);
        TRANSACTION
            + calldata(&self.calldata)
            + READ * slots.read
            + SET * slots.set
            + CHANGED * slots.changed
            + self.logs.iter().map(log).sum::<u64>()
            + RECOVERY * self.recoveries
            + creation
            + self.activation
    }
}

/// Gas of a transaction's calldata.
pub(super) fn calldata(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    ZERO_BYTE * zeros + OTHER_BYTE * (data.len() as u64 - zeros)
}

/// Gas of a log.
pub(super) fn log(log: &LogData) -> u64 {
    LOG * (1 + log.topics().len() as u64) + LOG_BYTE * log.data.len() as u64
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;

    #[test]
    fn every_term_counts_once() {
        let empty = Floor::default();
        assert_eq!(empty.gas(), 21_000);
        let all = Floor {
            calldata: vec![0, 0, 1],
            slots: Slots {
                read: 1,
                set: 1,
                changed: 1,
            },
            logs: vec![LogData::new_unchecked(
                vec![B256::ZERO; 2],
                vec![0; 32].into(),
            )],
            recoveries: 1,
            created_bytes: Some(10),
            activation: 7,
        };
        let terms = [
            21_000, 24, 2_100, 22_100, 5_000, 1_125, 256, 3_100, 32_000, 2_000, 7,
        ];
        assert_eq!(all.gas(), terms.iter().sum::<u64>());
    }
}
