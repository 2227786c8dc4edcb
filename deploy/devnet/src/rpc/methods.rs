//! All methods, family by family.

use std::sync::Arc;

use jsonrpsee::{RpcModule, server::RegisterMethodError};

use super::{
    accounts, debug, dev, eth, logs, node::Node, parity, proof, raw, simulate, states, storage,
    subscribe, txpool,
};
use crate::chain::Chain;

/// All methods, on a chain.
pub(crate) fn module(chain: Arc<Chain>) -> Result<RpcModule<Node>, RegisterMethodError> {
    let mut module = RpcModule::new(Node::new(chain));
    eth::register(&mut module)?;
    storage::register(&mut module)?;
    accounts::register(&mut module)?;
    proof::register(&mut module)?;
    raw::register(&mut module)?;
    parity::register(&mut module)?;
    states::register(&mut module)?;
    logs::register(&mut module)?;
    subscribe::register(&mut module)?;
    dev::register(&mut module)?;
    debug::register(&mut module)?;
    simulate::register(&mut module)?;
    txpool::register(&mut module)?;
    Ok(module)
}
