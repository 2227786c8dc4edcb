//! All methods, family by family.

use std::sync::Arc;

use jsonrpsee::{RpcModule, server::RegisterMethodError};

use super::{debug, dev, eth, logs, node::Node, simulate, subscribe, txpool};
use crate::chain::Chain;

/// All methods, on a chain.
pub(crate) fn module(chain: Arc<Chain>) -> Result<RpcModule<Node>, RegisterMethodError> {
    let mut module = RpcModule::new(Node::new(chain));
    eth::register(&mut module)?;
    logs::register(&mut module)?;
    subscribe::register(&mut module)?;
    dev::register(&mut module)?;
    debug::register(&mut module)?;
    simulate::register(&mut module)?;
    txpool::register(&mut module)?;
    Ok(module)
}
