//! Logs.

use alloy_primitives::B256;

use super::guest::Host;
use super::price::{self, EVM_API, HOSTIO};
use super::{Escape, Refused, Request};

const MAX_TOPICS: u32 = 4;
/// Gas of a log and of each topic.
const LOG: u64 = 375;
/// Gas of each byte of data.
const LOG_BYTE: u64 = 8;

impl Host<'_> {
    /// `topics` words of topics lie before the log's data.
    pub(super) fn emit_log(&mut self, at: u32, len: u32, topics: u32) -> Result<(), Escape> {
        self.buy_ink(HOSTIO + EVM_API)?;
        if topics > MAX_TOPICS || len < 32 * topics {
            return Err(Escape::Failure("bad topic data"));
        }
        self.buy_ink(price::read(len))?;
        self.buy_gas(LOG * u64::from(1 + topics) + LOG_BYTE * u64::from(len - 32 * topics))?;
        let bytes = self.read(at, len)?;
        self.given(&[&topics.to_be_bytes(), &bytes]);
        let (topics, data) = bytes.split_at(32 * topics as usize);
        let topics = topics.chunks_exact(32).map(B256::from_slice).collect();
        let data = data.to_vec().into();
        self.ask(|reply| Request::Log {
            topics,
            data,
            reply,
        })?
        .map_err(|Refused| Escape::Failure("write protection"))
    }
}
