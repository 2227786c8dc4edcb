//! The protocol's operations with their canonical inputs: what is sent, what must be logged, which slots it takes.

mod v1;
mod v2;

use alloy_primitives::{Address, B256, LogData};
use alloy_sol_types::{SolCall, SolEvent};
use pcim_ledger::Version;

use super::Error;
use super::abi;
use super::chain::{Chain, Mined};
use super::floor::{Floor, Slots};

/// Who is which account.
pub(super) struct Stage;

impl Stage {
    pub(super) const OWNER: usize = 0;
    pub(super) const CONSORTIUM: usize = 1;
    pub(super) const RADIOLOGIST: usize = 2;
    pub(super) const REQUESTOR: usize = 3;
    pub(super) const OTHER: usize = 4;
    /// The first of the patients.
    pub(super) const PATIENT: usize = 5;
}

const SEAL: B256 = B256::repeat_byte(0x22);
const KEY: B256 = B256::repeat_byte(0x33);
const SHARED: B256 = B256::repeat_byte(0x44);
const SHARED_AGAIN: B256 = B256::repeat_byte(0x55);
const ROOT: B256 = B256::repeat_byte(0x66);
const NOTES: &str = "TREAT";
const DESCRIPTION: &str = "CT CHEST";
const REASON: &str = "not my doctor";
const LIMIT: u32 = 10;
const WINDOW_SECONDS: u32 = 86_400;
/// When version 2 is deployed and the operations begin, unix seconds: no byte of it is zero.
pub(super) const CLOCK: u64 = 4_000_000_017;
/// The year 2100, in unix seconds.
const DEADLINE: u64 = 4_102_444_800;

/// Slots of the constructor: the consortium.
pub(super) const CONSTRUCTED: Slots = Slots {
    read: 0,
    set: 1,
    changed: 0,
};

/// An operation.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// Whether it has a row: not if it only makes way for another.
    pub(super) listed: bool,
    /// The account that sends it.
    pub(super) from: usize,
    pub(super) data: Vec<u8>,
    /// What the interface says that it logs.
    logs: Vec<LogData>,
    slots: Slots,
    recoveries: u64,
    /// The second of its block; any if there is none.
    pub(super) at: Option<u64>,
}

impl Operation {
    pub(super) fn floor(&self) -> Floor {
        Floor {
            calldata: self.data.clone(),
            slots: self.slots,
            logs: self.logs.clone(),
            recoveries: self.recoveries,
            ..Floor::default()
        }
    }

    /// Sends it, in its second, and checks that it was done.
    pub(super) async fn send(&self, chain: &Chain, contract: Address) -> Result<Mined, Error> {
        if let Some(second) = self.at {
            chain.set_clock(second).await?;
        }
        let data = self.data.clone();
        let mined = chain.send_data(self.from, contract, data).await?;
        mined.succeeded(self.name)?;
        self.check_logs(&mined)?;
        Ok(mined)
    }

    /// Checks that it was done: the logs are those of the interface.
    fn check_logs(&self, mined: &Mined) -> Result<(), Error> {
        if mined.logs == self.logs {
            return Ok(());
        }
        let shown = |logs: &[LogData]| logs.iter().map(|log| format!("{log:?}")).collect();
        Err(Error::Logs {
            operation: self.name,
            wanted: shown(&self.logs),
            found: shown(&mined.logs),
        })
    }

    fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    fn unlisted(self) -> Self {
        Self {
            listed: false,
            ..self
        }
    }
}

/// What the constructor logs.
pub(super) fn constructed(consortium: Address) -> Vec<LogData> {
    let event = abi::v2::IPcac::ConsortiumTransferred {
        from: Address::ZERO,
        to: consortium,
    };
    vec![event.encode_log_data()]
}

/// Every operation once, in an order in which each finds the state it needs.
pub(super) fn operations(chain: &Chain, contract: Address) -> Result<Vec<Operation>, Error> {
    match chain.version() {
        Version::V1 => v1::operations(chain, contract),
        Version::V2 => v2::operations(chain, contract),
    }
}

/// What must be done before the patients come.
pub(super) fn accreditation(chain: &Chain, contract: Address) -> Operation {
    match chain.version() {
        Version::V1 => v1::accreditation(chain, contract),
        Version::V2 => v2::accreditation(chain, contract),
    }
}

/// The five calls of the paper's Table 1 for one of the patients, counted from 0.
pub(super) fn five_calls(
    chain: &Chain,
    contract: Address,
    patient: usize,
) -> Result<[Operation; 5], Error> {
    match chain.version() {
        Version::V1 => v1::five_calls(chain, contract, patient),
        Version::V2 => v2::five_calls(chain, contract, patient),
    }
}

/// The digest of a patient's image.
fn image(patient: usize, number: u8) -> B256 {
    B256::repeat_byte(0x80 | (patient as u8) << 4 | (number + 1))
}

impl Operation {
    fn logs(self, logs: Vec<LogData>) -> Self {
        Self { logs, ..self }
    }
}

fn operation(name: &'static str, from: usize, call: &impl SolCall, slots: Slots) -> Operation {
    Operation {
        name,
        listed: true,
        from,
        data: call.abi_encode(),
        logs: Vec::new(),
        slots,
        recoveries: 0,
        at: None,
    }
}

fn slots(read: u64, set: u64, changed: u64) -> Slots {
    Slots { read, set, changed }
}
