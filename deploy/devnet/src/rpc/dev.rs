//! What only a development node offers, and the small `net_` and `web3_` families.

use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use jsonrpsee::{RpcModule, server::RegisterMethodError};
use serde::{Deserialize, Deserializer, de::Error as _};

use super::Node;

/// A number of seconds, as number, decimal text or `0x` text.
struct Seconds(u64);
impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Number(u64),
            Text(String),
        }
        let seconds = match Wire::deserialize(deserializer)? {
            Wire::Number(seconds) => Ok(seconds),
            Wire::Text(text) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => text.parse(),
            },
        };
        seconds.map(Self).map_err(D::Error::custom)
    }
}

/// Adds the methods of this file.
pub(super) fn register(module: &mut RpcModule<Node>) -> Result<(), RegisterMethodError> {
    Node::blocking(module, "evm_snapshot", |node, _| {
        Ok(U64::from(node.chain.snapshot()?))
    })?;
    Node::blocking(module, "evm_revert", |node, args| {
        let id: U256 = args.need()?;
        // An id beyond the counter's range was never given out.
        Ok(match u64::try_from(id) {
            Ok(id) => node.chain.revert(id)?,
            Err(_) => false,
        })
    })?;
    Node::blocking(module, "evm_mine", |node, args| {
        let time: Option<Seconds> = args.opt()?;
        node.chain.mine_empty(time.map(|time| time.0))?;
        Ok("0x0")
    })?;
    Node::blocking(module, "evm_increaseTime", |node, args| {
        let seconds: Seconds = args.need()?;
        Ok(node.chain.increase_time(seconds.0)?)
    })?;
    Node::blocking(module, "evm_setNextBlockTimestamp", |node, args| {
        let time: Seconds = args.need()?;
        Ok(node.chain.set_next_time(time.0)?)
    })?;
    Node::blocking(module, "anvil_setBalance", |node, args| {
        let (address, wei): (Address, U256) = (args.need()?, args.need()?);
        Ok(node.chain.set_balance(address, wei)?)
    })?;
    Node::method(module, "net_version", |node, _| {
        Ok(node.chain.chain_id.to_string())
    })?;
    Node::method(module, "net_listening", |_, _| Ok(true))?;
    Node::method(module, "net_peerCount", |_, _| Ok(U64::ZERO))?;
    Node::method(module, "web3_clientVersion", |_, _| {
        Ok(concat!("stylus-devnet/v", env!("CARGO_PKG_VERSION")))
    })?;
    Node::method(module, "web3_sha3", |_, args| {
        let data: Bytes = args.need()?;
        Ok::<B256, _>(keccak256(data))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn seconds_are_written_in_many_ways() {
        for ten in [json!(10), json!("10"), json!("0xa")] {
            assert_eq!(serde_json::from_value::<Seconds>(ten).unwrap().0, 10);
        }
        for bad in [json!(-1), json!("ten"), json!("0x"), json!(null)] {
            assert!(serde_json::from_value::<Seconds>(bad).is_err());
        }
    }
}
