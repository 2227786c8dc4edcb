//! The methods that read slots of accounts.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, U256};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{error::RpcError, node::Node};

/// The most slots of one request.
const MAX_SLOTS: usize = 1_024;
/// Characters of the longest key: its prefix, and two for each of 32 bytes.
const MAX_KEY: usize = 66;

/// A slot's number: a quantity, or at most 32 bytes in hexadecimal digits.
#[derive(Clone, Copy, Debug)]
struct Slot(U256);

impl<'de> Deserialize<'de> for Slot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = serde_json::Value::deserialize(deserializer)?;
        if key.as_str().is_some_and(|key| key.len() > MAX_KEY) {
            let reason = format!("storage key too long (want at most 32 bytes): {key}");
            return Err(D::Error::custom(reason));
        }
        let slot = serde_json::from_value(key).map_err(D::Error::custom)?;
        Ok(Self(slot))
    }
}

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::reading(module, "eth_getStorageAt", |node, args| {
        let (address, slot): (Address, Slot) = (args.need()?, args.need()?);
        let (_, version) = node.resolve(args.opt()?)?;
        let value = node.chain.read().state.storage(address, slot.0, version);
        Ok(B256::from(value))
    })?;
    Node::reading(module, "eth_getStorageValues", |node, args| {
        let wanted: BTreeMap<Address, Vec<Slot>> = args.need()?;
        let (_, version) = node.resolve(args.opt()?)?;
        let slots: usize = wanted.values().map(Vec::len).sum();
        if slots == 0 {
            return Err(RpcError::Invalid("empty request".into()));
        }
        if slots > MAX_SLOTS {
            let reason = format!("too many slots: {slots}, limit {MAX_SLOTS}");
            return Err(RpcError::Invalid(reason));
        }
        let ledger = node.chain.read();
        let values = wanted.into_iter().map(|(address, slots)| {
            let read = |slot: Slot| B256::from(ledger.state.storage(address, slot.0, version));
            (address, slots.into_iter().map(read).collect())
        });
        Ok(values.collect::<BTreeMap<Address, Vec<B256>>>())
    })
}
